"""The judge and the counting are what every promise rests on: they must see what is wrong."""

import pytest

from tests.chaos.judge import judge, unsettled
from tests.chaos.pbx import Books
from tests.chaos.scenarios import most_within

CASES = {
    "delivered": ("delivered", True, 1, set()),
    "not recorded": (None, False, 0, {"lost"}),
    "stuck before sending": ("queued", False, 0, {"lost"}),
    "stuck after sending": ("submitted", False, 1, {"lost"}),
    "final, and nobody was told": ("delivered", False, 1, {"untold"}),
    "unknown": ("unknown", False, 0, {"unknown"}),
    "unknown although it arrived": ("unknown", False, 1, {"unknown", "forgotten"}),
    "arrived twice": ("delivered", True, 2, {"twice", "unflagged"}),
    "said to be delivered without having arrived": ("delivered", True, 0, {"invented"}),
    "failed without having arrived": ("failed", True, 0, set()),
}


def books(*, told: bool, flagged: bool = False) -> Books:
    made = Books()
    made.confirmed["m"] = 1.0
    if told:
        event = {"event_id": "e", "tenant_id": "t", "message_id": "m", "status": "delivered", "final": True}
        made.note_status({**event, "possible_duplicate": flagged}, 1.0)
    return made


@pytest.mark.parametrize(("status", "told", "arrived", "found"), CASES.values(), ids=CASES)
def test_what_is_wrong_with_a_message_is_found(status, told, arrived, found):
    ledger = {} if status is None else {"m": {"status": status}}

    verdict = judge(books(told=told), {"m": arrived} if arrived else {}, ledger)

    kinds = ("lost", "untold", "twice", "unflagged", "unknown", "forgotten", "invented")
    assert {kind for kind in kinds if getattr(verdict, kind)} == found
    assert verdict.duplicates == max(0, arrived - 1)


def test_a_second_arrival_that_was_flagged_is_allowed_for():
    verdict = judge(books(told=True, flagged=True), {"m": 2}, {"m": {"status": "delivered"}})

    assert (verdict.duplicates, verdict.unflagged) == (1, set())


@pytest.mark.parametrize(
    ("told", "status", "left"), [(True, "delivered", 0), (False, "unknown", 0), (False, "submitted", 1)]
)
def test_all_is_settled_once_each_message_is_final_or_unknown(told, status, left):
    assert unsettled(books(told=told), {"m": {"status": status}}) == left


def test_the_same_event_again_counts_once():
    kept = books(told=True)
    kept.note_status({"event_id": "e", "message_id": "m", "status": "delivered", "final": True}, 2.0)
    kept.note_inbound({"event_id": "i", "provider_msg_id": "c"})
    kept.note_inbound({"event_id": "i", "provider_msg_id": "c"})
    kept.note_inbound({"event_id": "other", "provider_msg_id": "c"})

    assert len(kept.statuses["m"]) == 1
    assert kept.inbound == {"c": 2}


@pytest.mark.parametrize(
    ("moments", "most"),
    [([], 0), ([1.0], 1), ([0.0, 1.0, 2.0], 1), ([0.0, 0.5, 0.99, 1.0], 3), ([2.0, 0.0, 0.1], 2)],
)
def test_the_fullest_second_is_found(moments, most):
    assert most_within(moments, 1.0) == most
