"""A ledger entry: what the gateway knows about one message, and the rules by which its status advances. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sms_common.errors import Code
from sms_common.events import Route as Destination
from sms_common.events import StatusError, event_id
from sms_common.messages import ErrorClass, MsgType, Status
from sms_common.phone import from_carrier


class EntryKind(StrEnum):
    """How an entry relates to its request.

    A parent stands for a request to several recipients and is never sent. Each of its children is a message.
    """

    SINGLE = "single"
    CHILD = "child"
    GROUP = "group"
    PARENT = "parent"
    INBOUND = "inbound"


# From these a dispatcher may claim an entry for sending.
CLAIMABLE = (Status.ACCEPTED, Status.QUEUED, Status.HELD)
# A text that could not be sent for a day is of no use any more.
GIVE_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Echo:
    """What the PBX passed with the request and gets back in every event about the message."""

    extension: str | None = None
    conversation_id: str | None = None
    client_ref: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SendRoute:
    """One route of a message: its configuration, carrier and sender. `dialled` are the numbers for the carrier when
    they differ from those in `to`.
    """

    config_id: str
    carrier: str
    sender: str
    dialled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routed:
    """The decision for one message: its routes in the order to try (one at least), the rule, and the earliest time."""

    routes: tuple[SendRoute, ...]
    rule_id: str | None = None
    send_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a group message, which has its own receipts; or of a parent, as it was planned.

    `routed` is the decision for this recipient of a parent; None when it is the parent's.
    """

    to: str
    message_id: str
    status: Status
    sequence: int = 0
    error: StatusError | None = None
    reason: str | None = None
    routed: Routed | None = None


@dataclass(frozen=True)
class LedgerEntry:
    """One message.

    `sequence` grows with every recorded change. A writer that does not know the latest one loses. `status_sequence` is
    the sequence of the last change of the status itself: it stays while only recipients of a group advance.

    `due_at` is when the scheduler works on the entry, unless it has changed before. Every entry that is not final has
    one.

    `config_id`, `carrier`, `sender` and `dialled` are those of its present route. `moves` counts how often the route
    has changed. `to` stays as the PBX asked. `destination` is where an inbound text was routed to.
    """

    tenant_id: str
    message_id: str
    kind: EntryKind
    status: Status
    created_at: datetime
    updated_at: datetime
    sequence: int = 1
    status_sequence: int = 1
    parent_id: str | None = None
    fingerprint: str = ""
    config_id: str | None = None
    carrier: str | None = None
    sender: str | None = None
    to: tuple[str, ...] = ()
    text: str | None = None
    media: tuple[str, ...] = ()
    bulk: bool = False
    msg_type: MsgType = MsgType.SMS
    segments: int | None = None
    encoding: str | None = None
    reason: str | None = None
    error: StatusError | None = None
    provider_msg_id: str | None = None
    attempt: int = 0
    claim_id: str | None = None
    possible_duplicate: bool = False
    high_priority: bool = False
    send_after: datetime | None = None
    expires_at: datetime | None = None
    occurred_at: datetime | None = None
    due_at: datetime | None = None
    recipients: tuple[Recipient, ...] = ()
    echo: Echo = field(default_factory=Echo)
    rule_id: str | None = None
    dialled: tuple[str, ...] = ()
    next_routes: tuple[SendRoute, ...] = ()
    moves: int = 0
    destination: Destination | None = None

    @property
    def id(self) -> str:
        """The ledger's key. The carrier gets it as the reference of the message."""
        return entry_id(self.tenant_id, self.message_id)

    def but(self, **values: Any) -> "LedgerEntry":
        """The same entry with other `values`. It does what dataclasses.replace does at a tenth of the cost: that sets
        36 fields one by one. Raises TypeError for what is not a field.
        """
        if not values.keys() <= _FIELDS:
            raise TypeError(f"an entry has no {', '.join(sorted(values.keys() - _FIELDS))}")
        other = object.__new__(LedgerEntry)
        vars(other).update(vars(self), **values)
        return other

    @property
    def deadline(self) -> datetime:
        """The time after which it is not sent any more."""
        give_up = (self.send_after or self.created_at) + GIVE_UP_AFTER
        return give_up if self.expires_at is None else min(give_up, self.expires_at)


_FIELDS = frozenset(one.name for one in fields(LedgerEntry))


def entry_id(tenant_id: str, message_id: str) -> str:
    """The ledger's key of a message. Neither part can contain a slash."""
    return f"{tenant_id}/{message_id}"


def child_id(message_id: str, number: int) -> str:
    """The id of the message to a request's recipient with this number, counted from 1."""
    return f"{message_id}.{number}"


