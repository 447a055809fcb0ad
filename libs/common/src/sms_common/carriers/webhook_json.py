"""Reads the JSON of webhooks, and accepts faults whose meaning is clear. Pure.

A text must not be lost because of one odd character. So a body may begin with a byte order mark, may be in UTF-16 or in
the charset of its header, and may contain half a surrogate pair, which becomes U+FFFD.
"""

import json
from email.message import Message
from typing import Any, NoReturn

import orjson

_HALVES = ("\ud800", "\udfff")


def in_utf8(body: bytes, content_type: str | None) -> bytes:
    """Convert `body` to UTF-8 from the charset in `content_type`, if it is not UTF-8 and is in that charset."""
    if body.isascii() or _decoded(body, "utf-8") is not None:
        return body
    text = _decoded(body, _charset(content_type))
    return body if text is None else text.encode()


def read_json(body: bytes) -> Any:
    """Return the document in `body`. Raises ValueError if it is not JSON, RecursionError if it is nested too deeply."""
    try:
        return orjson.loads(body)  # gives up at 1,024 levels by itself
    except orjson.JSONDecodeError:
        return _without_halves(json.loads(body, parse_constant=_refuse))


def _charset(content_type: str | None) -> str | None:
    header = Message()
    header["Content-Type"] = content_type or ""
    return header.get_content_charset()


def _decoded(body: bytes, charset: str | None) -> str | None:
    try:
        return None if charset is None else body.decode(charset)  # accepts text encodings only, no compression
    except (LookupError, ValueError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _without_halves(value: Any) -> Any:
    match value:
        case str():
            return _whole(value)
        case list():
            return [_without_halves(item) for item in value]
        case dict():
            return {_whole(name): _without_halves(item) for name, item in value.items()}
    return value


def _whole(text: str) -> str:
    first, last = _HALVES
    return "".join("\ufffd" if first <= character <= last else character for character in text)
