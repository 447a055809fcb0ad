"""Message history for callers of this API. The dispatcher keeps it; the tenant is always the caller's."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from sms_common.phone import InvalidNumber, from_carrier, normalise
from sms_config.access.auth import Caller
from sms_config.model.problems import HistoryAway, Invalid, NotFound
from sms_config.model.records import TenantRecord
from sms_config.operations.dispatcher_client import DispatcherClient
from sms_config.schemas.bodies import MessageFilter, OneMessage
from sms_config.schemas.views import MessageView
from sms_config.storage.store_protocol import Store


class MessageHistory:
    """Reads messages."""

    def __init__(self, store: Store, dispatcher: DispatcherClient) -> None:
        self._store = store
        self._dispatcher = dispatcher

    async def find(self, caller: Caller, asked: MessageFilter) -> tuple[int, list[MessageView], bool]:
        """Return how many messages match, a page of them, and whether there may be more than were counted.

        Raises Invalid, NotFound, HistoryAway.
        """
        tenant = await self.tenant(caller, asked.tenant_id)
        given = asked.model_dump(mode="json", exclude_none=True)
        if asked.number is not None:
            given["number"] = _number(asked.number, tenant)
        found = await self._ask("", {**given, "tenant_id": tenant.id})
        try:
            items = [MessageView.model_validate(item) for item in found["items"]]
            return int(found["count"]), items, bool(found.get("more"))
        except (KeyError, TypeError, ValueError):
            raise HistoryAway("The dispatcher's answer could not be understood.") from None

    async def read(self, caller: Caller, message_id: str, asked: OneMessage) -> MessageView:
        """Return one message with its timeline. Raises Invalid, NotFound, HistoryAway."""
        tenant = await self.tenant(caller, asked.tenant_id)
        found = await self._ask(f"/{quote(tenant.id, safe='')}/{quote(message_id, safe='')}", {})
        try:
            return MessageView.model_validate(found)
        except ValidationError:
            raise HistoryAway("The dispatcher's answer could not be understood.") from None

    async def tenant(self, caller: Caller, tenant_id: str | None) -> TenantRecord:
        """Return the tenant whose messages are asked for. Raises Invalid, NotFound."""
        wanted = tenant_id or caller.only_tenant
        if wanted is None:
            raise Invalid.of("tenant_id", "is required: the history is one tenant's")
        tenant = await self._store.get(TenantRecord, wanted, caller.tenancy)
        if tenant is None:
            raise NotFound("There is no such tenant.")
        return tenant

    async def _ask(self, path: str, query: Mapping[str, Any]) -> Any:
        return await self._dispatcher.get(f"/api/v1/messages{path}", query, HistoryAway)


def _number(text: str, tenant: TenantRecord) -> str:
    """Return a number in the form in which messages hold it; a sender's name in the form in which carriers write it.

    Raises Invalid for digits without a plus that are no number of the tenant's country.
    """
    try:
        return normalise(text, tenant.country, foreign_without_plus=tenant.foreign_without_plus)
    except InvalidNumber as error:
        kept = from_carrier(text)
        if kept.startswith("+") and "+" not in text:
            raise Invalid.of("number", str(error)) from None
        return kept
