"""Everything that crosses RabbitMQ: one discriminated union, each event with its type and version in `TYPE`.

Changes inside a version are additive: readers ignore fields they do not know. tests/data/events holds one stored
sample of every event and version, which must always decode.
"""

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha1
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sms_common.errors import Code, UnreadableEvent
from sms_common.input.field_errors import first_field_error
from sms_common.input.media_urls import MAX_MEDIA_URL
from sms_common.input.patterns import ANY_MESSAGE_ID_PATTERN, ID_PATTERN, MESSAGE_ID_PATTERN
from sms_common.input.request_fields import (
    FromPbx,
    as_choice,
    as_file,
    as_files,
    as_media_url,
    as_moment,
    as_number,
    as_numbers,
    as_text,
    as_word,
    refusal,
    unless_unix_zero,
)
from sms_common.messages import Category, ErrorClass, MsgType, Status

MAX_EVENT_BYTES = 256 * 1024
MAX_TEXT = 2048
MAX_RECIPIENTS = 1_000
MAX_MEDIA = 10
MAX_METADATA_BYTES = 4096
# As many digits as Python reads as a whole number by default. A float with more digits is infinite.
_MOST_DIGITS = 4000
# The whole numbers of MongoDB and of most programming languages.
_INTEGERS = range(-(2**63), 2**63)

# Event ids are computed from the content, so that a repeated event has the same id (RFC 4122, version 5).
_EVENT_NAMESPACE = uuid.UUID("7b0b6c1e-52a3-5f0e-9a57-7c2f6a1c4e90").bytes


def event_id(*parts: object) -> str:
    """The stable id of the event with these `parts`: the same parts always give the same id.

    It is `uuid.uuid5` of the parts. It is written out here, since a UUID object that is only printed costs several
    times as much as reading a webhook's JSON.
    """
    name = "\x1f".join(map(str, parts)).encode()
    digest = sha1(_EVENT_NAMESPACE + name, usedforsecurity=False).hexdigest()
    variant = int(digest[16], 16) & 0x3 | 0x8
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant:x}{digest[17:20]}-{digest[20:32]}"


class Event(BaseModel):
    """Base of all events. `TYPE` is the AMQP property `type`."""

    TYPE: ClassVar[str]
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def encode(self) -> bytes:
        """The event as JSON bytes. Optional values that are not set are left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise refusal("in UTC is not within the years 1 to 9999") from None


def _can_be_echoed(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    if any(isinstance(value, int) and value not in _INTEGERS for value in metadata.values()):
        raise refusal("holds a whole number of more than 64 bits")
    if not all(math.isfinite(value) for value in metadata.values() if isinstance(value, float)):
        raise refusal("holds a number that JSON does not have")
    if len(json.dumps(metadata).encode()) > MAX_METADATA_BYTES:
        raise refusal(f"is larger than {MAX_METADATA_BYTES} bytes")
    return metadata


# Constraints stand before the readers, so that the schema shows them; pydantic still calls the reader first.
MessageId = Annotated[str, Field(pattern=MESSAGE_ID_PATTERN), BeforeValidator(as_text)]
# Of a request, or of one message of a list: the request's id, a dot and the recipient's place in the list.
AnyMessageId = Annotated[str, Field(pattern=ANY_MESSAGE_ID_PATTERN), BeforeValidator(as_text)]
TenantId = Annotated[str, Field(pattern=ID_PATTERN)]
AskedId = Annotated[str, Field(pattern=ID_PATTERN), BeforeValidator(as_word)]
Recipient = Annotated[str, BeforeValidator(as_number)]
Extension = Annotated[str, Field(max_length=64), BeforeValidator(as_text)]
Reference = Annotated[str, Field(max_length=256), BeforeValidator(as_text)]
Metadata = Annotated[dict[str, str | int | float | bool | None], Field(max_length=64), AfterValidator(_can_be_echoed)]
# A moment in UTC, whatever its time zone was, so that the same moment is always the same value.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
AskedMoment = Annotated[Moment | None, BeforeValidator(as_moment), AfterValidator(unless_unix_zero)]
Segments = Annotated[int, Field(ge=0, lt=2**31)]


class OutboundMedia(FromPbx):
    """One media file to send, by a URL the carrier can fetch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: Annotated[
        str, Field(min_length=1, max_length=MAX_MEDIA_URL, pattern=r"^https?://"), BeforeValidator(as_media_url)
    ]
    content_type: Reference | None = None
    filename: Reference | None = None


