"""The read API for message history, under PortSIP's record fields, on the dispatcher's internal port."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import orjson
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from sms_common.configuration import ID_PATTERN
from sms_common.errors import Unavailable
from sms_common.events import Moment
from sms_common.messages import Status
from sms_dispatcher.ledger import Ledger, MessageQuery

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MAX_SKIP = 100_000


def _plus(value: object) -> object:
    """A plus in a query string arrives as a blank when the caller did not encode it."""
    return "+" + value.strip() if isinstance(value, str) and value.startswith(" ") else value


class MessageFilter(BaseModel):
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
        """The filter as the ledger takes it."""
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


class MessagesApi:
    """Reads only. Every call needs the service token as a bearer token and names a tenant."""

    def __init__(self, ledger: Ledger, token: SecretStr) -> None:
        self._ledger = ledger
        self._token = f"Bearer {token.get_secret_value()}".encode()

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/v1/messages", self._guarded(self._page))
        app.router.add_get("/api/v1/messages/{tenant_id}/{message_id}", self._guarded(self._read))

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, self._token):
                return _error(401, "unauthorized", "A valid bearer token is needed.", {"WWW-Authenticate": "Bearer"})
            try:
                return await handler(request)
            except Unavailable as error:
                return _error(503, error.code, "The message store does not answer at the moment.", {"Retry-After": "5"})

        return guarded

    async def _page(self, request: web.Request) -> web.Response:
        try:
            asked = MessageFilter.model_validate(dict(request.query))
        except ValidationError as error:
            return _invalid(error)
        count, items = await self._ledger.page(asked.query())
        return _json({"count": count, "items": items})

    async def _read(self, request: web.Request) -> web.Response:
        tenant_id, message_id = request.match_info["tenant_id"], request.match_info["message_id"]
        found = await self._ledger.read(tenant_id, message_id)
        if found is None:
            return _error(404, "not_found", "There is no message of this id.")
        return _json(found)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps(value)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json({"code": code, "message": message, "errors": []}, status, headers)


def _invalid(error: ValidationError) -> web.Response:
    errors = [
        {"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return _json({"code": "invalid_query", "message": "The query is not valid.", "errors": errors}, 422)
