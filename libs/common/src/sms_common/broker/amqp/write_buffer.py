"""Writes to a channel: the bytes of a publish made here, and a crowd of them, or of answers, written as one piece.

aiormq's own way costs more than all the rest of a webhook together (70 of 110 microseconds), most of it in frames made
field by field, and each frame is a system call here and a wake-up in the broker. The layout is that of AMQP 0-9-1,
sections 2.3.5, 4.2 and 4.2.6.
"""

import asyncio
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from aiormq import spec
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel as Wire
from aiormq.channel import Returning
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


class WriteBuffer:
    """What one channel has to say, written in the order in which it was put in, once the event loop comes round.

    While the socket takes one piece the next gathers, so that a stalled connection holds its callers back.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._shut = False
        self._waiting: list[Callable[[], bytes]] = []
        self._writing: asyncio.Task[None] | None = None
        wire.closing.add_done_callback(self._give_up)

    @property
    def is_open(self) -> bool:
        """Whether what is put in still reaches the channel.

        aiormq says `is_closed` some turns of the event loop after it has queued the frame that closes the channel, and
        RabbitMQ ends the whole connection for a frame that comes behind that one (504, channel error).
        """
        closes: asyncio.Event = self._wire._Channel__close_event  # type: ignore[attr-defined]  # noqa: SLF001  # it tells nobody else
        return not (self._shut or self._wire.is_closed or closes.is_set())

    def put(self, frames: Callable[[], bytes]) -> None:
        """Write the frames that `frames` returns when their turn has come; none of them are left out."""
        self._waiting.append(frames)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def written(self, timeout: float) -> None:  # noqa: ASYNC109  # a stalled connection takes nothing
        """Return once all that was put in is on its way, or the channel is closed. Raises TimeoutError when that takes
        longer than `timeout` seconds.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=timeout)
            if not self._writing.done():
                raise TimeoutError

    def shut(self) -> None:
        """Write nothing any more: the channel is about to be closed."""
        self._shut = True

    async def _write(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            if not self.is_open:
                return
            payload = b"".join([frames() for frames in waiting])
            if payload:
                drained = self._wire.create_future()
                await self._wire.write_queue.put(ChannelFrame(payload, should_close=False, drain_future=drained))
                await asyncio.wait({drained})  # it fails when the channel dies, which `closing` says too

    def _give_up(self, _: object) -> None:
        """The queue of a dead connection is read by nobody, and waiting for room in it would never end."""
        self._waiting.clear()
        if self._writing is not None:
            self._writing.cancel()


class _Confirmed(asyncio.Future[Any]):
    """Whether a message was taken. aiormq sets the result of a returned one without looking whether its publisher has
    given up meanwhile, and its reader would not survive the error.
    """

    def set_result(self, result: Any) -> None:
        if not self.done():
            super().set_result(result)


@dataclass(slots=True, eq=False)
class _PendingPublish:
    """A publish under way; its tag is 0 until it has left."""

    payload: bytes
    message_id: str
    confirmed: _Confirmed
    tag: int = 0

    def fail(self, error: BaseException) -> None:
        """Have its publisher raise `error`, unless there is an answer already."""
        if not self.confirmed.done():
            self.confirmed.set_exception(error)


class PublishingWire:
    """One channel in confirm mode, on which nothing else publishes; each publish has `seconds`."""

    def __init__(self, wire: Wire, outbox: WriteBuffer, seconds: float) -> None:
        self._wire = wire
        self._outbox = outbox
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._letters: OrderedDict[_PendingPublish, float] = OrderedDict()
        self._of_id: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        wire.closing.add_done_callback(self._fail_all)

    async def publish(self, message: Outgoing, message_id: str) -> None:
        """Return once the broker has confirmed `message`, or has returned and then confirmed it.

        Raises DeliveryError when the broker refuses it, TimeoutError when it says nothing, whatever ended the channel
        when that happened, and TypeError, ValueError or struct.error for what AMQP cannot carry.
        """
        wire = self._wire
        payload = encode_publish(message, message_id, channel=wire.number, largest=wire.max_content_size)
        if not self._outbox.is_open:
            raise ChannelInvalidStateError("the channel is closed")
        letter = _PendingPublish(payload, message_id, _Confirmed(loop=self._loop))
        self._letters[letter] = due = self._loop.time() + self._seconds
        self._of_id[message_id] += 1
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._give_up_late_ones)
        self._outbox.put(partial(self._counted, letter))
        try:
            await letter.confirmed
        finally:
            self._forget(letter)

    def _counted(self, letter: _PendingPublish) -> bytes:
        """Its bytes, and its place among all of this channel, which both sides count; nothing of one given up."""
        if letter.confirmed.done():
            return b""
        wire = self._wire
        wire.delivery_tag += 1
        letter.tag = wire.delivery_tag
        wire.confirmations[letter.tag] = letter.confirmed
        wire.message_id_delivery_tag[letter.message_id] = letter.tag
        return letter.payload

    def _forget(self, letter: _PendingPublish) -> None:
        del self._letters[letter]
        letter.payload = b""  # it may be a while until the outbox comes to one that was given up
        if letter.tag in self._wire.confirmations:
            self._wire.confirmations[letter.tag] = Returning()  # as aiormq marks those that nobody waits for
        self._of_id[letter.message_id] -= 1
        if not self._of_id[letter.message_id]:
            # Not before: the return of another one with this id would find its way by it.
            del self._of_id[letter.message_id]
            self._wire.message_id_delivery_tag.pop(letter.message_id, None)

    def _give_up_late_ones(self) -> None:
        """One timer for all, since they are due in the order in which they came."""
        self._timer = None
        for letter, due in self._letters.items():
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._give_up_late_ones)
                return
            letter.fail(TimeoutError())

    def _fail_all(self, closing: asyncio.Future[Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        cause = None if closing.cancelled() else closing.exception()
        if cause is None or isinstance(cause, TypeError | ValueError | struct.error):
            # What the broker wrote wrongly is no mistake of those who publish.
            cause = ChannelInvalidStateError("the channel was closed")
        for letter in self._letters:
            letter.fail(cause)


def encode_publish(message: Outgoing, message_id: str, *, channel: int, largest: int) -> bytes:
    """The frames of one publish; `largest` is how many bytes of a body one frame may hold, 0 or less: any number.

    Raises TypeError, ValueError or struct.error for what AMQP cannot carry.
    """
    body = message.body
    largest = largest if largest > 0 else len(body) or 1
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
