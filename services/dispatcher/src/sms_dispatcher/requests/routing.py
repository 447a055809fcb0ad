"""By which routes a message leaves, as whom and when: what the request names, the tenant's rules, and who the extension
is. Pure.

The rules always say whether and when. By which configuration and as which sender, what the request names comes first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sms_common.carriers.declaration import CarrierLimits
from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot, SmsConfig, Tenant
from sms_common.errors import Code, Rejection
from sms_common.events import OutboundRequest
from sms_common.phone import InvalidNumber, is_alphanumeric_sender
from sms_common.rules import (
    OutboundDecision,
    OutboundQuery,
    Permission,
    RuleRoute,
    SenderQuery,
    SenderRefused,
    Verdict,
    choose_sender,
    why_disabled,
)
from sms_dispatcher.ledger.entries import Routed, SendRoute

# What a rewritten number may look like: a short code at least, E.164's digits at most.
_DIALLED_DIGITS = range(3, 16)
# For the many tenants that have none, without asking.
_NO_RULE = OutboundDecision((), "No outbound rule matches.")


@dataclass(frozen=True, slots=True)
class Considered:
    """A route that was looked at: as whom the message would leave by it and why, or the refusal that rules it out."""

    config_id: str | None
    dialled: tuple[str, ...]
    reason: str
    usable: SendRoute | None = None
    refusal: Rejection | None = None

    def own(self, to: tuple[str, ...]) -> frozenset[str]:
        """Those of its recipients, `to`, that are the number it would be sent as."""
        if self.usable is None:
            return frozenset()
        pairs = zip(to, self.dialled, strict=True)
        return frozenset(number for number, dialled in pairs if self.usable.sender in {number, dialled})


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """What was decided for one message, and why. Unless `rejection` is set, at least one considered route is usable,
    and `to` are the recipients: those that were asked for, without the number it is sent as.
    """

    reason: str
    rule_id: str | None = None
    considered: tuple[Considered, ...] = ()
    hold_until: datetime | None = None
    rejection: Rejection | None = None
    verdicts: tuple[Verdict, ...] = ()
    to: tuple[str, ...] = ()

    @property
    def chosen(self) -> Considered | None:
        """The route to try first."""
        return next((route for route in self.considered if route.usable is not None), None)

    def routed(self, send_after: datetime | None) -> Routed:
        """The decision as the ledger keeps it, for a message that is wanted at `send_after` at the earliest. Raises
        its Rejection.
        """
        if self.rejection is not None:
            raise self.rejection
        routes = tuple(route.usable for route in self.considered if route.usable is not None)
        times = [time for time in (send_after, self.hold_until) if time is not None]
        return Routed(routes, self.rule_id, max(times, default=None))


@dataclass(frozen=True, slots=True)
class _Found:
    """The routes that were looked at, why none of them can be used, if so, and why it is one of no rule, if so."""

    considered: tuple[Considered, ...]
    refusal: Rejection | None = None
    why: str = ""


class Router:
    """Routes the messages of one request. `moment` is when they are to leave.

    `conversations` holds, for a recipient, the DID of the conversation with it. With `explain`, every rule's verdict is
    in each decision.
    """

    def __init__(
        self,
        request: OutboundRequest,
        tenant: Tenant,
        snapshot: DispatcherSnapshot,
        carriers: Mapping[str, Carrier],
        moment: datetime,
        *,
        conversations: Mapping[str, str],
        explain: bool,
    ) -> None:
        self._request = request
        self._tenant = tenant
        self._snapshot = snapshot
        self._carriers = carriers
        self._moment = moment
        self._conversations = conversations
        self._explain = explain
        self._rules = snapshot.rules_of(tenant.id)
        self._extension = None if request.extension is None else self._rules.extension(request.extension)
        self._wanted = _wanted_sender(request, tenant)

    def route(self, message_id: str, to: tuple[str, ...]) -> RoutingResult:
        """The decision on the one message to `to`. A group's leaves by the routes of its first member, and only when
        the rules of all its members let it.

        Who answers all of a group writes to itself as well: the number the message is sent as is left out, and what is
        left decides anew.
        """
        left = to
        while left:
            routing = self._route(message_id, left)
            own = routing.chosen.own(left) if routing.chosen is not None else frozenset()
            if not own:
                return replace(routing, to=left, considered=_without_own(routing, left))
            left = tuple(number for number in left if number not in own)
        reason = "The text would only go to the number that it is sent as."
        return replace(routing, reason=reason, rejection=Rejection(Code.TO_OWN_NUMBER, reason, field="to"))

    def _route(self, message_id: str, to: tuple[str, ...]) -> RoutingResult:
        decisions = [self._decide(message_id, number) for number in to]
        first = decisions[0]
        if self._extension is not None and self._extension.permission is Permission.DISABLE:
            return _rejected(first, Code.SENDER_NOT_ALLOWED, why_disabled(self._extension), "extension")
        blocked = next((decision for decision in decisions if decision.blocked), None)
        if blocked is not None:
            return _rejected(blocked, Code.BLOCKED_BY_RULE, blocked.reason, None)
        held = [decision for decision in decisions if decision.hold_until is not None]
        last = max(held, key=lambda decision: decision.hold_until or self._moment, default=None)
        found = self._find(first.routes, to)
        return RoutingResult(
            " ".join(filter(None, ((last or first).reason, found.why))),
            (last or first).rule_id,
            found.considered,
            last.hold_until if last is not None else None,
            found.refusal,
            first.verdicts,
        )

    def _decide(self, message_id: str, number: str) -> OutboundDecision:
        if not self._rules.outbound:
            return _NO_RULE
        request = self._request
        groups = self._extension.groups if self._extension is not None else frozenset()
        extension = self._extension.extension if self._extension is not None else request.extension or ""
        query = OutboundQuery(number, extension, request.category, self._moment, message_id, groups)
        return self._rules.outbound_rules.decide(query, explain=self._explain)

    def _find(self, routes: Iterable[RuleRoute], to: tuple[str, ...]) -> "_Found":
        """The rule's routes that the request leaves open, then, when it names what none of them has, the configuration
        that has it.
        """
        named = self._request.config_id
        considered = tuple(self._by(route, to) for route in routes if named in {None, route.config_id})
        if any(route.usable is not None for route in considered):
            return _Found(considered)
        if considered and (named is not None or self._wanted is None):
            return _Found(considered, considered[0].refusal)
        chosen, why = self._choose(to)
        return _Found((*considered, chosen), chosen.refusal, why)

    def _choose(self, to: tuple[str, ...]) -> tuple[Considered, str]:
        """By no rule's route: what the request names, else the number of the conversation, else the default."""
        named, wanted = self._request.config_id, self._wanted
        answering = self._answering(to) if named is None and wanted is None else None
        if answering is not None:
            return answering, "It goes by the number of the conversation."
        try:
            config = choose_config(named, wanted, self._tenant, self._snapshot)
        except Rejection as refusal:
            return Considered(named, to, refusal.reason, refusal=refusal), ""
        if named is not None:
            why = "The request names the SMS configuration."
        else:
            why = "It goes by the sender's." if wanted is not None else "It goes by the tenant's default."
        return self._through(config, None, to, to), why

    def _answering(self, to: tuple[str, ...]) -> Considered | None:
        """Through the first configuration that can answer from the number of the conversation."""
        did = self._conversation_did(to)
        if did is None:
            return None
        configs = self._snapshot.configs_of(self._tenant.id)
        ways = (
            self._through(config, None, to, to)
            for config in configs
            if _holds(config, did, tenant=self._tenant, snapshot=self._snapshot)
        )
        return next((way for way in ways if way.usable is not None), None)

    def _conversation_did(self, to: tuple[str, ...]) -> str | None:
        return self._conversations.get(to[0])

    def _by(self, route: RuleRoute, to: tuple[str, ...]) -> Considered:
        dialled = tuple(route.rewrite(number) for number in to)
        config = self._snapshot.config(route.config_id)
        if config is None or config.tenant_id != self._tenant.id:
            refusal = Rejection(Code.UNKNOWN_CONFIG, f"There is no SMS configuration {route.config_id}.")
            return Considered(route.config_id, dialled, refusal.reason, refusal=refusal)
        return self._through(config, route, to, dialled)

    def _through(
        self, config: SmsConfig, route: RuleRoute | None, to: tuple[str, ...], dialled: tuple[str, ...]
    ) -> Considered:
        try:
            limits = _usable(config, self._carriers)
            _check_content(self._request, limits)
            sender, why = self._sender(config, route, to)
            way = SendRoute(config.id, config.carrier, sender, dialled if dialled != to else ())
            considered = Considered(config.id, dialled, why, way)
            _check_numbers(dialled, len(to) - len(considered.own(to)), limits, sender)
        except Rejection as refusal:
            return Considered(config.id, dialled, refusal.reason, refusal=refusal)
        return considered

    def _sender(self, config: SmsConfig, route: RuleRoute | None, to: tuple[str, ...]) -> tuple[str, str]:
        query = SenderQuery(
            owned=partial(_holds, config, tenant=self._tenant, snapshot=self._snapshot),
            trunk_id=config.trunk_id,
            extension=self._extension,
            wanted=self._wanted,
            conversation_did=self._conversation_did(to),
            sender_id=_sender_id(config, self._tenant),
            route_caller_id=route.caller_id if route is not None else None,
            default_did=config.default_did,
        )
        try:
            return choose_sender(query)
        except SenderRefused as refused:
            raise Rejection(refused.code, refused.reason, field="from") from None


