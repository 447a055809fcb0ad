"""Writes changes: record, audit record, the snapshots' version and the announcement, in one transaction."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sms_config.access.auth import Caller
from sms_config.model.problems import Conflict, FieldProblem, NotFound, VersionConflict
from sms_config.model.query import Clause, Order, Query
from sms_config.model.records import (
    Action,
    AnnouncedKind,
    Announcement,
    AuditRecord,
    Record,
    RetiredConfig,
    SmsConfigRecord,
    TenantRecord,
    TrunkRecord,
    now_utc,
)
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.store_protocol import EVERYONE, Duplicate, R, Store, StoreReader, Transaction

C = TypeVar("C", bound=Record)
Clock = Callable[[], datetime]
_ANNOUNCED: Mapping[type[Record], AnnouncedKind] = {
    TenantRecord: "tenant",
    TrunkRecord: "trunk",
    SmsConfigRecord: "sms_config",
    InboundRuleRecord: "inbound_rule",
    OutboundRuleRecord: "outbound_rule",
    ExtensionRecord: "extension",
}


@dataclass(frozen=True, slots=True)
class Change(Generic[C]):
    """A record before and after. Without `before` it is created, without `after` it is deleted.

    `also` are changes of other records that follow from this one.
    """

    action: Action
    before: C | None
    after: C | None
    also: "tuple[Change[Any], ...]" = ()

    @property
    def subject(self) -> C:
        """The record after the change; of a deleted one, the record before."""
        found = self.after or self.before
        assert found is not None, "a change is about a record"
        return found

    def is_empty(self) -> bool:
        """Whether the change changes nothing."""
        if self.before is None or self.after is None:
            return False
        ignored = {"version", "updated_at", "updated_by"}
        return self.before.model_dump(exclude=ignored) == self.after.model_dump(exclude=ignored)

    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields that differ; a secret by its own name."""
        before = _flat(self.before.public() if self.before else {})
        after = _flat(self.after.public() if self.after else {})
        return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _flat(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in shown.items() if name != "secrets_set"}, **shown.get("secrets_set", {})}


class Changes:
    """Makes changes for callers. `wake` is called after each change, so that it is announced soon."""

    def __init__(self, store: Store, wake: Callable[[], None], clock: Clock = now_utc) -> None:
        self._store = store
        self._wake = wake
        self.clock = clock

    async def make(self, caller: Caller, work: Callable[[Transaction], Awaitable[Change[C]]]) -> C:
        """Write the change that `work` returns. A change that changes nothing is not written.

        Returns the record after the change; of a deleted one, the record before. Raises Conflict when the id of a new
        record is taken.
        """

        async def whole(transaction: Transaction) -> C:
            change = await work(transaction)
            if change.is_empty() and change.before is not None:
                return change.before
            # Deleting a tenant and making a user or a key for it write no document in common: they would not conflict.
            await transaction.lock()
            for one in (change, *change.also):
                await self._write(transaction, caller, one)
            if _is_dry_run.get():
                raise DryRunEnded  # which rolls everything back
            return change.subject

        try:
            record = await self._store.transact(whole)
        except Duplicate:
            raise Conflict("Another object has this id.", [FieldProblem(field="id", message="is taken")]) from None
        self._wake()
        return record

    async def _write(self, transaction: Transaction, caller: Caller, change: Change[Any]) -> None:
        now = self.clock()
        if change.before is None:
            await transaction.insert(change.subject)
        elif change.after is None:
            await transaction.remove(change.before)
        else:
            await transaction.replace(change.before, change.after)
        if isinstance(change.before, SmsConfigRecord) and change.after is None:
            await transaction.retire(RetiredConfig(id=change.before.id, tenant_id=change.before.tenant_id, at=now))
        await transaction.insert(_audit_record(caller, change, now))
        kind = _ANNOUNCED.get(type(change.subject))
        if kind is not None:
            snapshot = await transaction.next_version()
            for announcement in _announcements(kind, change, now, snapshot):
                await transaction.announce(announcement)


