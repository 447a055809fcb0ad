"""Removes secrets, message texts and full phone numbers from log lines.

A value is starred when its key says what it is. Everywhere else patterns are searched: in the event, in exception
texts, in nested values. A value whose type is not known to be harmless is written as the name of its type.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
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
_LONGEST_WORD: Final = 40  # results, carriers, queues, ids: a few words that occur again and again

_CREDENTIAL_WORDS: Final = (
    r"pass(?:word|wd|phrase)|secret|token|authorization|credential|cookie|signature"
    r"|(?:api|private)[_-]?key|key[_-]?ring"
)
_SECRET_KEY: Final = re.compile(rf"(?:{_CREDENTIAL_WORDS})(?!.*_(?:url|at|seconds|count|total|type)$)")
# What a person wrote, and what a PBX attaches to it.
_TEXT_KEYS: Final = frozenset(
    {"text", "content", "body", "media", "metadata", "payload", "subject", "message_text", "input", "input_value"}
)
_TEXT_ENDINGS: Final = ("_body", "_content", "_metadata", "_payload")

# Each pattern below is slow when it finds nothing. So it is tried only on text that holds a word it needs.
_SUSPECT: Final = re.compile(r"[\d\s=:@/]")
_SUSPECT_DIGITS: Final = re.compile(r"\d(?:[^\w]{0,4}\d){5}")
_HINTS_OF_AUTHORIZATION: Final = ("basic", "bearer")
_HINTS_OF_SECRETS: Final = ("pass", "secret", "token", "authorization", "credential", "cookie", "signature", "key")
_HINTS_OF_TEXTS: Final = ("text", "content", "body", "media", "payload", "metadata", "subject")
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
# Digits that are no phone number: a UUID, a time, an IPv4 address, a trace id or a hash, a fraction.
_KEPT: Final = "|".join(
    (
        r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])",
        r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)?)?(?!\d)",
        rf"(?<![\d.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\d.])",
        r"(?<!\w)(?=\d*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?!\w)",
        r"(?<!\w)(?=\d*[a-f])(?!\w*\d{10})(?:[0-9a-f]{24}|[0-9a-f]{16})(?!\w)",
        r"(?<![\d.])0\.\d{1,9}(?!\d)",
    )
)
# Numbers, in this order: after a plus; a word of digits and separators; a North American number inside a word; a run of
# digits. A longer run that a letter follows is a carrier's message id, which begins with its time in milliseconds.
_NUMBER: Final = re.compile(
    rf"(?P<kept>{_KEPT})"
    rf"|(?P<plus>\+|%2b|u002b){_BETWEEN}{{0,2}}\d(?:{_BETWEEN}{{0,3}}\d){{5,40}}\d*"
    rf"|(?<![a-z0-9])\d(?:{_BETWEEN}{{0,3}}\d){{6,40}}(?![a-z0-9])"
    rf"|\d{{3}}{_BETWEEN}{{1,3}}\d{{3}}{_BETWEEN}{{1,3}}\d{{4}}"
    r"|(?<!\d)(?:\d{10,12}(?!\d)|\d{7,}(?![a-z\d_]))",
    re.IGNORECASE,
)
_NOT_DIGIT: Final = re.compile(r"\D")

_HARMLESS: Final = (
    *(Enum, date, datetime, time, timedelta, Decimal, UUID, PurePath, URL, IPv4Address, IPv6Address),
    BaseException,
)
_OURS: Final = frozenset(
    {"timestamp", "level", "service"}
)  # written by the logging chain itself, over what a caller passed
_LEAST_NUMBER, _MOST_NUMBER = 10**9, 10**15  # integers of 10 to 15 digits may be phone numbers


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact a whole log event (a structlog processor, the last before the renderer). Never raises."""
    try:
        return _redacted_pairs(event.items(), _DEEPEST, kept=_OURS)
    except Exception as error:  # noqa: BLE001 - a log call must not fail, and an unredacted line must not appear
        kept = {key: event[key] for key in _OURS if key in event}
        return {"event": "log.redaction_failed", "error": type(error).__name__, **kept}


def redact_text(text: str) -> str:
    """Return `text` with numbers masked, and secrets and quoted message texts starred."""
    return _redacted_word(text) if len(text) <= _LONGEST_WORD else _redacted_text(text)


def _redacted_text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        text = _shortened(text)
    if _SUSPECT.search(text) is None:
        return text
    lowered = text.lower()
    if "://" in text:
        text = _URL_CREDENTIALS.sub(rf"\1{STARS}@", text)
    if "/webhooks/" in text:
        text = _WEBHOOK_TOKEN.sub(rf"\1{STARS}", text)
    if _hinted(lowered, _HINTS_OF_AUTHORIZATION):
        text = _AUTHORIZATION.sub(rf"\1 {STARS}", text)
    if "=" in text or ":" in text:
        text = _without_pairs(text, lowered)
    if _SUSPECT_DIGITS.search(text) is not None:
        text = _NUMBER.sub(_masked, text)
    return text


def _hinted(lowered: str, hints: tuple[str, ...]) -> bool:
    return any(hint in lowered for hint in hints)


def _without_pairs(text: str, lowered: str) -> str:
    """`text`, where values after the name of a secret are starred, and quoted values after the name of a text."""
    if "input_value" in text:
        text = _REFUSED_INPUT.sub(rf"\1{STARS}", text)
    if _hinted(lowered, _HINTS_OF_SECRETS):
        text = _SECRET_PAIR.sub(rf"\1{STARS}", text)
    if _hinted(lowered, _HINTS_OF_TEXTS):
        text = _TEXT_PAIR.sub(rf"\1{STARS}", text)
    return text


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
def _redacted_word(word: str) -> str:
    return _redacted_text(word)


@lru_cache(maxsize=1024)
def _read_key(key: str) -> tuple[str, bool]:
    """The key to write, and whether its value is starred."""
    lowered = key.lower().replace("-", "_")
    starred = lowered in _TEXT_KEYS or lowered.endswith(_TEXT_ENDINGS) or _SECRET_KEY.search(lowered) is not None
    return redact_text(key), starred


def _redacted_pairs(
    pairs: Iterable[tuple[Any, Any]], depth: int, *, kept: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The pairs of a mapping, redacted. Whether a secret is set at all stays readable."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in kept:
            found[key] = value
            continue
        name, starred = _read_key(key if isinstance(key, str) else str(key))
        if value is None or isinstance(value, bool):
            found[name] = value
        else:
            found[name] = STARS if starred else _redacted(value, depth)
    return found


def _redacted(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return redact_text(str(value))
    if value is None or isinstance(value, bool):
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
        found = _redacted_pairs(items[:_MOST_ITEMS], depth - 1)
        return {**found, "...": f"{more} more"} if more > 0 else found
    listed = [_redacted(item, depth - 1) for item in items[:_MOST_ITEMS]]
    return [*listed, f"{more} more"] if more > 0 else listed