def threads_to_look_up(request: OutboundRequest, snapshot: DispatcherSnapshot) -> tuple[str, ...]:
    """The recipients whose conversation may decide as whom the request is sent: none when it names the sender, the
    tenant has no choice of senders, or it is a group's and says nothing of the conversation: neither its id nor, as who
    answers all does, the number of ours that is in it.
    """
    if request.sender is not None:
        return ()
    tenant = snapshot.tenant(request.tenant_id)
    if tenant is None or not snapshot.has_choice_of_senders(tenant.id):
        return ()
    numbers: dict[str, None] = {}
    for number in request.to:
        try:
            numbers[tenant.number(number)] = None
        except InvalidNumber:
            continue
    if request.group and len(numbers) > 1 and request.conversation_id is None:
        return tuple(numbers) if any(_is_own(number, tenant, snapshot) for number in numbers) else ()
    return tuple(numbers)


def _is_own(number: str, tenant: Tenant, snapshot: DispatcherSnapshot) -> bool:
    pool = snapshot.owner_of(number)
    return pool is not None and pool.tenant_id == tenant.id


def choose_config(config_id: str | None, wanted: str | None, tenant: Tenant, snapshot: DispatcherSnapshot) -> SmsConfig:
    """The named configuration, else the one that owns the wanted sender, else the tenant's default. Raises
    Rejection.
    """
    if config_id is not None:
        named = snapshot.config(config_id)
        if named is None or named.tenant_id != tenant.id:
            raise Rejection(Code.UNKNOWN_CONFIG, "There is no SMS configuration of this id.", field="config_id")
        return named
    configs = snapshot.configs_of(tenant.id)
    if wanted is not None:
        owner = _oldest_enabled(config for config in configs if _owns(config, wanted, tenant, snapshot))
        if owner is None:
            reason = "The sender belongs to none of the tenant's SMS configurations."
            raise Rejection(Code.SENDER_NOT_ALLOWED, reason, field="from")
        return owner
    return _default_config(tenant, configs)


