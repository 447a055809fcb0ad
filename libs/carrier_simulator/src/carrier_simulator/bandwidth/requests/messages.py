"""The rules of a message request: from a JSON body to a checked request, or to the 400 that names what is wrong.

Pure. Limits come from the OpenAPI description (fields, lengths) and the webhook guide (10 recipients). Where the text
of an error is not published it is worded after the one that is, "... must be replaced with ...".
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from carrier_simulator.bandwidth.requests.refusals import BadField, invalid_request
from carrier_simulator.carrier.accounts import Application, SimulatedAccount
from carrier_simulator.carrier.records import MessageKind, Priority
from sms_common.segments import count_segments

__all__ = [
    "MAX_MEDIA",
    "MAX_MEDIA_URL",
    "MAX_RECIPIENTS",
    "MAX_TAG",
    "MAX_TEXT",
    "MessageRequest",
    "check_application",
    "check_expiration",
    "check_priority",
    "check_recipient",
    "check_tag",
    "check_text",
    "check_url",
    "is_e164",
    "is_short_code",
    "is_toll_free",
    "parse_message",
]

MAX_RECIPIENTS = 10
MAX_TEXT = (
    2048  # characters; whether Bandwidth counts code points or UTF-16 units is not published, these are code points
)
MAX_MEDIA = 10
MAX_MEDIA_URL = 4096
MAX_TAG = 1024

_E164 = re.compile(r"\+(?:1[2-9]\d{9}|[2-9]\d{6,14})", re.ASCII)
_SHORT_CODE = re.compile(r"\+?\d{5,6}", re.ASCII)
_TOLL_FREE = re.compile(r"\+18(?:00|33|44|55|66|77|88)[2-9]\d{6}", re.ASCII)
_SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]{1,11}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_REQUIRED = ("applicationId", "to", "from")


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """A request that obeys every rule. `expires_at` is in epoch seconds, `expiration` the text it was given as."""

    application: Application
    sender: str
    to: tuple[str, ...]
    text: str | None
    media: tuple[str, ...]
    tag: str | None
    priority: Priority
    expiration: str | None
    expires_at: float | None
    kind: MessageKind
    segments: int


def is_e164(number: str) -> bool:
    """Return whether this is a full international number with its plus sign."""
    return _E164.fullmatch(number) is not None


def is_short_code(number: str) -> bool:
    """Return whether this is a code of 5 or 6 digits, with or without a plus sign, as Bandwidth's client allows."""
    return _SHORT_CODE.fullmatch(number) is not None


def is_toll_free(number: str) -> bool:
    """Return whether this is a North American toll-free number (pattern of the OpenAPI description)."""
    return _TOLL_FREE.fullmatch(number) is not None


def parse_message(body: Any, account: SimulatedAccount, now: float) -> MessageRequest:
    """Return the checked request of a decoded JSON `body` sent to `account` at epoch `now`.

    Raises Refusal (400) with every broken field; a body without any of the required fields gets none named, as in
    Bandwidth's documented answer.
    """
    if not isinstance(body, dict) or not any(body.get(name) for name in _REQUIRED):
        raise invalid_request()
    errors: list[BadField] = []
    application = check_application(body.get("applicationId"), account, errors)
    recipients = _check_recipients(body.get("to"), errors)
    sender = _check_sender(body.get("from"), errors)
    text = check_text(body.get("text"), errors)
    media = _check_media(body.get("media"), errors)
    if not text and not media and not errors:
        errors.append(BadField("text", "either 'text' or 'media' must be given"))
    tag = check_tag(body.get("tag"), errors)
    priority = check_priority(body.get("priority"), errors)
    expires_at = check_expiration(body.get("expiration"), now, errors)
    if errors or application is None:
        raise invalid_request(errors)
    is_mms = bool(media) or len(recipients) > 1
    return MessageRequest(
        application=application,
        sender=sender,
        to=recipients,
        text=text,
        media=media,
        tag=tag,
        priority=priority,
        expiration=body.get("expiration"),
        expires_at=expires_at,
        kind="mms" if is_mms else "sms",
        segments=1 if is_mms else count_segments(text or "").segments,
    )


