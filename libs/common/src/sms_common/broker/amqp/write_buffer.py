"""Writes to a channel: encodes each publish here, and writes many publishes or acknowledgements as one piece.

aiormq's own way costs more than all the rest of a webhook together (70 of 110 microseconds). Most of it is spent on
frames made field by field, and each frame is a system call here and a wake-up in the broker. The layout is that of AMQP
0-9-1, sections 2.3.5, 4.2 and 4.2.6.
"""

import asyncio
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from aiormq import spec
from aiormq.channel import Channel as RawChannel
from aiormq.exceptions import ChannelInvalidStateError
from pamqp import encode, frame
from pamqp.common import FieldTable

from sms_common.broker.amqp import aiormq_internals
from sms_common.broker.amqp.aiormq_internals import Confirmation, Confirmations
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
    """What waits to be written to one channel. It is written in order, at the next turn of the event loop.

    While the socket takes one piece, the next one is gathered. So a stalled connection slows its callers down.
    """

    def __init__(self, raw: RawChannel) -> None:
        self._raw = raw
        self._closing = aiormq_internals.close_event(raw)
        self._stopped = False
        self._waiting: list[Callable[[], bytes]] = []
        self._writing: asyncio.Task[None] | None = None
        raw.closing.add_done_callback(self._discard)

    @property
    def is_open(self) -> bool:
        """Whether what is put in still reaches the channel."""
        return not (self._stopped or self._raw.is_closed or self._closing.is_set())

    def put(self, frames: Callable[[], bytes]) -> None:
        """Write the frames that `frames` returns. It is called just before they are written and may return none."""
        self._waiting.append(frames)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def flush(self, timeout: float) -> None:
        """Return when everything has been written, or the channel is closed. Raises TimeoutError after `timeout`
        seconds: a stalled connection takes nothing.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=timeout)
            if not self._writing.done():
                raise TimeoutError

    def stop(self) -> None:
        """Write nothing more: the channel is about to be closed."""
        self._stopped = True

    async def _write(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            if not self.is_open:
                return
            payload = b"".join([frames() for frames in waiting])
            if payload:
                await aiormq_internals.write(self._raw, payload)

    def _discard(self, _: object) -> None:
        """The channel is closed. Nobody reads the queue of a dead connection, so waiting for it would never end."""
        self._waiting.clear()
        if self._writing is not None:
            self._writing.cancel()


@dataclass(slots=True, eq=False)
class _PendingPublish:
    """A publish that the broker has not confirmed. `tag` is 0 until it is written."""

    payload: bytes
    message_id: str
    confirmation: Confirmation
    tag: int = 0

    def fail(self, error: BaseException) -> None:
        """Make its publisher raise `error`, unless there is an answer already."""
        if not self.confirmation.done():
            self.confirmation.set_exception(error)


class ConfirmChannel:
    """A channel in confirm mode. Nothing else may publish on it. Each publish has `seconds`."""

    def __init__(self, raw: RawChannel, buffer: WriteBuffer, seconds: float) -> None:
        self._raw = raw
        self._buffer = buffer
        self._seconds = seconds
        self._largest = aiormq_internals.largest_body_frame(raw)
        self._confirmations = Confirmations(raw)
        self._loop = asyncio.get_running_loop()
        self._pending: OrderedDict[_PendingPublish, float] = OrderedDict()
        self._count_by_id: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        raw.closing.add_done_callback(self._fail_all)

    async def publish(self, message: Outgoing, message_id: str) -> None:
        """Return when the broker has confirmed `message`, also when it has returned it before.

        Raises DeliveryError when the broker refuses it, TimeoutError when there is no answer, the reason why the
        channel ended, and TypeError, ValueError or struct.error for a message that AMQP cannot carry.
        """
        payload = encode_publish(message, message_id, channel=self._raw.number, largest=self._largest)
        if not self._buffer.is_open:
            raise ChannelInvalidStateError("the channel is closed")
        pending = _PendingPublish(payload, message_id, Confirmation(loop=self._loop))
        self._pending[pending] = due = self._loop.time() + self._seconds
        self._count_by_id[message_id] += 1
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._fail_late)
        self._buffer.put(partial(self._frames_of, pending))
        try:
            await pending.confirmation
        finally:
            self._remove(pending)

    def _frames_of(self, pending: _PendingPublish) -> bytes:
        """The frames to write now, with the next delivery tag; none for a publish that was given up meanwhile."""
        if pending.confirmation.done():
            return b""
        pending.tag = self._confirmations.add(pending.message_id, pending.confirmation)
        return pending.payload

    def _remove(self, pending: _PendingPublish) -> None:
        del self._pending[pending]
        pending.payload = b""  # the buffer may hold a publish that was given up for a while
        self._confirmations.abandon(pending.tag)
        self._count_by_id[pending.message_id] -= 1
        if not self._count_by_id[pending.message_id]:  # only then: a return finds another one with this id by it
            del self._count_by_id[pending.message_id]
            self._confirmations.forget(pending.message_id)

    def _fail_late(self) -> None:
        """Fail the publishes whose time is over. One timer is enough: they are due in the order in which they came."""
        self._timer = None
        for pending, due in self._pending.items():
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._fail_late)
                return
            pending.fail(TimeoutError())

    def _fail_all(self, closing: asyncio.Future[Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        cause = None if closing.cancelled() else closing.exception()
        if cause is None or isinstance(cause, TypeError | ValueError | struct.error):
            # The broker sent something unreadable. That is no mistake of those who publish.
            cause = ChannelInvalidStateError("the channel was closed")
        for pending in self._pending:
            pending.fail(cause)


def encode_publish(message: Outgoing, message_id: str, *, channel: int, largest: int) -> bytes:
    """The frames of one publish; `largest` is how many bytes of the body one frame may hold; 0 or less: any number.

    Raises TypeError, ValueError or struct.error for what AMQP cannot carry.
    """
    body = message.body
    largest = largest if largest > 0 else len(body) or 1
    header = _content_head(_BASIC, 0, len(body), _flags(message)) + _properties(message, message_id)
    frames = [_method(channel, message.exchange, message.routing_key), _frame(_HEADER_FRAME, channel, header)]
    frames += [_frame(_BODY_FRAME, channel, body[at : at + largest]) for at in range(0, len(body), largest)]
    return b"".join(frames)


def _flags(message: Outgoing) -> int:
    """The flags of the properties that follow. Empty ones are left out, as in other libraries."""
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