class OutboundRequest(FromPbx, Event):
    """A request to send a text. `message_id` is made by the PBX and is the idempotency key within its tenant.
    `extension` may be left out when `from` is given.
    """

    TYPE = "sms.outbound.v1"
    VERBATIM = frozenset({"text", "conversation_id", "client_ref"})

    message_id: MessageId
    tenant_id: AskedId
    extension: Extension | None = None
    to: Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=MAX_RECIPIENTS), BeforeValidator(as_numbers)]
    text: Annotated[str | None, BeforeValidator(as_text)] = None
    media: Annotated[tuple[Annotated[OutboundMedia, BeforeValidator(as_file)], ...], BeforeValidator(as_files)] = ()
    group: Annotated[bool, BeforeValidator(as_choice)] = False
    sender: Annotated[Annotated[str, Field(max_length=64), BeforeValidator(as_number)] | None, Field(alias="from")] = (
        None
    )
    config_id: AskedId | None = None
    category: Annotated[Category, BeforeValidator(as_choice)] = Category.CONVERSATIONAL
    send_after: AskedMoment = None
    expires_at: AskedMoment = None
    conversation_id: Reference | None = None
    client_ref: Reference | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _names_who_sends(self) -> Self:
        if self.extension is None and self.sender is None:
            raise refusal("is missing, and there is no from either; one of them must be given", field="extension")
        return self

    def fingerprint(self) -> str:
        """A fingerprint that is equal for two requests that mean the same. The order of JSON fields does not change it,
        and neither does a version that adds a field with a default.
        """
        return _fingerprint(self._asked())

    def former_fingerprints(self) -> frozenset[str]:
        """The fingerprints that former versions may have made of the same body. To them an empty text, or Go's zero
        time, was a value; now it means "not given".
        """
        asked = self._asked()
        forms = [((), ((name, was),)) for name, was in _FORMER_VALUES.items() if name not in asked]
        return frozenset(_fingerprint({**asked, **dict(sum(chosen, ()))}) for chosen in product(*forms))

    def _asked(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)


_FORMER_VALUES: Mapping[str, str] = {
    "text": "",
    "conversation_id": "",
    "client_ref": "",
    "send_after": "0001-01-01T00:00:00Z",
    "expires_at": "0001-01-01T00:00:00Z",
}


def _fingerprint(asked: Mapping[str, Any]) -> str:
    return event_id("fingerprint", orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))


class CancelRequest(FromPbx, Event):
    """A request to withdraw a message that has not been handed to the carrier yet."""

    TYPE = "sms.cancel.v1"

    message_id: AnyMessageId
    tenant_id: AskedId


class StatusError(BaseModel):
    """Why a message ended without being delivered, or may have. `field` names the request's offending field."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    error_class: Annotated[ErrorClass, Field(alias="class")]
    code: str
    field: str | None = None
    carrier_code: str | None = None
    carrier_text: str | None = None
    advice: str | None = None


class StatusEvent(Event):
    """A message's status advanced. `sequence` grows with every change of that message; 0 is the refusal of a request
    that never became a message.

    The text fields of a rejected request are repeated as the PBX wrote them, so `to` may not be a number.
    """

    TYPE = "sms.status.v1"

    event_id: str
    message_id: str
    parent_id: str | None = None
    tenant_id: str
    config_id: str | None = None
    to: tuple[str, ...] | str | None = None
    sender: Annotated[str | None, Field(alias="from")] = None
    status: Status
    final: bool
    sequence: int
    delivery: str | None = None
    reason: str | None = None
    error: StatusError | None = None
    provider_msg_id: str | None = None
    segments: int | None = None
    encoding: str | None = None
    attempt: int | None = None
    possible_duplicate: bool | None = None
    occurred_at: datetime
    recorded_at: datetime
    extension: str | None = None
    conversation_id: str | None = None
    client_ref: str | None = None
    metadata: dict[str, Any] | None = None


class MediaItem(BaseModel):
    """One media file of an inbound message."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    content_type: str | None = None
    size: int | None = None
    status: Literal["remote", "stored", "unavailable"] = "remote"


