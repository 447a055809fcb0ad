"""Decides the routes, the sender and the time of a message, from the request, the tenant's rules and the extension.
Pure.

The rules always decide whether and when it is sent. For the configuration and the sender, the request comes first.
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

# How many digits a rewritten number may have: from a short code to the most that E.164 allows.
_DIALLED_DIGITS = range(3, 16)
# For the many tenants that have no rules: nothing has to be computed.
_NO_RULE = OutboundDecision((), "No outbound rule matches.")


@dataclass(frozen=True, slots=True)
class Considered:
    """A route that was considered: the sender of the message on it and why, or the rejection that rules it out."""

    config_id: str | None
    dialled: tuple[str, ...]
    reason: str
    usable: SendRoute | None = None
    refusal: Rejection | None = None

    def own(self, to: tuple[str, ...]) -> frozenset[str]:
        """Those of the recipients `to` that are the sender's own number."""
        if self.usable is None:
            return frozenset()
        pairs = zip(to, self.dialled, strict=True)
        return frozenset(number for number, dialled in pairs if self.usable.sender in {number, dialled})


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """The decision for one message, and why. Unless `rejection` is set, at least one considered route is usable, and
    `to` are the recipients: those of the request, without the sender's own number.
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
        """The decision as the ledger records it. `send_after` is the earliest time that the PBX wants. Raises the
        rejection, if there is one.
        """
        if self.rejection is not None:
            raise self.rejection
        routes = tuple(route.usable for route in self.considered if route.usable is not None)
        times = [time for time in (send_after, self.hold_until) if time is not None]
        return Routed(routes, self.rule_id, max(times, default=None))


@dataclass(frozen=True, slots=True)
class _Found:
    """The routes that were considered. `refusal` says why none of them is usable, and `why` why no rule decided."""

    considered: tuple[Considered, ...]
    refusal: Rejection | None = None
    why: str = ""


class Router:
    """Routes the messages of one request. `moment` is when they are to be sent.

    `conversations` has the DID of the conversation with each recipient. With `explain`, each decision has every rule's
    verdict.
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
        """The decision for the message to `to`. A group uses the routes of its first member, and is sent only when the
        rules allow it for all members.

        Whoever answers all members of a group also writes to the own number. The sender's number is left out, and the
        decision is made again for the others.
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
        """The rule's routes that the request allows. When it names a configuration or sender that none of them has, the
        configuration that has it follows.
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
        """A route that no rule gave: what the request names, else that of the conversation, else the default one."""
        named, wanted = self._request.config_id, self._wanted
        answering = self._answering(to) if named is None and wanted is None else None
        if answering is not None:
            return answering, "The number of the conversation is used."
        try:
            config = choose_config(named, wanted, self._tenant, self._snapshot)
        except Rejection as refusal:
            return Considered(named, to, refusal.reason, refusal=refusal), ""
        if named is not None:
            why = "The request names the SMS configuration."
        else:
            what = "sender's" if wanted is not None else "tenant's default"
            why = f"The {what} SMS configuration is used."
        return self._through(config, None, to, to), why

    def _answering(self, to: tuple[str, ...]) -> Considered | None:
        """The route of the first configuration that can send from the number of the conversation."""
        did = self._conversation_did(to)
        if did is None:
            return None
        configs = self._snapshot.configs_of(self._tenant.id)
        routes = (
            self._through(config, None, to, to)
            for config in configs
            if _owns_number(config, did, tenant=self._tenant, snapshot=self._snapshot)
        )
        return next((route for route in routes if route.usable is not None), None)

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
            usable = SendRoute(config.id, config.carrier, sender, dialled if dialled != to else ())
            considered = Considered(config.id, dialled, why, usable)
            _check_numbers(dialled, len(to) - len(considered.own(to)), limits, sender)
        except Rejection as refusal:
            return Considered(config.id, dialled, refusal.reason, refusal=refusal)
        return considered

    def _sender(self, config: SmsConfig, route: RuleRoute | None, to: tuple[str, ...]) -> tuple[str, str]:
        query = SenderQuery(
            owned=partial(_owns_number, config, tenant=self._tenant, snapshot=self._snapshot),
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
    """The recipients whose conversation may decide about the sender of a request.

    There are none when the request names its sender, or when the tenant has no choice of senders. A group has them only
    when it names its conversation: by the id, or by one of the tenant's own numbers among the recipients, as an answer
    to all does.
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
    """The configuration that the request names, else the one that has the wanted sender, else the tenant's default.
    Raises Rejection.
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
    """The routes that were considered. One that would send to its own sender is not usable."""
    refusal = Rejection(Code.TO_OWN_NUMBER, "One of the recipients is the number that it would be sent as.", field="to")
    return tuple(
        replace(route, usable=None, reason=refusal.reason, refusal=refusal) if route.own(to) else route
        for route in routing.considered
    )


def _rejected(decision: OutboundDecision, code: Code, reason: str, field: str | None) -> RoutingResult:
    rejection = Rejection(code, reason, field=field)
    return RoutingResult(reason, decision.rule_id, rejection=rejection, verdicts=decision.verdicts)


def _wanted_sender(request: OutboundRequest, tenant: Tenant) -> str | None:
    """The request's `from`. It is normalised when it is a number. Else it may be an alphanumeric sender id."""
    return None if request.sender is None else _number_or_name(request.sender.strip(), tenant)


def _number_or_name(text: str, tenant: Tenant) -> str:
    try:
        return tenant.number(text)
    except InvalidNumber:
        return text


def _oldest_enabled(configs: Iterable[SmsConfig]) -> SmsConfig | None:
    """The first one that is enabled. A disabled one is chosen only when there is no other, so that the rejection says
    so.
    """
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
    return sender == _sender_id(config, tenant) or _owns_number(config, sender, tenant=tenant, snapshot=snapshot)


def _owns_number(config: SmsConfig, number: str, *, tenant: Tenant, snapshot: DispatcherSnapshot) -> bool:
    """Whether the tenant owns the number on the configuration's trunk."""
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
    """Raise Rejection when the carrier cannot take these numbers. `count` is without the sender's own number."""
    if count > 1 and limits.group_recipients <= 1:
        raise Rejection(Code.GROUP_NOT_SUPPORTED, "The carrier has no group messages.", field="group")
    if count > 1 and is_alphanumeric_sender(sender):
        raise Rejection(Code.GROUP_NOT_SUPPORTED, "A sender that is a name has no group messages.", field="group")
    if count > max(limits.group_recipients, 1):
        reason = f"The group has {count} recipients; {limits.group_recipients} are allowed."
        raise Rejection(Code.TOO_MANY_RECIPIENTS, reason, field="to")
    if any(len(number.removeprefix("+")) not in _DIALLED_DIGITS for number in dialled):
        raise Rejection(Code.INVALID_NUMBER, "The route makes no phone number of the recipient's.", field="to")
