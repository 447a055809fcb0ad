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

    `config_id` and `tenant_id` are those of the webhook by which it came.
    """

    sender: str
    did: str
    channel: MsgType
    config_id: str
    tenant_id: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class InboundRouting:
    """What was decided for an inbound text.

    `config` is the tenant's own, by which it came. `route` is where it goes, nowhere for one that is discarded; None
    when its sender is blocked. `refusal` says why no PBX gets it for now, though it is kept for one. `decision` is the
    rules', None for a number that nobody owns or for which this webhook may not speak.
    """

    tenant_id: str | None
    config: SmsConfig | None
    route: Route | None = None
    refusal: Code | None = None
    decision: InboundDecision | None = None
    period: Period | None = None


def route_inbound(arrival: Arrival, snapshot: DispatcherSnapshot, *, explain: bool = False) -> InboundRouting:
    """Decide on an inbound text. With `explain`, every rule's verdict is in the decision."""
    webhook_config = snapshot.config(arrival.config_id)
    tenant_id = _owner(arrival, webhook_config, snapshot)
    if isinstance(tenant_id, Code):
        return InboundRouting(None, webhook_config, _to_did(arrival, "The number itself."), tenant_id)
    config = _own_config(tenant_id, webhook_config, snapshot)
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


def may_not_speak(config: SmsConfig | None, trunk_id: str) -> Code | None:
    """Why the webhook of a configuration does not speak for other tenants' numbers on a trunk; None: it does.

    Who knows the webhook of one tenant must not speak for another. A lent trunk has one webhook for all; whose
    configuration only lies on that trunk has not shown yet that it has the account behind it.
    """
    if config is None or config.trunk_id != trunk_id:
        return Code.UNROUTED_DID
    return None if config.account_proved else Code.ACCOUNT_UNPROVED


def _owner(arrival: Arrival, config: SmsConfig | None, snapshot: DispatcherSnapshot) -> str | Code:
    """The tenant whose number was written to: by the pools, else by the sender id that is no number. A code when this
    webhook gives it to nobody.
    """
    pool = snapshot.owner_of(arrival.did)
    if pool is not None:
        if arrival.tenant_id == pool.tenant_id:
            return pool.tenant_id
        return may_not_speak(config, pool.trunk_id) or pool.tenant_id
    # No carrier says whether it writes a short code with a plus.
    names = {arrival.did, arrival.did.removeprefix("+")}
    return config.tenant_id if config is not None and config.sender_id in names else Code.UNROUTED_DID


def _own_config(tenant_id: str, webhook_config: SmsConfig | None, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The tenant's own configuration on the trunk by whose webhook a text came, whoever's webhook that was."""
    if webhook_config is None or webhook_config.tenant_id == tenant_id:
        return webhook_config
    return next((one for one in snapshot.configs_of(tenant_id) if one.trunk_id == webhook_config.trunk_id), None)


def _route(decision: InboundDecision, arrival: Arrival) -> Route:
    if decision.rule_id is None:
        return _to_did(arrival, decision.reason)
    destination = "" if decision.kind is ActionKind.DISCARD else decision.destination
    return Route(rule_id=decision.rule_id, kind=decision.kind.value, destination=destination, reason=decision.reason)


def _to_did(arrival: Arrival, reason: str) -> Route:
    return Route(kind=_BY_DID, destination=digits(arrival.did), reason=reason)
