"""What strangers write into properties and headers is repaired or left out, and the rest of the frame is read."""

import struct

import pytest
from pamqp import decode, encode

from sms_common.broker.amqp.incoming import install_lenient_decoders


@pytest.fixture(autouse=True)
def _installed():
    install_lenient_decoders()


def decoded(kind: str, value: bytes) -> object:
    return decode.by_type(value, kind)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"\x03abc", "abc"), (b"\x00", ""), (b"\x03a\xffb", "a\ufffdb"), (b"\x02\xc3\xa9rest", "\u00e9")],
)
def test_a_text_that_is_not_utf8_is_read_as_far_as_it_can_be(value, text):
    assert decoded("shortstr", value) == (value[0] + 1, text)


def test_a_time_beyond_all_calendars_is_none():
    assert decoded("timestamp", struct.pack(">Q", 2**63)) == (8, None)
    assert decoded("timestamp", struct.pack(">Q", 1_767_225_600)) == decode.timestamp(struct.pack(">Q", 1_767_225_600))


def test_a_table_with_a_value_of_an_unknown_kind_is_left_out_whole_and_passed_over():
    content = b"\x01a" + b"?" + b"junk"
    table = struct.pack(">I", len(content)) + content

    assert decoded("table", table + b"the next property") == (len(table), {})


def test_what_is_right_is_read_as_ever():
    table = encode.field_table({"x-code": "expired", "count": 3})

    assert decoded("table", table) == decode.field_table(table)
    assert decoded("shortstr", b"\x03abc") == decode.short_str(b"\x03abc")
