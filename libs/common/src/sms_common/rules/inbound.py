"""Which extension, group or other destination an inbound text is for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sms_common.messages import MsgType
from sms_common.rules.hours import Period, Schedule, WeeklyHours
from sms_common.rules.masks import Match, NumberMask, Specificity, bare
from sms_common.rules.verdicts import Verdict, shortened
from sms_common.rules.writing import unmatchable_entries

KEEP_DIALLED = "0"


class ActionKind(StrEnum):
    """What happens to a text."""

    EXTENSION = "extension"
    RING_GROUP = "ring_group"
    QUEUE = "queue"
    NUMBER = "number"
    VOICEMAIL = "voicemail"
    DISCARD = "discard"


class Action(BaseModel):
    """A destination: an extension or another number; a range, which maps one to one onto the rule's DID range; or 0, to
    keep the DID.
    """

    model_config = ConfigDict(frozen=True)

    kind: ActionKind = ActionKind.EXTENSION
    destination: Annotated[str, Field(max_length=64)] = KEEP_DIALLED

    @cached_property
    def mask(self) -> NumberMask:
        """The destination as a mask, which says whether it is a range."""
        return NumberMask.parse(self.destination)


class InboundRule(BaseModel):
    """One rule, as in PortSIP. Empty masks and lists match anything. `age` decides between rules that are otherwise
    equal: lower is older.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))

    id: str
    name: str = ""
    enabled: bool = True
    priority: int = 1000
    channels: frozenset[MsgType] = frozenset(MsgType)
    config_ids: frozenset[str] = frozenset()
    did_numbers: str = ""
    caller_mask: str = ""
    office: Action = Action()
    outside: Action | None = None
    holiday: Action | None = None
    own_hours: WeeklyHours | None = None
    age: int = 0

    @cached_property
    def dids(self) -> NumberMask:
        """The parsed DID part."""
        return NumberMask.parse(self.did_numbers)

    @cached_property
    def callers(self) -> NumberMask:
        """The parsed caller part."""
        return NumberMask.parse(self.caller_mask)

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        """Read both masks now. Raises InvalidMask, which would otherwise be raised for the first text."""
        _ = self.dids, self.callers
        return self

    @model_validator(mode="after")
    def _ranges_are_equal(self) -> Self:
        """Check that a range of destinations has a DID range of the same size. Raises ValueError, whose text names
        both.
        """
        dids = self.dids.single_range()
        for action in (self.office, self.outside, self.holiday):
            if action is None or (target := action.mask.single_range()) is None:
                continue
            if dids is None:
                raise ValueError(
                    f"the destination range {action.destination} needs a single DID range of the same size"
                )
            if dids[0] != target[0]:
                raise ValueError(f"the DID range has {dids[0]} numbers and the destination range {target[0]}")
        return self

    def action(self, period: Period) -> Action:
        """What to do in a period. Without an own action, that of office hours applies."""
        if period is Period.HOLIDAY:
            return self.holiday or self.outside or self.office
        if period is Period.OUTSIDE:
            return self.outside or self.office
        return self.office


@dataclass(frozen=True, slots=True)
class InboundQuery:
    """What rules need to know of an inbound text."""

    caller: str
    did: str
    channel: MsgType
    config_id: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class InboundDecision:
    """Where a text goes. `rule_id` None: no rule matched, and the PBX gets the DID. `blocked`: the sender is."""

    kind: ActionKind
    destination: str
    reason: str
    rule_id: str | None = None
    period: Period | None = None
    blocked: bool = False
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    rule: InboundRule
    did: Match
    caller: Match

    @property
    def order(self) -> tuple[int, int, int, int, int, int, str]:
        """The lowest wins: closer caller, closer DID, lower priority number, older rule. Last comes the id, so that
        there is always one winner.
        """
        return (
            -self.caller.specificity,
            self.caller.size,
            -self.did.specificity,
            self.did.size if self.did.specificity is not Specificity.ANYONE else 0,
            self.rule.priority,
            self.rule.age,
            self.rule.id,
        )


