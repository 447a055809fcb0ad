"""What is in a lane's queue, and which messages are sent one after the other. Pure."""

from datetime import datetime

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.events import LaneEntry, event_id
from sms_dispatcher.ledger.entries import LedgerEntry


def lane_message(entry: LedgerEntry, now: datetime) -> Outgoing:
    """The message in the lane's queue that stands for this entry."""
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
    """Messages with the same key are sent one after the other. Conversational texts are ordered by sender. Bulk texts
    and one-time passwords are ordered by sender and recipient: one number may send them to thousands.
    """
    if entry.bulk or entry.high_priority:
        return f"{entry.sender} {' '.join(entry.to)}"
    return entry.sender or ""
