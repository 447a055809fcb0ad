"""Bandwidth's webhooks in the gateway's words: pure functions from bytes to events.

Shapes: Bandwidth's OpenAPI description and https://dev.bandwidth.com/docs/messaging/webhooks. A body is an array of
events; a bare object is taken as well. Only what an event cannot do without is insisted on.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from sms_common.carriers.bandwidth.codes import delivery_error
from sms_common.carriers.bandwidth.media import media_for_people
from sms_common.carriers.carrier_words import shown
from sms_common.carriers.protocol import ParsedWebhook
from sms_common.errors import Code, WebhookUnreadable
from sms_common.messages import CarrierEvent, CarrierNotice, DeliveryReceipt, InboundMessage, MsgType, Status
from sms_common.phone import mask

MAX_ELEMENTS = 1_000
# Ids and numbers are short; what is longer is not what it claims to be.
_MAX_NAME = 256
_MAX_KIND = 64
_COUNTS = range(2**31)  # what no reader's number type refuses
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")

# message-sending and message-sent both say that Bandwidth handed the message on, and not that anybody took it. What was
# read was delivered before, and the receipt for that may still be on its way.
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
    """One element of the array cannot be understood; its text says why, without numbers and texts."""


def parse(body: bytes) -> ParsedWebhook:
    """Every event in a webhook's body, in its order, and a reason for each element that is none.

    Raises WebhookUnreadable when there is not one event to be had: not JSON, nested too deeply, neither an array nor an
    object, empty, more than MAX_ELEMENTS elements, or no element that can be understood.
    """
    events: list[CarrierEvent] = []
    unreadable: list[str] = []
    for place, element in enumerate(_elements(body)):
        try:
            events.append(_event(element))
        except _UnreadableElement as error:
            unreadable.append(f"Element {place}: {error}.")
    if not events:
        raise _unreadable(unreadable[0])
    return ParsedWebhook(tuple(events), tuple(unreadable))


def _elements(body: bytes) -> list[Any]:
    try:
        document = orjson.loads(body)  # gives up at 1,024 levels by itself, so depth is no danger
    except orjson.JSONDecodeError:
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
    """Read a receipt. The outer `to` is the recipient it speaks of, since the receipts of a group share one id.

    `owner` is not read: Bandwidth's own examples disagree about what it holds.
    """
    message = _message(element)
    status = _RECEIPTS[kind]
    description = shown(element.get("description"))
    return DeliveryReceipt(
        carrier_message_id=_name(message, "id"),
        carrier_event=kind,
        recipient=_outer_to(element, message),
        sender=_text(message, "from"),
        status=status,
        occurred_at=_time(element, message),
        reference=_text(message, "tag") or None,
        segments=_count(message.get("segmentCount")),
        error=delivery_error(_error_code(element.get("errorCode")), description) if status is Status.FAILED else None,
        description=description,
    )


def _inbound(kind: str, element: dict[str, Any]) -> InboundMessage:
    """Read a message to one of our numbers, the outer `to`; `message.to` lists everybody it went to."""
    message = _message(element)
    did = _outer_to(element, message)
    recipients = _strings(message.get("to")) or (did,)
    media = _media_urls(message)
    return InboundMessage(
        carrier_message_id=_name(message, "id"),
        carrier_event=kind,
        sender=_name(message, "from"),
        did=did,
        recipients=recipients,
        msg_type=MsgType.MMS if media or len(recipients) > 1 else MsgType.SMS,
        text=_INBOUND_TEXT[kind](message),
        media=media_for_people(media),
        occurred_at=_time(element, message),
        segments=_count(message.get("segmentCount")),
    )


def _received_text(message: dict[str, Any]) -> str:
    """Return the text of an SMS or MMS, which may be null or missing; RCS has it one level down."""
    return _text(message, "text") or _text(_object(message, "content"), "text")


def _suggestion_text(message: dict[str, Any]) -> str:
    """Return what stood on the button that was tapped."""
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


def _media_urls(message: dict[str, Any]) -> tuple[str, ...]:
    """URLs of `message.media` and, for RCS, of the file in `message.content.media`."""
    content = _object(message, "content").get("media")
    files = content if isinstance(content, list) else [content]
    named = [file.get("fileUrl") if isinstance(file, dict) else file for file in files]
    return _strings(message.get("media")) + _strings(named)


# Toll-free verification speaks in bare objects without a type, one outcome each. Which field becomes which fact:
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
    """Return a value, or a list of them, as a short text that is safe to log; empty for nothing."""
    if isinstance(value, list):
        reasons = [_fact(item.get("reason") if isinstance(item, dict) else item) for item in value]
        return shown("; ".join(filter(None, reasons))) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown(str(value) if isinstance(value, int) else value) or ""


def _identifier(value: object) -> str:
    """Return an opaque id with nothing in it that could disturb a log; empty for what is no id."""
    return _UNSAFE.sub("_", value)[:_MAX_KIND] if isinstance(value, str) else ""


def _message_id(element: dict[str, Any]) -> dict[str, str]:
    """Return the one fact of an unknown event that helps to find it again."""
    identifier = _identifier(_object(element, "message").get("id"))
    return {"carrier_message_id": identifier} if identifier else {}


def _message(element: dict[str, Any]) -> dict[str, Any]:
    message = element.get("message")
    if not isinstance(message, dict):
        raise _UnreadableElement("`message` is not an object")
    return message


def _outer_to(element: dict[str, Any], message: dict[str, Any]) -> str:
    """Return the event's own `to`; without one, the message's if it went to one address only."""
    for candidates in (_strings(element.get("to")), _strings(message.get("to"))):
        if len(candidates) == 1 and len(candidates[0]) <= _MAX_NAME:
            return candidates[0]
    raise _UnreadableElement("`to` does not name one address")


def _name(message: dict[str, Any], key: str) -> str:
    """Return an id or address the event cannot do without."""
    value = message.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise _UnreadableElement(f"`message.{key}` is missing or unusable")
    return value


def _time(element: dict[str, Any], message: dict[str, Any]) -> datetime:
    """Return when it happened, in UTC: the time of reading where there is one, else the event's, else the message's."""
    for value in (element.get("eventTime"), element.get("time"), message.get("time")):
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)  # takes 0, 3 and 6 fraction digits, and Z
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    raise _UnreadableElement("`time` is missing or unusable")


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(parent: dict[str, Any], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def _strings(value: object) -> tuple[str, ...]:
    """Return the non-empty strings in a list; a bare string counts as a list of one."""
    items = value if isinstance(value, list) else [value]
    return tuple(item for item in items if isinstance(item, str) and item)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value in _COUNTS else None


def _error_code(value: object) -> int | None:
    """`errorCode` is a number; a text of digits means the same."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - no int() on long input
        return int(value)
    return _count(value)
