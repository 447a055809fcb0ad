"""Where an inbound text goes: the tenant that owns the number, then that tenant's rules. Pure."""

from dataclasses import dataclass
from datetime import datetime

from sms_common.configuration import DispatcherSnapshot, SmsConfig
from sms_common.errors import Code
from sms_common.events import Route
from sms_common.messages import MsgType
from sms_common.phone import digits
from sms_common.rules import ActionKind, InboundDecision, InboundQuery, Period

# What a text is routed by when no rule is: PBXs know it since before there were rules.
_BY_DID = "did"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An inbound text, as far as its routing looks at it. `moment` is the carrier's time of it."""

    sender: str
    did: str
    channel: MsgType
    config_id: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class InboundRouting:
    """What was decided for an inbound text.

    `route` is where it goes, nowhere for one that is discarded; None when its sender is blocked. `refusal` says why no
    PBX gets it for now, though it is kept for one. `decision` is the rules', None for a number that nobody owns.
    """

    tenant_id: str | None
    config: SmsConfig | None
    route: Route | None = None
    refusal: Code | None = None
    decision: InboundDecision | None = None
    period: Period | None = None


def route_inbound(arrival: Arrival, snapshot: DispatcherSnapshot, *, explain: bool = False) -> InboundRouting:
    """Decide on an inbound text. With `explain`, every rule's verdict is in the decision."""
    config = snapshot.config(arrival.config_id)
    tenant_id = _owner(arrival, config, snapshot)
    if tenant_id is None:
        return InboundRouting(None, config, _to_did(arrival, "The number itself."), Code.UNROUTED_DID)
    rules = snapshot.rules_of(tenant_id)
    query = InboundQuery(arrival.sender, arrival.did, arrival.channel, arrival.config_id, arrival.moment)
    decision = rules.inbound_rules.decide(query, explain=explain)
    route = None if decision.blocked else _route(decision, arrival)
    refusal = Code.CONFIG_DISABLED if config is not None and not config.enabled else None
    period = decision.period or (rules.schedule.period(arrival.moment) if explain else None)
    return InboundRouting(tenant_id, config, route, refusal, decision, period)


def discards(route: Route) -> bool:
    """Whether a rule throws the text away."""
    return route.kind == ActionKind.DISCARD


def _owner(arrival: Arrival, config: SmsConfig | None, snapshot: DispatcherSnapshot) -> str | None:
    """The tenant whose number was written to: by the pools, else by the sender id that is no number."""
    pool = snapshot.owner_of(arrival.did)
    if pool is not None:
        return pool.tenant_id
    return config.tenant_id if config is not None and config.sender_id == arrival.did else None


def _route(decision: InboundDecision, arrival: Arrival) -> Route:
    if decision.rule_id is None:
        return _to_did(arrival, decision.reason)
    destination = "" if decision.kind is ActionKind.DISCARD else decision.destination
    return Route(rule_id=decision.rule_id, kind=decision.kind.value, destination=destination, reason=decision.reason)


def _to_did(arrival: Arrival, reason: str) -> Route:
    return Route(kind=_BY_DID, destination=digits(arrival.did), reason=reason)
