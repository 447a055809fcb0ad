"""From a body to what is published: nothing is lost, nothing is made up, and nothing raises."""

import json
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import ParsedWebhook
from sms_common.errors import Code
from sms_common.events import MAX_EVENT_BYTES, decode
from sms_common.messages import (
    CarrierNotice,
)
from sms_common.testing.carriers import FakeCarrier
from sms_ingress.reading import read
from tests.ingress.carrier_says import ENDPOINT, INBOUND, NOW, RECEIPT, Saying

SAMPLES = sorted((Path(__file__).parent.parent / "data" / "webhooks").glob("*.json"))
NO_TIME = replace(INBOUND, occurred_at="yesterday")  # type: ignore[arg-type]  # a parser's mistake


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
