"""The bytes of a publish are those that the AMQP library would have made."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiormq import spec
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from sms_common.broker import Outgoing
from sms_common.broker.wire import encode_publish

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THEN = datetime(2026, 11, 24, 13, 0, 1, tzinfo=UTC)
MESSAGE = Outgoing(
    "sms", "sms.carrier.b.c1", b'{"a":1}', "sms.x.v1", "m1", headers={"traceparent": TRACE}, timestamp=THEN
)
CHANNEL = 3


def as_the_library_does(message: Outgoing, largest: int) -> bytes:
    publish = spec.Basic.Publish(exchange=message.exchange, routing_key=message.routing_key, mandatory=True)
    properties = spec.Basic.Properties(
        content_type=message.content_type,
        headers=dict(message.headers),
        delivery_mode=2,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        timestamp=message.timestamp,
        message_type=message.type,
    )
    bodies = [message.body[at : at + largest] for at in range(0, len(message.body), largest)]
    frames: list[Any] = [
        publish,
        ContentHeader(properties=properties, body_size=len(message.body)),
        *map(ContentBody, bodies),
    ]
    return b"".join(frame.marshal(one, CHANNEL) for one in frames)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(MESSAGE, id="usual"),
        pytest.param(replace(MESSAGE, correlation_id="c1"), id="with-correlation"),
        pytest.param(replace(MESSAGE, body=b""), id="no-body"),
        pytest.param(replace(MESSAGE, body=b"x" * 100), id="body-of-one-full-frame"),
        pytest.param(replace(MESSAGE, body=b"x" * 101), id="body-of-two-frames"),
        pytest.param(replace(MESSAGE, exchange="", routing_key="queue"), id="default-exchange"),
        pytest.param(replace(MESSAGE, headers={**MESSAGE.headers, "x-reason": "ü" * 400, "x-n": 70_000}), id="headers"),
        pytest.param(replace(MESSAGE, message_id="m" * 255, content_type="text/plain; charset=utf-8"), id="long"),
    ],
)
def test_a_publish_has_the_bytes_the_library_would_send(message):
    encoded = encode_publish(message, message.message_id, channel=CHANNEL, largest=100)

    assert encoded == as_the_library_does(message, 100)


short = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(short, short, st.binary(max_size=300), st.dictionaries(short, short | st.integers(-(2**62), 2**62), max_size=4))
def test_any_message_has_the_bytes_the_library_would_send(name, correlation_id, body, headers):
    message = replace(
        MESSAGE,
        type=name,
        content_type=name,
        correlation_id=correlation_id,
        body=body,
        headers={**MESSAGE.headers, **headers},
    )

    assert encode_publish(message, "m1", channel=CHANNEL, largest=100) == as_the_library_does(message, 100)


def test_a_message_without_a_trace_begins_one():
    encoded = encode_publish(replace(MESSAGE, headers={}), "m1", channel=CHANNEL, largest=100)

    assert b"\x0btraceparentS" in encoded


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"message_id": "x" * 256}, id="long-id"),
        pytest.param({"type": "x" * 256}, id="long-type"),
        pytest.param({"routing_key": "x" * 256}, id="long-key"),
        pytest.param({"headers": {"x": object()}}, id="header-of-no-kind"),
        pytest.param({"type": "\ud800"}, id="half-a-surrogate-pair"),
    ],
)
def test_what_amqp_cannot_carry_is_an_error_before_anything_is_sent(wrong):
    message = replace(MESSAGE, **wrong)

    with pytest.raises((TypeError, ValueError)):
        encode_publish(message, message.message_id, channel=CHANNEL, largest=100)
