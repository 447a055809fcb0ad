"""Reads Bandwidth's webhooks: pure functions from bytes to events.

Shapes: Bandwidth's OpenAPI description and https://dev.bandwidth.com/docs/messaging/webhooks. A body is an array of
events; a single object is accepted, too. Only the fields that an event needs are required.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sms_common.carriers.bandwidth.codes import delivery_error
from sms_common.carriers.bandwidth.media import media_for_people
from sms_common.carriers.carrier_text import shown
from sms_common.carriers.protocol import ParsedWebhook
from sms_common.carriers.webhook_json import read_json
from sms_common.errors import Code, WebhookUnreadable
from sms_common.input.pasted import trimmed
from sms_common.messages import (
    CarrierEvent,
    CarrierNotice,
    DeliveryReceipt,
    InboundMedia,
    InboundMessage,
    MsgType,
    Status,
)
from sms_common.phone import from_carrier, mask

MAX_ELEMENTS = 1_000
# Ids and numbers are short. A longer value is something else.
_MAX_NAME = 256
_MAX_KIND = 64
_COUNTS = range(2**31)  # fits into a 32-bit number of any reader
_EXACT = 2**53  # a float beyond it has lost digits
_NUMBERS_END = 10**20  # longer than any number of E.164
# An inbound event always has a sender. This one cannot be answered.
UNKNOWN_SENDER = "unknown"
# The documented form of a file is its address alone. In RCS, and in some samples for SMS, it is an object.
_FILE_ADDRESSES = ("url", "fileUrl", "mediaUrl", "uri", "href")
_FILE_TYPES = ("contentType", "content_type", "mimeType", "type")
_WEB_ADDRESS = re.compile(r"https?://[^/\s]", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")

# message-sending and message-sent both mean that Bandwidth handed the message on, not that a network accepted it.
# message-read means delivered, even if the receipt for that has not come yet.
_RECEIPTS: Mapping[str, Status] = MappingProxyType(
    {
        "message-sending": Status.SENT,
        "message-sent": Status.SENT,
        "message-delivered": Status.DELIVERED,
        "message-read": Status.DELIVERED,
        "message-failed": Status.FAILED,
    }
)


class _UnreadableElement(Exception):
    """One element of the array cannot be understood. The text says why, without numbers and texts."""


def parse(body: bytes) -> ParsedWebhook:
    """Return all events in a webhook's body, in order, and a reason for each element that cannot be read.

    Raises WebhookUnreadable if there is no event: not JSON, nested too deeply, neither an array nor an object, empty,
    more than MAX_ELEMENTS elements, or no element that can be read.
    """
    events: list[CarrierEvent] = []
    unreadable: list[str] = []
    remarks: list[str] = []
    for place, element in enumerate(_elements(body)):
        try:
            events.append(_event(element))
            remarks += [f"Element {place}: {remark}." for remark in _remarks(element, events[-1])]
        except _UnreadableElement as error:
            unreadable.append(f"Element {place}: {error}.")
    if not events:
        raise _unreadable(unreadable[0])
    return ParsedWebhook(tuple(events), tuple(unreadable), tuple(remarks))


def _elements(body: bytes) -> list[Any]:
    try:
        document = read_json(body)
    except (ValueError, RecursionError):
        raise _unreadable("The body is not JSON.") from None
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list):
        raise _unreadable("The body is neither an array nor an object.")
    if not document:
        raise _unreadable("The body is an empty array.")
    if len(document) > MAX_ELEMENTS:
        raise _unreadable(f"The body holds {len(document)} elements; {MAX_ELEMENTS} are allowed.")
    return document


def _unreadable(reason: str) -> WebhookUnreadable:
    return WebhookUnreadable(Code.WEBHOOK_UNREADABLE, reason)


def _event(element: object) -> CarrierEvent:
    if not isinstance(element, dict):
        raise _UnreadableElement("it is not an object")
    kind = element.get("type")
    if not isinstance(kind, str) or not kind:
        return _toll_free_verification(element)
    if kind in _RECEIPTS:
        return _receipt(kind, element)
    if kind in _INBOUND_TEXT:
        return _inbound(kind, element)
    return CarrierNotice(kind=_identifier(kind), known=False, facts=_message_id(element))


def _receipt(kind: str, element: dict[str, Any]) -> DeliveryReceipt:
    """Read a receipt. The outer `to` is its recipient, since all receipts of a group share one id.

    `owner` is not read: Bandwidth's own examples disagree about its meaning.
    """
    message = _message(element)
    status = _RECEIPTS[kind]
    description = shown(element.get("description"))
    return DeliveryReceipt(
        carrier_message_id=_name(message, "id"),
        carrier_event=kind,
        recipient=_outer_to(element, message),
        sender=from_carrier(_address(message.get("from"))),
        status=status,
        occurred_at=_time(element, message),
        reference=_text(message, "tag") or None,
        segments=_count(message.get("segmentCount")),
        error=delivery_error(_error_code(element.get("errorCode")), description) if status is Status.FAILED else None,
        description=description,
    )


def _inbound(kind: str, element: dict[str, Any]) -> InboundMessage | CarrierNotice:
    """Read a message to one of our numbers, the outer `to`. `message.to` lists all recipients.

    A message with the direction `out` becomes a notice: if the PBX got it, it would answer it, without end.
    """
    message = _message(element)
    if _text(message, "direction").lower().startswith("out"):
        return CarrierNotice(kind=f"{kind}.out", known=True, facts=_message_id(element))
    did = _outer_to(element, message, owner=message.get("owner"))
    recipients = tuple(dict.fromkeys(map(from_carrier, _addresses(message.get("to"))))) or (did,)
    media = _media(message)
    return InboundMessage(
        carrier_message_id=_name(message, "id"),
        carrier_event=kind,
        sender=from_carrier(_address(message.get("from"))) or UNKNOWN_SENDER,
        did=did,
        recipients=recipients,
        msg_type=MsgType.MMS if media or len(recipients) > 1 else MsgType.SMS,
        text=_INBOUND_TEXT[kind](message),
        media=media_for_people(media),
        occurred_at=_time(element, message),
        segments=_count(message.get("segmentCount")),
    )


def _remarks(element: Any, event: CarrierEvent) -> Iterator[str]:
    """Name the parts of an event that could not be used, for the log, without numbers and texts."""
    if isinstance(event, CarrierNotice):
        return
    if event.occurred_at is None:
        yield "its time could not be read, so it is that of its arrival"
    if isinstance(event, DeliveryReceipt):
        return
    lost = sum(_file(item) is None for item in _files(_message(element)))
    if lost:
        yield f"{lost} of its media could not be read"
    others = _list(_message(element).get("to"))
    unread = len(others) - len(_addresses(others))
    if unread:
        yield f"{unread} of its recipients could not be read"
    if event.sender == UNKNOWN_SENDER:
        yield "`message.from` names nobody, so its sender is unknown"
    if not event.text and not event.media:
        yield "it holds neither a text nor a file for a person"


def _received_text(message: dict[str, Any]) -> str:
    """Return the text of an SMS or MMS, which may be null or missing. In RCS it is one level down."""
    return _written(message.get("text")) or _written(_object(message, "content").get("text"))


def _suggestion_text(message: dict[str, Any]) -> str:
    """Return the text of the button that was tapped."""
    return _text(_object(message, "suggestionResponse"), "text")


def _location_text(message: dict[str, Any]) -> str:
    """Return a shared place as a geo URI (RFC 5870)."""
    place = _object(message, "locationResponse")
    latitude, longitude = _degrees(place.get("latitude"), 90), _degrees(place.get("longitude"), 180)
    return f"geo:{latitude},{longitude}"


_INBOUND_TEXT: Mapping[str, Callable[[dict[str, Any]], str]] = MappingProxyType(
    {
        "message-received": _received_text,
        "suggestion-response": _suggestion_text,
        "requested-location-response": _location_text,
    }
)


def _degrees(value: object, most: int) -> str:
    try:
        degrees = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        degrees = math.nan
    if not abs(degrees) <= most:
        raise _UnreadableElement("`message.locationResponse` holds no place")
    return f"{degrees:.7f}".rstrip("0").rstrip(".")


def _media(message: dict[str, Any]) -> tuple[InboundMedia, ...]:
    """The files of `message.media` and, for RCS, of `message.content.media`."""
    return tuple(file for item in _files(message) if (file := _file(item)) is not None)


def _files(message: dict[str, Any]) -> list[Any]:
    """All entries in the places for files, usable or not."""
    return [item for files in (message.get("media"), _object(message, "content").get("media")) for item in _list(files)]


def _file(item: object) -> InboundMedia | None:
    """Return a file, given as an address alone or in an object; None if there is no web address."""
    named = item if isinstance(item, dict) else {"url": item}
    url = next((trimmed(text) for name in _FILE_ADDRESSES if (text := _text(named, name))), "")
    kind = next((text for name in _FILE_TYPES if (text := _text(named, name))), None)
    return InboundMedia(url, kind) if _WEB_ADDRESS.match(url) else None


# Toll-free verification sends a single object without a type, with one outcome. The fact for each of its fields:
_VERIFICATION_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "status": "status",
        "blocked": "blocked",
        "blockedReason": "blocked_reason",
        "declineReasonDescription": "decline_reason",
        "denialStatusCode": "denial_code",
        "resubmitAllowed": "resubmit_allowed",
        "additionalDenialReasons": "further_reasons",
        "errorCode": "error_code",
        "errorMessage": "error_message",
        "errors": "errors",
    }
)


def _toll_free_verification(element: dict[str, Any]) -> CarrierNotice:
    number = element.get("phoneNumber")
    outcome = element.keys() & {"status", "errors", "errorCode"}
    if "accountId" not in element or not isinstance(number, str) or not outcome:
        raise _UnreadableElement("it has no `type`")
    told = {fact: _fact(element.get(field)) for field, fact in _VERIFICATION_FACTS.items()}
    told["ticket"] = _identifier(element.get("internalTicketNumber"))
    facts = {fact: value for fact, value in told.items() if value}
    return CarrierNotice("toll_free_verification", known=True, facts={"number": mask(number), **facts})


def _fact(value: object) -> str:
    """Return a value or a list as a short text that is safe to log; empty for nothing."""
    if isinstance(value, list):
        reasons = [_fact(item.get("reason") if isinstance(item, dict) else item) for item in value]
        return shown("; ".join(filter(None, reasons))) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown(str(value) if isinstance(value, int) else value) or ""


def _identifier(value: object) -> str:
    """Return an opaque id without characters that are unsafe in a log; empty for what is no id."""
    return _UNSAFE.sub("_", value)[:_MAX_KIND] if isinstance(value, str) else ""


def _message_id(element: dict[str, Any]) -> dict[str, str]:
    """Return the id of an unknown event, by which it can be found again."""
    identifier = _identifier(_object(element, "message").get("id"))
    return {"carrier_message_id": identifier} if identifier else {}


def _message(element: dict[str, Any]) -> dict[str, Any]:
    message = element.get("message")
    if not isinstance(message, dict):
        raise _UnreadableElement("`message` is not an object")
    return message


def _outer_to(element: dict[str, Any], message: dict[str, Any], owner: object = None) -> str:
    """Return the event's own `to`, else the message's if it has one recipient only, else `owner`."""
    for candidates in (_addresses(element.get("to")), _addresses(message.get("to")), _addresses(owner)):
        if len(candidates) == 1:
            return from_carrier(candidates[0])
    raise _UnreadableElement("`to` does not name one address")


def _name(message: dict[str, Any], key: str) -> str:
    """Return a required id. It may be a number of digits."""
    value = _word(message.get(key))
    if not 0 < len(value) <= _MAX_NAME:
        raise _UnreadableElement(f"`message.{key}` is missing or unusable")
    return value


def _address(value: object) -> str:
    """Return the only address, alone or in a list; empty if there is none or more than one."""
    found = _addresses(value)
    return found[0] if len(found) == 1 else ""


def _addresses(value: object) -> tuple[str, ...]:
    """Return the addresses of a list, or the single one."""
    words = (_word(item) for item in _list(value))
    return tuple(word for word in words if 0 < len(word) <= _MAX_NAME)


def _word(value: object) -> str:
    """Return a text without invisible characters at its ends, or a whole number's digits; empty for anything else."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _NUMBERS_END else ""
    return trimmed(value) if isinstance(value, str) else ""


def _written(value: object) -> str:
    """Return a text as it is, or a whole number's digits; empty for anything else."""
    return value if isinstance(value, str) else _word(value)


def _list(value: object) -> list[Any]:
    """Return a list as it is, nothing for null, and anything else as a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _time(element: dict[str, Any], message: dict[str, Any]) -> datetime | None:
    """Return when it happened, in UTC: the time of reading if there is one, else the event's, else the message's."""
    for value in (element.get("eventTime"), element.get("time"), message.get("time")):
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(trimmed(value))  # takes 0, 3 and 6 fraction digits, and Z
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(parent: dict[str, Any], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _COUNTS else None


def _error_code(value: object) -> int | None:
    """`errorCode` is a number; a text of digits means the same."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - no int() on long input
        return int(value)
    return _count(value)
