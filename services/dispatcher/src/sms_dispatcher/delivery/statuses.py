"""The status events of an entry, and the broker messages that carry them. Pure."""

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.events import StatusEvent, event_id
from sms_common.messages import Status
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry, Recipient


def status_event(entry: LedgerEntry) -> StatusEvent:
    """The entry's present status. The same change of the same message always has the same event id."""
    error = entry.error
    return StatusEvent(
        event_id=event_id("status", entry.tenant_id, entry.message_id, entry.status_sequence, entry.status),
        message_id=entry.message_id,
        parent_id=entry.parent_id,
        tenant_id=entry.tenant_id,
        config_id=entry.config_id,
        to=entry.to if len(entry.to) != 1 else entry.to[0],
        sender=entry.sender,
        status=entry.status,
        final=entry.status.final,
        sequence=entry.status_sequence,
        delivery=entry.status.delivery,
        reason=entry.reason,
        error=error,
        provider_msg_id=entry.provider_msg_id,
        segments=entry.segments,
        encoding=entry.encoding,
        attempt=entry.attempt or None,
        possible_duplicate=entry.possible_duplicate or None,
        occurred_at=entry.occurred_at or entry.updated_at,
        recorded_at=entry.updated_at,
        extension=entry.echo.extension,
        conversation_id=entry.echo.conversation_id,
        client_ref=entry.echo.client_ref,
        metadata=None if entry.echo.metadata is None else dict(entry.echo.metadata),
    )


def accepted_event(entry: LedgerEntry) -> StatusEvent:
    """The first thing the PBX hears of a message, also when the entry has moved on since."""
    event = status_event(entry)
    return event.model_copy(
        update={
            "event_id": event_id("status", entry.tenant_id, entry.message_id, 1, Status.ACCEPTED),
            "status": Status.ACCEPTED,
            "final": False,
            "sequence": 1,
            "delivery": None,
            "reason": None,
            "error": None,
        }
    )


def recipient_event(entry: LedgerEntry, recipient: Recipient) -> StatusEvent:
    """The status of one recipient of a group, under an id of its own."""
    event = status_event(entry)
    return event.model_copy(
        update={
            "event_id": event_id("recipient", entry.id, recipient.to, recipient.sequence, recipient.status),
            "message_id": recipient.message_id,
            "parent_id": entry.message_id,
            "to": recipient.to,
            "status": recipient.status,
            "final": recipient.status.final,
            "sequence": recipient.sequence,
            "delivery": recipient.status.delivery,
            "reason": recipient.reason,
            "error": recipient.error,
        }
    )


def changes(before: LedgerEntry, after: LedgerEntry) -> list[StatusEvent]:
    """What the PBX must hear of a change: recipients of a group that advanced, then the message itself if it did."""
    published = {r.to: r.sequence for r in before.recipients}
    events = [recipient_event(after, r) for r in after.recipients if r.sequence > published.get(r.to, 0)]
    if after.status is not before.status or after.kind is not EntryKind.GROUP:
        events.append(status_event(after))
    return events


def current(entry: LedgerEntry) -> list[StatusEvent]:
    """Everything the PBX should know of an entry at this moment, for repeating it."""
    events = [recipient_event(entry, r) for r in entry.recipients if r.sequence > 0]
    if entry.status is Status.SUBMITTING:
        return [*events, accepted_event(entry)]
    return [*events, status_event(entry)]


def outgoing(event: StatusEvent) -> Outgoing:
    """The broker message for a status event."""
    return Outgoing(
        exchange=topology.SMS,
        routing_key=topology.status_key(event.tenant_id, event.status),
        body=event.encode(),
        type=StatusEvent.TYPE,
        message_id=event.event_id,
        correlation_id=event.parent_id or event.message_id,
    )
