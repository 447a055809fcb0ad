"""Message history for people: pages by time, and one message with its timeline. It only reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import ExecutionTimeout

from sms_dispatcher.ledger.database import Database, operation
from sms_dispatcher.ledger.documents import Document, record
from sms_dispatcher.ledger.entries import EntryKind, entry_id
from sms_dispatcher.ledger.ledger import RARE

# Messages are counted up to this number, and for so long at most.
COUNT_UP_TO = 1_000
_COUNT_MS = 50


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Selects a page of message history. `descending` is by time."""

    tenant_id: str
    number: str | None = None
    direction: str | None = None
    status: str | None = None
    config_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    descending: bool = True
    skip: int = 0
    top: int = 100


class History:
    """The messages that the ledger keeps. Every method raises Unavailable (store_unavailable) when MongoDB does not
    answer.
    """

    def __init__(self, database: Database) -> None:
        self._messages = database.get_collection("messages")

    async def page(self, query: MessageQuery) -> tuple[int, list[Document], bool]:
        """How many messages match, one page of them, and whether there are more than were counted.

        Messages of the same millisecond have the order of the index, which is the same for every page.
        """
        order = DESCENDING if query.descending else ASCENDING
        async with operation("page"):
            cursor = self._messages.find(_condition(query)).sort([("created_at", order)]).hint(_hint(query))
            documents = await cursor.skip(query.skip).limit(query.top).to_list(query.top)
            full = len(documents) == query.top
            counted = await self._count(query) if full or query.skip else len(documents)
        if counted is None or ((full or query.skip) and counted > COUNT_UP_TO):
            seen = query.skip + len(documents) + full
            return max(COUNT_UP_TO if counted else 0, seen), [record(document) for document in documents], True
        return counted, [record(document) for document in documents], False

    async def _count(self, query: MessageQuery) -> int | None:
        """How many messages match, counted up to COUNT_UP_TO + 1; None when counting took too long."""
        try:
            return await self._messages.count_documents(_condition(query), **_counting(query))
        except ExecutionTimeout:
            return None

    async def read(self, tenant_id: str, message_id: str) -> Document | None:
        """One message with its timeline, or None."""
        async with operation("find"):
            document = await self._messages.find_one({"_id": entry_id(tenant_id, message_id), "tenant_id": tenant_id})
        return None if document is None else record(document)


def _condition(query: MessageQuery) -> Document:
    condition: Document = {"tenant_id": query.tenant_id, "kind": {"$ne": EntryKind.PARENT.value}}
    for name, value in (("direction", query.direction), ("status", query.status), ("config_id", query.config_id)):
        if value is not None:
            condition[name] = value
    if query.number is not None:
        condition["numbers"] = query.number
    if query.search is not None:
        # The ids of a list's messages begin with the list's id and a dot. The next character after a dot is a slash.
        id_ = entry_id(query.tenant_id, query.search)
        of_list = {"$gt": f"{id_}.", "$lt": f"{id_}/"}
        by_number = {"tenant_id": query.tenant_id, "numbers": query.search}
        condition["$or"] = [{"_id": id_}, {"_id": of_list}, by_number]
    created = {op: moment for op, moment in (("$gte", query.since), ("$lt", query.until)) if moment is not None}
    if created:
        condition["created_at"] = created
    return condition


def _counting(query: MessageQuery) -> dict[str, Any]:
    options: dict[str, Any] = {"limit": COUNT_UP_TO + 1, "maxTimeMS": _COUNT_MS}
    return {**options, "hint": hint} if (hint := _hint(query)) else options


def _hint(query: MessageQuery) -> str | None:
    """The index to use for a page, where MongoDB would choose another one and sort."""
    if query.number is not None or query.search is not None:
        return None
    return "tenant_rare_time" if query.status in RARE else "tenant_time"
