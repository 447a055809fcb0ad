"""Which of the listed messages look like the one whose answer was lost."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from sms_common.carriers.bandwidth import message_search
from sms_common.carriers.exchange import Answer
from sms_common.carriers.protocol import Window
from sms_common.errors import Misconfigured, SendFailure, TemporaryFailure, Throttled
from sms_common.messages import OutboundMessage

OWN, HANDSET, OTHER = "+12025550143", "+14045550121", "+14045550122"
WINDOW = Window(datetime(2026, 11, 24, 12, 0, tzinfo=UTC), datetime(2026, 11, 24, 12, 5, 30, tzinfo=UTC))
LONG = "x" * 161


def message(text="Hello", recipients=(HANDSET,), media=()):
    return OutboundMessage("acme/m-1", OWN, recipients, text, media)


def item(**changes):
    values = {
        "messageId": "id-1",
        "sourceTn": OWN,
        "destinationTn": HANDSET,
        "messageType": "sms",
        "messageLength": 5,
        "segmentCount": 1,
        "recipientCount": None,
    }
    return {**values, **changes}


def answer(*items, status=200, body=None):
    return Answer(status, {}, body if body is not None else json.dumps({"messages": list(items)}).encode())


@pytest.mark.parametrize(
    ("sought", "listed", "alike"),
    [
        (message(), [item()], True),
        (message(), [item(messageLength=6)], False),
        (message(), [item(segmentCount=2)], False),
        (message(), [item(segmentCount=None)], True),
        (message(), [item(messageType="mms")], False),
        (message(LONG), [item(messageLength=161, segmentCount=2)], True),
        (message(media=("https://x.test/a.png",)), [item(messageType="mms", segmentCount=1)], True),
        (message(media=("https://x.test/a.png",)), [item()], False),
        (message(recipients=(HANDSET, OTHER)), [item(messageType="mms", recipientCount=2)], True),
        (message(recipients=(HANDSET, OTHER)), [item(messageType="mms", recipientCount=3)], False),
        (message(None, media=("https://x.test/a.png",)), [item(messageType="mms", messageLength=0)], True),
        (message(), ["rubbish", {}, item(messageId=None)], False),
        (message(), [], False),
    ],
)
def test_one_is_like_another_by_type_length_segments_and_recipients(sought, listed, alike):
    assert message_search.alike(answer(*listed), sought) == (["id-1"] if alike else [])


def test_a_message_to_several_is_one_however_often_it_is_listed():
    listed = [item(messageId=id_, messageType="mms", recipientCount=2) for id_ in ("id-2", "id-1", "id-2")]

    assert message_search.alike(answer(*listed), message(recipients=(HANDSET, OTHER))) == ["id-1", "id-2"]


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (answer(status=401), Misconfigured),
        (answer(status=403), Misconfigured),
        (answer(status=429), Throttled),
        (answer(status=500), TemporaryFailure),
        (answer(body=b"<html>"), TemporaryFailure),
        (answer(body=b"[]"), TemporaryFailure),
        (answer(body=b'{"messages": 3}'), TemporaryFailure),
    ],
)
def test_an_answer_that_is_no_list_says_nothing(given, failure):
    with pytest.raises(SendFailure) as caught:
        message_search.alike(given, message())

    assert type(caught.value) is failure


def test_the_list_is_asked_for_the_parties_and_the_time_with_milliseconds():
    asked = parse_qs(message_search.query(message(recipients=(HANDSET, OTHER)), WINDOW))

    assert asked == {
        "sourceTn": [OWN],
        "destinationTn": [HANDSET],
        "messageDirection": ["OUTBOUND"],
        "fromDateTime": ["2026-11-24T12:00:00.000Z"],
        "toDateTime": ["2026-11-24T12:05:30.000Z"],
        "limit": ["50"],
    }
