"""What crosses the broker: stored samples decode for ever, bad bodies get a stable code and the field to mend."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from sms_common.errors import Code, UnreadableEvent
from sms_common.events import (
    EVENT_TYPES,
    MAX_EVENT_BYTES,
    CancelRequest,
    LaneEntry,
    OutboundRequest,
    StatusEvent,
    decode,
    event_id,
    utc_now,
)

SAMPLES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "data" / "events").glob("*.json"))}
SMALLEST = {"message_id": "m1", "tenant_id": "acme", "extension": "101", "to": "+13125550100", "text": "hi"}


def body(**changes: Any) -> bytes:
    return json.dumps(SMALLEST | changes).encode()


def outbound(**changes: Any) -> OutboundRequest:
    event = decode(OutboundRequest.TYPE, body(**changes))
    assert isinstance(event, OutboundRequest)
    return event


def test_every_event_and_version_has_a_stored_sample():
    assert set(SAMPLES) == {event.TYPE for event in EVENT_TYPES}


@pytest.mark.parametrize("event_type", SAMPLES)
def test_a_stored_sample_decodes_and_says_the_same_when_encoded_again(event_type: str):
    stored = json.loads(SAMPLES[event_type].read_text())
    event = decode(event_type, SAMPLES[event_type].read_bytes())
    encoded = json.loads(event.encode())
    assert {name: encoded[name] for name in stored} == stored  # later versions may add fields
    assert decode(event_type, event.encode()) == event


@pytest.mark.parametrize("event_type", SAMPLES)
def test_readers_ignore_fields_they_do_not_know(event_type: str):
    stored = json.loads(SAMPLES[event_type].read_text())
    assert decode(event_type, json.dumps(stored | {"of_next_year": {"deep": [1]}}).encode()) == decode(
        event_type, json.dumps(stored).encode()
    )


# -- the same request again


@pytest.mark.parametrize(
    "again",
    [
        {"metadata": {"b": 1, "a": 1.5}},
        {"group": False, "media": [], "category": "conversational"},
        {"expires_at": "2026-05-04T07:02:01+02:00"},
        {"to": ["+13125550100"]},
        {"of_next_year": True},
    ],
    ids=["order of metadata", "defaults written out", "other time zone", "list of one", "unknown field"],
)
def test_the_same_request_in_other_words_has_the_same_fingerprint(again: dict[str, Any]):
    same = {"metadata": {"a": 1.5, "b": 1}, "expires_at": "2026-05-04T05:02:01Z"}

    assert outbound(**same | again).fingerprint() == outbound(**same).fingerprint()


@pytest.mark.parametrize(
    "other", [{"text": "hi "}, {"metadata": {"a": 1}}, {"group": True}, {"category": "otp"}], ids=str
)
def test_another_request_has_another_fingerprint(other: dict[str, Any]):
    assert outbound(**other).fingerprint() != outbound().fingerprint()


def test_a_version_that_adds_a_field_recognises_what_was_asked_before_it():
    class NextYear(OutboundRequest):
        urgency: str = "normal"

    assert NextYear.model_validate_json(body()).fingerprint() == outbound().fingerprint()


# -- what a PBX may write


def test_the_smallest_request_has_five_fields():
    request = outbound()
    assert (request.to, request.text, request.media, request.group) == (("+13125550100",), "hi", (), False)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"to": ["+1", "+2"]}, "to", ("+1", "+2")),
        ({"extension": 101}, "extension", "101"),
        ({"from": "+12025550123"}, "sender", "+12025550123"),
        ({"media": ["https://x.example/a.jpg"]}, "media", None),
        ({"media": [{"url": "https://x.example/a.jpg", "content_type": "image/jpeg"}]}, "media", None),
        ({"send_after": "2026-05-04T05:02:01+02:00"}, "send_after", None),
        ({"text": None}, "text", None),
        ({"metadata": {"a": None, "b": 1}}, "metadata", {"a": None, "b": 1}),
        ({"message_id": "A-Za-z0-9_.:-"}, "message_id", "A-Za-z0-9_.:-"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_forms_a_pbx_may_use(changes: dict[str, Any], field: str, value: object):
    got = getattr(outbound(**changes), field)
    if value is not None:
        assert got == value


def test_the_same_request_has_the_same_fingerprint_whatever_the_order_of_its_fields():
    reversed_body = json.dumps(dict(reversed(SMALLEST.items()))).encode()
    again = decode(OutboundRequest.TYPE, reversed_body)
    assert isinstance(again, OutboundRequest)
    assert outbound().fingerprint() == again.fingerprint() != outbound(text="ho").fingerprint()


# -- bodies nobody can act on


@pytest.mark.parametrize(
    ("event_type", "bad", "code", "field"),
    [
        ("sms.outbound.v1", b"", Code.NOT_JSON, None),
        ("sms.outbound.v1", b"hello", Code.NOT_JSON, None),
        ("sms.outbound.v1", b'{"message_id": "m1"', Code.NOT_JSON, None),
        ("sms.outbound.v1", b"[" * 100_000, Code.NOT_JSON, None),
        ("sms.outbound.v1", b'{"text": "\\ud800"}', Code.INVALID_REQUEST, "text"),
        ("sms.outbound.v1", b'{"\\ud800": "\\ud800"}', Code.INVALID_REQUEST, None),
        ("sms.outbound.v1", b'["\\ud800"]', Code.INVALID_REQUEST, None),
        ("sms.outbound.v1", b"\xff{}", Code.NOT_UTF8, None),
        ("sms.outbound.v1", b"\xff\xfe{}", Code.NOT_JSON, None),
        ("sms.outbound.v1", '{"text": "gr\u00fcn"}'.encode("latin-1"), Code.NOT_UTF8, None),
        ("sms.outbound.v1", body(text="x" * MAX_EVENT_BYTES), Code.BODY_TOO_LARGE, None),
        ("sms.outbound.v1", b"[]", Code.INVALID_REQUEST, None),
        ("sms.outbound.v1", b"null", Code.INVALID_REQUEST, None),
        ("sms.outbound.v1", b'"text"', Code.INVALID_REQUEST, None),
        ("sms.outbound.v1", b"{}", Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v2", body(), Code.UNKNOWN_TYPE, "type"),
        ("", body(), Code.UNKNOWN_TYPE, "type"),
        ("x" * 1_000, body(), Code.UNKNOWN_TYPE, "type"),
        ("a\nb", body(), Code.UNKNOWN_TYPE, "type"),
        ("sms.outbound.v1", body(message_id=""), Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v1", body(message_id="a b"), Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v1", body(message_id="a\n"), Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v1", body(message_id="x" * 65), Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v1", body(message_id=True), Code.INVALID_REQUEST, "message_id"),
        ("sms.outbound.v1", body(tenant_id="a.b"), Code.INVALID_REQUEST, "tenant_id"),
        ("sms.outbound.v1", body(extension=""), Code.INVALID_REQUEST, "extension"),
        ("sms.outbound.v1", body(extension=True), Code.INVALID_REQUEST, "extension"),
        ("sms.outbound.v1", body(to=[]), Code.INVALID_REQUEST, "to"),
        ("sms.outbound.v1", body(to={"number": "+13125550100"}), Code.INVALID_REQUEST, "to"),
        ("sms.outbound.v1", body(to=["+1", {}]), Code.INVALID_REQUEST, "to.1"),
        ("sms.outbound.v1", body(to=["+1"] * 1_001), Code.INVALID_REQUEST, "to"),
        ("sms.outbound.v1", body(text=True), Code.INVALID_REQUEST, "text"),
        ("sms.outbound.v1", body(media=[{"url": "ftp://x"}]), Code.INVALID_MEDIA, "media.0.url"),
        ("sms.outbound.v1", body(media=["javascript:alert(1)"]), Code.INVALID_MEDIA, "media.0.url"),
        ("sms.outbound.v1", body(media=[{}]), Code.INVALID_REQUEST, "media.0.url"),
        ("sms.outbound.v1", body(group="perhaps"), Code.INVALID_REQUEST, "group"),
        ("sms.outbound.v1", body(category="spam"), Code.INVALID_REQUEST, "category"),
        ("sms.outbound.v1", body(send_after="tomorrow"), Code.INVALID_REQUEST, "send_after"),
        ("sms.outbound.v1", body(expires_at="2026-05-04T03:02:01"), Code.INVALID_REQUEST, "expires_at"),
        ("sms.outbound.v1", body(metadata={"a": {"b": 1}}), Code.INVALID_REQUEST, "metadata"),
        ("sms.outbound.v1", body(metadata={"a": "x" * 5_000}), Code.INVALID_REQUEST, "metadata"),
        ("sms.outbound.v1", body(metadata={str(n): n for n in range(65)}), Code.INVALID_REQUEST, "metadata"),
        ("sms.cancel.v1", b'{"message_id": "m1"}', Code.INVALID_REQUEST, "tenant_id"),
        ("sms.status.v1", b'{"status": "happy"}', Code.INVALID_REQUEST, "event_id"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes | str) else str(value),
)
def test_a_bad_body_gets_a_code_and_the_offending_field(event_type: str, bad: bytes, code: Code, field: str | None):
    with pytest.raises(UnreadableEvent) as caught:
        decode(event_type, bad)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.reason.endswith(".")
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


def test_a_body_that_was_a_json_object_can_still_be_told_about():
    with pytest.raises(UnreadableEvent) as caught:
        decode("sms.outbound.v1", body(to=[], client_ref="order-77"))
    assert caught.value.partial["message_id"] == "m1"
    assert caught.value.partial["client_ref"] == "order-77"
    with pytest.raises(TypeError):
        caught.value.partial["message_id"] = "m2"  # type: ignore[index]


@pytest.mark.parametrize("bad", [b"[]", b"{", b"\xff"], ids=["not an object", "not JSON", "not UTF-8"])
def test_of_anything_else_there_is_nothing_to_tell(bad: bytes):
    with pytest.raises(UnreadableEvent) as caught:
        decode("sms.outbound.v1", bad)
    assert caught.value.partial == {}


def test_however_deep_a_body_is_it_is_no_crash():
    for depth in range(800, 1100):  # where reading ends depends on how deep the interpreter is already
        with pytest.raises(UnreadableEvent):
            decode(
                OutboundRequest.TYPE, b'{"metadata":' + b"[" * depth + b"]" * depth + b"}", accept=(OutboundRequest,)
            )


def test_an_unknown_type_keeps_what_can_be_told():
    with pytest.raises(UnreadableEvent) as caught:
        decode("sms.outbound.v9", body())
    assert caught.value.partial["tenant_id"] == "acme"


def test_a_reader_gets_only_the_types_it_accepts():
    assert isinstance(decode(CancelRequest.TYPE, body(), accept=(OutboundRequest, CancelRequest)), CancelRequest)
    with pytest.raises(UnreadableEvent, match="unknown_type"):
        decode(StatusEvent.TYPE, body(), accept=(OutboundRequest, CancelRequest))


@pytest.mark.parametrize(
    "changes",
    [
        {"to": ["SECRET", {}]},
        {"metadata": {"SECRET": {"SECRET": "SECRET"}}},
        {"metadata": {"SECRET": "SECRET" * 1_000}},
        {"text": ["SECRET"]},
        {"category": "SECRET"},
        {"media": ["SECRET"]},
    ],
    ids=["number", "metadata", "large metadata", "text", "category", "media"],
)
def test_a_reason_never_repeats_what_was_written(changes: dict[str, Any]):
    with pytest.raises(UnreadableEvent) as caught:
        decode("sms.outbound.v1", body(**changes))
    assert "SECRET" not in str(caught.value)


# -- ids and the clock


@pytest.mark.parametrize("number", range(64))
def test_an_event_id_is_the_version_5_uuid_of_its_parts(number):
    namespace = uuid.UUID("7b0b6c1e-52a3-5f0e-9a57-7c2f6a1c4e90")

    assert event_id("ü", number) == str(uuid.uuid5(namespace, f"ü\x1f{number}"))


def test_an_event_id_depends_on_every_part_and_nothing_else():
    assert event_id("a", 1) == event_id("a", "1")
    assert len({event_id(""), event_id("a", "b"), event_id("ab"), event_id("b", "a")}) == 4


def test_absent_values_are_left_out_of_a_body():
    encoded = LaneEntry(tenant_id="acme", message_id="m1", queued_at=utc_now()).encode()
    assert set(json.loads(encoded)) == {"tenant_id", "message_id", "queued_at", "segments"}
    assert b"null" not in outbound().encode()


def test_the_clock_knows_its_zone():
    assert utc_now().utcoffset() is not None
