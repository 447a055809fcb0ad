"""Client of the dispatcher's read API: message history, lanes, and explanations of what would become of a text."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any

import aiohttp
import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, Field, SecretStr, ValidationError

from sms_config.model.problems import DispatcherAway, FieldProblem, Invalid, NotFound

_log = structlog.get_logger()

# The dispatcher gives up on its database after 5 s and says so.
_SECONDS = 8.0


class DispatcherClient:
    """Sends requests to the dispatcher at `url`. Without a `token` every request fails.

    Every method takes the Problem to raise when the dispatcher gives no answer.
    """

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self._url = url
        self._token = token
        self._http: aiohttp.ClientSession | None = None

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Keep connections to the dispatcher while the application runs."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as self._http:
            yield
        self._http = None

    async def get(self, path: str, query: Mapping[str, Any], away: type[DispatcherAway]) -> Any:
        """Return what is at `path`. Raises NotFound, Invalid, and `away`."""
        return await self._ask("GET", path, away, params={name: str(value) for name, value in query.items()})

    async def post(self, path: str, body: Mapping[str, Any], away: type[DispatcherAway]) -> Any:
        """Return the answer to a request. Raises Invalid; and `away`, also when the dispatcher does not know `path`."""
        try:
            return await self._ask("POST", path, away, json=dict(body))
        except NotFound:
            raise away("The dispatcher cannot answer this: it is older than this service.") from None

    async def _ask(self, method: str, path: str, away: type[DispatcherAway], **options: Any) -> Any:
        if self._token is None or self._http is None:
            raise away("The dispatcher is not set up here: CONFIG_DISPATCHER_READ_TOKEN is missing.")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            async with self._http.request(method, self._url + path, headers=headers, **options) as answer:
                return _result(answer.status, await answer.read(), away)
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            _log.warning("dispatcher.unavailable", error=type(error).__name__)
            raise away("The dispatcher cannot be reached now.") from None


class _Refusal(BaseModel):
    """The dispatcher's answer to an invalid request; it names the fields of that request."""

    errors: Annotated[tuple[FieldProblem, ...], Field(min_length=1)]


def _result(status: int, body: bytes, away: type[DispatcherAway]) -> Any:
    match status:
        case HTTPStatus.OK:
            return orjson.loads(body)
        case HTTPStatus.NOT_FOUND:
            raise NotFound("There is no such message.")
        case HTTPStatus.UNAUTHORIZED:
            _log.error("dispatcher.refused", status=status)
            raise away("The dispatcher refuses this service: CONFIG_DISPATCHER_READ_TOKEN is not its token.")
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            with suppress(ValidationError):
                raise Invalid(_Refusal.model_validate_json(body).errors)
    _log.warning("dispatcher.unavailable", status=status)
    raise away("The dispatcher cannot answer now.")
