"""Decides which messages a request becomes by the configuration, or why none. Pure: no clock, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot, Tenant
from sms_common.errors import Code, Rejection
from sms_common.events import OutboundRequest, StatusError
from sms_common.messages import Category, ErrorClass, MsgType, Status
from sms_common.phone import InvalidNumber
from sms_common.segments import count_segments
from sms_dispatcher.ledger.entries import (
    GIVE_UP_AFTER,
    Echo,
    EntryKind,
    LedgerEntry,
    Recipient,
    Routed,
    SendRoute,
    child_id,
)
from sms_dispatcher.requests.routing import Router, RoutingResult

MOST_AHEAD = timedelta(days=366)
# Shorter ones are services of a network for its own customers. No carrier sends to them.
_ANSWERABLE_SHORT_CODE = 5
NO_CONVERSATIONS: Mapping[str, str] = MappingProxyType({})


class Planning:
    """Plans one request. `routings` are its decisions, in the order of the recipients.

    `conversations` has the DID of the conversation with a recipient, when that may decide about the sender. With
    `explain` the decisions have every rule's verdict.
    """

    def __init__(
        self,
        request: OutboundRequest,
        snapshot: DispatcherSnapshot,
        carriers: Mapping[str, Carrier],
        now: datetime,
        *,
        conversations: Mapping[str, str] = NO_CONVERSATIONS,
        explain: bool = False,
    ) -> None:
        self.routings: list[RoutingResult] = []
        self._request = request
        self._snapshot = snapshot
        self._carriers = carriers
        self._now = now
        self._conversations = conversations
        self._explain = explain

    def entry(self) -> LedgerEntry:
        """The entry to record: the request's one message, or for a list of recipients the parent of its `children`.

        Raises Rejection when the whole request is rejected. In a list a wrong number or a rule rejects only its own
        message, unless all are rejected for the same reason.
        """
        request = self._request
        tenant = self._tenant()
        router = self._router(tenant)
        recipients = _recipients(request.to, tenant)
        if request.group or len(recipients) == 1:
            return self._message(router, recipients)
        return self._list(router, recipients)

    def _tenant(self) -> Tenant:
        request, now = self._request, self._now
        tenant = self._snapshot.tenant(request.tenant_id)
        if tenant is None:
            raise Rejection(Code.UNKNOWN_TENANT, "There is no tenant of this id.", field="tenant_id")
        if request.expires_at is not None and request.expires_at <= now:
            raise Rejection(Code.EXPIRED, "The request had expired when it was read.", field="expires_at")
        if request.send_after is not None and request.send_after > now + MOST_AHEAD:
            reason = f"It is more than {MOST_AHEAD.days} days ahead."
            raise Rejection(Code.INVALID_REQUEST, reason, field="send_after")
        return tenant

    def _router(self, tenant: Tenant) -> Router:
        moment = max(self._request.send_after or self._now, self._now)
        return Router(
            self._request,
            tenant,
            self._snapshot,
            self._carriers,
            moment,
            conversations=self._conversations,
            explain=self._explain,
        )

    def _route(self, router: Router, message_id: str, to: tuple[str, ...]) -> RoutingResult:
        routing = router.route(message_id, to)
        self.routings.append(routing)
        return routing

    def _message(self, router: Router, recipients: "list[_To]") -> LedgerEntry:
        """The entry of one message. With more than one recipient it is a group."""
        routing = self._route(router, self._request.message_id, tuple(to.valid() for to in recipients))
        common = self._common(group=len(routing.to) > 1)
        kind = EntryKind.GROUP if len(routing.to) > 1 else EntryKind.SINGLE
        entry = common.entry(kind, routing.to, routing.routed(common.send_after))
        if routing.hold_until is not None:
            entry = replace(entry, reason=routing.reason)
        return replace(entry, recipients=_members(entry)) if kind is EntryKind.GROUP else entry

    def _list(self, router: Router, recipients: "list[_To]") -> LedgerEntry:
        """The parent of a message to each recipient, except to the number that would be its sender. Their ids follow
        from their places in the list as it was requested. When one recipient is left, the request is one message.
        """
        common = self._common(group=False)
        ids = [child_id(self._request.message_id, number) for number in range(1, len(recipients) + 1)]
        decided = [self._decided(router, common, id_, to) for id_, to in zip(ids, recipients, strict=True)]
        left = [one for one in decided if not one.is_own]
        if len(left) <= 1:
            self.routings.clear()
            return self._message(router, [one.to for one in left] or recipients[:1])
        self.routings = [one.routing for one in left if one.routing is not None]
        _check_whole(self.routings)
        whole = next((one.what for one in left if isinstance(one.what, Routed)), None)
        parent = common.entry(EntryKind.PARENT, tuple(one.to.number for one in left), whole)
        return replace(parent, due_at=None, recipients=tuple(_planned(one, whole) for one in left))

    def _common(self, *, group: bool) -> "_Common":
        """What all messages of the request have in common, as a group or not."""
        mms = bool(self._request.media) or group
        count = count_segments(self._request.text or "", mms=mms)
        encoding = None if mms else count.encoding.value
        return _Common(self._request, self._now, MsgType.MMS if mms else MsgType.SMS, count.segments, encoding)

    def _decided(self, router: Router, common: "_Common", message_id: str, to: "_To") -> "_Decided":
        if to.rejection is not None:
            return _Decided(message_id, to, to.rejection)
        routing = self._route(router, message_id, (to.number,))
        if routing.rejection is not None:
            return _Decided(message_id, to, routing.rejection, routing)
        return _Decided(message_id, to, routing.routed(common.send_after), routing)


def plan(
    request: OutboundRequest,
    snapshot: DispatcherSnapshot,
    carriers: Mapping[str, Carrier],
    now: datetime,
    conversations: Mapping[str, str] = NO_CONVERSATIONS,
) -> LedgerEntry:
    """The entry to record for a request, as by `Planning.entry`. Raises Rejection."""
    return Planning(request, snapshot, carriers, now, conversations=conversations).entry()


def children(parent: LedgerEntry) -> tuple[LedgerEntry, ...]:
    """The messages of a request to several recipients. They follow from the recorded parent alone, so they are the same
    whenever the request is repeated, whatever the configuration is then.
    """
    return tuple(_child(parent, recipient) for recipient in parent.recipients)


def rejected(request: OutboundRequest, rejection: Rejection, now: datetime) -> LedgerEntry:
    """The entry of a request that is rejected as a whole. Its numbers stay as the PBX wrote them."""
    return LedgerEntry(
        tenant_id=request.tenant_id,
        message_id=request.message_id,
        kind=EntryKind.SINGLE,
        status=Status.EXPIRED if rejection.code is Code.EXPIRED else Status.REJECTED,
        created_at=now,
        updated_at=now,
        fingerprint=request.fingerprint(),
        config_id=request.config_id,
        sender=request.sender,
        to=request.to,
        text=request.text,
        reason=rejection.reason,
        error=rejection_error(rejection),
        occurred_at=now,
        echo=_echo(request),
    )


def rejection_error(rejection: Rejection) -> StatusError:
    """A rejection as the PBX sees it."""
    error_class = ErrorClass.POLICY if rejection.code is Code.BLOCKED_BY_RULE else ErrorClass.PERMANENT
    return StatusError(error_class=error_class, code=rejection.code, field=rejection.field)


@dataclass(frozen=True, slots=True)
class _To:
    """One recipient. Its number is normalised, unless `rejection` says why it cannot be."""

    number: str
    rejection: Rejection | None = None

    def valid(self) -> str:
        """The number. Raises its rejection."""
        if self.rejection is not None:
            raise self.rejection
        return self.number


@dataclass(frozen=True, slots=True)
class _Decided:
    """The decision for one recipient of a list. A recipient that is not a number has no `routing`."""

    message_id: str
    to: _To
    what: Routed | Rejection
    routing: RoutingResult | None = None

    @property
    def is_own(self) -> bool:
        """Whether sender and recipient would be the same number."""
        return isinstance(self.what, Rejection) and self.what.code is Code.TO_OWN_NUMBER

    @property
    def hold_reason(self) -> str | None:
        """Why a rule holds its message."""
        return self.routing.reason if self.routing is not None and self.routing.hold_until is not None else None


def _recipients(written: tuple[str, ...], tenant: Tenant) -> list[_To]:
    """Each recipient once, however often and in whatever form it was written."""
    recipients: dict[str, _To] = {}
    for number in written:
        to = _recipient(number, tenant)
        recipients.setdefault(to.number, to)
    return list(recipients.values())


def _recipient(written: str, tenant: Tenant) -> _To:
    try:
        number = tenant.number(written)
    except InvalidNumber as error:
        return _To(written, Rejection(Code.INVALID_NUMBER, str(error), field="to"))
    if len(number) < _ANSWERABLE_SHORT_CODE:
        reason = "A short code of 3 or 4 digits cannot be answered: it is a service inside its own network."
        return _To(written, Rejection(Code.INVALID_NUMBER, reason, field="to"))
    return _To(number)


def _echo(request: OutboundRequest) -> Echo:
    return Echo(request.extension, request.conversation_id, request.client_ref, request.metadata)


@dataclass(frozen=True, slots=True)
class _Common:
    """What all messages of one request have in common."""

    request: OutboundRequest
    now: datetime
    msg_type: MsgType
    segments: int
    encoding: str | None

    @property
    def send_after(self) -> datetime | None:
        """When the PBX wants it to be sent; None when that is past."""
        wanted = self.request.send_after
        return wanted if wanted is not None and wanted > self.now else None

    def entry(self, kind: EntryKind, to: tuple[str, ...], routed: Routed | None) -> LedgerEntry:
        """The entry of a message; `routed` is None for a list of which no message has a route."""
        request = self.request
        unrouted: dict[str, Any] = {"status": Status.ACCEPTED, "config_id": request.config_id, "sender": request.sender}
        return LedgerEntry(
            tenant_id=request.tenant_id,
            message_id=request.message_id,
            kind=kind,
            created_at=self.now,
            updated_at=self.now,
            fingerprint=request.fingerprint(),
            to=to,
            text=request.text or None,
            media=tuple(media.url for media in request.media),
            bulk=request.category.bulk,
            msg_type=self.msg_type,
            segments=self.segments,
            encoding=self.encoding,
            high_priority=request.category is Category.OTP,
            expires_at=request.expires_at,
            occurred_at=self.now,
            echo=_echo(request),
            **(unrouted if routed is None else _on(routed, self.now, request.expires_at)),
        )


def _on(routed: Routed, now: datetime, expires_at: datetime | None) -> dict[str, Any]:
    """The fields of a new entry that follow from its routes. It is accepted, or held until its time. It is due at that
    time, or when it expires if that is earlier.
    """
    first, send_after = routed.routes[0], routed.send_after
    hold_reason = send_after is not None
    due = min(time for time in (send_after or now + GIVE_UP_AFTER, expires_at) if time is not None)
    return {
        "status": Status.HELD if hold_reason else Status.ACCEPTED,
        "sequence": 2 if hold_reason else 1,
        "status_sequence": 2 if hold_reason else 1,
        "config_id": first.config_id,
        "carrier": first.carrier,
        "sender": first.sender,
        "dialled": first.dialled,
        "next_routes": routed.routes[1:],
        "rule_id": routed.rule_id,
        "send_after": send_after,
        "due_at": due,
    }


def _routed(parent: LedgerEntry) -> Routed:
    """The decision for a list, and for those recipients that have none of their own."""
    assert parent.config_id is not None
    assert parent.sender is not None
    first = SendRoute(parent.config_id, parent.carrier or "", parent.sender, parent.dialled)
    return Routed((first, *parent.next_routes), parent.rule_id, parent.send_after)


def _check_whole(routings: list[RoutingResult]) -> None:
    """Raise the rejection that all messages of a list have in common, if there is one: it rejects the request."""
    refused = [routing.rejection for routing in routings if routing.rejection is not None]
    if refused and len(refused) == len(routings) and len({(why.code, why.reason) for why in refused}) == 1:
        raise refused[0]


def _planned(decided: _Decided, whole: Routed | None) -> Recipient:
    """One recipient of a list. `whole` is the decision for the list."""
    what, message_id = decided.what, decided.message_id
    if isinstance(what, Rejection):
        error = rejection_error(what)
        return Recipient(decided.to.number, message_id, Status.REJECTED, error=error, reason=what.reason)
    status = Status.ACCEPTED if what.send_after is None else Status.HELD
    return Recipient(
        decided.to.number, message_id, status, reason=decided.hold_reason, routed=None if what == whole else what
    )


def _child(parent: LedgerEntry, recipient: Recipient) -> LedgerEntry:
    identity: dict[str, Any] = {
        "kind": EntryKind.CHILD,
        "message_id": recipient.message_id,
        "parent_id": parent.message_id,
        "to": (recipient.to,),
        "recipients": (),
        "reason": recipient.reason,
        "error": recipient.error,
    }
    if recipient.status is Status.REJECTED:
        gone: dict[str, Any] = {
            "status": Status.REJECTED,
            "sequence": 1,
            "status_sequence": 1,
            "due_at": None,
            "next_routes": (),
        }
        return replace(parent, **identity, **gone)
    routed = recipient.routed or _routed(parent)
    return replace(parent, **identity, **_on(routed, parent.created_at, parent.expires_at))


def _members(group: LedgerEntry) -> tuple[Recipient, ...]:
    return tuple(
        Recipient(to, child_id(group.message_id, number), Status.ACCEPTED)
        for number, to in enumerate(group.to, start=1)
    )
