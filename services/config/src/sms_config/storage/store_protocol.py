"""What the control plane asks of a store. `store` keeps it in MongoDB, `testing` in memory, by the same contract."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from sms_common.events import SeenWebhook
from sms_config.model.query import Query
from sms_config.model.records import (
    Announcement,
    ApiKeyRecord,
    AuditRecord,
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

# The tenants a caller may see; None: all of them. Every read by a caller's wish is limited by one.
Tenancy = frozenset[str] | None
EVERYONE: Tenancy = None

# Every kind of record that a store keeps. A new kind is added here.
RECORD_KINDS: tuple[type[StoredRecord], ...] = (
    TenantRecord,
    TrunkRecord,
    SmsConfigRecord,
    ApiKeyRecord,
    UserRecord,
    InboundRuleRecord,
    OutboundRuleRecord,
    ExtensionRecord,
    AuditRecord,
)
R = TypeVar("R", bound=StoredRecord)
T = TypeVar("T")


class Duplicate(Exception):  # it names what was found
    """Another record has this id or unique value."""


class Missing(Exception):  # it names what was not found
    """No record has this id and this tenant, although it was read before: a mistake of ours."""


class StoreUnusable(Exception):  # it names what was found
    """The stored data cannot be served by this process; the message says what a person must do."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of records, and how many there are on all pages; with `more`, at least so many."""

    items: tuple[R, ...]
    count: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Everything:
    """All that snapshots are made of, as it was at one moment. Oldest first."""

    version: str
    tenants: tuple[TenantRecord, ...]
    trunks: tuple[TrunkRecord, ...]
    configs: tuple[SmsConfigRecord, ...]
    retired: tuple[RetiredConfig, ...]
    inbound_rules: tuple[InboundRuleRecord, ...] = ()
    outbound_rules: tuple[OutboundRuleRecord, ...] = ()
    extensions: tuple[ExtensionRecord, ...] = ()


class StoreReader(Protocol):
    """Reading, in a transaction or not. Every method raises Unavailable when the store is away or too slow."""

    async def get(self, kind: type[R], record_id: str, tenancy: Tenancy) -> R | None:
        """Return the record of that id if `tenancy` sees it, else None."""

    async def find(self, kind: type[R], query: Query, tenancy: Tenancy) -> Page[R]:
        """Return the page of the records seen by `tenancy` that `query` asks for."""


class Transaction(StoreReader, Protocol):
    """All of it is written or nothing is. Two that both `lock` or `next_version` never run on the same state."""

    async def insert(self, record: StoredRecord) -> None:
        """Add a record. Raises Duplicate."""

    async def replace(self, before: Record, after: Record) -> None:
        """Put `after` in place of `before`, which was read in this transaction. Raises Missing."""

    async def remove(self, record: Record) -> None:
        """Delete the record, which was read in this transaction. Raises Missing."""

    async def lock(self) -> None:
        """Have all that do this decide one after the other, whatever else they read and write."""

    async def next_version(self) -> str:
        """Return the new version of the snapshots; no version ever comes twice."""

    async def announce(self, announcement: Announcement) -> None:
        """Leave a change to be announced."""

    async def retire(self, retired: RetiredConfig) -> None:
        """Remember a deleted SMS configuration for a while."""


class Store(StoreReader, Protocol):
    """The control plane's memory."""

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Return what `work` returns, once all it wrote is safe on a majority.

        `work` may be run again after a conflict, so it does nothing but read and write here. Raises what `work` raises,
        having written nothing.
        """

    async def snapshot_version(self) -> str:
        """Return the version of the snapshots now."""

    async def everything(self, *, with_rules: bool = True) -> Everything:
        """All that snapshots are made of, with its version, read at one moment. Ingress needs no rules."""

    async def api_key(self, prefix: str) -> ApiKeyRecord | None:
        """Return the key with that public prefix, or None."""

    async def touch_api_key(self, key_id: str, at: datetime) -> None:
        """Remember when a key was used last."""

    async def touch_user(self, user_id: str, at: datetime) -> None:
        """Remember when a person logged in last."""

    async def add_ticket(self, ticket: Ticket) -> None:
        """Keep a ticket until it expires."""

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """Return the ticket, or None; an expired one may still be there for a minute."""

    async def extend_ticket(self, ticket_id: str, until: datetime) -> None:
        """Let a ticket last longer, if it is still there."""

    async def delete_ticket(self, ticket_id: str) -> None:
        """Forget a ticket."""

    async def announcements(self, limit: int) -> Sequence[Announcement]:
        """Return changes that wait to be announced, oldest first."""

    async def remove_announcements(self, ids: Iterable[str]) -> None:
        """Return these changes were announced."""

    async def record_webhooks(self, seen: Iterable[SeenWebhook]) -> None:
        """Keep the newest webhook of each configuration and result."""

    async def latest_webhooks(self, config_ids: Iterable[str]) -> Sequence[SeenWebhook]:
        """Return the newest webhooks of these configurations, one for each result there was."""

    async def prepare(self) -> None:
        """Make and check all indexes and the form of the data. Raises StoreUnusable, or Unavailable: then try again."""

    async def ping(self) -> None:
        """Return when the store answers. Raises Unavailable."""
