"""Turns a request and the configuration into the messages to send, or says why not. Pure: no clock, no I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sms_common.carriers.protocol import Carrier, Limits
from sms_common.configuration import DispatcherSnapshot, SmsConfig, Tenant
from sms_common.errors import Code, Rejection
from sms_common.events import OutboundRequest, StatusError
from sms_common.messages import Category, ErrorClass, MsgType, Status
from sms_common.phone import InvalidNumber, normalise
from sms_common.segments import count_segments
from sms_dispatcher.entries import GIVE_UP_AFTER, Echo, Entry, Kind, Recipient, child_id

MOST_AHEAD = timedelta(days=366)


def plan(
    request: OutboundRequest, snapshot: DispatcherSnapshot, carriers: Mapping[str, Carrier], now: datetime
) -> Entry:
    """What to record of a request: its one message, or for a list of recipients the parent of its `children`.

    Raises Rejection when the request as a whole cannot be sent. In a list of recipients a bad number rejects its own
    message only.
    """
    tenant = snapshot.tenant(request.tenant_id)
    if tenant is None:
        raise Rejection(Code.UNKNOWN_TENANT, "There is no tenant of this id.", field="tenant_id")
    if request.expires_at is not None and request.expires_at <= now:
        raise Rejection(Code.EXPIRED, "The request had expired when it was read.", field="expires_at")
    if request.send_after is not None and request.send_after > now + MOST_AHEAD:
        reason = f"It is more than {MOST_AHEAD.days} days ahead."
        raise Rejection(Code.INVALID_REQUEST, reason, field="send_after")
    wanted = _wanted_sender(request, tenant)
    config = _usable(choose_config(request.config_id, wanted, tenant, snapshot), carriers)
    sender = choose_sender(wanted, config, tenant, snapshot)
    limits = carriers[config.carrier].limits
    _check_content(request, limits)
    recipients = _recipients(request.to, tenant)
    if request.group and len(recipients) > 1:
        return _group(_common(request, config, sender, mms=True, now=now), recipients, limits)
    common = _common(request, config, sender, mms=bool(request.media), now=now)
    if len(recipients) == 1:
        return _single(common, recipients[0])
    return _parent(common, recipients)


def children(parent: Entry) -> tuple[Entry, ...]:
    """The messages of a request to several recipients. They follow from its recorded parent alone: whenever the
    request comes again, under whatever configuration, they are the same.
    """
    return tuple(_child(parent, recipient) for recipient in parent.recipients)


def rejected(request: OutboundRequest, rejection: Rejection, now: datetime) -> Entry:
    """The entry of a request that is refused as a whole; its numbers stay as the PBX wrote them."""
    return Entry(
        tenant_id=request.tenant_id,
        message_id=request.message_id,
        kind=Kind.SINGLE,
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
    """A refusal as the PBX sees it."""
    return StatusError(error_class=ErrorClass.PERMANENT, code=rejection.code, field=rejection.field)


def _wanted_sender(request: OutboundRequest, tenant: Tenant) -> str | None:
    """The explicit `from`: normalised when it is a number, else as written, since it may be an alphanumeric sender
    id.
    """
    if request.sender is None:
        return None
    try:
        return normalise(request.sender, tenant.country)
    except InvalidNumber:
        return request.sender.strip()


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


def _usable(config: SmsConfig, carriers: Mapping[str, Carrier]) -> SmsConfig:
    if not config.enabled:
        raise Rejection(Code.CONFIG_DISABLED, f"The SMS configuration {config.id} is disabled.", field="config_id")
    carrier = carriers.get(config.carrier)
    if carrier is None:
        raise Rejection(Code.CONFIG_INCOMPLETE, f"The carrier of the SMS configuration {config.id} is not known here.")
    missing = carrier.missing_credentials(config.credentials)
    if missing:
        raise Rejection(Code.CONFIG_INCOMPLETE, f"The SMS configuration {config.id} lacks {', '.join(missing)}.")
    return config


def _owns(config: SmsConfig, sender: str, tenant: Tenant, snapshot: DispatcherSnapshot) -> bool:
    if sender == _sender_id(config, tenant):
        return True
    pool = snapshot.owner_of(sender)
    return pool is not None and pool.tenant_id == tenant.id and pool.trunk_id == config.trunk_id


def _sender_id(config: SmsConfig, tenant: Tenant) -> str | None:
    """The configuration's sender id, normalised when it is a number."""
    if not config.sender_id:
        return None
    try:
        return normalise(config.sender_id, tenant.country)
    except InvalidNumber:
        return config.sender_id


def choose_sender(wanted: str | None, config: SmsConfig, tenant: Tenant, snapshot: DispatcherSnapshot) -> str:
    """The sender really used: the wanted one when the configuration owns it, else its sender id, else its default DID.

    Raises Rejection.
    """
    if wanted is not None:
        if not _owns(config, wanted, tenant, snapshot):
            reason = f"The sender does not belong to the SMS configuration {config.id}."
            raise Rejection(Code.SENDER_NOT_ALLOWED, reason, field="from")
        return wanted
    sender = _sender_id(config, tenant) or config.default_did
    if sender is None:
        raise Rejection(Code.NO_SENDER, "Neither a sender, a sender id nor a default number is set.", field="from")
    return sender