def check_application(
    value: Any, account: SimulatedAccount, errors: list[BadField], field: str = "applicationId"
) -> Application | None:
    """Return the account's application of that id, or note the error and return None."""
    if value is None or value == "":
        errors.append(_missing(field))
        return None
    application = account.application(value) if isinstance(value, str) else None
    if application is None:
        errors.append(BadField(field, f"'{value}' must be replaced with the id of an application of this account"))
    return application


def check_recipient(value: Any, errors: list[BadField], field: str = "to") -> str:
    """Return the number to send to; add an error if it is not a number."""
    if isinstance(value, str) and is_e164(value):
        return value
    errors.append(BadField(field, f"'{value}' must be replaced with a valid E164 formatted telephone number"))
    return ""


def check_text(value: Any, errors: list[BadField], field: str = "text", limit: int = MAX_TEXT) -> str | None:
    """Return the text, or None when none was given."""
    if value is None:
        return None
    if not isinstance(value, str):
        errors.append(BadField(field, f"'{field}' must be a string"))
    elif len(value) > limit:
        errors.append(BadField(field, f"'{field}' must be {limit} characters or less"))
    else:
        return value
    return None


def check_url(value: Any, errors: list[BadField], field: str, limit: int = MAX_MEDIA_URL) -> str:
    """Return an absolute URL; whether it can be fetched is checked later (4410)."""
    if not isinstance(value, str) or not _is_absolute_url(value):
        errors.append(BadField(field, f"'{field}' must be an absolute URL"))
    elif len(value) > limit:
        errors.append(BadField(field, f"'{field}' must be {limit} characters or less"))
    else:
        return value
    return ""


def check_tag(value: Any, errors: list[BadField]) -> str | None:
    """Return the tag, or None when none was given."""
    return check_text(value, errors, "tag", MAX_TAG)


def check_priority(value: Any, errors: list[BadField]) -> Priority:
    """Return the priority, which is `default` unless asked otherwise."""
    if value is None or value == "default":
        return "default"
    if value == "high":
        return "high"
    errors.append(BadField("priority", f"'{value}' must be replaced with one of [default, high]"))
    return "default"


def check_expiration(value: Any, now: float, errors: list[BadField]) -> float | None:
    """Return the epoch seconds of an RFC 3339 time in the future, or None when none was given."""
    if value is None:
        return None
    moment = _parse_time(value)
    if moment is None:
        errors.append(BadField("expiration", f"'{value}' must be replaced with a valid RFC-3339 value"))
        return None
    if moment <= now:
        errors.append(BadField("expiration", "'expiration' must be a date-time in the future"))
    return moment


def _missing(field: str) -> BadField:
    return BadField(field, f"'{field}' must be given")


def _check_recipients(value: Any, errors: list[BadField]) -> tuple[str, ...]:
    given = (
        [value] if isinstance(value, str) else value
    )  # a plain string is accepted too (older guide, seen in clients)
    if not given:
        errors.append(_missing("to"))
        return ()
    if not isinstance(given, list):
        errors.append(BadField("to", "'to' must be a list of telephone numbers"))
        return ()
    if len(given) > MAX_RECIPIENTS:
        errors.append(BadField("to", f"'to' must have {MAX_RECIPIENTS} recipients or less"))
        return ()
    recipients = tuple(check_recipient(one, errors) for one in given)
    if len(set(recipients)) != len(recipients) and all(recipients):
        errors.append(BadField("to", "'to' must not name a recipient twice"))
    return recipients


def _check_sender(value: Any, errors: list[BadField]) -> str:
    if value is None or value == "":
        errors.append(_missing("from"))
        return ""
    if isinstance(value, str) and (is_e164(value) or is_short_code(value) or _SENDER_ID.fullmatch(value)):
        return value
    errors.append(BadField("from", f"'{value}' must be replaced with a valid E164 formatted telephone number"))
    return ""


def _check_media(value: Any, errors: list[BadField]) -> tuple[str, ...]:
    if not value:
        return ()
    if not isinstance(value, list):
        errors.append(BadField("media", "'media' must be a list of URLs"))
        return ()
    if len(value) > MAX_MEDIA:
        errors.append(BadField("media", f"'media' must have {MAX_MEDIA} items or less"))
        return ()
    return tuple(check_url(one, errors, "media") for one in value)


def _is_absolute_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and not any(char.isspace() for char in value)


def _parse_time(value: Any) -> float | None:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).timestamp()
    except ValueError:  # the form is right, the date does not exist
        return None
