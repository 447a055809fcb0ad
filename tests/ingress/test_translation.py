"""What a carrier says arrives whole at the dispatcher, under an id that a repeat has too."""

from dataclasses import replace
from datetime import datetime

import pytest

from sms_common.configuration import WebhookEndpoint
from sms_common.events import CarrierInboundEvent, CarrierReceiptEvent, decode
from sms_common.messages import (
    CarrierEvent,
    ErrorClass,
    MsgType,
    Status,
)
from sms_ingress.reading import read
from tests.ingress.carrier_says import ENDPOINT, INBOUND, NOW, RECEIPT, THEN, Saying


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
