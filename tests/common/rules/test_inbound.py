"""Which destination an inbound text gets: always one, whatever the order of the rules."""

import random
from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.messages import MsgType
from sms_common.rules import Action, ActionKind, InboundQuery, InboundRule, InboundRules, NumberMask, Schedule
from sms_common.rules.hours import Span, WeeklyHours

DID, CALLER = "+12025550143", "+14045550121"
OPEN_MONDAYS = WeeklyHours(monday=(Span(opens=time(9), closes=time(17)),))
MONDAY, SUNDAY = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)


def to(destination: str, kind: ActionKind = ActionKind.EXTENSION) -> Action:
    return Action(kind=kind, destination=destination)


def rule(id_: str, **changes) -> InboundRule:
    return InboundRule(**{"id": id_, "office": to(id_), **changes})


def decide(*rules: InboundRule, blocked: str = "", moment: datetime = MONDAY, **changes):
    query = InboundQuery(
        **{"caller": CALLER, "did": DID, "channel": MsgType.SMS, "config_id": "cfg", "moment": moment, **changes}
    )
    schedule = Schedule(hours=OPEN_MONDAYS, holidays=frozenset({datetime(2026, 12, 28, tzinfo=UTC).date()}))
    return InboundRules(rules, schedule, NumberMask.parse(blocked)).decide(query, explain=True)


EXACT, RANGE, STAR = (
    rule("101", caller_mask=CALLER),
    rule("102", caller_mask="14045550100-14045550199"),
    rule("103", caller_mask="1404*******"),
)
ANYONE = rule("104")


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        pytest.param([ANYONE, STAR, RANGE, EXACT], "101", id="the exact caller"),
        pytest.param([ANYONE, STAR, RANGE], "102", id="then a range of callers"),
        pytest.param([ANYONE, STAR], "103", id="then a pattern"),
        pytest.param([ANYONE], "104", id="then anyone"),
        pytest.param(
            [rule("1", did_numbers=DID), rule("2", did_numbers="12025550100-12025550199")], "1", id="the exact DID"
        ),
        pytest.param(
            [rule("1", did_numbers="12025550100-12025550199"), rule("2", did_numbers="12025550140-12025550149")],
            "2",
            id="smaller range",
        ),
        pytest.param([rule("1", priority=5), rule("2", priority=4)], "2", id="lower priority number"),
        pytest.param([rule("1", age=2), rule("2", age=1)], "2", id="the older"),
        pytest.param([rule("2"), rule("1")], "1", id="at last the id"),
        pytest.param([rule("1", enabled=False), rule("2")], "2", id="disabled ones do not count"),
        pytest.param([rule("1", channels=frozenset({MsgType.MMS})), rule("2")], "2", id="another channel"),
        pytest.param([rule("1", config_ids=frozenset({"other"})), rule("2")], "2", id="another configuration"),
        pytest.param([rule("1", did_numbers="19998887777"), rule("2")], "2", id="another DID"),
    ],
)
def test_one_rule_wins_by_a_fixed_order(rules, winner):
    decision = decide(*rules)

    assert decision.rule_id == winner
    assert [v.rule_id for v in decision.verdicts if v.won] == [winner]
    assert all(v.reason for v in decision.verdicts if not v.won)


def test_without_a_rule_the_number_itself_is_the_destination():
    decision = decide()

    assert (decision.rule_id, decision.kind, decision.destination) == (None, ActionKind.NUMBER, "12025550143")


def test_a_blocked_sender_is_stopped_before_anything_else():
    decision = decide(ANYONE, blocked=CALLER)

    assert (decision.blocked, decision.kind) == (True, ActionKind.DISCARD)


@pytest.mark.parametrize(
    ("moment", "destination"),
    [(MONDAY, "101"), (SUNDAY, "201"), (datetime(2026, 12, 28, 12, tzinfo=UTC), "301")],
    ids=["office", "outside", "holiday"],
)
def test_the_period_chooses_the_destination(moment, destination):
    assert (
        decide(rule("r", office=to("101"), outside=to("201"), holiday=to("301")), moment=moment).destination
        == destination
    )


def test_a_holiday_without_its_own_destination_is_as_outside():
    assert (
        decide(
            rule("r", office=to("101"), outside=to("201")), moment=datetime(2026, 12, 28, 12, tzinfo=UTC)
        ).destination
        == "201"
    )


def test_destination_0_keeps_the_number():
    assert decide(rule("r", office=to("0"))).destination == "12025550143"


@given(st.integers(0, 99))
def test_a_did_range_maps_one_to_one_onto_an_extension_range(place):
    mapped = rule("r", did_numbers="12025550100-12025550199", office=to("0100-0199"))

    assert decide(mapped, did=f"+120255501{place:02}").destination == f"01{place:02}"


@pytest.mark.parametrize(
    ("dids", "destinations", "says"),
    [
        ("12025550100-12025550199", "100-198", "100 numbers"),
        ("12025550143", "100-199", "single DID range"),
        ("", "100-199", "single DID range"),
    ],
)
def test_unequal_ranges_are_refused(dids, destinations, says):
    with pytest.raises(ValueError, match=says):
        rule("r", did_numbers=dids, office=to(destinations))


@given(
    st.lists(st.sampled_from(["", CALLER, "1404*******", "14045550100-14045550199"]), min_size=1, max_size=8),
    st.randoms(),
)
def test_the_order_in_storage_never_matters(masks, chance: random.Random):
    rules = [rule(str(n), caller_mask=mask, priority=n % 3, age=n % 2) for n, mask in enumerate(masks)]
    shuffled = rules.copy()
    chance.shuffle(shuffled)

    assert decide(*rules).rule_id == decide(*shuffled).rule_id
