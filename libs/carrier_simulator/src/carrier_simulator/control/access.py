"""Who may use the control API, and how its requests are read and refused."""

import hmac
import ipaddress
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from carrier_simulator.carrier.answers import Handler, json_answer
from carrier_simulator.simulator import Simulator

__all__ = ["SIMULATOR", "ControlModel", "Unusable", "guarded", "read_body", "read_document", "read_query"]

SIMULATOR: web.AppKey[Simulator] = web.AppKey("simulator", Simulator)

Model = TypeVar("Model", bound=BaseModel)


class ControlModel(BaseModel):
    """The body or the query of a control request; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Unusable(Exception):
    """A control request that cannot be carried out; the text says why."""


def guarded(handler: Handler) -> Handler:
    """Return the handler, protected by the control token; without a token it is open to loopback clients only."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if not _may_control(request):
            return json_answer(403, {"error": "the control API needs its token, or a loopback client when none is set"})
        try:
            return await handler(request)
        except Unusable as unusable:
            return json_answer(400, {"error": str(unusable)})
        except ValidationError as invalid:
            details = invalid.errors(include_input=False, include_context=False, include_url=False)
            return json_answer(400, {"error": "the request cannot be used", "details": details})

    return answer


def _may_control(request: web.Request) -> bool:
    token = request.app[SIMULATOR].settings.control_token
    if token is not None:
        expected = f"Bearer {token.get_secret_value()}".encode()
        return hmac.compare_digest(expected, request.headers.get("Authorization", "").encode(errors="surrogateescape"))
    return request.remote is not None and ipaddress.ip_address(request.remote).is_loopback


async def read_document(request: web.Request) -> Any:
    """Return the decoded body; raises Unusable when it is not JSON."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Unusable("the body is not JSON") from error


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """Return the checked body; raises Unusable or ValidationError."""
    return model.model_validate(await read_document(request))


def read_query(request: web.Request, model: type[Model]) -> Model:
    """Return the checked query of a control request; raises ValidationError."""
    return model.model_validate(dict(request.query))
