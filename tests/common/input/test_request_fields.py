"""What PBXs write into requests: digits are text, and times and byte order marks are read as they were meant."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.errors import Code, UnreadableEvent
from sms_common.events import OutboundRequest, decode
from tests.common.input.requests import ASKED, SMALLEST, asked, outcome, refused, written

NUMBER = "+13125550100"
AT = datetime(2026, 1, 1, tzinfo=UTC)


# -- digits are text


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("message_id", 17, "17"),
        ("tenant_id", 17, "17"),
        ("extension", 101, "101"),
        ("extension", 101.0, "101"),
        ("text", 12345, "12345"),
        ("from", 12025550143, "12025550143"),
        ("config_id", 7, "7"),
        ("config_id", " cfg\n", "cfg"),
        ("conversation_id", 77, "77"),
        ("client_ref", 77, "77"),
        ("to", 13125550100, ("13125550100",)),
        ("to", 13125550100.0, ("13125550100",)),
        ("to", [13125550100, "3125550101"], ("13125550100", "3125550101")),
        ("to", [NUMBER, None], (NUMBER, "")),
        ("category", " OTP ", "otp"),
        ("group", " True", True),
        ("group", 1, True),
    ],
)
def test_what_is_made_of_digits_may_be_a_number(field: str, value: object, read: object):
    name = {"from": "sender"}.get(field, field)

    assert getattr(asked(written(**{field: value})), name) == read


@pytest.mark.parametrize("number", ["1.31255e10", "1.31255E+10", "13125550100.5", "1e400", "90071992547409930.0"])
@pytest.mark.parametrize("field", ["to", "from", "text", "extension", "message_id"])
def test_a_number_that_may_have_lost_digits_is_refused(field: str, number: str):
    error = refused(written(**{field: "HERE"}).replace(b'"HERE"', number.encode()))

    assert error.reason.startswith((f"{field} must be text", "to.0 must be text"))


def test_an_exponent_inside_a_text_spoils_no_number():
    assert asked(written(to=13125550100.0, message_id="7d1e0c52", text='say "1e5"')).to == ("13125550100",)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("+13125550100;+13125550101", (NUMBER, "+13125550101")),
        ("+13125550100, (312) 555-0101\n312.555.0102\r\n", (NUMBER, "(312) 555-0101", "312.555.0102")),
        ("+13125550100;", (NUMBER,)),
        ("3125550100,12", ("3125550100,12",)),
        ("3125550100,,12345678", ("3125550100,,12345678",)),
        ("tel:+13125550100;ext=12345678", ("tel:+13125550100;ext=12345678",)),
        ("54321;12345", ("54321;12345",)),
        ("", ("",)),
    ],
)
def test_a_text_with_several_numbers_is_a_list_where_that_is_beyond_doubt(text: str, read: tuple[str, ...]):
    assert asked(written(to=text)).to == asked(written(to=[text])).to == read


# -- byte order marks


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_body_with_a_byte_order_mark_or_of_wide_characters_is_read(encoding: str):
    text = json.dumps({**SMALLEST, "text": "grün 🎉"}, ensure_ascii=False)

    assert asked(text.encode(encoding)) == asked(text.encode())


# -- times


@pytest.mark.parametrize("field", ["send_after", "expires_at"])
@pytest.mark.parametrize(
    "zero",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "0001-01-01T05:21:10+05:21",
        "0001-01-01T00:00:00+14:00",
        "0000-00-00 00:00:00",
        "0000-12-31T19:00:00-05:00",
        "1970-01-01T00:00:00Z",
        "1970-01-01T01:00:00+01:00",
        "-0001-11-30T00:00:00+00:00",
        "1900-01-01T00:00:00Z",
        "1601-01-01T00:00:00Z",
        "1899-12-30T00:00:00",
        0,
        0.0,
        -62135596800,
        "0",
    ],
)
def test_a_programs_zero_time_is_no_time(field: str, zero: object):
    assert asked(written(**{field: zero})) == asked(written())


@pytest.mark.parametrize(
    "value",
    [1767225600, 1767225600.0, 1767225600000, "1767225600", " 2026-01-01T00:00:00Z\n", "2026-01-01T01:00:00+01:00"],
)
def test_a_time_may_be_seconds_or_milliseconds_since_1970(value: object):
    assert asked(written(send_after=value)).send_after == AT


@pytest.mark.parametrize(
    "value", [5, -5, 946684799, 4102444800, 10**20, 10**400, 1e300, True, "5", "tomorrow", "2026-01-01", [1], {"a": 1}]
)
def test_what_can_be_no_time_is_refused_with_a_sentence(value: object):
    error = refused(written(send_after=value))

    assert (error.code, error.field) == (Code.INVALID_REQUEST, "send_after")
    assert error.reason.startswith("send_after must be a time with its zone, such as ")


def test_a_time_of_the_past_stays_one():
    assert asked(written(expires_at="1999-01-01T00:00:00Z")).expires_at == datetime(1999, 1, 1, tzinfo=UTC)
    assert asked(written(expires_at=(AT - timedelta(days=365 * 20)).isoformat())).expires_at is not None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [field.alias or name for name, field in OutboundRequest.model_fields.items()]


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4))
def test_whatever_stands_in_the_fields_it_is_read_or_refused_with_one_sentence(changes: dict[str, Any]):
    got = outcome(json.dumps(SMALLEST | changes).encode())

    if isinstance(got, UnreadableEvent):
        assert got.reason.endswith(".")
        assert got.reason.isprintable()
        assert len(got.reason) < 300
        assert got.partial["text"] or "text" in changes
    else:
        assert decode(ASKED, got.encode()) == got
