"""The routes of an outbound text, in the order to try."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sms_common.input.pasted import entries
from sms_common.messages import Category
from sms_common.rules import extensions, prefixes
from sms_common.rules.extensions import extension_form
from sms_common.rules.hours import Period, Schedule, WeeklyHours
from sms_common.rules.masks import NumberMask, bare
from sms_common.rules.prefixes import prefix_digits
from sms_common.rules.verdicts import Verdict, shortened

MAX_ROUTES = 6


class Strategy(StrEnum):
    """PortSIP's words for how routes are chosen: in their order, or at random by weight."""

    PRIORITIZED = "PRIORITIZED"
    RANDOMLY = "RANDOMLY"


class OutsideHours(StrEnum):
    """What a rule does outside its hours: refuse the text, or hold it until the office opens."""

    BLOCK = "block"
    HOLD = "hold"


class RuleRoute(BaseModel):
    """One route: an SMS configuration, the change to the number, and the sender."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    config_id: str
    enabled: bool = True
    strip_digits: Annotated[int, Field(ge=0, le=9)] = 0
    prepend: Annotated[str, Field(max_length=16, pattern=r"^\+?[0-9]*$")] = ""
    caller_id: str | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1

    def rewrite(self, to: str) -> str:
        """The recipient as this route sends it: E.164 without the first `strip_digits` digits, and with `prepend`
        before the rest.
        """
        if not self.strip_digits and not self.prepend:
            return to
        return "+" + self.prepend.removeprefix("+") + to.removeprefix("+")[self.strip_digits :]


class OutboundRule(BaseModel):
    """One rule, as in PortSIP, with at least one condition. The prefix `+` matches every international number."""

    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))

    id: str
    name: str = ""
    enabled: bool = True
    priority: int = 1000
    prefixes: str = ""
    lengths: frozenset[Annotated[int, Field(ge=1, le=20)]] = frozenset()
    extensions: str = ""
    groups: frozenset[str] = frozenset()
    categories: frozenset[Category] = frozenset()
    own_hours: WeeklyHours | None = None
    closed: OutsideHours | None = None
    strategy: Strategy = Strategy.PRIORITIZED
    routes: Annotated[tuple[RuleRoute, ...], Field(min_length=1, max_length=MAX_ROUTES)]
    age: int = 0

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not (self.prefixes or self.lengths or self.extensions or self.groups or self.categories):
            raise ValueError("at least one condition is needed: prefixes, lengths, extensions, groups or categories")
        return self

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        """Read the extensions now. Raises InvalidMask, which would otherwise be raised for the first text."""
        _ = self.extension_mask
        return self

    @cached_property
    def prefix_list(self) -> tuple[str, ...]:
        """The prefixes as digits. An empty one, from a lone plus, matches every number."""
        return tuple(prefix_digits(part) for part in entries(self.prefixes))

    @cached_property
    def extension_mask(self) -> NumberMask:
        """The parsed extensions."""
        return NumberMask.parse(self.extensions)


@dataclass(frozen=True, slots=True)
class OutboundQuery:
    """What rules need to know of an outbound text. `message_id` makes a random order the same each time."""

    to: str
    extension: str
    category: Category
    moment: datetime
    message_id: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OutboundDecision:
    """The routes to try in turn. `rule_id` None: no rule matched, and the tenant's default configuration is used.

    `blocked`: the rule refuses texts at this hour. `hold_until`: the rule holds the text until then.
    """

    routes: tuple[RuleRoute, ...]
    reason: str
    rule_id: str | None = None
    blocked: bool = False
    hold_until: datetime | None = None
    verdicts: tuple[Verdict, ...] = ()


class OutboundRules:
    """One tenant's outbound rules and office hours, ready to decide."""

    def __init__(self, rules: Iterable[OutboundRule], schedule: Schedule) -> None:
        self._rules = tuple(rules)
        self._schedule = schedule

    def decide(self, query: OutboundQuery, *, explain: bool = False) -> OutboundDecision:
        """The routes of the winning rule, in the order to try. With `explain` it includes the verdict on every rule."""
        asked = _Asked(bare(query.to), extension_form(query.extension))
        best: tuple[tuple[int, int, int, str], OutboundRule] | None = None
        verdicts: list[Verdict] = []
        for rule in self._rules:
            matched, why_not = _matches(rule, query, asked)
            if explain:
                reason = "" if why_not is None else why_not(rule, query)
                verdicts.append(Verdict(rule.id, rule.name, won=why_not is None, reason=reason))
            order = (rule.priority, -matched, rule.age, rule.id)
            if why_not is None and (best is None or order < best[0]):
                best = (order, rule)
        if best is None:
            return OutboundDecision((), "No outbound rule matches.", verdicts=tuple(verdicts))
        return self._decision(best[1], query, tuple(_settled(verdict, best[1]) for verdict in verdicts))

    def _decision(self, rule: OutboundRule, query: OutboundQuery, verdicts: tuple[Verdict, ...]) -> OutboundDecision:
        name = repr(rule.name or rule.id)
        routes = _in_turn(rule, query.message_id)
        if rule.closed is not None:
            period = self._schedule.period(query.moment, rule.own_hours)
            opens = self._schedule.next_opening(query.moment, rule.own_hours)
            if period is not Period.OFFICE and (rule.closed is OutsideHours.BLOCK or opens is None):
                reason = f"Rule {name} sends nothing in {period.value} time."
                return OutboundDecision((), reason, rule.id, blocked=True, verdicts=verdicts)
            if period is not Period.OFFICE:
                reason = f"Rule {name} keeps texts until the office opens."
                return OutboundDecision(routes, reason, rule.id, hold_until=opens, verdicts=verdicts)
        drawn = len(routes) > 1 and rule.strategy is Strategy.RANDOMLY
        reason = f"Rule {name} matches; for each message its routes are drawn." if drawn else f"Rule {name} matches."
        return OutboundDecision(routes, reason, rule.id, verdicts=verdicts)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Recipient and extension in the forms in which they are compared."""

    to: str
    extension: str


_WhyNot = Callable[[OutboundRule, OutboundQuery], str]


def _matches(rule: OutboundRule, query: OutboundQuery, asked: _Asked) -> tuple[int, _WhyNot | None]:
    """How many conditions matched, and a function that says why the first other one did not (None when all did)."""
    if not rule.enabled:
        return 0, _disabled
    matched = 0
    for wanted, holds, why_not in (
        (rule.prefixes, asked.to.startswith(rule.prefix_list), _no_prefix),
        (rule.lengths, len(asked.to) in rule.lengths, _other_length),
        (rule.extensions, rule.extension_mask.match_bare(asked.extension) is not None, _other_extensions),
        (rule.groups, bool(rule.groups & query.groups), _other_groups),
        (rule.categories, query.category in rule.categories, _other_category),
    ):
        if not wanted:
            continue
        if not holds:
            return 0, why_not
        matched += 1
    if not any(route.enabled for route in rule.routes):
        return 0, _no_route
    return matched, None


def _disabled(_rule: OutboundRule, _query: OutboundQuery) -> str:
    return "It is disabled."


def _no_route(_rule: OutboundRule, _query: OutboundQuery) -> str:
    return "None of its routes is enabled."


def _no_prefix(rule: OutboundRule, _query: OutboundQuery) -> str:
    none = [f"No number begins with {prefix}." for prefix in prefixes.unmatchable_prefixes(rule.prefixes)]
    return " ".join((f"No prefix fits the recipient. It is for {shortened(rule.prefixes)}.", *none))


def _other_length(rule: OutboundRule, query: OutboundQuery) -> str:
    lengths = ", ".join(str(length) for length in sorted(rule.lengths))
    none = [f"No number has {length}." for length in prefixes.impossible_lengths(sorted(rule.lengths), rule.prefixes)]
    return " ".join((f"The recipient has {len(bare(query.to))} digits. It is for {lengths}.", *none))


def _other_extensions(rule: OutboundRule, _query: OutboundQuery) -> str:
    told = extensions.unmatchable_entries(rule.extensions)
    return " ".join((f"It is for other extensions: {shortened(rule.extensions)}.", *told))


def _other_groups(rule: OutboundRule, _query: OutboundQuery) -> str:
    return f"It is for other groups: {', '.join(sorted(rule.groups))}."


def _other_category(_rule: OutboundRule, query: OutboundQuery) -> str:
    return f"It is not for {query.category} texts."


def _settled(verdict: Verdict, winner: OutboundRule) -> Verdict:
    if not verdict.won or verdict.rule_id == winner.id:
        return verdict
    reason = f"It matches, but rule {winner.name or winner.id!r} comes first."
    return Verdict(verdict.rule_id, verdict.name, won=False, reason=reason)


def _in_turn(rule: OutboundRule, message_id: str) -> tuple[RuleRoute, ...]:
    """The enabled routes in the order to try. A random order is by weight, and always the same for one message."""
    routes = [route for route in rule.routes if route.enabled]
    if rule.strategy is Strategy.PRIORITIZED or len(routes) == 1:
        return tuple(routes)

    def draw(item: tuple[int, RuleRoute]) -> float:
        place, route = item
        digest = hashlib.blake2b(f"{rule.id}/{place}/{message_id}".encode(), digest_size=8).digest()
        # Efraimidis and Spirakis, Weighted random sampling (2006): the largest u^(1/w) comes first with probability
        # w/sum.
        unit = (int.from_bytes(digest) + 1) / (2**64 + 1)
        return float(unit ** (1 / route.weight))

    return tuple(route for _, route in sorted(enumerate(routes), key=draw, reverse=True))
