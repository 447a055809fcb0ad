"""A store in memory, for tests. It passes the same contract tests as the one on MongoDB."""

import asyncio
import copy
import operator
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from sms_common.errors import Code, Unavailable
from sms_common.events import SeenWebhook
from sms_config.model.query import Clause, Order, Query
from sms_config.model.records import (
    Announcement,
    ApiKeyRecord,
    Record,
    RetiredConfig,
    SmsConfigRecord,
    StoredRecord,
    TenantRecord,
    Ticket,
    TrunkRecord,
    UserRecord,
)
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import (
    EVERYONE,
    RECORD_KINDS,
    Duplicate,
    Everything,
    Missing,
    Page,
    R,
    StoreUnusable,
    T,
    Tenancy,
    Transaction,
)

_UNIQUE: Mapping[type[StoredRecord], tuple[str, ...]] = {
    SmsConfigRecord: ("webhook_sha256",),
    ApiKeyRecord: ("prefix",),
    UserRecord: ("name_key",),
    ExtensionRecord: ("tenant_id", "extension"),
}


class InMemoryStore:
    """Keeps records in dictionaries. While `away` every call raises Unavailable; `unusable` makes prepare fail."""

    def __init__(self) -> None:
        self.records: dict[type[StoredRecord], dict[str, StoredRecord]] = {kind: {} for kind in RECORD_KINDS}
        self.waiting: dict[str, Announcement] = {}
        self.retired: dict[str, RetiredConfig] = {}
        self.tickets: dict[str, Ticket] = {}
        self.webhooks: dict[tuple[str, str], SeenWebhook] = {}
        self.number = 0
        self.away = False
        self.refused = asyncio.Event()  # set by a call while away
        self.unusable: str | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self, kind: type[R], record_id: str, tenancy: Tenancy) -> R | None:
        self._check()
        record = self.records[kind].get(record_id)
        return record if isinstance(record, kind) and _visible(record, tenancy) else None

    async def find(self, kind: type[R], query: Query, tenancy: Tenancy) -> Page[R]:
        self._check()
        found = [
            record
            for record in self.records[kind].values()
            if isinstance(record, kind) and _visible(record, tenancy) and _matches(record, query)
        ]
        for order in reversed((*query.order, Order("id"))):
            found.sort(key=_rank_by(order.path), reverse=order.descending)
        end = None if query.top is None else query.skip + query.top
        items = tuple(found[query.skip : end])
        more = query.top is not None and len(found) > query.count_up_to and (query.skip > 0 or len(items) == query.top)
        return Page(items, query.at_least(len(items)) if more else len(found), more)

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._one_at_a_time:
            self._check()
            copied = _InMemoryTransaction(self)
            result = await work(copied)
            self._check()
            self.records, self.waiting, self.retired, self.number = (
                copied.records,
                copied.waiting,
                copied.retired,
                copied.number,
            )
            return result

    async def snapshot_version(self) -> str:
        self._check()
        return str(self.number)

    async def everything(self, *, with_rules: bool = True) -> Everything:
        oldest_first = Query(top=None)
        tenants, trunks = (
            await self.find(TenantRecord, oldest_first, EVERYONE),
            await self.find(TrunkRecord, oldest_first, EVERYONE),
        )
        configs = await self.find(SmsConfigRecord, oldest_first, EVERYONE)
        retired = tuple(self.retired.values())
        found = Everything(str(self.number), tenants.items, trunks.items, configs.items, retired)
        if not with_rules:
            return found
        return replace(
            found,
            inbound_rules=(await self.find(InboundRuleRecord, oldest_first, EVERYONE)).items,
            outbound_rules=(await self.find(OutboundRuleRecord, oldest_first, EVERYONE)).items,
            extensions=(await self.find(ExtensionRecord, oldest_first, EVERYONE)).items,
        )

    async def api_key(self, prefix: str) -> ApiKeyRecord | None:
        self._check()
        return next(
            (
                key
                for key in self.records[ApiKeyRecord].values()
                if isinstance(key, ApiKeyRecord) and key.prefix == prefix
            ),
            None,
        )

    async def touch_api_key(self, key_id: str, at: datetime) -> None:
        key = await self.get(ApiKeyRecord, key_id, EVERYONE)
        if key is not None:
            self.records[ApiKeyRecord][key_id] = key.model_copy(update={"last_used_at": at})

    async def touch_user(self, user_id: str, at: datetime) -> None:
        user = await self.get(UserRecord, user_id, EVERYONE)
        if user is not None:
            self.records[UserRecord][user_id] = user.model_copy(update={"last_login_at": at})

    async def add_ticket(self, ticket: Ticket) -> None:
        self._check()
        self.tickets[ticket.id] = ticket

    async def ticket(self, ticket_id: str) -> Ticket | None:
        self._check()
        return self.tickets.get(ticket_id)

    async def extend_ticket(self, ticket_id: str, until: datetime) -> None:
        self._check()
        ticket = self.tickets.get(ticket_id)
        if ticket is not None:
            self.tickets[ticket_id] = ticket.model_copy(update={"expires_at": max(until, ticket.expires_at)})

    async def delete_ticket(self, ticket_id: str) -> None:
        self._check()
        self.tickets.pop(ticket_id, None)

    async def announcements(self, limit: int) -> list[Announcement]:
        self._check()
        return list(self.waiting.values())[:limit]

    async def remove_announcements(self, ids: Iterable[str]) -> None:
        self._check()
        for announcement_id in ids:
            self.waiting.pop(announcement_id, None)

    async def record_webhooks(self, webhooks: Iterable[SeenWebhook]) -> None:
        self._check()
        for one in webhooks:
            # To the millisecond, as the other store keeps times.
            at = one.at.replace(microsecond=one.at.microsecond // 1000 * 1000)
            known = self.webhooks.get((one.config_id, one.result))
            if known is None or known.at < at:
                self.webhooks[one.config_id, one.result] = one.model_copy(update={"at": at})

    async def latest_webhooks(self, config_ids: Iterable[str]) -> list[SeenWebhook]:
        self._check()
        wanted = set(config_ids)
        return [one for (config_id, _), one in self.webhooks.items() if config_id in wanted]

    async def prepare(self) -> None:
        self._check()
        if self.unusable is not None:
            raise StoreUnusable(self.unusable)

    async def ping(self) -> None:
        self._check()

    def _check(self) -> None:
        if self.away:
            self.refused.set()
            raise Unavailable(Code.STORE_UNAVAILABLE, "The store is away.")


class _InMemoryTransaction(InMemoryStore):
    """A copy of a store, which replaces it when the transaction succeeds. A shallow one: records are immutable."""

    def __init__(self, store: InMemoryStore) -> None:
        super().__init__()
        self.records = {kind: copy.copy(records) for kind, records in store.records.items()}
        self.waiting, self.retired, self.number, self.away = (
            copy.copy(store.waiting),
            copy.copy(store.retired),
            store.number,
            store.away,
        )

    async def insert(self, record: StoredRecord) -> None:
        records = self.records[type(record)]
        unique = attrgetter(*_UNIQUE.get(type(record), ("id",)))
        if record.id in records or any(unique(other) == unique(record) for other in records.values()):
            raise Duplicate
        records[record.id] = record

    async def replace(self, before: Record, after: Record) -> None:
        self._require(before)
        self.records[type(before)][before.id] = after

    async def remove(self, record: Record) -> None:
        self._require(record)
        del self.records[type(record)][record.id]

    def _require(self, record: Record) -> None:
        stored = self.records[type(record)].get(record.id)
        if not isinstance(stored, Record) or _owners(stored) != _owners(record):
            raise Missing(f"{record.COLLECTION}/{record.id}")

    async def lock(self) -> None:
        """Do nothing: a transaction begins only when the last has ended."""

    async def next_version(self) -> str:
        self.number += 1
        return str(self.number)

    async def announce(self, announcement: Announcement) -> None:
        self.waiting[announcement.id] = announcement

    async def retire(self, retired: RetiredConfig) -> None:
        self.retired[retired.id] = retired


def _owners(record: Record) -> str | tuple[str, ...] | None:
    return record.tenants if isinstance(record, ApiKeyRecord) else record.owner


def _visible(record: StoredRecord, tenancy: Tenancy) -> bool:
    if tenancy is EVERYONE or tenancy is None:
        return True
    if isinstance(record, ApiKeyRecord):
        return record.tenants is not None and tenancy.issuperset(record.tenants)
    if isinstance(record, TrunkRecord):
        return not tenancy.isdisjoint(record.concerns)
    return record.owner in tenancy


def _matches(record: StoredRecord, query: Query) -> bool:
    if not all(_satisfies(getattr(record, clause.path), clause) for clause in query.clauses):
        return False
    wanted = query.search.casefold()
    return not (wanted and query.searched) or any(
        wanted in str(getattr(record, path) or "").casefold() for path in query.searched
    )


def _satisfies(value: Any, clause: Clause) -> bool:
    if clause.operator == "in":
        return value in clause.values
    if clause.operator == "eq" and isinstance(value, tuple):
        return clause.values[0] in value
    # As in MongoDB, null is equal to null and in no order with anything.
    if value is None and clause.operator not in {"eq", "ne"}:
        return False
    return bool(_OPERATORS[clause.operator](value, clause.values[0]))


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "contains": lambda value, part: part.casefold() in value.casefold(),
    "startswith": lambda value, start: value.casefold().startswith(start.casefold()),
}


def _rank_by(path: str) -> Callable[[StoredRecord], tuple[bool, Any]]:
    """Return a sort key that orders as MongoDB does: null first."""
    return lambda record: (getattr(record, path) is not None, getattr(record, path))
