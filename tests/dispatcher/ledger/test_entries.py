"""How receipts advance an entry: by rank, once, and a group by its recipients."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry, Receipt, Recipient, advance, claimed
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


@pytest.mark.parametrize(
    ("start", "receipts", "end"),
    [
        (Status.SUBMITTED, [Status.SENT], Status.SENT),
        (Status.SUBMITTED, [Status.SENT, Status.DELIVERED], Status.DELIVERED),
        (Status.SUBMITTED, [Status.DELIVERED, Status.SENT], Status.DELIVERED),
        (Status.SUBMITTED, [Status.FAILED, Status.DELIVERED], Status.FAILED),
        (Status.SUBMITTED, [Status.DELIVERED, Status.FAILED], Status.DELIVERED),
        (Status.SUBMITTING, [Status.DELIVERED], Status.DELIVERED),
        (Status.UNKNOWN, [Status.SENT], Status.SENT),
        (Status.UNDETERMINED, [Status.DELIVERED], Status.DELIVERED),
        (Status.UNDETERMINED, [Status.SENT], Status.UNDETERMINED),
        (Status.QUEUED, [Status.SENT], Status.SENT),
        (Status.CANCELED, [Status.DELIVERED], Status.CANCELED),
    ],
    ids=str,
)
def test_a_status_only_advances(start, receipts, end):
    assert after(entry(status=start), *(receipt(status) for status in receipts)).status is end


def test_a_changed_entry_is_what_replacing_gives_and_leaves_the_one_before_alone():
    before = entry(status=Status.ACCEPTED)
    other = before.replace(status=Status.SUBMITTING, attempt=1)

    assert other == replace(before, status=Status.SUBMITTING, attempt=1)
    assert (before, before.attempt) == (entry(status=Status.ACCEPTED), 0)


def test_an_entry_takes_no_values_that_it_does_not_have():
    with pytest.raises(TypeError, match="an entry has no attempts, colour"):
        entry().replace(status=Status.SUBMITTED, colour="red", attempts=1)


def test_a_duplicate_receipt_changes_nothing():
    delivered = after(entry(status=Status.SUBMITTED), receipt(Status.DELIVERED))

    assert advance(delivered, receipt(Status.DELIVERED), LATER) is None


def test_a_receipt_settles_a_lost_answer_and_brings_the_carriers_id():
    settled = after(entry(status=Status.UNKNOWN, due_at=LATER), receipt(Status.DELIVERED))

    assert (settled.provider_msg_id, settled.due_at, settled.status.final) == ("carrier-1", None, True)


@given(st.lists(st.sampled_from([Status.SENT, Status.DELIVERED, Status.FAILED]), max_size=8))
def test_ranks_and_sequences_never_fall(receipts):
    seen = [entry(status=Status.SUBMITTED)]
    for status in receipts:
        seen.append(advance(seen[-1], receipt(status), LATER) or seen[-1])

    assert all(a.status.rank <= b.status.rank and a.sequence <= b.sequence for a, b in itertools.pairwise(seen))


def group(**changes) -> LedgerEntry:
    numbers = (HANDSET, OTHER, THIRD)
    members = tuple(Recipient(to, f"m-1.{n}", Status.ACCEPTED) for n, to in enumerate(numbers, start=1))
    return entry(kind=EntryKind.GROUP, to=numbers, recipients=members, status=Status.SUBMITTED, **changes)


ALL = (HANDSET, OTHER, THIRD)


@pytest.mark.parametrize(
    ("outcomes", "end", "code"),
    [
        pytest.param([(to, Status.DELIVERED) for to in ALL], Status.DELIVERED, None, id="all delivered"),
        pytest.param([(to, Status.FAILED) for to in ALL], Status.FAILED, "recipient_invalid", id="all failed"),
        pytest.param(
            [(HANDSET, Status.DELIVERED), (OTHER, Status.DELIVERED), (THIRD, Status.FAILED)],
            Status.FAILED,
            "group_partly_failed",
            id="one failed",
        ),
        pytest.param([(HANDSET, Status.DELIVERED)], Status.SUBMITTED, None, id="one known"),
        pytest.param([(to, Status.SENT) for to in ALL], Status.SENT, None, id="all sent"),
        pytest.param([(HANDSET, Status.DELIVERED), (HANDSET, Status.FAILED)], Status.SUBMITTED, None, id="one twice"),
        pytest.param([("+19998887777", Status.DELIVERED)], Status.SUBMITTED, None, id="a stranger"),
    ],
)
def test_a_group_is_as_far_as_its_slowest_recipient_and_delivered_only_if_all_are(outcomes, end, code):
    whole = after(group(), *(receipt(status, to) for to, status in outcomes))

    assert (whole.status, whole.error.code if whole.error else None) == (end, code)


def advanced(start: LedgerEntry, what: Receipt, now: datetime) -> LedgerEntry:
    found = advance(start, what, now)
    assert found is not None
    return found


def test_a_new_entry_was_not_sent_and_promises_nothing():
    new = LedgerEntry("acme", "m-1", EntryKind.SINGLE, Status.ACCEPTED, NOW, NOW)

    assert (new.sequence, new.status_sequence, new.attempt, new.moves) == (1, 1, 0, 0)
    assert not any((new.bulk, new.possible_duplicate, new.high_priority))
    assert Recipient(HANDSET, "m-1.1", Status.ACCEPTED).sequence == 0


def test_kinds_have_the_words_under_which_they_are_stored():
    assert [kind.value for kind in EntryKind] == ["single", "child", "group", "parent", "inbound"]


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, NOW + timedelta(hours=24)),
        ({"send_after": NOW + timedelta(hours=5)}, NOW + timedelta(hours=29)),
        ({"expires_at": NOW + timedelta(hours=1)}, NOW + timedelta(hours=1)),
        ({"expires_at": NOW + timedelta(hours=100)}, NOW + timedelta(hours=24)),
    ],
)
def test_it_is_tried_for_a_day_or_until_it_expires(changes, end):
    assert entry(**changes).deadline == end


def test_a_claim_is_the_next_thing_that_happens_to_an_entry():
    held = claimed(entry(sequence=7), "claim-1", LATER)

    assert (held.status, held.claim_id, held.attempt, held.sequence, held.due_at) == (
        Status.SUBMITTING,
        "claim-1",
        1,
        8,
        LATER,
    )


@pytest.mark.parametrize(("counted", "told", "known"), [(3, 2, 2), (3, None, 3), (None, 2, 2)])
def test_the_carriers_count_of_segments_wins(counted, told, known):
    start = entry(status=Status.SUBMITTED, segments=counted)
    told_of = Receipt(HANDSET, Status.SENT, LATER, "carrier-1", wait_until=LATER, segments=told)

    assert advanced(start, told_of, LATER).segments == known


@pytest.mark.parametrize(
    ("status", "looked_at"),
    [
        (Status.SUBMITTING, "the window"),
        (Status.UNKNOWN, "the window"),
        (Status.SUBMITTED, "its own time"),
    ],
)
def test_a_receipt_begins_the_window_only_where_none_had_begun(status, looked_at):
    sent = advanced(entry(status=status, due_at=LATER), receipt(Status.SENT), LATER)

    assert sent.due_at == (LATER if looked_at == "its own time" else NOW + timedelta(hours=100))


def test_a_claim_is_looked_after_as_soon_when_one_of_a_group_answers_first():
    group = entry(
        kind=EntryKind.GROUP,
        status=Status.SUBMITTING,
        recipients=(Recipient(HANDSET, "m-1.1", Status.ACCEPTED), Recipient(OTHER, "m-1.2", Status.ACCEPTED)),
        due_at=LATER,
    )

    after = advanced(group, receipt(Status.DELIVERED), LATER)

    assert (after.status, after.recipients[0].status, after.due_at) == (Status.SUBMITTING, Status.DELIVERED, LATER)


def test_the_carriers_id_once_known_stays():
    group = entry(
        kind=EntryKind.GROUP,
        status=Status.SUBMITTED,
        provider_msg_id="first",
        recipients=(Recipient(HANDSET, "m-1.1", Status.SUBMITTED), Recipient(OTHER, "m-1.2", Status.SUBMITTED)),
        sequence=4,
    )
    after_one = advanced(group, receipt(Status.SENT), LATER)

    assert (after_one.provider_msg_id, after_one.recipients[0].sequence, after_one.sequence) == ("first", 5, 5)
    assert advanced(replace(group, provider_msg_id=None), receipt(Status.SENT), LATER).provider_msg_id == "carrier-1"


def test_a_group_that_reached_nobody_says_what_the_first_failure_was():
    spam = StatusError(error_class=ErrorClass.PERMANENT, code="spam_blocked")
    members = (
        Recipient(HANDSET, "m-1.1", Status.FAILED, error=spam),
        Recipient(OTHER, "m-1.2", Status.SUBMITTED),
    )
    group = entry(kind=EntryKind.GROUP, status=Status.SUBMITTED, recipients=members)

    assert advanced(group, receipt(Status.FAILED, OTHER), LATER).error == spam
