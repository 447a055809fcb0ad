"""Where an inbound text is routed to: the tenant that owns the number, then that tenant's rules. Pure."""

from dataclasses import dataclass
from datetime import datetime

from sms_common.configuration import DispatcherSnapshot, SmsConfig
from sms_common.errors import Code
from sms_common.events import Route
from sms_common.messages import MsgType
from sms_common.phone import digits
from sms_common.rules import ActionKind, InboundDecision, InboundQuery, Period

# The kind of a route that no rule decided. PBXs have known it since before there were rules.
_BY_DID = "did"


@dataclass(frozen=True, slots=True)
class Arrival:
    """The part of an inbound text that decides its route. `moment` is the carrier's time of it.

    `config_id` and `tenant_id` are those of the webhook through which it came.
    """

    sender: str
    did: str
    channel: MsgType
    config_id: str
    tenant_id: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class InboundRouting:
    """The decision on an inbound text.

    `config` is the tenant's own configuration on the trunk. `route` is None when the sender is blocked; a discarded
    text has a route without a destination. `refusal` says why the text is parked and not published. `decision` is that
    of the rules; None when nobody owns the number, or the webhook may not speak for it.
    """

    tenant_id: str | None
    config: SmsConfig | None
    route: Route | None = None
    refusal: Code | None = None
    decision: InboundDecision | None = None
    period: Period | None = None


def route_inbound(arrival: Arrival, snapshot: DispatcherSnapshot, *, explain: bool = False) -> InboundRouting:
    """Decide on an inbound text. With `explain`, the decision has every rule's verdict."""
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
    """Whether a rule discards the text."""
    return route.kind == ActionKind.DISCARD


def may_not_speak(config: SmsConfig | None, trunk_id: str) -> Code | None:
    """Why the webhook of a configuration may not speak for other tenants' numbers on a trunk; None when it may.

    Somebody who knows the webhook of one tenant must not speak for another tenant. A lent trunk has one webhook for all
    of its tenants. A configuration on that trunk has to prove first that it has the trunk's account.
    """
    if config is None or config.trunk_id != trunk_id:
        return Code.UNROUTED_DID
    return None if config.account_proved else Code.ACCOUNT_UNPROVED


def _owner(arrival: Arrival, config: SmsConfig | None, snapshot: DispatcherSnapshot) -> str | Code:
    """The tenant that owns the DID, by the pools, else by a sender id that is a name. A code when there is none, or
    this webhook may not speak for it.
    """
    pool = snapshot.owner_of(arrival.did)
    if pool is not None:
        if arrival.tenant_id == pool.tenant_id:
            return pool.tenant_id
        return may_not_speak(config, pool.trunk_id) or pool.tenant_id
    # Carriers do not document whether they write a short code with a plus.
    names = {arrival.did, arrival.did.removeprefix("+")}
    return config.tenant_id if config is not None and config.sender_id in names else Code.UNROUTED_DID


def _own_config(tenant_id: str, webhook_config: SmsConfig | None, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The tenant's own configuration on the trunk through whose webhook a text came."""
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
