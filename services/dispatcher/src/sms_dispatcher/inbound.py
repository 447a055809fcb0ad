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
    """An inbound text, as far as its routing looks at it. `moment` is the carrier's time of it.

    `config_id` and `tenant_id` are those of the webhook by which it came; no `tenant_id`: whoever's.
    """

    sender: str
    did: str
    channel: MsgType
    config_id: str
    tenant_id: str | None
    moment: datetime


@dataclass(frozen=True, slots=True)
class InboundRouting:
    """What was decided for an inbound text.

    `config` is the tenant's own, by which it came. `route` is where it goes, nowhere for one that is discarded; None
    when its sender is blocked. `refusal` says why no PBX gets it for now, though it is kept for one. `decision` is the
    rules', None for a number that nobody owns.
    """

    tenant_id: str | None
    config: SmsConfig | None
    route: Route | None = None
    refusal: Code | None = None
    decision: InboundDecision | None = None
    period: Period | None = None


def route_inbound(arrival: Arrival, snapshot: DispatcherSnapshot, *, explain: bool = False) -> InboundRouting:
    """Decide on an inbound text. With `explain`, every rule's verdict is in the decision."""
    told = snapshot.config(arrival.config_id)
    tenant_id = _owner(arrival, told, snapshot)
    if tenant_id is None:
        return InboundRouting(None, told, _to_did(arrival, "The number itself."), Code.UNROUTED_DID)
    config = _own_config(tenant_id, told, snapshot)
    rules = snapshot.rules_of(tenant_id)
    config_id = arrival.config_id if config is None else config.id
    query = InboundQuery(arrival.sender, arrival.did, arrival.channel, config_id, arrival.moment)
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
        # Who knows the webhook of one tenant must not speak to the numbers of another; a trunk that several share has
        # one webhook for all.
        shared = config is not None and config.trunk_id == pool.trunk_id
        return pool.tenant_id if shared or arrival.tenant_id in {None, pool.tenant_id} else None
    # No carrier says whether it writes a short code with a plus.
    names = {arrival.did, arrival.did.removeprefix("+")}
    return config.tenant_id if config is not None and config.sender_id in names else None


def _own_config(tenant_id: str, told: SmsConfig | None, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The tenant's own configuration on the trunk by whose webhook a text came, whoever's webhook that was."""
    if told is None or told.tenant_id == tenant_id:
        return told
    return next((one for one in snapshot.configs_of(tenant_id) if one.trunk_id == told.trunk_id), None)


def _route(decision: InboundDecision, arrival: Arrival) -> Route:
    if decision.rule_id is None:
        return _to_did(arrival, decision.reason)
    destination = "" if decision.kind is ActionKind.DISCARD else decision.destination
    return Route(rule_id=decision.rule_id, kind=decision.kind.value, destination=destination, reason=decision.reason)


def _to_did(arrival: Arrival, reason: str) -> Route:
    return Route(kind=_BY_DID, destination=digits(arrival.did), reason=reason)