def _without_own(routing: RoutingResult, to: tuple[str, ...]) -> tuple[Considered, ...]:
    """The routes that were considered; one that would send to its own sender is of no use for this message."""
    refusal = Rejection(Code.TO_OWN_NUMBER, "One of the recipients is the number that it would be sent as.", field="to")
    return tuple(
        replace(route, usable=None, reason=refusal.reason, refusal=refusal) if route.own(to) else route
        for route in routing.considered
    )


def _rejected(decision: OutboundDecision, code: Code, reason: str, field: str | None) -> RoutingResult:
    rejection = Rejection(code, reason, field=field)
    return RoutingResult(reason, decision.rule_id, rejection=rejection, verdicts=decision.verdicts)


def _wanted_sender(request: OutboundRequest, tenant: Tenant) -> str | None:
    """The explicit `from`: normalised when it is a number, else as written, since it may be an alphanumeric sender
    id.
    """
    return None if request.sender is None else _number_or_name(request.sender.strip(), tenant)


def _number_or_name(text: str, tenant: Tenant) -> str:
    try:
        return tenant.number(text)
    except InvalidNumber:
        return text


def _oldest_enabled(configs: Iterable[SmsConfig]) -> SmsConfig | None:
    """A disabled one only when there is no other, so that the refusal names the true reason."""
    found = list(configs)
    return next((config for config in found if config.enabled), found[0] if found else None)


