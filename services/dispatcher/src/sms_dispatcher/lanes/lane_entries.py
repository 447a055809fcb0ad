"""What lies in a lane's queue, and which of it leaves one after the other. Pure."""

from datetime import datetime

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.events import LaneEntry, event_id
from sms_dispatcher.ledger.entries import LedgerEntry


def lane_message(entry: LedgerEntry, now: datetime) -> Outgoing:
    """The broker message that says: it is this entry's turn after those before it."""
    assert entry.config_id is not None
    body = LaneEntry(
        tenant_id=entry.tenant_id,
        message_id=entry.message_id,
        queued_at=now,
        sender=entry.sender,
        segments=entry.segments or 1,
        order=order_key(entry),
    )
    return Outgoing(
        exchange=topology.DEFAULT_EXCHANGE,
        routing_key=topology.lane_queue(entry.config_id, bulk=entry.bulk),
        body=body.encode(),
        type=LaneEntry.TYPE,
        message_id=event_id("lane", entry.id, entry.sequence),
    )


def order_key(entry: LedgerEntry) -> str:
    """Messages with one key leave one after the other: a number's conversational texts all, and what a campaign or a
    service sends by recipient, since it may send to thousands from one number.
    """
    if entry.bulk or entry.high_priority:
        return f"{entry.sender} {' '.join(entry.to)}"
    return entry.sender or ""