class InboundRules:
    """One tenant's inbound rules, office hours and blocked senders, ready to decide."""

    def __init__(self, rules: Iterable[InboundRule], schedule: Schedule, blocked: NumberMask | None = None) -> None:
        self._rules = tuple(rules)
        self._schedule = schedule
        self._blocked = blocked if blocked is not None and blocked.parts else None

    def decide(self, query: InboundQuery, *, explain: bool = False) -> InboundDecision:
        """The destination of a text. With `explain` it includes the verdict on every rule."""
        caller, dialled = bare(query.caller), bare(query.did)
        if self._blocked is not None and self._blocked.match_bare(caller):
            return InboundDecision(ActionKind.DISCARD, "", "The sender is blocked.", blocked=True)
        verdicts: list[Verdict] = []
        best: _Candidate | None = None
        for rule in self._rules:
            candidate = _candidate(rule, query, caller, dialled)
            if explain:
                reason = "" if candidate is not None else _why_not(rule, query)
                verdicts.append(Verdict(rule.id, rule.name, won=candidate is not None, reason=reason))
            if candidate is not None and (best is None or candidate.order < best.order):
                best = candidate
        decision = self._decision(best, query)
        if not explain:
            return decision
        return InboundDecision(
            decision.kind,
            decision.destination,
            decision.reason,
            decision.rule_id,
            decision.period,
            verdicts=(*_with_losers(verdicts, best), *self._blocking_nobody()),
        )

    def _blocking_nobody(self) -> tuple[Verdict, ...]:
        """A verdict on blocked entries that cannot be senders. It belongs to no rule."""
        told = unmatchable_entries(self._blocked.text) if self._blocked is not None else []
        return (Verdict("", "Blocked senders", won=False, reason=" ".join(told)),) if told else ()

    def _decision(self, best: _Candidate | None, query: InboundQuery) -> InboundDecision:
        if best is None:
            return InboundDecision(ActionKind.NUMBER, bare(query.did), "No inbound rule matches: the number itself.")
        rule = best.rule
        period = self._schedule.period(query.moment, rule.own_hours)
        action = rule.action(period)
        destination = _destination(action, best.did, query.did)
        reason = f"Rule {rule.name or rule.id!r} matches; it is {period.value} time."
        return InboundDecision(action.kind, destination, reason, rule.id, period)


def _candidate(rule: InboundRule, query: InboundQuery, caller: str, dialled: str) -> _Candidate | None:
    """A rule and which parts of it matched, or None. The numbers are bare."""
    if not rule.enabled or query.channel not in rule.channels:
        return None
    if rule.config_ids and query.config_id not in rule.config_ids:
        return None
    did = rule.dids.match_bare(dialled)
    sender = rule.callers.match_bare(caller) if did is not None else None
    return _Candidate(rule, did, sender) if did is not None and sender is not None else None


def _why_not(rule: InboundRule, query: InboundQuery) -> str:
    """Why a rule does not match, with what it asks for."""
    if not rule.enabled:
        return "It is disabled."
    if query.channel not in rule.channels:
        return f"It is not for {query.channel}."
    if rule.config_ids and query.config_id not in rule.config_ids:
        return "It is for other SMS configurations."
    if rule.dids.match(query.did) is None:
        return _not_matched("Its DID numbers do not hold the number written to.", rule.dids)
    return _not_matched("Its caller mask does not match the sender.", rule.callers)


def _not_matched(sentence: str, mask: NumberMask) -> str:
    return " ".join((sentence, f"It is for {shortened(mask.text)}.", *unmatchable_entries(mask.text)))


def _destination(action: Action, did: Match, dialled: str) -> str:
    """The destination. In a range, it is the number at the place that the DID has in its own range."""
    if action.destination == KEEP_DIALLED:
        return bare(dialled)
    target = action.mask.single_range()
    if target is None:
        return action.destination
    width = len(bare(action.destination.split("-")[0]))
    return str(target[1] + did.offset).zfill(width)


def _with_losers(verdicts: list[Verdict], best: _Candidate | None) -> tuple[Verdict, ...]:
    return tuple(
        verdict
        if not verdict.won or (best is not None and verdict.rule_id == best.rule.id)
        else Verdict(verdict.rule_id, verdict.name, won=False, reason=f"It matches, but {_closer(best)} is closer.")
        for verdict in verdicts
    )


def _closer(best: _Candidate | None) -> str:
    assert best is not None
    return f"rule {best.rule.name or best.rule.id!r}"
