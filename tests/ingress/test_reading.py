"""From a body to what is published: nothing is lost, nothing is made up, and nothing raises."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import ParsedWebhook
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Code
from sms_common.events import MAX_EVENT_BYTES, CarrierInboundEvent, CarrierReceiptEvent, decode
from sms_common.messages import (
    CarrierEvent,
    CarrierNotice,
    DeliveryError,
    DeliveryReceipt,
    ErrorClass,
    InboundMedia,
    InboundMessage,
    MsgType,
    Status,
)
from sms_common.testing.carriers import FakeCarrier
from sms_ingress.reading import read

SAMPLES = sorted((Path(__file__).parent.parent / "data" / "webhooks").glob("*.json"))
NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
THEN = datetime(2026, 11, 24, 12, 59, 58, 123000, tzinfo=UTC)
ENDPOINT = WebhookEndpoint(config_id="c1", tenant_id="t1", carrier="fake", tokens=())

RECEIPT = DeliveryReceipt(
    carrier_message_id="m1",
    carrier_event="message-failed",
    recipient="+14045550121",
    sender="+12025550143",
    status=Status.FAILED,
    occurred_at=THEN,
    reference="t1/x",
    segments=2,
    error=DeliveryError(ErrorClass.POLICY, "opted_out", "4775", "rejected", "Do not send again."),
    description="rejected",
)
INBOUND = InboundMessage(
    carrier_message_id="m2",
    carrier_event="message-received",
    sender="+14045550121",
    did="+12025550143",
    recipients=("+12025550143", "+13125550132"),
    msg_type=MsgType.MMS,
    text="héllo 😀",
    media=(InboundMedia("https://media.example.net/1.jpg", "image/jpeg"),),
    occurred_at=THEN,
    segments=1,
)
NO_TIME = replace(INBOUND, occurred_at="yesterday")  # type: ignore[arg-type]  # a parser's mistake


class Saying(FakeCarrier):
    """A carrier that reads whatever it is told to read."""

    def __init__(self, *events: CarrierEvent, unreadable: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._parsed = ParsedWebhook(events, unreadable)

    def parse(self, body: bytes) -> ParsedWebhook:
        return self._parsed


def test_a_receipt_arrives_whole_at_the_dispatcher():
    (message,) = read(Saying(RECEIPT), b"", ENDPOINT, NOW).messages

    event = decode(message.type, message.body)
    assert isinstance(event, CarrierReceiptEvent)
    assert event.model_dump(by_alias=True, exclude_none=True, exclude={"event_id"}) == {
        "carrier": "fake",
        "config_id": "c1",
        "tenant_id": "t1",
        "carrier_message_id": "m1",
        "carrier_event": "message-failed",
        "reference": "t1/x",
        "recipient": "+14045550121",
        "sender": "+12025550143",
        "status": Status.FAILED,
        "occurred_at": THEN,
        "received_at": NOW,
        "segments": 2,
        "description": "rejected",
        "error": {
            "class": ErrorClass.POLICY,
            "code": "opted_out",
            "carrier_code": "4775",
            "carrier_text": "rejected",
            "advice": "Do not send again.",
        },
    }


def test_an_inbound_message_arrives_whole_at_the_dispatcher():
    (message,) = read(Saying(INBOUND), b"", ENDPOINT, NOW).messages

    event = decode(message.type, message.body)
    assert isinstance(event, CarrierInboundEvent)
    assert event.model_dump(exclude_none=True, exclude={"event_id"}) == {
        "carrier": "fake",
        "config_id": "c1",
        "tenant_id": "t1",
        "carrier_message_id": "m2",
        "carrier_event": "message-received",
        "sender": "+14045550121",
        "did": "+12025550143",
        "recipients": ("+12025550143", "+13125550132"),
        "msg_type": MsgType.MMS,
        "text": "héllo 😀",
        "media": ({"url": "https://media.example.net/1.jpg", "content_type": "image/jpeg", "status": "remote"},),
        "segments": 1,
        "occurred_at": THEN,
        "received_at": NOW,
    }


def event_id(said: CarrierEvent, endpoint: WebhookEndpoint = ENDPOINT, at: datetime = NOW) -> str:
    (message,) = read(Saying(said), b"", endpoint, at).messages
    return message.message_id


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(RECEIPT, carrier_message_id="m9"), id="another-message"),
        pytest.param(replace(RECEIPT, carrier_event="message-sent"), id="another-event"),
        pytest.param(replace(RECEIPT, recipient="+13125550132"), id="another-recipient-of-the-group"),
    ],
)
def test_receipts_that_say_something_else_have_another_id(other):
    assert event_id(other) != event_id(RECEIPT)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(replace(RECEIPT, occurred_at=NOW), id="another-time"),
        pytest.param(replace(RECEIPT, description="other words"), id="other-words"),
    ],
)
def test_a_receipt_that_comes_again_has_the_same_id(again):
    assert event_id(again, at=THEN) == event_id(RECEIPT)


def test_one_message_to_two_of_our_numbers_is_two_events():
    assert event_id(replace(INBOUND, did="+13125550132")) != event_id(INBOUND)


def test_the_same_words_to_another_configuration_are_another_event():
    assert event_id(INBOUND, ENDPOINT.model_copy(update={"config_id": "c2"})) != event_id(INBOUND)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(replace(INBOUND, text="\ud800"), "An event cannot be passed on: ", id="half-a-surrogate-pair"),
        pytest.param(NO_TIME, "An event cannot be passed on: ", id="no-time"),
        pytest.param(replace(INBOUND, text="x" * MAX_EVENT_BYTES), "An event would have ", id="too-large"),
    ],
)
def test_an_event_that_cannot_be_passed_on_is_kept_and_spoils_no_neighbour(said, reason):
    reading = read(Saying(said, RECEIPT), b"as it came", ENDPOINT, NOW)

    assert [message.type for message in reading.events] == ["sms.carrier.receipt.v1"]
    assert reading.kept_for is Code.WEBHOOK_UNREADABLE
    assert reading.dead_letter is not None
    assert reading.dead_letter.body == b"as it came"
    assert str(reading.dead_letter.headers["x-reason"]).startswith(reason)


def test_a_parser_that_fails_loses_nothing_and_quotes_nothing():
    class Failing(FakeCarrier):
        def parse(self, body: bytes) -> ParsedWebhook:
            raise KeyError("+14045550121")

    reading = read(Failing(), b"as it came", ENDPOINT, NOW)

    assert reading.dead_letter is not None
    assert reading.dead_letter.body == b"as it came"
    assert reading.dead_letter.headers["x-reason"] == "The parser failed: KeyError in parse."


def test_notices_beside_what_is_unreadable_are_named_in_the_one_dead_letter():
    notices = [
        CarrierNotice("tfv", known=True),
        CarrierNotice("new-thing", known=False),
        CarrierNotice("tfv", known=True),
    ]

    reading = read(Saying(*notices, unreadable=("Element 3: it is not an object.",)), b"x", ENDPOINT, NOW)

    assert reading.kinds == ["tfv", "unknown", "tfv"]
    (letter,) = reading.messages
    assert letter.headers["x-code"] == "webhook_unreadable"
    assert letter.headers["x-kind"] == "tfv, new-thing"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=12,
)


@st.composite
def bent_samples(draw: st.DrawFn) -> bytes:
    """A sample with one value somewhere replaced by another, or taken away."""
    document = orjson.loads(draw(st.sampled_from(SAMPLES)).read_bytes())
    element = document[0] if isinstance(document, list) else document
    target = draw(st.sampled_from([inner for inner in (element, element.get("message")) if isinstance(inner, dict)]))
    key = draw(st.sampled_from(sorted(target)))
    if draw(st.booleans()):
        del target[key]
    else:
        target[key] = draw(json_values)
    return json.dumps(document).encode()


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()) | bent_samples())
def test_whatever_the_body_something_is_published_and_everything_can_be_read(body):
    reading = read(Bandwidth(), body, ENDPOINT, NOW)

    assert reading.messages
    for message in reading.events:
        decode(message.type, message.body)
    if reading.dead_letter is not None:
        assert reading.dead_letter.body == body
