"""Explains what would happen to a text, and why. The code that decides on real texts decides here, too. Nothing is
recorded or sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sms_common import topology
from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot, SmsConfig, Tenant
from sms_common.errors import Code, Rejection, Unavailable
from sms_common.events import Moment, OutboundRequest
from sms_common.input.pasted import trimmed
from sms_common.input.patterns import ID_PATTERN
from sms_common.input.request_fields import as_numbers
from sms_common.messages import Category, MsgType
from sms_common.phone import InvalidNumber, from_carrier, normalise
from sms_common.rules import Period, Verdict
from sms_dispatcher.carrier_events.inbound import Arrival, InboundRouting, route_inbound
from sms_dispatcher.ledger.entries import LedgerEntry
from sms_dispatcher.ledger.ledger import Ledger
from sms_dispatcher.requests.conversations import conversations
from sms_dispatcher.requests.planning import Planning
from sms_dispatcher.requests.routing import Considered, RoutingResult

# A rule may choose its routes at random by the message's id. This message has none.
_MESSAGE_ID = "explain"
# More than any carrier takes, so that a text that is too long is explained as well.
_MAX_TEXT = 16_384
_DEFAULT_COUNTRY = "US"
_REFUSALS = {
    Code.UNROUTED_DID: "No tenant owns this number.",
    Code.ACCOUNT_UNPROVED: "The SMS configuration has not proved to have the account of its lent trunk, so its webhook "
    "speaks for its own tenant's numbers only; texts for others wait in sms.unrouted.",
}

Identifier = Annotated[str, Field(pattern=ID_PATTERN)]
Number = Annotated[str, BeforeValidator(lambda value: trimmed(value) if isinstance(value, str) else value)]
ShortText = Annotated[Number, Field(min_length=1, max_length=64)]
# A sender may be an e-mail address, which may be this long.
SenderText = Annotated[Number, Field(min_length=1, max_length=254)]


def _one(number: str) -> str:
    if len(as_numbers(number)) > 1:
        raise ValueError("must be one number: one recipient is explained at a time")
    return number


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class OutboundQuestion(_Question):
    """A text to one recipient that might be sent. `at` None means now."""

    tenant_id: Identifier
    extension: ShortText
    to: Annotated[ShortText, AfterValidator(_one)]
    text: Annotated[str | None, Field(max_length=_MAX_TEXT)] = None
    sender: Annotated[ShortText | None, Field(alias="from")] = None
    config_id: Identifier | None = None
    category: Category = Category.CONVERSATIONAL
    at: Moment | None = None

    def request(self) -> OutboundRequest:
        """The request for that text."""
        return OutboundRequest.model_validate(
            {"message_id": _MESSAGE_ID, **self.model_dump(exclude={"at"}, exclude_none=True)}
        )


class InboundQuestion(_Question):
    """A text that might arrive. With a `tenant_id` only that tenant's numbers are known.

    `config_id` is that of the webhook; None means the oldest configuration of the number's trunk. `at` None means now.
    """

    tenant_id: Identifier | None = None
    sender: SenderText
    did: ShortText
    channel: MsgType = MsgType.SMS
    config_id: Identifier | None = None
    at: Moment | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class VerdictShown(_Answer):
    """One rule's part in a decision."""

    rule_id: str
    name: str
    won: bool
    reason: str


class RejectionShown(_Answer):
    """Why it would be rejected, in the words of the status or the dead letter."""

    code: Code
    reason: str
    field: str | None = None


class RouteShown(_Answer):
    """A route that was considered. `sender` is None when it is not usable; `reason` says why."""

    config_id: str | None
    config_name: str | None
    to: str
    sender: str | None
    reason: str


