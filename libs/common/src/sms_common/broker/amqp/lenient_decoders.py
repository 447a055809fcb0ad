"""Decodes what strangers write into properties and headers, however wrong it is.

pamqp refuses a whole frame for one text that is not UTF-8, one timestamp beyond the year 9999 (microseconds, say) or
one header of an unknown kind. aiormq then closes the connection, and the broker delivers the message again. So one
message of one careless client would keep every consumer of the process from working. Here such a value is repaired or
left out instead.
"""

import struct
from datetime import datetime
from functools import cache

from pamqp import decode
from pamqp.common import FieldTable

from sms_common.broker.amqp.aiormq_internals import replace_decoders

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


@cache
def install_lenient_decoders() -> None:
    """Let pamqp use the lenient decoders, once for the whole process."""
    replace_decoders({"shortstr": _text, "timestamp": _timestamp, "table": _table})