def _check_content(request: OutboundRequest, limits: Limits) -> None:
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


@dataclass(frozen=True, slots=True)
class _To:
    """One recipient: its number, normalised unless `rejection` says why it cannot be."""

    number: str
    rejection: Rejection | None = None

    def valid(self) -> str:
        """The number. Raises its Rejection."""
        if self.rejection is not None:
            raise self.rejection
        return self.number


def _recipients(written: tuple[str, ...], tenant: Tenant) -> list[_To]:
    """Each recipient once, however often and in whatever form it was written."""
    recipients: dict[str, _To] = {}
    for number in written:
        try:
            to = _To(normalise(number, tenant.country))
        except InvalidNumber as error:
            to = _To(number, Rejection(Code.INVALID_NUMBER, str(error), field="to"))
        recipients.setdefault(to.number, to)
    return list(recipients.values())


def _echo(request: OutboundRequest) -> Echo:
    return Echo(request.extension, request.conversation_id, request.client_ref, request.metadata)


def _common(request: OutboundRequest, config: SmsConfig, sender: str, *, mms: bool, now: datetime) -> "_Common":
    count = count_segments(request.text or "", mms=mms)
    return _Common(
        request,
        config,
        sender,
        now,
        MsgType.MMS if mms else MsgType.SMS,
        count.segments,
        None if mms else count.encoding.value,
    )


@dataclass(frozen=True, slots=True)
class _Common:
    """What all messages of one request share."""

    request: OutboundRequest
    config: SmsConfig
    sender: str
    now: datetime
    msg_type: MsgType
    segments: int
    encoding: str | None

    def entry(self, message_id: str, kind: Kind, to: tuple[str, ...]) -> Entry:
        request = self.request
        held = request.send_after is not None and request.send_after > self.now
        return Entry(
            tenant_id=request.tenant_id,
            message_id=message_id,
            kind=kind,
            status=Status.HELD if held else Status.ACCEPTED,
            sequence=2 if held else 1,
            status_sequence=2 if held else 1,
            created_at=self.now,
            updated_at=self.now,
            fingerprint=request.fingerprint(),
            config_id=self.config.id,
            carrier=self.config.carrier,
            sender=self.sender,
            to=to,
            text=request.text or None,
            media=tuple(media.url for media in request.media),
            bulk=request.category.bulk,
            msg_type=self.msg_type,
            segments=self.segments,
            encoding=self.encoding,
            high_priority=request.category is Category.OTP,
            send_after=request.send_after if held else None,
            due_at=request.send_after if held else self.now + GIVE_UP_AFTER,
            expires_at=request.expires_at,
            occurred_at=self.now,
            echo=_echo(request),
        )


def _single(common: _Common, to: _To) -> Entry:
    return common.entry(common.request.message_id, Kind.SINGLE, (to.valid(),))


def _parent(common: _Common, recipients: list[_To]) -> Entry:
    message_id = common.request.message_id
    parent = common.entry(message_id, Kind.PARENT, tuple(to.number for to in recipients))
    planned = tuple(
        _planned(to, child_id(message_id, number), parent.status) for number, to in enumerate(recipients, start=1)
    )
    return replace(parent, due_at=None, recipients=planned)


def _planned(to: _To, message_id: str, status: Status) -> Recipient:
    if to.rejection is None:
        return Recipient(to.number, message_id, status)
    error = rejection_error(to.rejection)
    return Recipient(to.number, message_id, Status.REJECTED, error=error, reason=to.rejection.reason)


def _child(parent: Entry, recipient: Recipient) -> Entry:
    rejected = recipient.status is Status.REJECTED
    return replace(
        parent,
        kind=Kind.CHILD,
        message_id=recipient.message_id,
        parent_id=parent.message_id,
        to=(recipient.to,),
        recipients=(),
        status=recipient.status,
        sequence=1 if rejected else parent.sequence,
        status_sequence=1 if rejected else parent.status_sequence,
        due_at=None if rejected else parent.send_after or parent.deadline,
        reason=recipient.reason,
        error=recipient.error,
    )


def _group(common: _Common, recipients: list[_To], limits: Limits) -> Entry:
    numbers = tuple(to.valid() for to in recipients)
    if len(numbers) > limits.group_recipients:
        reason = f"The group has {len(numbers)} recipients; {limits.group_recipients} are allowed."
        raise Rejection(Code.TOO_MANY_RECIPIENTS, reason, field="to")
    message_id = common.request.message_id
    members = tuple(
        Recipient(to, child_id(message_id, number), Status.ACCEPTED) for number, to in enumerate(numbers, start=1)
    )
    return replace(common.entry(message_id, Kind.GROUP, numbers), recipients=members)
