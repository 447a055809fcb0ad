"""No secret, text or whole phone number reaches a log line; what is harmless stays readable."""

import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError
from yarl import URL

from sms_common import phone
from sms_common.telemetry import redact, redact_text

NUMBER = "14045550121"
SECRET = "Zq-canary_7f"


def redacted(**event):
    return redact(None, "info", event)


# redaction


@pytest.mark.parametrize(
    "key",
    [
        *("password", "PASSWORD", "callback_password", "passwd", "passphrase", "secret", "api_secret", "client_secret"),
        *("token", "access_token", "api_token", "authorization", "Authorization", "X-Api-Key", "api_key", "apikey"),
        *("credentials", "credential", "cookie", "Set-Cookie", "key_ring", "private_key", "signature"),
        *("text", "content", "body", "media", "metadata", "request_body", "Text", "payload"),
    ],
)
def test_value_is_starred_by_its_key(key):
    for value in ("a b", 12, ["x"], {"x": "y"}, SecretStr("x"), b"x"):
        assert redacted(**{key: value}) == {key: "***"}
        assert redacted(outer={key: value}) == {"outer": {key: "***"}}
        assert redacted(outer=[{key: value}]) == {"outer": [{key: "***"}]}


@pytest.mark.parametrize(
    "event",
    [
        {"password_set": True, "token": None, "status": 202},
        {"token_expiry_seconds": 3540, "secret_changed_at": "2026-11-24T14:31:28Z", "token_url": "https://a.example/t"},
        {"message_id": "550e8400-e29b-41d4-a716-446655440000", "attempt": 3, "seconds": 0.25, "queue": "sms.outbound"},
        {"provider_msg_id": "1589228074636lm4k2je7j7jklbn2", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        {"at": "2026-11-24T14:31:28.123456Z", "local": "2026-11-24 14:31:28+01:00", "day": "2026-11-24"},
        {"peer": "10.0.0.12:5672", "path": "/api/v1/messages", "version": "3.10.8", "took": "0.123456789 s"},
        {"reason": "basic authentication failed", "context": "context='kept'", "sender": "72345", "bytes": 123456789},
        {"masked": "+1404***0121"},
    ],
    ids=lambda event: next(iter(event)),
)
def test_what_is_harmless_stays_readable(event):
    assert redact(None, "info", dict(event)) == event


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("+14045550121", "+1404***0121"),
        ("14045550121", "1404***0121"),
        ("call +1 (404) 555-0121 now", "call +1404***0121 now"),
        ("(404) 555-0121", "(4045***121"),
        ("555-0121", "55***21"),
        ("+49 30 123456", "+4930***456"),
        ("sms.inbound.t1.14045550121", "sms.inbound.t1.1404***0121"),
        ("tel:4045550121", "tel:4045***121"),
        ("?to=%2B14045550121&x=1", "?to=%2B1404***0121&x=1"),
        (r"\u002b14045550121", r"\u002b1404***0121"),
        (r"first\n14045550121\n", r"first\n1404***0121\n"),
        ("call14045550121now", "call1404***0121now"),
        ("m_14045550121_1", "m_1404***0121_1"),
        ("amqp://user:p@ss@rabbit:5672/vh", "amqp://***@rabbit:5672/vh"),
        ("mongodb://u:p%40@a:1,b:2/db?replicaSet=rs", "mongodb://***@a:1,b:2/db?replicaSet=rs"),
        ("POST /webhooks/bandwidth/aB3_-x 200", "POST /webhooks/bandwidth/*** 200"),
        ("https://s.example/webhooks/bandwidth/tok?x=1", "https://s.example/webhooks/bandwidth/***?x=1"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("authorization: bearer abc.def-1", "authorization: *** ***"),
        ("https://h/t?access_token=abc&x=1", "https://h/t?access_token=***&x=1"),
        ("{'password': 'hun\\'ter2', 'user': 'bob'}", "{'password': ***, 'user': 'bob'}"),
        ('{"api_secret":"a\\"bc","a":1}', '{"api_secret":***,"a":1}'),
        ('"{\\"token\\": \\"abc\\"}"', '"{\\"token\\": ***}"'),
        ("token=b'abc' x", "token=*** x"),
        ("Message(text='hello there', n=1)", "Message(text=***, n=1)"),
        ("{'media': ['https://x/y'], 'n': 1}", "{'media': ***, 'n': 1}"),
        ("metadata={'a': 'b'} n=1", "metadata=*** n=1"),
    ],
)
def test_text_is_redacted_by_pattern(text, safe):
    assert redact_text(text) == safe


@pytest.mark.parametrize(
    "number", ["+14045550121", "14045550121", "4045550121", "+447911123456", "123456789", "5550121"]
)
def test_numbers_are_masked_as_everywhere_else(number):
    assert redact_text(number) == phone.mask(number)