_is_dry_run: ContextVar[bool] = ContextVar("is_dry_run", default=False)


class DryRunEnded(Exception):  # it is the end of a dry run, not an error
    """The change is valid. It was not written."""


@contextmanager
def dry_run() -> Iterator[None]:
    """Write no change inside the context: each ends with DryRunEnded instead."""
    token = _is_dry_run.set(True)
    try:
        yield
    finally:
        _is_dry_run.reset(token)


def new_id() -> str:
    """Return an id for a record: the time and 32 random bits, in letters and digits, as routing keys and queues need.

    Ids of one process sort in the order in which they were made. Lists are ordered by the time, in milliseconds, and
    then by the id.
    """
    return f"{time.time_ns():016x}{secrets.token_hex(4)}"


def made_by(caller: Caller, now: datetime) -> dict[str, Any]:
    """Return who made a new record, and when."""
    return {"created_at": now, "created_by": caller.id, "updated_at": now, "updated_by": caller.id}


async def require(reader: StoreReader, kind: type[R], record_id: str, caller: Caller) -> R:
    """Return the record if the caller may see it. Raises NotFound otherwise."""
    record = await reader.get(kind, record_id, caller.tenancy)
    if record is None:
        raise NotFound(f"There is no such {kind.NOUN}.")
    return record


async def require_version(reader: StoreReader, kind: type[C], record_id: str, caller: Caller, version: int | None) -> C:
    """Return the record to change, if `version` is its version or None. Raises NotFound, VersionConflict."""
    record = await require(reader, kind, record_id, caller)
    await check_version(reader, record, version)
    return record


async def check_version(reader: StoreReader, record: Record, expected: int | None) -> None:
    """Raise VersionConflict, with the fields that changed since, unless `expected` is the record's version or None."""
    if expected is None or expected == record.version:
        return
    clauses = (
        Clause("object_id", "eq", (record.id,)),
        Clause("kind", "eq", (record.COLLECTION,)),
        Clause("version", "gt", (expected,)),
    )
    since = await reader.find(AuditRecord, Query(clauses, order=(Order("version"),), top=100), EVERYONE)
    last = {field: audit for audit in since.items for field in audit.changes}
    errors = [
        FieldProblem(field=field, message=f"was changed by {audit.actor_name} at {audit.at.isoformat()}")
        for field, audit in sorted(last.items())
    ]
    raise VersionConflict(
        f"The stored version is {record.version}, not {expected}: read it again and repeat the change.", errors
    )


def _audit_record(caller: Caller, change: Change[Any], now: datetime) -> AuditRecord:
    subject = change.subject
    return AuditRecord(
        id=new_id(),
        at=now,
        actor=caller.id,
        actor_name=caller.name,
        address=caller.address,
        request_id=caller.request_id,
        tenant_id=subject.owner,
        kind=subject.COLLECTION,
        object_id=subject.id,
        action=change.action,
        version=subject.version if change.after else subject.version + 1,
        changes=change.fields(),
        before=change.before.public() if change.before else None,
        after=change.after.public() if change.after else None,
        shown_before=change.before.shown() if change.before else {},
        shown_after=change.after.shown() if change.after else {},
    )


def _announcements(kind: AnnouncedKind, change: Change[Any], now: datetime, snapshot: str) -> list[Announcement]:
    """Return one for each tenant that the record concerns or concerned: a lent trunk concerns several."""
    concerned = [record.concerns for record in (change.before, change.after) if record is not None]
    return [
        Announcement(
            id=new_id(),
            at=now,
            tenant_id=tenant_id,
            kind=kind,
            object_id=change.subject.id,
            action=change.action,
            snapshot=snapshot,
        )
        for tenant_id in dict.fromkeys(tenant_id for tenants in concerned for tenant_id in tenants)
    ]
