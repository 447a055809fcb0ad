"""The read API on the dispatcher's internal port: message history under PortSIP's record fields, and explanations."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from sms_common.errors import Unavailable
from sms_common.events import Moment
from sms_common.input.field_errors import predicate
from sms_common.input.patterns import ID_PATTERN
from sms_common.messages import Status
from sms_dispatcher.api.explaining import Explainer, InboundQuestion, OutboundQuestion
from sms_dispatcher.lanes.stalled_lanes import StalledLanes
from sms_dispatcher.ledger.history import History, MessageQuery

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Question = TypeVar("Question", bound=BaseModel)

_MAX_SKIP = 100_000
_MAX_QUESTION = 64 * 1024


def _plus(value: object) -> object:
    """Restore a plus that arrived as a blank, since the caller did not encode it in the query string."""
    return "+" + value.strip() if isinstance(value, str) and value.startswith(" ") else value


class HistoryFilter(BaseModel):
    """The query string of a page of message history. `tenant_id` is always needed; `number` is either party."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant_id: Annotated[str, Field(pattern=ID_PATTERN)]
    number: Annotated[str | None, BeforeValidator(_plus), Field(max_length=64)] = None
    direction: Literal["IN", "OUT"] | None = None
    status: Status | None = None
    config_id: Annotated[str | None, Field(pattern=ID_PATTERN)] = None
    since: Moment | None = None
    until: Moment | None = None
    search: Annotated[str | None, BeforeValidator(_plus), Field(max_length=64)] = None
    orderby: Literal["time", "time asc", "time desc"] = "time desc"
    skip: Annotated[int, Field(ge=0, le=_MAX_SKIP)] = 0
    top: Annotated[int, Field(ge=1, le=100)] = 100

    def query(self) -> MessageQuery:
        """The filter as a query of the history."""
        return MessageQuery(
            tenant_id=self.tenant_id,
            number=self.number,
            direction=self.direction,
            status=self.status.value if self.status else None,
            config_id=self.config_id,
            since=self.since,
            until=self.until,
            search=self.search,
            descending=self.orderby == "time desc",
            skip=self.skip,
            top=self.top,
        )


class LanesQuery(BaseModel):
    """The query string of the lanes: ids of configurations, separated by commas, 100 at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,99}$")]


class MessagesApi:
    """The message history. Every call needs the service token as a bearer token and names a tenant."""

    def __init__(self, history: History, token: SecretStr) -> None:
        self._history = history
        self._token = token

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/v1/messages", _guarded(self._page, self._token))
        app.router.add_get("/api/v1/messages/{tenant_id}/{message_id}", _guarded(self._read, self._token))

    async def _page(self, request: web.Request) -> web.Response:
        try:
            asked = HistoryFilter.model_validate(dict(request.query))
        except ValidationError as error:
            return _invalid(error)
        count, items, more = await self._history.page(asked.query())
        return _json({"count": count, **({"more": True} if more else {}), "items": items})

    async def _read(self, request: web.Request) -> web.Response:
        tenant_id, message_id = request.match_info["tenant_id"], request.match_info["message_id"]
        found = await self._history.read(tenant_id, message_id)
        if found is None:
            return _error(404, "not_found", "There is no message of this id.")
        return _json(found)


class LanesApi:
    """Returns which lanes are stalled and why, whichever dispatcher owns them. Needs the service token as a bearer
    token.
    """

    def __init__(self, lanes: StalledLanes, token: SecretStr) -> None:
        self._lanes = lanes
        self._token = token

    def add_to(self, app: web.Application) -> None:
        """Add the route."""
        app.router.add_get("/api/v1/lanes", _guarded(self._stalled, self._token))

    async def _stalled(self, request: web.Request) -> web.Response:
        try:
            asked = LanesQuery.model_validate(dict(request.query))
        except ValidationError as error:
            return _invalid(error)
        found = await self._lanes.stalled(asked.ids.split(","))
        return _json({"items": [asdict(one) for one in found]})


class ExplainApi:
    """Explains what would happen to a text. Every call needs the service token as a bearer token."""

    def __init__(self, explainer: Explainer, token: SecretStr) -> None:
        self._explainer = explainer
        self._token = token

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/api/v1/explain/outbound", _guarded(self._outbound, self._token))
        app.router.add_post("/api/v1/explain/inbound", _guarded(self._inbound, self._token))

    async def _outbound(self, request: web.Request) -> web.Response:
        return await _answered(request, OutboundQuestion, self._explainer.outbound)

    async def _inbound(self, request: web.Request) -> web.Response:
        return await _answered(request, InboundQuestion, self._explainer.inbound)


async def _answered(
    request: web.Request, kind: type[Question], explain: Callable[[Question], Awaitable[BaseModel]]
) -> web.Response:
    body = await request.read()
    if len(body) > _MAX_QUESTION:
        return _error(413, "body_too_large", f"The body may have {_MAX_QUESTION} bytes.")
    try:
        question = kind.model_validate_json(body)
    except ValidationError as error:
        return _invalid(error)
    return _json((await explain(question)).model_dump(mode="json"))


def _guarded(handler: Handler, token: SecretStr) -> Handler:
    """The handler behind the service token."""
    expected = f"Bearer {token.get_secret_value()}".encode()

    async def guarded(request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _error(401, "unauthorized", "A valid bearer token is needed.", {"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except Unavailable as error:
            return _error(503, error.code, "A service that this needs is unavailable.", {"Retry-After": "5"})

    return guarded


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps(value)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"code": code, "message": message, "errors": []}, status, headers)


def _invalid(error: ValidationError) -> web.Response:
    errors = [
        {
            "field": ".".join(str(part) for part in item["loc"]),
            "message": predicate(item["type"], item.get("ctx", {})),
        }
        for item in error.errors(include_url=False, include_input=False)
    ]
    return _json({"code": "invalid_query", "message": "The query is not valid.", "errors": errors}, 422)