def test_numbers_are_masked_under_any_key_in_keys_and_as_integers():
    event = redacted(
        **{"+" + NUMBER: 1}, to=int(NUMBER), when=1.4045550121e10, nested={"+" + NUMBER: {NUMBER, (int(NUMBER),)}}
    )
    assert NUMBER not in json.dumps(event)
    assert event["to"] == "1404***0121"


class Colour(Enum):
    RED = "red"


@dataclass
class Message:
    words: str


class Request(BaseModel):
    words: str


class Broken:
    def __str__(self):
        raise RuntimeError(SECRET)

    __repr__ = object.__repr__


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(Message(SECRET), "<Message>", id="dataclass"),
        pytest.param(Request(words=SECRET), "<Request>", id="model"),
        pytest.param(SecretStr(SECRET), "<SecretStr>", id="secret"),
        pytest.param(Broken(), "<Broken>", id="object that cannot be printed"),
        pytest.param(SECRET.encode(), "<12 bytes>", id="bytes"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(UUID(int=1), str(UUID(int=1)), id="UUID"),
        pytest.param(datetime(2026, 11, 24, tzinfo=UTC), "2026-11-24 00:00:00+00:00", id="time"),
        pytest.param(URL(f"amqp://u:{SECRET}@h/"), "amqp://***@h/", id="URL"),
        pytest.param(ValueError(f"+{NUMBER}"), "+1404***0121", id="exception"),
        pytest.param({1}, [1], id="set"),
        pytest.param([[[[[[[SECRET]]]]]]], [[[[[["<list>"]]]]]], id="too deep"),
    ],
)
def test_only_harmless_types_show_their_value(value, written):
    assert redacted(value=value) == {"value": written}


def test_what_refers_to_itself_ends():
    loop: dict[str, object] = {}
    loop["loop"] = loop
    assert SECRET not in json.dumps(redacted(value=loop))


def test_long_values_are_cut():
    event = redacted(value=list(range(1000)), mapping={str(n): n for n in range(1000)}, word="word " * 100_000)
    assert event["value"][-1] == "950 more"
    assert event["mapping"]["..."] == "950 more"
    assert len(event["word"]) < 20_000
    assert redact_text("x" * 100_000) == " ... "


def test_the_ends_of_a_long_text_are_kept_and_redacted():
    text = redact_text(f"begins +{NUMBER} " + "filling " * 10_000 + f"ends +{NUMBER}")
    assert text.startswith("begins +1404***0121 filling")
    assert text.endswith("filling ends +1404***0121")


def test_refused_input_of_a_validation_error_is_starred():
    with pytest.raises(ValidationError) as caught:
        Request(words=["my private words"])
    assert "private" not in redact_text(str(caught.value))
    assert "Input should be a valid string" in redact_text(str(caught.value))


def test_redaction_that_fails_leaves_a_line_without_the_values():
    class Bad(dict[str, int]):
        def items(self):
            raise RuntimeError(SECRET)

    event = redact(None, "info", {"event": "x", "timestamp": "t", "level": "info", "service": "s", "value": Bad(a=1)})
    assert event == {
        "event": "log.redaction_failed",
        "error": "RuntimeError",
        "timestamp": "t",
        "level": "info",
        "service": "s",
    }


# Digits right beside a number make another number of them.
AROUND = st.text(max_size=12).map(lambda text: re.sub(r"\d", "", text)) | st.sampled_from(
    ["", " ", "to=", "+", "(", '"', "'", ":", "\\n", "sms.inbound.", "x", "/"]
)
WRITTEN_NUMBER = st.sampled_from(
    [
        "+14045550121",
        "14045550121",
        "+1 404 555 0121",
        "+1-404-555-0121",
        "(404) 555-0121",
        "404.555.0121",
        "4045550121",
    ]
)


@settings(max_examples=500)
@given(AROUND, WRITTEN_NUMBER, AROUND)
def test_number_never_survives_whatever_is_around_it(before, number, after):
    out = redact_text(before + number + after)
    assert "4045550121" not in re.sub(r"[ ().\-]", "", out)


SECRETS = st.text(st.sampled_from("abcXYZ0189_-.~"), min_size=8, max_size=30).map(lambda text: "S3" + text)
PLACES = st.sampled_from(
    [
        "amqp://user:{}@rabbit:5672/",
        "mongodb://{}@db/",
        "https://h/webhooks/bandwidth/{}",
        "POST /webhooks/bandwidth/{} HTTP/1.1",
        "Bearer {}",
        "Authorization: Basic {}",
        "password={}",
        "{{'api_secret': '{}'}}",
        '{{"token": "{}"}}',
        '{{\\"access_token\\": \\"{}\\"}}',
        "Message(text='{}')",
        'body: "{}"',
        "1 validation error\n [type=x, input_value='{}', input_type=str]",
    ]
)