def conversation_id(tenant_id: str | None, parties: Iterable[str]) -> str:
    """The id of the conversation of these numbers. It does not depend on who writes, or on how they are spelled."""
    return event_id("conversation", tenant_id, *sorted({from_carrier(number) for number in parties}))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a carrier's receipt says. `wait_until` is how long to wait for the next one."""

    recipient: str
    status: Status
    occurred_at: datetime
    provider_msg_id: str
    wait_until: datetime
    segments: int | None = None
    error: StatusError | None = None
    reason: str | None = None


def changed(entry: LedgerEntry, status: Status, now: datetime, **values: Any) -> LedgerEntry:
    """The entry with a new status, the next sequence and other `values`."""
    sequence = entry.sequence + 1
    return entry.but(status=status, sequence=sequence, status_sequence=sequence, updated_at=now, **values)


def claimed(entry: LedgerEntry, claim_id: str, check_at: datetime) -> LedgerEntry:
    """An accepted entry as it is while it is sent for the first time. At `check_at` the scheduler checks whether its
    sender died.
    """
    return entry.but(
        status=Status.SUBMITTING,
        claim_id=claim_id,
        attempt=1,
        sequence=entry.sequence + 1,
        due_at=check_at,
    )


def replaces(new: Status, old: Status) -> bool:
    """Whether `new` may follow `old`: only a status of a higher rank does. A final status stays, except that a late
    receipt may replace `undetermined`.
    """
    return new.rank > old.rank


def advance(entry: LedgerEntry, receipt: Receipt, now: datetime) -> LedgerEntry | None:
    """The entry after a receipt; None when the receipt changes nothing, as a duplicate or an older one."""
    if entry.kind is EntryKind.GROUP:
        return _advance_group(entry, receipt, now)
    if not replaces(receipt.status, entry.status):
        return None
    return changed(
        entry,
        receipt.status,
        now,
        reason=receipt.reason,
        error=receipt.error,
        provider_msg_id=entry.provider_msg_id or receipt.provider_msg_id,
        segments=receipt.segments or entry.segments,
        occurred_at=receipt.occurred_at,
        due_at=_next_check(entry, receipt.status, receipt),
    )


def _next_check(entry: LedgerEntry, status: Status, receipt: Receipt) -> datetime | None:
    """When the scheduler checks an entry that a receipt has brought to `status`: at the end of the receipt window. The
    window begins with this receipt when it is faster than the carrier's answer.
    """
    if status.final:
        return None
    if status is Status.SUBMITTING:  # its claim may belong to a dead process
        return entry.due_at
    return entry.due_at if entry.status.rank > Status.UNKNOWN.rank else receipt.wait_until


def _advance_group(entry: LedgerEntry, receipt: Receipt, now: datetime) -> LedgerEntry | None:
    """Advance one recipient of a group. The group's own status is that of its slowest recipient."""
    known = member(entry, receipt.recipient)
    if known is None or not replaces(receipt.status, known.status):
        return None
    advanced = replace(
        known, status=receipt.status, sequence=entry.sequence + 1, error=receipt.error, reason=receipt.reason
    )
    recipients = tuple(advanced if r is known else r for r in entry.recipients)
    status, reason, error = _whole(recipients)
    advances = replaces(status, entry.status)
    if not advances:
        status, reason, error = entry.status, entry.reason, entry.error
    after = changed(
        entry,
        status,
        now,
        recipients=recipients,
        reason=reason,
        error=error,
        provider_msg_id=entry.provider_msg_id or receipt.provider_msg_id,
        occurred_at=receipt.occurred_at,
        due_at=_next_check(entry, status, receipt),
    )
    return after if advances else replace(after, status_sequence=entry.status_sequence)


def member(group: LedgerEntry, number: str) -> Recipient | None:
    """The recipient of a group that a carrier means by `number`, however the two are spelled; None when the group has
    no such recipient.
    """
    spoken_of = from_carrier(number)
    dialled = {from_carrier(dialled): to for dialled, to in zip(group.dialled, group.to, strict=False)}
    wanted = {spoken_of, from_carrier(dialled.get(spoken_of, spoken_of))}
    return next((one for one in group.recipients if one.to == number or from_carrier(one.to) in wanted), None)


def _whole(recipients: tuple[Recipient, ...]) -> tuple[Status, str | None, StatusError | None]:
    """A group's status, from those of its recipients. A group that reached only some of them is `failed`: "delivered"
    must be true.
    """
    failed = [r for r in recipients if r.status is Status.FAILED]
    if any(not r.status.final for r in recipients):
        return min((r.status for r in recipients), key=lambda status: status.rank), None, None
    if not failed:
        return Status.DELIVERED, None, None
    if len(failed) == len(recipients):
        return Status.FAILED, "No recipient of the group was reached.", failed[0].error
    reason = f"{len(failed)} of {len(recipients)} recipients were not reached; see the status of each."
    error = StatusError(
        error_class=ErrorClass.PERMANENT,
        code=Code.GROUP_PARTLY_FAILED,
        advice="Send again to those who were not reached only.",
    )
    return Status.FAILED, reason, error
