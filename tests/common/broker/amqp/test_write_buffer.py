"""A publish has the bytes that the AMQP library would have made, and keeps its place in the line."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.channel import Returning
from aiormq.exceptions import ChannelInvalidStateError
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from sms_common.broker import Outgoing
from sms_common.broker.amqp.write_buffer import ConfirmChannel, WriteBuffer, encode_publish

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


def test_where_frames_have_no_limit_a_body_is_one_frame():
    assert encode_publish(MESSAGE, "m1", channel=CHANNEL, largest=-8) == as_the_library_does(MESSAGE, 1_000)


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


class FakeChannel:
    """As much of an open channel as writing touches; `queue` holds what waits to be written."""

    number = CHANNEL
    max_content_size = 100

    def __init__(self, room: int = 100) -> None:
        self.is_closed = False
        self.delivery_tag = 0
        self.confirmations: dict[int, asyncio.Future[None]] = {}
        self.message_id_delivery_tag: dict[str, int] = {}
        self.write_queue: asyncio.Queue[ChannelFrame] = asyncio.Queue(room)
        self.closing = self.create_future()
        self._Channel__close_event = asyncio.Event()

    def begin_to_close(self) -> None:
        """As when the frame that closes the channel has been queued."""
        self._Channel__close_event.set()

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


def confirm_channel(channel: FakeChannel, seconds: float = 60) -> ConfirmChannel:
    return ConfirmChannel(channel, WriteBuffer(channel), seconds)  # type: ignore[arg-type]  # as much of it as is used


def publishing(channel: FakeChannel, *ids: str) -> list[asyncio.Task[None]]:
    publisher = confirm_channel(channel)
    return [asyncio.create_task(publisher.publish(MESSAGE, name)) for name in ids]


def encoded(*names: str) -> bytes:
    return b"".join(encode_publish(MESSAGE, name, channel=CHANNEL, largest=100) for name in names)


async def written(channel: FakeChannel, *names: str) -> ChannelFrame:
    """The next piece that leaves, which holds the messages called `names` in this order."""
    piece = await asyncio.wait_for(channel.write_queue.get(), 5)
    assert piece.payload == encoded(*names)
    return piece


async def confirm(channel: FakeChannel, *tasks: asyncio.Task[None]) -> None:
    for confirmed in channel.confirmations.values():
        if not confirmed.done():
            confirmed.set_result(None)
    await asyncio.gather(*tasks)


async def test_a_crowd_leaves_as_one_piece_in_the_order_in_which_it_is_counted():
    channel = FakeChannel()
    names = [f"m{number}" for number in range(10)]
    tasks = publishing(channel, *names)

    await written(channel, *names)
    assert channel.message_id_delivery_tag == {name: number for number, name in enumerate(names, start=1)}

    await confirm(channel, *tasks)
    assert channel.message_id_delivery_tag == {}


async def test_while_the_socket_takes_one_piece_the_next_gathers():
    channel = FakeChannel()
    publisher = confirm_channel(channel)
    tasks = [asyncio.create_task(publisher.publish(MESSAGE, "m1"))]
    first = await written(channel, "m1")
    for name in ("m2", "m3"):
        tasks.append(asyncio.create_task(publisher.publish(MESSAGE, name)))
        await asyncio.sleep(0)
    assert channel.write_queue.empty()

    first.drain()
    await written(channel, "m2", "m3")
    await confirm(channel, *tasks)


async def test_one_given_up_before_it_left_leaves_its_place_to_the_next():
    channel = FakeChannel(room=1)
    channel.write_queue.put_nowait(ChannelFrame(b"", should_close=False))
    first, given_up, third = publishing(channel, "m1", "m2", "m3")
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    channel.write_queue.get_nowait()
    await written(channel, "m1", "m3")

    assert list(channel.confirmations) == [1, 2]
    assert channel.message_id_delivery_tag == {"m1": 1, "m3": 2}
    await confirm(channel, first, third)


async def test_one_given_up_after_it_left_keeps_its_place():
    channel = FakeChannel()
    given_up, second = publishing(channel, "m1", "m2")
    await written(channel, "m1", "m2")
    given_up.cancel()
    await asyncio.wait([given_up])

    assert list(channel.confirmations) == [1, 2]
    assert channel.message_id_delivery_tag == {"m2": 2}
    await confirm(channel, second)


async def test_of_two_with_one_id_the_earlier_does_not_take_the_later_ones_name_away():
    channel = FakeChannel()
    first, second = publishing(channel, "m1", "m1")
    await written(channel, "m1", "m1")
    channel.confirmations[1].set_result(None)
    await first

    assert channel.message_id_delivery_tag == {"m1": 2}
    await confirm(channel, second)


async def test_on_a_closed_channel_nothing_is_counted():
    channel = FakeChannel()
    channel.is_closed = True
    (task,) = publishing(channel, "m1")

    with pytest.raises(ChannelInvalidStateError):
        await task
    assert (channel.delivery_tag, channel.confirmations, channel.write_queue.qsize()) == (0, {}, 0)


async def test_what_is_not_confirmed_in_time_is_given_up_and_what_comes_later_has_its_own_time():
    channel = FakeChannel()
    publisher = confirm_channel(channel, 0.05)
    for name in ("m1", "m2"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(publisher.publish(MESSAGE, name), 5)
    assert channel.message_id_delivery_tag == {}


async def test_one_given_up_may_still_be_returned_or_confirmed():
    channel = FakeChannel()
    given_up, second = publishing(channel, "m1", "m1")
    await written(channel, "m1", "m1")
    returned = channel.confirmations[1]
    given_up.cancel()
    returned.set_result(None)  # as aiormq does for one that is returned, whatever became of its publisher
    await asyncio.wait([given_up])

    assert isinstance(channel.confirmations[1], Returning)
    assert channel.message_id_delivery_tag == {"m1": 2}
    await confirm(channel, second)
    assert channel.message_id_delivery_tag == {}


async def test_the_later_of_two_with_one_id_leaves_the_return_of_the_earlier_its_way():
    channel = FakeChannel()
    first, given_up = publishing(channel, "m1", "m1")
    await written(channel, "m1", "m1")
    given_up.cancel()
    await asyncio.wait([given_up])

    assert "m1" in channel.message_id_delivery_tag
    await confirm(channel, first)
    assert channel.message_id_delivery_tag == {}


async def test_nothing_is_written_behind_the_end_of_the_channel():
    channel = FakeChannel()
    publisher = confirm_channel(channel)
    early = asyncio.create_task(publisher.publish(MESSAGE, "m1"))
    await asyncio.sleep(0)
    channel.begin_to_close()
    with pytest.raises(ChannelInvalidStateError):
        await publisher.publish(MESSAGE, "m2")
    await asyncio.sleep(0)

    assert (channel.delivery_tag, channel.write_queue.qsize()) == (0, 0)
    channel.closing.set_result(None)
    with pytest.raises(ChannelInvalidStateError):
        await asyncio.wait_for(early, 5)


async def test_a_stopped_buffer_writes_nothing_more():
    channel = FakeChannel()
    buffer = WriteBuffer(channel)  # type: ignore[arg-type]  # as much of it as is used
    buffer.put(lambda: b"too late")
    buffer.stop()
    await buffer.flush(5)

    assert (buffer.is_open, channel.write_queue.qsize()) == (False, 0)


@pytest.mark.parametrize(
    ("cause", "raised"),
    [
        pytest.param(None, ChannelInvalidStateError, id="closed"),
        pytest.param(ConnectionResetError("gone"), ConnectionResetError, id="with a cause"),
        pytest.param(ValueError("Unexpected frame"), ChannelInvalidStateError, id="with nonsense"),
    ],
)
async def test_the_end_of_the_channel_ends_what_was_not_confirmed(cause, raised):
    channel = FakeChannel()
    tasks = publishing(channel, "m1", "m2")
    await written(channel, "m1", "m2")
    if cause is None:
        channel.closing.set_result(None)
    else:
        channel.closing.set_exception(cause)

    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(error) for error in ended] == [raised] * 2


async def test_what_a_dead_connection_never_takes_is_waited_for_no_longer():
    channel = FakeChannel(room=1)
    buffer = WriteBuffer(channel)  # type: ignore[arg-type]  # as much of it as is used
    buffer.put(lambda: b"taken")
    buffer.put(lambda: b"too")
    waiting = asyncio.create_task(buffer.flush(60))
    assert (await asyncio.wait_for(channel.write_queue.get(), 5)).payload == b"takentoo"
    assert not waiting.done()

    channel.closing.set_result(None)
    await asyncio.wait_for(waiting, 5)


async def test_what_a_stalled_connection_does_not_take_is_not_waited_for_for_ever():
    buffer = WriteBuffer(FakeChannel())  # type: ignore[arg-type]  # as much of it as is used
    buffer.put(lambda: b"never taken")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(buffer.flush(0.01), 5)


async def test_what_is_put_in_later_is_written_too():
    channel = FakeChannel()
    buffer = WriteBuffer(channel)  # type: ignore[arg-type]  # as much of it as is used
    for payload in (b"one", b"two"):
        buffer.put(partial(bytes, payload))
        piece = await asyncio.wait_for(channel.write_queue.get(), 5)
        assert piece.payload == payload
        piece.drain()
        await buffer.flush(5)
