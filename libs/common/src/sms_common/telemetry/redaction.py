"""What may be read in a log line: secrets, message texts and full phone numbers leave every value before it is written.

By key where the key says what the value is, by pattern everywhere else: in the event, in exception texts, in nested
values. Values of types that are not known to be harmless are written as the name of their type.
"""

import re
from collections.abc import Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from yarl import URL

STARS: Final = "***"

_DEEPEST: Final = 6
_MOST_ITEMS: Final = 50
_LONGEST_TEXT: Final = 16_384

_CREDENTIAL_WORDS: Final = (
    r"pass(?:word|wd|phrase)|secret|token|authorization|credential|cookie|signature"
    r"|(?:api|private)[_-]?key|key[_-]?ring"
)
_SECRET_KEY: Final = re.compile(rf"(?:{_CREDENTIAL_WORDS})(?!.*_(?:url|at|seconds|count|total|type)$)")
# The person's words, and what a PBX attaches to them.
_TEXT_KEYS: Final = frozenset(
    {"text", "content", "body", "media", "metadata", "payload", "subject", "message_text", "input", "input_value"}
)
_TEXT_ENDINGS: Final = ("_body", "_content", "_metadata", "_payload")

# Nothing below can match a text that this does not match; most values are such texts.
_SUSPECT: Final = re.compile(r"\d(?:\D{0,8}\d){5}|[=:@]|/webhooks/|basic\s|bearer\s", re.IGNORECASE)
_QUOTED: Final = r"""b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\+"[^"]*"?|\\+'[^']*'?"""
_URL_CREDENTIALS: Final = re.compile(r"""(://)[^\s"'<>]{0,512}@""")
_WEBHOOK_TOKEN: Final = re.compile(r"""(/webhooks/[^/\s"']{1,64}/)[^/\s"'?#&<>]+""")
_AUTHORIZATION: Final = re.compile(
    r"\b(basic|bearer)\s+(?!(?:auth\w*|credentials?|tokens?|scheme|challenge|realm)\b)[\w+/=.~-]{6,}", re.IGNORECASE
)
_SECRET_PAIR: Final = re.compile(
    rf"""((?:{_CREDENTIAL_WORDS})[\w-]{{0,40}}["'\\]{{0,4}}\s{{0,4}}[:=]\s{{0,4}})(?:{_QUOTED}|[^\s,;&"'}}\])]+)""",
    re.IGNORECASE | re.DOTALL,
)
_TEXT_PAIR: Final = re.compile(
    rf"""((?<![a-z])(?:text|content|body|media|payload|metadata|subject)["'\\]{{0,4}}\s{{0,4}}[:=]\s{{0,4}})"""
    rf"""(?:{_QUOTED}|\[[^\]]*\]?|\{{[^}}]*\}}?)""",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED_INPUT: Final = re.compile(r"(input_value=).*(?=, input_type=)")  # pydantic quotes what it refuses

_BETWEEN: Final = r"[ ().\-/\u00a0\u2010-\u2015]"
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# What is made of digits and no number: a UUID, a time, an IPv4 address, a trace id or a hash, a fraction.
_KEPT: Final = "|".join(
    (
        r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])",
        r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)?)?(?!\d)",
        rf"(?<![\d.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\d.])",
        r"(?<!\w)(?=\d*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{24}|[0-9a-f]{16})(?!\w)",
        r"(?<![\d.])0\.\d{1,9}(?!\d)",
    )
)
# In turn: after a plus; between other characters, with separators; a run of digits. A longer run that goes on with a
# letter is a carrier's message id, which begins with its time in milliseconds.
_NUMBER: Final = re.compile(
    rf"(?P<kept>{_KEPT})"
    rf"|(?P<plus>\+|%2b|u002b){_BETWEEN}{{0,2}}\d(?:{_BETWEEN}{{0,3}}\d){{5,40}}\d*"
    rf"|(?<![a-z0-9])\d(?:{_BETWEEN}{{0,3}}\d){{6,40}}(?![a-z0-9])"
    r"|(?<!\d)(?:\d{10,12}(?!\d)|\d{7,}(?![a-z\d_]))",
    re.IGNORECASE,
)
_NOT_DIGIT: Final = re.compile(r"\D")

