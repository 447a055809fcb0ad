"""Writes to a channel: the bytes of a publish made here, and a crowd of them, or of answers, written as one piece.

aiormq's own way costs more than all the rest of a webhook together (70 of 110 microseconds), most of it in frames made
field by field, and each frame is a system call here and a wake-up in the broker. The layout is that of AMQP 0-9-1,
sections 2.3.5, 4.2 and 4.2.6.
"""

import asyncio
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel as Wire
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import encode, frame
from pamqp.common import FieldTable

from sms_common.broker.headers import TRACEPARENT, current_trace
from sms_common.broker.messages import Outgoing
from sms_common.events import utc_now

_BASIC = 60
_HEADER_FRAME, _BODY_FRAME = 2, 3
_FRAME_END = b"\xce"
_CONTENT_TYPE, _HEADERS, _DELIVERY_MODE, _CORRELATION_ID = 0x8000, 0x2000, 0x1000, 0x0400
_MESSAGE_ID, _TIMESTAMP, _TYPE = 0x0080, 0x0040, 0x0020
_ALWAYS = _HEADERS | _DELIVERY_MODE | _MESSAGE_ID | _TIMESTAMP
_PERSISTENT = b"\x02"
_frame_head = struct.Struct(">BHI").pack
_content_head = struct.Struct(">HHQH").pack
_seconds = struct.Struct(">Q").pack


class Outbox:
    """What one channel has to say, written in the order in which it was put in, once the event loop comes round.

    While the socket takes one piece the next gathers, so that a stalled connection holds its callers back.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting: list[Callable[[], bytes]] = []
        self._writing: asyncio.Task[None] | None = None
        wire.closing.add_done_callback(self._give_up)

    def put(self, frames: Callable[[], bytes]) -> None:
        """Write the frames that `frames` returns when their turn has come; none of them are left out."""
        self._waiting.append(frames)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def written(self, timeout: float) -> None:  # noqa: ASYNC109  # a stalled connection takes nothing
        """Return once all that was put in is on its way, the channel is closed, or `timeout` seconds have passed."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=timeout)

    async def _write(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            payload = b"".join([frames() for frames in waiting])
            if payload:
                drained = self._wire.create_future()
                await self._wire.write_queue.put(ChannelFrame(payload, should_close=False, drain_future=drained))
                await drained

    def _give_up(self, _: object) -> None:
        """The queue of a dead connection is read by nobody, and waiting for room in it would never end."""
        self._waiting.clear()
        if self._writing is not None:
            self._writing.cancel()


class PublishingWire:
    """One channel in confirm mode, on which nothing else publishes; each publish has `seconds`."""

    def __init__(self, wire: Wire, seconds: float) -> None:
        self._wire = wire
        self._outbox = Outbox(wire)
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._letters: OrderedDict[_Letter, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        wire.closing.add_done_callback(self._fail_all)

    async def publish(self, message: Outgoing, message_id: str) -> None:
        """Return once the broker has confirmed `message`, or has returned and then confirmed it.

        Raises DeliveryError when the broker refuses it, TimeoutError when it says nothing, whatever ended the channel
        when that happened, and TypeError, ValueError or struct.error for what AMQP cannot carry.
        """
        wire = self._wire
        payload = encode_publish(message, message_id, channel=wire.number, largest=wire.max_content_size)
        if wire.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        letter = _Letter(payload, message_id, self._loop.create_future())
        self._letters[letter] = due = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._give_up_late_ones)
        self._outbox.put(partial(self._counted, letter))
        try:
            await letter.confirmed
        finally:
            del self._letters[letter]
            if wire.message_id_delivery_tag.get(message_id) == letter.tag:
                del wire.message_id_delivery_tag[message_id]

    def _counted(self, letter: "_Letter") -> bytes:
        """Its bytes, and its place among all of this channel, which both sides count; nothing of one given up."""
        if letter.confirmed.done():
            return b""
        wire = self._wire
        wire.delivery_tag += 1
        letter.tag = wire.delivery_tag
        wire.confirmations[letter.tag] = letter.confirmed
        wire.message_id_delivery_tag[letter.message_id] = letter.tag
        return letter.payload

    def _give_up_late_ones(self) -> None:
        """One timer for all, since they are due in the order in which they came."""
        self._timer = None
        for letter, due in self._letters.items():
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._give_up_late_ones)
                return
            _fail(letter, TimeoutError())

    def _fail_all(self, closing: asyncio.Future[Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        cause = None if closing.cancelled() else closing.exception()
        for letter in self._letters:
            _fail(letter, cause or ChannelInvalidStateError("the channel was closed"))


def _fail(letter: "_Letter", error: BaseException) -> None:
    if not letter.confirmed.done():
        letter.confirmed.set_exception(error)


@dataclass(slots=True, eq=False)
class _Letter:
    """A publish under way; its tag is 0 until it has left."""

    payload: bytes
    message_id: str
    confirmed: asyncio.Future[Any]
    tag: int = 0


def encode_publish(message: Outgoing, message_id: str, *, channel: int, largest: int) -> bytes:
    """The frames of one publish; `largest` is how many bytes of a body one frame may hold.

    Raises TypeError, ValueError or struct.error for what AMQP cannot carry.
    """
    body = message.body
    header = _content_head(_BASIC, 0, len(body), _flags(message)) + _properties(message, message_id)
    frames = [_method(channel, message.exchange, message.routing_key), _frame(_HEADER_FRAME, channel, header)]
    frames += [_frame(_BODY_FRAME, channel, body[at : at + largest]) for at in range(0, len(body), largest)]
    return b"".join(frames)


def _flags(message: Outgoing) -> int:
    """Which properties follow. An empty one is left out, as libraries do."""
    return (
        _ALWAYS
        | (_CONTENT_TYPE if message.content_type else 0)
        | (_CORRELATION_ID if message.correlation_id else 0)
        | (_TYPE if message.type else 0)
    )


def _properties(message: Outgoing, message_id: str) -> bytes:
    headers: FieldTable = {**message.headers}
    if TRACEPARENT not in headers:
        headers[TRACEPARENT] = current_trace()
    return b"".join(
        (
            _short(message.content_type),
            encode.field_table(headers),
            _PERSISTENT,
            _short(message.correlation_id),
            _short(message_id),
            _seconds(int((message.timestamp or utc_now()).timestamp())),
            _short(message.type),
        )
    )


@lru_cache(maxsize=4096)
def _method(channel: int, exchange: str, routing_key: str) -> bytes:
    return frame.marshal(spec.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True), channel)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _frame_head(kind, channel, len(payload)) + payload + _FRAME_END


def _short(text: str | None) -> bytes:
    if not text:
        return b""
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded
