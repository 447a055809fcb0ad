"""What PBXs write into requests: empty means not given, digits are text, and what cannot be read is refused in plain
words.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sms_common.errors import Code, UnreadableEvent
from sms_common.events import CancelRequest, Event, OutboundMedia, OutboundRequest, decode
from sms_common.input.media_urls import InvalidMediaUrl, media_url

CASES = Path(__file__).parents[2] / "data" / "cases"
SMALLEST: dict[str, Any] = {
    "message_id": "m1",
    "tenant_id": "acme",
    "extension": "101",
    "to": "+13125550100",
    "text": "hi",
}
ASKED = "sms.outbound.v1"
FROM_A_PBX: tuple[type[Event], ...] = (OutboundRequest, CancelRequest)
NUMBER = "+13125550100"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def case(number: str) -> Any:
    (path,) = CASES.glob(f"{number}-*.json")
    return json.loads(path.read_text())


def written(**changes: Any) -> bytes:
    return json.dumps(SMALLEST | changes).encode()


def asked(body: bytes) -> OutboundRequest:
    event = decode(ASKED, body)
    assert isinstance(event, OutboundRequest)
    return event


def refused(body: bytes) -> UnreadableEvent:
    with pytest.raises(UnreadableEvent) as caught:
        decode(ASKED, body)
    return caught.value


def outcome(body: bytes) -> OutboundRequest | UnreadableEvent:
    try:
        return asked(body)
    except UnreadableEvent as error:
        return error


def optional(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if not field.is_required()]


# -- optional means optional


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=json.dumps)
@pytest.mark.parametrize(
    ("event", "field"), [(event, name) for event in FROM_A_PBX for name in optional(event)], ids=str
)
def test_whatever_is_empty_is_not_given_in_every_optional_field(event: type[Event], field: str, empty: object):
    known = {"from": "+12025550143", **SMALLEST} if event is OutboundRequest else SMALLEST
    without = {name: value for name, value in known.items() if name != field}

    assert decode(event.TYPE, json.dumps({**known, field: empty}).encode()) == decode(
        event.TYPE, json.dumps(without).encode()
    )


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=json.dumps)
@pytest.mark.parametrize("field", optional(OutboundMedia))
def test_whatever_is_empty_is_not_given_in_a_media_file(field: str, empty: object):
    url = "https://a.example/1.png"

    assert asked(written(media=[{"url": url, field: empty}])) == asked(written(media=[url]))


@pytest.mark.parametrize("field", [name for name in optional(OutboundRequest) if name not in OutboundRequest.VERBATIM])
def test_blanks_are_not_given_either_but_where_they_are_passed_on(field: str):
    assert asked(written(**{"from": "+12025550143", field: " \u200b"})) == asked(
        written(**{"from": "+12025550143", field: None})
    )


@pytest.mark.parametrize("body", [*case("05")["input"], case("10")["input"][0]], ids=json.dumps)
def test_the_empty_fields_that_pbxs_were_seen_to_send_are_taken(body: dict[str, Any]):
    assert asked(json.dumps({**body, "message_id": "m1"}).encode()) == asked(written())


@pytest.mark.parametrize("field", ["message_id", "tenant_id", "to"])
def test_what_must_be_given_is_missing_when_it_is_null(field: str):
    error = refused(written(**{field: None}))

    assert (error.code, error.field, error.reason) == (Code.INVALID_REQUEST, field, f"{field} is missing.")


def test_the_extension_may_be_left_out_when_the_sender_is_named():
    assert asked(written(extension=None, **{"from": "+12025550143"})).extension is None
    assert refused(written(extension=None)).field == "extension"


@pytest.mark.parametrize("former", [{"text": ""}, {"conversation_id": "", "client_ref": ""}], ids=json.dumps)
def test_a_request_that_an_empty_text_made_another_one_before_is_known_again(former: dict[str, Any]):
    media = {"text": None, "media": ["https://a.example/1.png"]}
    request = asked(written(**media))
    as_before = request.model_copy(update=former)

    assert as_before.fingerprint() != request.fingerprint()
    assert as_before.fingerprint() in request.former_fingerprints()
    assert asked(written(text="other")).fingerprint() not in request.former_fingerprints()


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


# -- media


@pytest.mark.parametrize(
    ("media", "urls"),
    [
        (["https://media.example.com/IMG 0140.JPG"], ["https://media.example.com/IMG%200140.JPG"]),
        (["https://media.example.com/a.jpg\n"], ["https://media.example.com/a.jpg"]),
        (["HTTPS://media.example.com/a.jpg"], ["https://media.example.com/a.jpg"]),
        ([" \u200bhttps://media.example.com/a.jpg"], ["https://media.example.com/a.jpg"]),
        ("https://media.example.com/a.jpg", ["https://media.example.com/a.jpg"]),
        ({"url": "https://media.example.com/a.jpg"}, ["https://media.example.com/a.jpg"]),
        (["http://media.example.com:8080/a.jpg"], ["http://media.example.com:8080/a.jpg"]),
        (["https://bücher.example/grün.jpg"], ["https://xn--bcher-kva.example/gr%C3%BCn.jpg"]),
        (["https://h.example/a%20b?x=%2B&y=[1]#z"], ["https://h.example/a%20b?x=%2B&y=%5B1%5D#z"]),
        (["https://h.example/100%.png"], ["https://h.example/100%25.png"]),
        (["https://[2001:db8::1]/a.png"], ["https://[2001:db8::1]/a.png"]),
        (
            "https://h.example/1\nHTTPS://h.example/2, http://i/3",
            ["https://h.example/1", "https://h.example/2", "http://i/3"],
        ),
    ],
)
def test_a_media_address_is_read_as_meant(media: object, urls: list[str]):
    assert [file.url for file in asked(written(media=media)).media] == urls


@pytest.mark.parametrize(
    ("media", "code", "sentence"),
    [
        (["https:///a.jpg"], "invalid_media", "media.0.url names no host."),
        (["https://"], "invalid_media", "media.0.url names no host."),
        (["https://?a.jpg"], "invalid_media", "media.0.url names no host."),
        (["https://a..b/c.jpg"], "invalid_media", "media.0.url names a host that cannot exist."),
        (["https://a b/c.jpg"], "invalid_media", "media.0.url names a host that cannot exist."),
        (["https://h.example:99999/"], "invalid_media", "media.0.url names a port or host that cannot exist."),
        (["https://h.example/a\nb.jpg"], "invalid_media", None),
        (["ftp://x"], "invalid_media", "media.0.url must begin with https:// or http://."),
        (["media.example.com/a.jpg"], "invalid_media", "media.0.url must begin with https:// or http://."),
        (["https://a.example/1.png", ""], "invalid_media", "media.1.url is empty."),
        ([None], "invalid_request", "media.0.url is missing."),
        ([{"id": "x"}], "invalid_request", "media.0.url is missing."),
        ([7], "invalid_request", "media.0 must be the address of a file, or an object with a url."),
        (7, "invalid_request", "media must be a list of files."),
    ],
)
def test_a_media_address_that_no_carrier_can_fetch_is_refused_with_its_place(
    media: object, code: str, sentence: str | None
):
    error = refused(written(media=media))

    assert error.code == code
    assert sentence in {None, error.reason}
    assert (error.field or "").startswith("media")


A_JPG = "https://media.example.com/a.jpg"


@pytest.mark.parametrize(
    ("body", "url"),
    list(
        zip(
            case("23")["input"],
            ["https://media.example.com/IMG%200140.JPG", A_JPG, None, A_JPG, A_JPG, A_JPG, A_JPG, None, None],
            strict=True,
        )
    ),
    ids=lambda part: json.dumps(part.get("media")) if isinstance(part, dict) else "",
)
def test_a_media_address_of_the_cases_is_read_or_refused_at_once(body: dict[str, Any], url: str | None):
    event = outcome(json.dumps(body).encode())

    if isinstance(event, UnreadableEvent):
        assert (event.field, url) == ("media.0.url", None)
    else:
        assert [file.url for file in event.media] == [url]


@pytest.mark.parametrize("between", [",", ";", "|", " , ", "\n", "\r\n", " "], ids=repr)
def test_several_media_addresses_in_one_text_are_a_list(between: str):
    urls = [A_JPG, "https://media.example.com/b,c.jpg"]

    assert [file.url for file in asked(written(media=f" {between.join(urls)}\u200b")).media] == urls
    assert [file.url for file in asked(written(media=[f"\n{urls[0]} "])).media] == urls[:1]


@given(st.text(max_size=40))
def test_a_media_address_is_stable_once_it_is_read(end: str):
    try:
        url = media_url(f"https://a.example/{end}")
    except InvalidMediaUrl:
        return
    assert media_url(url) == url
    assert url.isascii()
    assert url.isprintable()


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


# -- plain words


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"text": True}, "text must be text."),
        ({"group": "maybe"}, "group must be true or false."),
        ({"category": "spam"}, "category must be 'conversational', 'transactional', 'marketing' or 'otp'."),
        ({"client_ref": "x" * 257}, "client_ref is too long; 256 characters are allowed."),
        ({"to": []}, "to is empty."),
        ({"to": {"a": 1}}, "to must be a number or a list of numbers."),
        ({"to": -3125550100}, "to.0 must not be a negative number."),
        ({"message_id": "{7d1e}"}, "message_id must be 1 to 64 letters, digits and _ . : - only."),
        ({"tenant_id": "a b"}, "tenant_id must be 1 to 64 letters, digits, _ and - only."),
        ({"metadata": ["a"]}, "metadata must be an object of names and values."),
        ({"metadata": {"a": {}}}, "metadata must be a flat object: names with text, numbers, true, false or null."),
        ({"metadata": {"a": 2**70}}, "metadata holds a whole number of more than 64 bits."),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(changes: dict[str, Any], sentence: str):
    assert refused(written(**changes)).reason == sentence


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
