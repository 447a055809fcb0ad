"""Message history for callers of this API, asked from the dispatcher, which keeps it. The tenant is the caller's."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import structlog
from aiohttp import web
from pydantic import SecretStr, ValidationError

from sms_common.phone import InvalidNumber, normalise
from sms_config.auth import Caller
from sms_config.bodies import MessageFilter, OneMessage
from sms_config.problems import HistoryAway, Invalid, NotFound
from sms_config.records import TenantRecord
from sms_config.store_protocol import Store
from sms_config.views import MessageView

_log = structlog.get_logger()

# The dispatcher gives up on its database after 5 s and says so.
_SECONDS = 8.0


class History:
    """Reads messages. `url` and `token` are the dispatcher's; without a token there is no history."""

    def __init__(self, store: Store, url: str, token: SecretStr | None) -> None:
        self._store = store
        self._url = f"{url}/api/v1/messages"
        self._token = token
        self._http: aiohttp.ClientSession | None = None

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Keep connections to the dispatcher while the application runs."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as self._http:
            yield
        self._http = None

    async def find(self, caller: Caller, asked: MessageFilter) -> tuple[int, list[MessageView]]:
        """Return how many messages match, and a page of them. Raises Invalid, NotFound, HistoryAway."""
        tenant = await self._tenant(caller, asked.tenant_id)
        given = asked.model_dump(mode="json", exclude_none=True)
        if asked.number is not None:
            given["number"] = _number(asked.number, tenant.country)
        found = await self._ask("", {**given, "tenant_id": tenant.id})
        try:
            return int(found["count"]), [MessageView.model_validate(item) for item in found["items"]]
        except (KeyError, TypeError, ValueError):
            raise HistoryAway("The dispatcher's answer could not be understood.") from None

    async def read(self, caller: Caller, message_id: str, asked: OneMessage) -> MessageView:
        """Return one message with its timeline. Raises Invalid, NotFound, HistoryAway."""
        tenant = await self._tenant(caller, asked.tenant_id)
        found = await self._ask(f"/{quote(tenant.id, safe='')}/{quote(message_id, safe='')}", {})
        try:
            return MessageView.model_validate(found)
        except ValidationError:
            raise HistoryAway("The dispatcher's answer could not be understood.") from None

    async def _tenant(self, caller: Caller, tenant_id: str | None) -> TenantRecord:
        wanted = tenant_id or caller.only_tenant
        if wanted is None:
            raise Invalid.of("tenant_id", "is required: the history is one tenant's")
        tenant = await self._store.get(TenantRecord, wanted, caller.tenancy)
        if tenant is None:
            raise NotFound("There is no such tenant.")
        return tenant

    async def _ask(self, path: str, query: Mapping[str, Any]) -> Any:
        if self._token is None or self._http is None:
            raise HistoryAway("Message history is not set up: CONFIG_DISPATCHER_API_TOKEN is missing.")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        parameters = {name: str(value) for name, value in query.items()}
        try:
            async with self._http.get(self._url + path, params=parameters, headers=headers) as answer:
                return self._result(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            _log.warning("history.unavailable", error=type(error).__name__)
            raise HistoryAway("The dispatcher, which keeps the messages, cannot be reached now.") from None

    def _result(self, status: int, body: bytes) -> Any:
        match status:
            case HTTPStatus.OK:
                return orjson.loads(body)
            case HTTPStatus.NOT_FOUND:
                raise NotFound("There is no such message.")
            case HTTPStatus.UNAUTHORIZED:
                _log.error("history.refused", status=status)
                raise HistoryAway("The dispatcher refuses this service: CONFIG_DISPATCHER_API_TOKEN is not its token.")
        _log.warning("history.unavailable", status=status)
        raise HistoryAway("The dispatcher cannot read its messages now.")


def _number(text: str, country: str) -> str:
    """Return a number as messages hold it; what is none, such as a short code or a name, stays as it is."""
    try:
        return normalise(text, country)
    except InvalidNumber:
        return text.strip()
