"""A publish has the bytes that the AMQP library would have made, and keeps its place in the line."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.exceptions import ChannelInvalidStateError
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from sms_common.broker import Outgoing
from sms_common.broker.wire import PublishingWire, encode_publish

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


class Wire:
    """As much of an open channel as publishing touches; `queue` holds what waits to be written."""

    number = CHANNEL
    max_content_size = 100

    def __init__(self, room: int = 100) -> None:
        self.is_closed = False
        self.delivery_tag = 0
        self.confirmations: dict[int, asyncio.Future[None]] = {}
        self.message_id_delivery_tag: dict[str, int] = {}
        self.write_queue: asyncio.Queue[ChannelFrame] = asyncio.Queue(room)

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


def publishing(wire: Wire, *ids: str) -> list[asyncio.Task[None]]:
    publisher = PublishingWire(wire)  # type: ignore[arg-type]  # as much of it as is used
    return [asyncio.create_task(publisher.publish(MESSAGE, name)) for name in ids]


async def written(wire: Wire, name: str) -> ChannelFrame:
    """The next message that leaves, which is the one called `name`."""
    frames = await asyncio.wait_for(wire.write_queue.get(), 5)
    assert encode_publish(MESSAGE, name, channel=CHANNEL, largest=100) == frames.payload
    return frames


async def test_messages_leave_in_the_order_in_which_they_are_counted():
    wire = Wire(room=1)
    names = [f"m{number}" for number in range(10)]
    tasks = publishing(wire, *names)

    for number, name in enumerate(names, start=1):
        await written(wire, name)
        assert wire.message_id_delivery_tag[name] == number

    for confirmed in wire.confirmations.values():
        confirmed.set_result(None)
    await asyncio.gather(*tasks)
    assert wire.message_id_delivery_tag == {}


async def test_one_given_up_before_it_left_leaves_its_place_to_the_next():
    wire = Wire(room=1)
    first, given_up, third = publishing(wire, "m1", "m2", "m3")
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    await written(wire, "m1")
    await written(wire, "m3")

    assert list(wire.confirmations) == [1, 2]
    assert wire.message_id_delivery_tag == {"m1": 1, "m3": 2}
    for confirmed in wire.confirmations.values():
        confirmed.set_result(None)
    await asyncio.gather(first, third)


async def test_one_given_up_after_it_left_keeps_its_place():
    wire = Wire()
    given_up, second = publishing(wire, "m1", "m2")
    await written(wire, "m1")
    await written(wire, "m2")
    given_up.cancel()
    await asyncio.wait([given_up])

    assert list(wire.confirmations) == [1, 2]
    assert wire.message_id_delivery_tag == {"m2": 2}
    wire.confirmations[2].set_result(None)
    await second


async def test_of_two_with_one_id_the_earlier_does_not_take_the_later_ones_name_away():
    wire = Wire()
    first, second = publishing(wire, "m1", "m1")
    await written(wire, "m1")
    await written(wire, "m1")
    wire.confirmations[1].set_result(None)
    await first

    assert wire.message_id_delivery_tag == {"m1": 2}
    wire.confirmations[2].set_result(None)
    await second


async def test_on_a_closed_channel_nothing_is_counted():
    wire = Wire()
    wire.is_closed = True
    (task,) = publishing(wire, "m1")

    with pytest.raises(ChannelInvalidStateError):
        await task
    assert (wire.delivery_tag, wire.confirmations, wire.write_queue.qsize()) == (0, {}, 0)


async def test_every_sixteenth_waits_until_the_socket_has_taken_it():
    wire = Wire()
    tasks = publishing(wire, *(f"m{number}" for number in range(17)))
    frames = [await asyncio.wait_for(wire.write_queue.get(), 5) for _ in range(16)]

    assert [frame.should_drain for frame in frames] == [False] * 15 + [True]
    assert wire.write_queue.empty()
    frames[-1].drain()
    await asyncio.wait_for(wire.write_queue.get(), 5)
    for confirmed in wire.confirmations.values():
        confirmed.set_result(None)
    await asyncio.gather(*tasks)
