"""Reads a delivered AMQP message into a Delivery, however wrong its properties and headers are.

pamqp refuses a whole frame for one text that is not UTF-8, one timestamp beyond the year 9999 (microseconds, say) or
one header of an unknown kind. aiormq then closes the connection, and the broker delivers the message again. So one
message of one careless client would keep every consumer of the process from working. Here such a value is repaired or
left out instead.
"""

import struct
from datetime import datetime
from functools import cache

from aiormq.abc import DeliveredMessage
from pamqp import decode
from pamqp.common import FieldTable

from sms_common.broker.amqp.aiormq_internals import replace_decoders
from sms_common.broker.headers import (
    DEAD_LETTER_HEADERS,
    DEATHS,
    FIRST_DEATH_REASON,
    LAST_DEATH_QUEUE,
    read_retry_headers,
)
from sms_common.broker.messages import Delivery, HeaderValue

_LENGTH = struct.Struct(">I")


def read(message: DeliveredMessage, queue: str) -> Delivery:
    """`message`, which came out of `queue`. Never raises: what cannot be used is left out."""
    properties = message.header.properties
    headers = properties.headers or {}
    kept = {name: value for name, value in headers.items() if isinstance(value, str | int)}
    raw = Delivery(
        queue=queue,
        routing_key=message.routing_key or "",
        body=message.body,
        type=properties.message_type,
        message_id=properties.message_id,
        redelivered=bool(message.redelivered),
        timestamp=properties.timestamp,
        headers=_with_last_death(kept, headers.get(DEATHS)),
        correlation_id=properties.correlation_id,
        content_type=properties.content_type,
    )
    return read_retry_headers(raw, message.exchange or "")


def _with_last_death(headers: dict[str, HeaderValue], deaths: object) -> dict[str, HeaderValue]:
    """`headers`, where the broker's own record of the last dead-lettering replaces what the publisher wrote about it.

    A message that expires or reaches its delivery limit is dead-lettered with all the headers that it came with.
    Whoever may publish a request can let it expire at once, so its headers are not trusted. The broker's record has the
    latest death first.
    """
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(latest, dict):
        return headers
    recorded = {LAST_DEATH_QUEUE: latest.get("queue"), FIRST_DEATH_REASON: latest.get("reason")}
    trusted = {name: value for name, value in headers.items() if name not in DEAD_LETTER_HEADERS}
    return trusted | {name: value for name, value in recorded.items() if isinstance(value, str)}


def _text(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode(errors="replace")


def _timestamp(value: bytes) -> tuple[int, datetime | None]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, None


def _table(value: bytes) -> tuple[int, FieldTable]:
    try:
        return decode.field_table(value)
    except (ValueError, OverflowError, OSError, RecursionError):
        return _LENGTH.unpack(value[:4])[0] + 4, {}


@cache
def install_lenient_decoders() -> None:
    """Let pamqp use the lenient decoders, once for the whole process."""
    replace_decoders({"shortstr": _text, "timestamp": _timestamp, "table": _table})