class OutboundExplanation(_Answer):
    """What would happen to an outbound text. `routes` are in the order to try. `held_until` is None when it is not
    held.
    """

    to: str
    config_id: str | None
    config_name: str | None
    sender: str | None
    sender_reason: str | None
    rule_id: str | None
    reason: str
    routes: tuple[RouteShown, ...]
    verdicts: tuple[VerdictShown, ...]
    lane: str | None
    bulk: bool
    msg_type: MsgType | None
    segments: int | None
    encoding: str | None
    held_until: datetime | None
    rejection: RejectionShown | None


class ExplainedDestination(_Answer):
    """Where the PBX would have to deliver an inbound text."""

    rule_id: str | None
    kind: str
    destination: str
    reason: str


class InboundExplanation(_Answer):
    """What would happen to an inbound text. `route` is None when it is blocked or rejected."""

    did: str
    tenant_id: str | None
    config_id: str | None
    blocked: bool
    route: ExplainedDestination | None
    period: Period | None
    verdicts: tuple[VerdictShown, ...]
    rejection: RejectionShown | None


class Explainer:
    """Answers questions by the configuration in use. `snapshot` returns None before there is one."""

    def __init__(
        self,
        ledger: Ledger,
        carriers: Mapping[str, Carrier],
        snapshot: Callable[[], DispatcherSnapshot | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._carriers = carriers
        self._snapshot = snapshot
        self._clock = clock

    async def outbound(self, question: OutboundQuestion) -> OutboundExplanation:
        """Explain an outbound text. Raises Unavailable."""
        request, snapshot = question.request(), self._present()
        known = await conversations(request, snapshot, self._ledger)
        planning = Planning(
            request, snapshot, self._carriers, question.at or self._clock(), conversations=known, explain=True
        )
        try:
            entry = planning.entry()
        except Rejection as rejection:
            return _explained(request, snapshot, planning.routings, rejection)
        return _explained(request, snapshot, planning.routings, entry)

    async def inbound(self, question: InboundQuestion) -> InboundExplanation:
        """Explain an inbound text. Raises Unavailable."""
        snapshot = self._present()
        tenant = snapshot.tenant(question.tenant_id) if question.tenant_id is not None else None
        did = _as_carriers_write(question.did, tenant)
        named = _named(question, snapshot)
        arrival = Arrival(
            _as_carriers_write(question.sender, tenant),
            did,
            question.channel,
            named.id if named is not None else _webhook_of(did, snapshot),
            named.tenant_id if named is not None else _tenant_of(did, snapshot),
            question.at or self._clock(),
        )
        routing = route_inbound(arrival, snapshot, explain=True)
        if question.tenant_id not in {None, routing.tenant_id}:
            reason = "The number is none of the tenant's."
            return _unowned(did, RejectionShown(code=Code.UNROUTED_DID, reason=reason))
        return _routed(did, routing)

    def _present(self) -> DispatcherSnapshot:
        snapshot = self._snapshot()
        if snapshot is None:
            raise Unavailable(Code.CONFIG_UNAVAILABLE, "There is no configuration yet.")
        return snapshot


def _explained(
    request: OutboundRequest,
    snapshot: DispatcherSnapshot,
    routings: list[RoutingResult],
    outcome: LedgerEntry | Rejection,
) -> OutboundExplanation:
    routing = routings[0] if routings else RoutingResult("")
    entry, rejection = (outcome, None) if isinstance(outcome, LedgerEntry) else (None, outcome)
    usable = [route for route in routing.considered if route.usable is not None]
    config_id = entry.config_id if entry is not None else None
    return OutboundExplanation(
        to=entry.to[0] if entry is not None else request.to[0],
        config_id=config_id,
        config_name=_name(config_id, request.tenant_id, snapshot),
        sender=entry.sender if entry is not None else None,
        sender_reason=usable[0].reason if entry is not None else None,
        rule_id=routing.rule_id,
        reason=routing.reason or (rejection.reason if rejection is not None else ""),
        routes=tuple(_route(route, request.tenant_id, snapshot) for route in routing.considered),
        verdicts=_verdicts(routing.verdicts),
        lane=topology.lane_queue(config_id, bulk=request.category.bulk) if config_id is not None else None,
        bulk=request.category.bulk,
        msg_type=entry.msg_type if entry is not None else None,
        segments=entry.segments if entry is not None else None,
        encoding=entry.encoding if entry is not None else None,
        held_until=entry.send_after if entry is not None else None,
        rejection=_rejection(rejection) if rejection is not None else None,
    )


def _route(route: Considered, tenant_id: str, snapshot: DispatcherSnapshot) -> RouteShown:
    return RouteShown(
        config_id=route.config_id,
        config_name=_name(route.config_id, tenant_id, snapshot),
        to=route.dialled[0],
        sender=route.usable.sender if route.usable is not None else None,
        reason=route.reason,
    )


def _name(config_id: str | None, tenant_id: str, snapshot: DispatcherSnapshot) -> str | None:
    """The configuration's name; None for that of another tenant."""
    config = snapshot.config(config_id) if config_id is not None else None
    return config.name if config is not None and config.tenant_id == tenant_id else None


def _rejection(rejection: Rejection) -> RejectionShown:
    return RejectionShown(code=rejection.code, reason=rejection.reason, field=rejection.field)


def _verdicts(verdicts: tuple[Verdict, ...]) -> tuple[VerdictShown, ...]:
    return tuple(VerdictShown(**asdict(verdict)) for verdict in verdicts)


def _as_carriers_write(number: str, tenant: Tenant | None) -> str:
    """A number as carriers write it, from what a user of the tenant has typed. A name stays as it is."""
    try:
        return tenant.number(number) if tenant is not None else normalise(number, _DEFAULT_COUNTRY)
    except InvalidNumber:
        return from_carrier(number)


def _named(question: InboundQuestion, snapshot: DispatcherSnapshot) -> SmsConfig | None:
    """The configuration that the question names, unless it is another tenant's."""
    config = snapshot.config(question.config_id) if question.config_id is not None else None
    foreign = config is None or question.tenant_id not in {None, config.tenant_id}
    return None if foreign else config


def _webhook_of(did: str, snapshot: DispatcherSnapshot) -> str:
    """The configuration through whose webhook a text to this number comes; '' when there is none."""
    pool = snapshot.owner_of(did)
    if pool is None:
        return next((config.id for config in snapshot.configs if config.sender_id == did), "")
    of_trunk = [config for config in snapshot.configs_of(pool.tenant_id) if config.trunk_id == pool.trunk_id]
    return next((config.id for config in of_trunk if config.enabled), of_trunk[0].id if of_trunk else "")


def _tenant_of(did: str, snapshot: DispatcherSnapshot) -> str:
    pool = snapshot.owner_of(did)
    return pool.tenant_id if pool is not None else topology.NO_TENANT


def _routed(did: str, routing: InboundRouting) -> InboundExplanation:
    decision, route = routing.decision, routing.route
    if decision is None:
        code = routing.refusal or Code.UNROUTED_DID
        return _unowned(did, RejectionShown(code=code, reason=_REFUSALS[code]))
    rejection = None
    if routing.refusal is not None and route is not None:
        reason = "The SMS configuration is disabled; its texts wait in sms.unrouted."
        rejection = RejectionShown(code=routing.refusal, reason=reason)
    return InboundExplanation(
        did=did,
        tenant_id=routing.tenant_id,
        config_id=routing.config.id if routing.config is not None else None,
        blocked=decision.blocked,
        route=ExplainedDestination(**route.model_dump()) if route is not None and rejection is None else None,
        period=routing.period,
        verdicts=_verdicts(decision.verdicts),
        rejection=rejection,
    )


def _unowned(did: str, rejection: RejectionShown) -> InboundExplanation:
    nothing: dict[str, Any] = dict.fromkeys(("tenant_id", "config_id", "route", "period"))
    return InboundExplanation(did=did, blocked=False, verdicts=(), rejection=rejection, **nothing)
