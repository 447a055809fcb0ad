"""The interface of a store. `store` implements it on MongoDB, `testing` in memory; both pass the same tests."""

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

# The tenants that a caller may see; None: all of them. Every read for a caller is limited by one.
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


class Duplicate(Exception):  # the name says what was found
    """Another record has this id or unique value."""


class Missing(Exception):  # the name says what was not found
    """No record has this id and this tenant, although it was read before: a bug of ours."""


class StoreUnusable(Exception):  # the name says what was found
    """The stored data cannot be served by this process; the message says what a person must do."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of records. `count` is the number on all pages; with `more` there are at least that many."""

    items: tuple[R, ...]
    count: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Everything:
    """Everything that snapshots are made from, read at one moment. Oldest first."""

    version: str
    tenants: tuple[TenantRecord, ...]
    trunks: tuple[TrunkRecord, ...]
    configs: tuple[SmsConfigRecord, ...]
    retired: tuple[RetiredConfig, ...]
    inbound_rules: tuple[InboundRuleRecord, ...] = ()
    outbound_rules: tuple[OutboundRuleRecord, ...] = ()
    extensions: tuple[ExtensionRecord, ...] = ()


class StoreReader(Protocol):
    """Reads, in a transaction or not. Every method raises Unavailable when the store is down or too slow."""

    async def get(self, kind: type[R], record_id: str, tenancy: Tenancy) -> R | None:
        """Return the record of that id if `tenancy` sees it, else None."""

    async def find(self, kind: type[R], query: Query, tenancy: Tenancy) -> Page[R]:
        """Return a page of the records that `tenancy` sees and `query` asks for."""


class Transaction(StoreReader, Protocol):
    """Writes everything or nothing. Two transactions that call `lock` or `next_version` never see the same state."""

    async def insert(self, record: StoredRecord) -> None:
        """Add a record. Raises Duplicate."""

    async def replace(self, before: Record, after: Record) -> None:
        """Put `after` in place of `before`, which was read in this transaction. Raises Missing."""

    async def remove(self, record: Record) -> None:
        """Delete the record, which was read in this transaction. Raises Missing."""

    async def lock(self) -> None:
        """Run one after the other with all transactions that lock, whatever else they read and write."""

    async def next_version(self) -> str:
        """Give the snapshots a new version and return it. No version is ever used twice."""

    async def announce(self, announcement: Announcement) -> None:
        """Store a change that is to be announced."""

    async def retire(self, retired: RetiredConfig) -> None:
        """Remember a deleted SMS configuration for a while."""


class Store(StoreReader, Protocol):
    """Everything that the config service stores."""

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work`, and return its result once everything it wrote is safe on a majority.

        `work` may run again after a conflict, so it must do nothing but read and write here. Raises what `work` raises;
        then nothing was written.
        """

    async def snapshot_version(self) -> str:
        """Return the version of the snapshots now."""

    async def everything(self, *, with_rules: bool = True) -> Everything:
        """Read everything that snapshots are made from, at one moment. The snapshot of ingress needs no rules."""

    async def api_key(self, prefix: str) -> ApiKeyRecord | None:
        """Return the key with that public prefix, or None."""

    async def touch_api_key(self, key_id: str, at: datetime) -> None:
        """Store when a key was used last."""

    async def touch_user(self, user_id: str, at: datetime) -> None:
        """Store when a person logged in last."""

    async def add_ticket(self, ticket: Ticket) -> None:
        """Store a ticket until it expires."""

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """Return the ticket, or None; an expired one may still be there for a minute."""

    async def extend_ticket(self, ticket_id: str, until: datetime) -> None:
        """Move the expiry of a ticket, if it still exists."""

    async def delete_ticket(self, ticket_id: str) -> None:
        """Delete a ticket."""

    async def announcements(self, limit: int) -> Sequence[Announcement]:
        """Return changes that are to be announced, oldest first."""

    async def remove_announcements(self, ids: Iterable[str]) -> None:
        """Delete changes that were announced."""

    async def record_webhooks(self, webhooks: Iterable[SeenWebhook]) -> None:
        """Store the newest webhook of each configuration and result."""

    async def latest_webhooks(self, config_ids: Iterable[str]) -> Sequence[SeenWebhook]:
        """Return the newest webhooks of these configurations, one for each result there was."""

    async def prepare(self) -> None:
        """Make all indexes and check the data. Raises StoreUnusable, and Unavailable: then try again."""

    async def ping(self) -> None:
        """Return when the store answers. Raises Unavailable."""