def _default_config(tenant: Tenant, configs: tuple[SmsConfig, ...]) -> SmsConfig:
    for config in configs:
        if config.id == tenant.default_config_id:
            return config
    candidates = [config for config in configs if config.enabled] or list(configs)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise Rejection(Code.NO_CONFIG, "The tenant has no SMS configuration.")
    reason = "The tenant has several SMS configurations and no default; name one in config_id."
    raise Rejection(Code.NO_CONFIG, reason, field="config_id")


def _usable(config: SmsConfig, carriers: Mapping[str, Carrier]) -> CarrierLimits:
    """The limits of the configuration's carrier. Raises Rejection when it cannot send."""
    if not config.enabled:
        raise Rejection(Code.CONFIG_DISABLED, f"The SMS configuration {config.id} is disabled.", field="config_id")
    carrier = carriers.get(config.carrier)
    if carrier is None:
        raise Rejection(Code.CONFIG_INCOMPLETE, f"The carrier of the SMS configuration {config.id} is not known here.")
    missing = carrier.declaration.missing(config.credentials)
    if missing:
        raise Rejection(Code.CONFIG_INCOMPLETE, f"The SMS configuration {config.id} lacks {', '.join(missing)}.")
    return carrier.declaration.limits


def _owns(config: SmsConfig, sender: str, tenant: Tenant, snapshot: DispatcherSnapshot) -> bool:
    return sender == _sender_id(config, tenant) or _holds(config, sender, tenant=tenant, snapshot=snapshot)


def _holds(config: SmsConfig, number: str, *, tenant: Tenant, snapshot: DispatcherSnapshot) -> bool:
    """Whether the number is the tenant's on the configuration's trunk."""
    pool = snapshot.owner_of(number)
    return pool is not None and pool.tenant_id == tenant.id and pool.trunk_id == config.trunk_id


def _sender_id(config: SmsConfig, tenant: Tenant) -> str | None:
    """The configuration's sender id, normalised when it is a number."""
    return _number_or_name(config.sender_id, tenant) if config.sender_id else None


def _check_content(request: OutboundRequest, limits: CarrierLimits) -> None:
    if not request.text and not request.media:
        raise Rejection(Code.NO_CONTENT, "There is neither text nor media to send.", field="text")
    if request.text and len(request.text) > limits.text:
        reason = f"The text has {len(request.text)} characters; {limits.text} are allowed."
        raise Rejection(Code.TEXT_TOO_LONG, reason, field="text")
    if len(request.media) > limits.media:
        reason = f"There are {len(request.media)} media files; {limits.media} are allowed."
        raise Rejection(Code.TOO_MANY_MEDIA, reason, field="media")
    if any(len(media.url) > limits.media_url for media in request.media):
        reason = f"A media URL is longer than {limits.media_url} characters."
        raise Rejection(Code.INVALID_MEDIA, reason, field="media")


def _check_numbers(dialled: tuple[str, ...], count: int, limits: CarrierLimits, sender: str) -> None:
    """`count` are the recipients without the sender itself."""
    if count > 1 and limits.group_recipients <= 1:
        raise Rejection(Code.GROUP_NOT_SUPPORTED, "The carrier has no group messages.", field="group")
    if count > 1 and is_alphanumeric_sender(sender):
        raise Rejection(Code.GROUP_NOT_SUPPORTED, "A sender that is a name has no group messages.", field="group")
    if count > max(limits.group_recipients, 1):
        reason = f"The group has {count} recipients; {limits.group_recipients} are allowed."
        raise Rejection(Code.TOO_MANY_RECIPIENTS, reason, field="to")
    if any(len(number.removeprefix("+")) not in _DIALLED_DIGITS for number in dialled):
        raise Rejection(Code.INVALID_NUMBER, "The route makes no phone number of the recipient's.", field="to")