class Route(BaseModel):
    """Where the PBX should deliver an inbound text, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule_id: str | None = None
    kind: str
    destination: str
    reason: str


class InboundEvent(Event):
    """A text arrived and was routed. Names follow PortSIP's message records."""

    TYPE = "sms.inbound.v1"

    event_id: str
    message_id: str
    tenant_id: str | None = None
    config_id: str
    brand: str = ""
    provider_id: str = ""
    msg_type: MsgType
    direction: Literal["IN"] = "IN"
    sender: str
    receiver: str
    did: str
    recipients: tuple[str, ...] = ()
    conversation_id: str
    content: str = ""
    media: tuple[MediaItem, ...] = ()
    segments: int | None = None
    provider_msg_id: str
    provider_time: datetime
    received_at: datetime
    route: Route


class CarrierReceiptEvent(Event):
    """Internal, ingress to dispatcher: what a carrier reports about one recipient of an outbound message."""

    TYPE = "sms.carrier.receipt.v1"

    event_id: str
    carrier: str
    config_id: str
    tenant_id: str
    carrier_message_id: str
    carrier_event: str
    reference: str | None = None
    recipient: str
    sender: str
    status: Status
    occurred_at: Moment
    received_at: Moment
    segments: Segments | None = None
    description: str | None = None
    error: StatusError | None = None


class CarrierInboundEvent(Event):
    """Internal, ingress to dispatcher: a message that reached one of our numbers."""

    TYPE = "sms.carrier.inbound.v1"

    event_id: str
    carrier: str
    config_id: str
    tenant_id: str
    carrier_message_id: str
    carrier_event: str
    sender: str
    did: str
    recipients: tuple[str, ...] = ()
    msg_type: MsgType
    text: str = ""
    media: tuple[MediaItem, ...] = ()
    segments: Segments | None = None
    occurred_at: Moment
    received_at: Moment


class LaneEntry(Event):
    """Internal, dispatcher to itself: one ledger entry waits in a lane for its turn to be sent.

    It uses `segments` of the rate that the lane and its `sender` may have. Entries with the same `order` are sent one
    after the other.
    """

    TYPE = "sms.lane.v1"

    tenant_id: str
    message_id: str
    queued_at: Moment
    sender: str | None = None
    segments: Annotated[int, Field(ge=1)] = 1
    order: str | None = None


class ConfigChanged(Event):
    """The configuration changed: services fetch a new snapshot. It carries no values, so no secret can be in it."""

    TYPE = "sms.config.v1"

    event_id: str
    tenant_id: str
    change: Literal["created", "updated", "deleted", "rotated"]
    kind: Literal["tenant", "trunk", "sms_config", "inbound_rule", "outbound_rule", "extension"]
    object_id: str
    version: str
    occurred_at: datetime


