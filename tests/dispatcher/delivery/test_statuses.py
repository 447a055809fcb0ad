"""What the PBX hears of an entry and of its changes."""

from datetime import timedelta

from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_dispatcher.delivery.statuses import changes, current, outgoing, status_event
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry, Receipt, Recipient, advance
from tests.dispatcher.builders import HANDSET, NOW, entry

LATER = NOW + timedelta(seconds=1)
OTHER, THIRD = "+13125550132", "+13035550165"
FAILURE = StatusError(error_class=ErrorClass.PERMANENT, code="recipient_invalid", carrier_code="4720")


def receipt(status: Status, recipient: str = HANDSET) -> Receipt:
    error = FAILURE if status is Status.FAILED else None
    return Receipt(recipient, status, LATER, "carrier-1", wait_until=NOW + timedelta(hours=100), error=error)


def after(start: LedgerEntry, *receipts: Receipt) -> LedgerEntry:
    for item in receipts:
        start = advance(start, item, LATER) or start
    return start


def group(**changes) -> LedgerEntry:
    numbers = (HANDSET, OTHER, THIRD)
    members = tuple(Recipient(to, f"m-1.{n}", Status.ACCEPTED) for n, to in enumerate(numbers, start=1))
    return entry(kind=EntryKind.GROUP, to=numbers, recipients=members, status=Status.SUBMITTED, **changes)


def test_each_recipient_of_a_group_has_one_status_of_its_own_and_the_group_one_at_its_end():
    told = []
    whole = group()
    for to, status in [(HANDSET, Status.DELIVERED), (OTHER, Status.DELIVERED), (THIRD, Status.FAILED)]:
        advanced = after(whole, receipt(status, to))
        told += changes(whole, advanced)
        whole = advanced

    assert [(event.message_id, event.status, event.final) for event in told] == [
        ("m-1.1", Status.DELIVERED, True),
        ("m-1.2", Status.DELIVERED, True),
        ("m-1.3", Status.FAILED, True),
        ("m-1", Status.FAILED, True),
    ]
    assert len({event.event_id for event in told}) == len(told)


def test_a_repeat_of_a_groups_status_has_the_same_event_id_while_only_recipients_advance():
    told = group()
    later = after(told, receipt(Status.SENT), receipt(Status.DELIVERED, OTHER))

    assert later.sequence == told.sequence + 2
    assert status_event(later).event_id == status_event(told).event_id
    assert status_event(later).sequence == status_event(told).sequence


def test_a_repeat_of_a_status_has_the_same_event_id():
    delivered = after(entry(status=Status.SUBMITTED), receipt(Status.DELIVERED))

    assert [e.event_id for e in current(delivered)] == [status_event(delivered).event_id]


def test_a_message_being_sent_is_repeated_as_accepted():
    (event,) = current(entry(status=Status.SUBMITTING, sequence=2))

    assert event.status is Status.ACCEPTED


def test_a_childs_status_correlates_with_the_request():
    message = outgoing(status_event(entry(message_id="m-1.2", parent_id="m-1", kind=EntryKind.CHILD)))

    assert (message.correlation_id, message.routing_key) == ("m-1", "sms.status.acme.accepted")