@settings(max_examples=500)
@given(st.text(max_size=20).map(lambda text: re.sub(r"['\"\\]", "", text) + " "), PLACES, SECRETS)
def test_secret_never_survives_where_secrets_are_found(before, place, secret):
    assert secret not in redact_text(before + place.format(secret))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.just(Broken())
    | st.just("+" + NUMBER),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.just(NUMBER), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


# The chain itself writes these, over whatever a caller passed, and they are left as they are.
THE_CHAINS_OWN = {"timestamp", "level", "service"}
KEYS = st.text().filter(lambda key: key not in THE_CHAINS_OWN) | st.sampled_from(["event", "text", "token"])


@settings(max_examples=300)
@given(st.dictionaries(KEYS, ANYTHING, max_size=5))
def test_redaction_never_raises_and_never_shows_the_number(event):
    out = redact(None, "info", event)
    assert NUMBER not in repr(out)
    json.dumps(out)


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 8000,
        "://" * 5000,
        "token='" * 2000,
        "a" * 16_000,
        "input_value=" * 1300,
        '\\"' * 8000,
        "0." * 8000,
        "-1" * 8000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_is_redacted_quickly(text):
    started = time.process_time()
    redact_text(text)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "key",
    [
        *("text", "content", "body", "media", "metadata", "payload", "subject", "message_text", "input", "input_value"),
        *("webhook_body", "mime_content", "call_metadata", "event_payload", "Message-Text"),
        *("password", "passwd", "passphrase", "secret", "token", "authorization", "credential", "cookie", "signature"),
        *("api_key", "apikey", "private-key", "key_ring", "set_cookie", "x_signature", "credentials"),
    ],
)
def test_what_a_key_names_as_a_secret_or_a_text_is_starred(key):
    assert redact(None, "info", {key: "Canary words"}) == {key: "***"}


@pytest.mark.parametrize(
    "line",
    [
        *(f"{name}: Canary" for name in ("Password", "SECRET", "api_key", "Cookie", "signature", "credential")),
        *(f"{name}='Canary\nwords'" for name in ("Text", "CONTENT", "payload", "subject", "metadata", "media")),
        *(f'{name}="Canary\nwords"' for name in ("token", "Authorization")),
    ],
)
def test_pairs_in_a_sentence_are_starred_in_any_case_and_over_lines(line):
    assert "Canary" not in redact_text(f"it said {line} and more than forty characters of it")


@pytest.mark.parametrize(
    "harmless",
    [
        *("10.0.200.255", "192.168.1.249", "255.255.255.0"),
        "d131dd02c5e6eec4693d9a0698aff95c2fcab587",
        "5d41402abc4b2a76b9719d911017c592",
        "a3f1c2d4e5f60718",
        "507f1f77bcf86cd799439011",
        "0.123456789",
    ],
)
def test_what_is_made_of_digits_and_no_number_stays(harmless):
    assert redact_text(f"at {harmless} it was") == f"at {harmless} it was"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+12025550143", "+1202***0143"),
        ("2025550143", "2025***143"),
        ("+4930123456", "+4930***456"),
        ("5550143", "55***43"),
        ("555014387", "55***87"),
    ],
)
def test_a_number_shows_its_ends_and_hides_three_digits_at_least(number, shown):
    assert redact_text(f"call {number} now") == f"call {shown} now"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**9 - 1, 10**9 - 1),
        (10**9, "1000***000"),
        (10**15 - 1, "9999***9999"),
        (10**15, 10**15),
        (-(10**10), "-1000***0000"),
        (None, None),
        (True, True),
    ],
)
def test_an_integer_as_long_as_a_number_is_masked(value, shown):
    assert redact(None, "info", {"count_of": [value]}) == {"count_of": [shown]}


def test_a_long_list_and_a_deep_tree_are_cut():
    deep: object = "leaf"
    for _ in range(10):
        deep = [deep]
    found = redact(None, "info", {"fifty": list(range(50)), "more": list(range(51)), "deep": deep})

    assert found["fifty"] == list(range(50))
    assert found["more"] == [*range(50), "1 more"]
    assert str(found["deep"]) == "[[[[[['<list>']]]]]]"
    many = redact(None, "info", {"many": {str(n): n for n in range(51)}, "few": {str(n): n for n in range(50)}})
    assert (len(many["many"]), many["many"]["..."], len(many["few"])) == (51, "1 more", 50)


@pytest.mark.parametrize(("length", "cut"), [(16_384, False), (16_385, True)])
def test_a_very_long_text_is_shortened_in_the_middle(length, cut):
    words = ("word " * 4_000)[:length]

    assert (" ... " in redact_text(words)) is cut
