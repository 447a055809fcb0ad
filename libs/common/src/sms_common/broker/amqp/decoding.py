"""Makes the AMQP decoder survive what strangers write into properties and headers.

pamqp refuses a whole frame for one text that is not UTF-8, one timestamp beyond the year 9999 (microseconds, say) or
one header of an unknown kind. aiormq then closes the connection, the broker delivers the message again, and so on:
one message of one careless client would keep every consumer of the process from working. Here such a value is mended
or left out instead.
"""

import struct
from collections.abc import Callable
from datetime import datetime

from pamqp import decode
from pamqp.common import FieldTable, FieldValue

_LENGTH = struct.Struct(">I")


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


def install_lenient_decoders() -> None:
    """Put the forgiving decoders into pamqp's public table of decoders. Doing so twice changes nothing."""
    forgiving: dict[str, Callable[..., tuple[int, FieldValue]]] = {
        "shortstr": _text,
        "timestamp": _timestamp,
        "table": _table,
    }
    decode.METHODS.update(forgiving)
