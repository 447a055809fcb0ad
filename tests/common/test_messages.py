"""How far a message has got: which status may follow which, and PortSIP's word for each."""

import itertools

import pytest

from sms_common.messages import FINAL_RANK, Category, Status

FINAL = {
    Status.UNDETERMINED,
    Status.DELIVERED,
    Status.FAILED,
    Status.REJECTED,
    Status.EXPIRED,
    Status.CANCELED,
}
STORY = [
    Status.ACCEPTED,
    Status.QUEUED,
    Status.SUBMITTING,
    Status.UNKNOWN,
    Status.SUBMITTED,
    Status.SENT,
    Status.UNDETERMINED,
    Status.DELIVERED,
]


def test_each_step_of_a_message_outranks_the_one_before():
    assert all(before.rank < after.rank for before, after in itertools.pairwise(STORY))


def test_nothing_follows_a_final_status_but_what_corrects_undetermined():
    assert {status for status in Status if status.final} == FINAL
    assert {status.rank for status in FINAL - {Status.UNDETERMINED}} == {Status.DELIVERED.rank}
    assert FINAL_RANK == Status.UNDETERMINED.rank < Status.DELIVERED.rank


@pytest.mark.parametrize(
    ("word", "statuses"),
    [
        (None, {"accepted", "queued", "held", "submitting", "unknown"}),
        ("SENT", {"submitted", "sent", "undetermined"}),
        ("DELIVERED", {"delivered"}),
        ("ERR", {"failed", "rejected", "expired", "canceled"}),
    ],
)
def test_portsip_has_one_word_for_several_statuses(word, statuses):
    assert {status.value for status in Status if status.delivery == word} == statuses


@pytest.mark.parametrize("category", Category)
def test_marketing_alone_is_bulk(category):
    assert category.bulk is (category is Category.MARKETING)
