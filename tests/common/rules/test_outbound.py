"""By which routes an outbound text leaves."""

import random
from collections import Counter
from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.messages import Category
from sms_common.rules import (
    OutboundQuery,
    OutboundRule,
    OutboundRules,
    RuleRoute,
    Schedule,
)
from sms_common.rules.hours import Span, WeeklyHours

MONDAYS = WeeklyHours(monday=(Span(opens=time(9), closes=time(17)),))
MONDAY, SUNDAY = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)


def rule(id_: str, *routes: RuleRoute, **changes) -> OutboundRule:
    return OutboundRule(
        **{"id": id_, "prefixes": "+", "routes": routes or (RuleRoute(config_id=f"cfg-{id_}"),), **changes}
    )


def decide(*rules: OutboundRule, moment: datetime = MONDAY, **changes):
    query = OutboundQuery(
        **{
            "to": "+14045550121",
            "extension": "105",
            "category": Category.CONVERSATIONAL,
            "message_id": "m",
            "moment": moment,
            **changes,
        }
    )
    return OutboundRules(rules, Schedule(hours=MONDAYS)).decide(query, explain=True)


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({"prefixes": "1404"}, True),
        ({"prefixes": "001404;49"}, True),
        ({"prefixes": "+"}, True),
        ({"prefixes": "49"}, False),
        ({"prefixes": "", "lengths": {11}}, True),
        ({"lengths": {10}}, False),
        ({"prefixes": "", "extensions": "101-110;199"}, True),
        ({"extensions": "199"}, False),
        ({"prefixes": "", "groups": {"sales"}}, True),
        ({"groups": {"support"}}, False),
        ({"prefixes": "", "categories": {"conversational"}}, True),
        ({"categories": {"marketing"}}, False),
        ({"enabled": False}, False),
    ],
    ids=str,
)
def test_every_condition_must_hold(changes, matches):
    assert (decide(rule("r", **changes), groups=frozenset({"sales"})).rule_id == "r") is matches


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        ([rule("a", priority=2), rule("b", priority=1)], "b"),
        ([rule("a"), rule("b", lengths={11})], "b"),
        ([rule("a", age=2), rule("b", age=1)], "b"),
        ([rule("b"), rule("a")], "a"),
    ],
    ids=["priority", "more conditions", "older", "id"],
)
def test_one_rule_wins_by_a_fixed_order(rules, winner):
    decision = decide(*rules)

    assert decision.rule_id == winner
    assert [v.rule_id for v in decision.verdicts if v.won] == [winner]


def test_a_rule_without_conditions_is_refused():
    with pytest.raises(ValueError, match="at least one condition"):
        rule("r", prefixes="")


def test_seven_routes_are_refused():
    with pytest.raises(ValueError, match="at most 6"):
        rule("r", *(RuleRoute(config_id=str(n)) for n in range(7)))


@pytest.mark.parametrize(
    ("closed", "blocked", "held"),
    [(None, False, None), ("block", True, None), ("hold", False, datetime(2026, 11, 23, 9, tzinfo=UTC))],
)
def test_outside_its_hours_a_rule_blocks_or_holds(closed, blocked, held):
    decision = decide(rule("r", closed=closed), moment=SUNDAY)

    assert (decision.blocked, decision.hold_until) == (blocked, held)


@pytest.mark.parametrize(
    ("route", "number"),
    [
        (RuleRoute(config_id="c"), "+14045550121"),
        (RuleRoute(config_id="c", strip_digits=1), "+4045550121"),
        (RuleRoute(config_id="c", prepend="+99"), "+9914045550121"),
        (RuleRoute(config_id="c", strip_digits=1, prepend="44"), "+444045550121"),
    ],
)
def test_a_route_strips_and_prepends_digits(route, number):
    assert route.rewrite("+14045550121") == number


def test_prioritized_routes_keep_their_order_without_the_disabled_ones():
    routes = (RuleRoute(config_id="a"), RuleRoute(config_id="b", enabled=False), RuleRoute(config_id="c"))

    assert [r.config_id for r in decide(rule("r", *routes)).routes] == ["a", "c"]


def test_a_draw_follows_the_weights_and_is_the_same_for_one_message():
    drawn = rule(
        "r", RuleRoute(config_id="heavy", weight=3), RuleRoute(config_id="light", weight=1), strategy="RANDOMLY"
    )
    first = Counter(decide(drawn, message_id=f"m{n}").routes[0].config_id for n in range(2000))

    assert 0.70 < first["heavy"] / 2000 < 0.80
    assert decide(drawn, message_id="m1").routes == decide(drawn, message_id="m1").routes


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["+", "1", "1404"])), min_size=1, max_size=8), st.randoms()
)
def test_the_order_in_storage_never_matters(spec, chance: random.Random):
    rules = [rule(str(n), prefixes=prefix, priority=priority) for n, (priority, prefix) in enumerate(spec)]
    shuffled = rules.copy()
    chance.shuffle(shuffled)

    assert decide(*rules).rule_id == decide(*shuffled).rule_id