class SeenWebhook(BaseModel):
    """The last webhook of a configuration that was answered in this way. `kind` is the carrier's word for the last
    event in it. `source` is the address that it came from; behind a proxy, the proxy's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    config_id: TenantId
    result: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    status: int
    at: Moment
    kind: str | None = None
    source: str | None = None


class WebhooksSeen(Event):
    """Internal, ingress to config: webhooks that came, every few seconds. It may be lost; nothing depends on it."""

    TYPE = "sms.seen.v1"

    event_id: str
    seen: Annotated[tuple[SeenWebhook, ...], Field(max_length=1000)]


AnyEvent = (
    OutboundRequest
    | CancelRequest
    | StatusEvent
    | InboundEvent
    | CarrierReceiptEvent
    | CarrierInboundEvent
    | LaneEntry
    | ConfigChanged
    | WebhooksSeen
)

EVENT_TYPES: tuple[type[Event], ...] = (
    OutboundRequest,
    CancelRequest,
    StatusEvent,
    InboundEvent,
    CarrierReceiptEvent,
    CarrierInboundEvent,
    LaneEntry,
    ConfigChanged,
    WebhooksSeen,
)

_BY_TYPE: Mapping[str, type[Event]] = {event.TYPE: event for event in EVENT_TYPES}
_NAMES = frozenset(field.alias or name for event in EVENT_TYPES for name, field in event.model_fields.items())


def in_utf8(body: bytes) -> bytes:
    """A JSON body as UTF-8 without a byte order mark. UTF-16 and UTF-32 are recognised by their mark or by their zeros
    (RFC 4627, section 3). Anything else comes back unchanged.
    """
    encoding = json.detect_encoding(body)
    if encoding == "utf-8":
        return body
    try:
        return body.decode(encoding).encode()
    except UnicodeError:
        return body


def decode(event_type: str, body: bytes, *, accept: Iterable[type[Event]] = EVENT_TYPES) -> Event:
    """The event in `body`, which says it is an `event_type` (for example `sms.outbound.v1`).

    Raises UnreadableEvent: body_too_large, not_utf8, not_json, unknown_type (also for a type not in `accept`),
    invalid_request or invalid_media. If the body was a JSON object, `partial` holds it, and `field` names what is
    wrong.
    """
    if len(body) > MAX_EVENT_BYTES:
        raise UnreadableEvent(Code.BODY_TOO_LARGE, f"The body has {len(body)} bytes; {MAX_EVENT_BYTES} are allowed.")
    body = in_utf8(body)
    kind = _BY_TYPE.get(event_type)
    if kind is None or kind not in tuple(accept):
        shown = event_type[:64] if event_type.isprintable() else "unprintable"
        raise UnreadableEvent(
            Code.UNKNOWN_TYPE, f"The event type {shown!r} is not known here.", field="type", partial=_peek(body)
        )
    try:
        return kind.model_validate_json(body, context={"body": body})
    except ValidationError as error:
        raise _unreadable(body, error) from None


def _unreadable(body: bytes, error: ValidationError) -> UnreadableEvent:
    """What is wrong with a body that did not validate: its bytes, its JSON, or the first wrong field."""
    try:
        body.decode()
    except UnicodeDecodeError:
        # Ids are ASCII, which is the same in most encodings. So they are readable all the same.
        return UnreadableEvent(Code.NOT_UTF8, "The body is not UTF-8.", partial=_peek(body.decode("latin-1").encode()))
    found = first_field_error(error)
    if found is None:
        return _half_characters(body) or UnreadableEvent(Code.NOT_JSON, "The body is not JSON.", partial=_peek(body))
    return UnreadableEvent(found.code, found.reason, field=found.field, partial=_peek(body))


def _half_characters(body: bytes) -> UnreadableEvent | None:
    """A sentence for JSON whose only fault are halves of surrogate pairs: somebody cut a text in the middle of an
    emoji. None when something else is wrong.
    """
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    if not _has_half_characters(value):
        return None
    parts = value.items() if isinstance(value, dict) else ()
    field = next((name for name, part in parts if name in _NAMES and _has_half_characters(part)), None)
    reason = "It holds half of a surrogate pair, which is no character."
    return UnreadableEvent(
        Code.INVALID_REQUEST, f"{field}: {reason}" if field else reason, field=field, partial=_peek(body)
    )


def _has_half_characters(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except RecursionError:  # reading goes one level deeper than writing
        return False
    return False


def _peek(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body that could not be read as an event, or None."""
    value = _peek_closer(body)
    if value is None:
        with suppress(orjson.JSONDecodeError):
            value = orjson.loads(body)  # it goes deeper
    return value if isinstance(value, dict) else None


def _peek_closer(body: bytes) -> object:
    """Whether Python accepts this as JSON and others do not: NaN, long whole numbers, halves of surrogate pairs."""
    try:
        value = json.loads(body.decode(), parse_int=_whole)
        return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def _whole(written: str) -> int | float:
    return int(written) if len(written) <= _MOST_DIGITS else float(written)


def utc_now() -> datetime:
    """The wall clock, aware and in UTC. Code that needs the time takes a clock as a parameter; this is the real one."""
    return datetime.now(UTC)