_PLAIN: Final = (bool, type(None))
_HARMLESS: Final = (
    *(Enum, date, datetime, time, timedelta, Decimal, UUID, PurePath, URL, IPv4Address, IPv6Address),
    BaseException,
)
_LEAST_NUMBER, _MOST_NUMBER = 10**9, 10**15  # integers of 10 to 15 digits may be phone numbers


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact a whole log event (a structlog processor, the last before the renderer). Never raises."""
    try:
        return {str(key): _value_of(str(key), value, _DEEPEST) for key, value in event.items()}
    except Exception as error:  # noqa: BLE001 - a log call must not fail, and an unredacted line must not appear
        kept = {key: event[key] for key in ("timestamp", "level", "service") if key in event}
        return {"event": "log.redaction_failed", "error": type(error).__name__, **kept}


def redact_text(text: str) -> str:
    """Return `text` with numbers masked, and secrets and quoted message texts starred."""
    if len(text) > _LONGEST_TEXT:
        text = _shortened(text)
    if _SUSPECT.search(text) is None:
        return text
    if "://" in text:
        text = _URL_CREDENTIALS.sub(rf"\1{STARS}@", text)
    text = _WEBHOOK_TOKEN.sub(rf"\1{STARS}", text)
    text = _AUTHORIZATION.sub(rf"\1 {STARS}", text)
    if "=" in text or ":" in text:
        text = _REFUSED_INPUT.sub(rf"\1{STARS}", text)
        text = _SECRET_PAIR.sub(rf"\1{STARS}", text)
        text = _TEXT_PAIR.sub(rf"\1{STARS}", text)
    return _NUMBER.sub(_masked, text)


def _shortened(text: str) -> str:
    """Both ends of a long text, cut at white space so that no number or secret is cut in two."""
    half = _LONGEST_TEXT // 2
    head, tail = text[:half].rsplit(None, 1), text[-half:].split(None, 1)
    return f"{head[0] if len(head) > 1 else ''} ... {tail[1] if len(tail) > 1 else ''}"


def _masked(match: re.Match[str]) -> str:
    if match["kept"] is not None:
        return match[0]
    plus = match["plus"] or ""
    digits = _NOT_DIGIT.sub("", match[0][len(plus) :])
    count = len(digits)
    # as phone.mask: at most country and area code at the start, and at least three digits hidden
    head, tail = (4, min(4, count - 7)) if count >= 10 else (2, 2) if count >= 7 else (0, 2)  # noqa: PLR2004 - lengths of numbers
    return f"{plus}{digits[:head]}{STARS}{digits[count - tail :]}"


@lru_cache(maxsize=1024)
def _is_starred(key: str) -> bool:
    lowered = key.lower()
    return (
        lowered in _TEXT_KEYS
        or lowered.endswith(_TEXT_ENDINGS)
        or _SECRET_KEY.search(lowered.replace("-", "_")) is not None
    )


def _value_of(key: str, value: Any, depth: int) -> Any:
    """The redacted `value` under `key`: only types that every renderer can write come out."""
    if isinstance(value, _PLAIN):
        return value
    return STARS if _is_starred(key) else _redacted(value, depth)


def _redacted(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return redact_text(str(value))
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, int | float):
        return redact_text(str(int(value))) if _LEAST_NUMBER <= abs(value) < _MOST_NUMBER else value
    if isinstance(value, _HARMLESS):
        return redact_text(str(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return _redacted_container(value, depth)


def _redacted_container(value: Any, depth: int) -> Any:
    if not isinstance(value, Mapping | Sequence | AbstractSet) or depth == 0:
        return f"<{type(value).__name__}>"
    items = list(value.items() if isinstance(value, Mapping) else value)
    more = len(items) - _MOST_ITEMS
    if isinstance(value, Mapping):
        found = {redact_text(str(key)): _value_of(str(key), item, depth - 1) for key, item in items[:_MOST_ITEMS]}
        return {**found, "...": f"{more} more"} if more > 0 else found
    listed = [_redacted(item, depth - 1) for item in items[:_MOST_ITEMS]]
    return [*listed, f"{more} more"] if more > 0 else listed
