"""Which deliveries of a channel have been answered, and how few frames say so. Pure.

One acknowledgement of "all up to here" is one command for a quorum queue. Of single ones RabbitMQ 3.10 passes on 32 and
keeps the others back, and when the channel closes then, it forgets these: their messages are delivered again.
"""

import struct
from collections import OrderedDict

_METHOD_FRAME, _BASIC, _ACK, _NACK = 1, 60, 80, 120
_MULTIPLE, _REQUEUE = 1, 2
_SIZE = 13
_frame = struct.Struct(">BHIHHQBB").pack
_FRAME_END = 0xCE


class AckBatch:
    """The answers of the channel numbered `channel` (AMQP 0-9-1, sections 1.8.3.13 and, of RabbitMQ, basic.nack)."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._open: OrderedDict[int, None] = OrderedDict()
        self._last = 0
        self._gapless = True
        self._acknowledged: list[int] = []
        self._given_back: list[int] = []

    def delivered(self, tag: int) -> None:
        """Note a delivery, in the order in which the broker counts them."""
        # Nobody here works on one that was passed over, and "all up to here" would acknowledge it.
        self._gapless = self._gapless and tag == self._last + 1
        self._last = tag
        self._open[tag] = None

    def answer(self, tag: int, *, acknowledge: bool) -> None:
        """Have a delivery acknowledged, or given back to its queue, with the next frames."""
        self._open.pop(tag, None)
        (self._acknowledged if acknowledge else self._given_back).append(tag)

    def frames(self) -> bytes:
        """What the broker has to be told since the last time."""
        frames = [self._one(_NACK, tag, _REQUEUE) for tag in self._given_back]
        lowest_open = next(iter(self._open), self._last + 1) if self._gapless else 0
        below = [tag for tag in self._acknowledged if tag < lowest_open]
        # After those given back: what has been answered already is not answered again by it.
        if below:
            frames.append(self._one(_ACK, max(below), _MULTIPLE if len(below) > 1 else 0))
        frames += [self._one(_ACK, tag, 0) for tag in self._acknowledged if tag >= lowest_open]
        self._acknowledged, self._given_back = [], []
        return b"".join(frames)

    def _one(self, method: int, tag: int, bits: int) -> bytes:
        return _frame(_METHOD_FRAME, self._channel, _SIZE, _BASIC, method, tag, bits, _FRAME_END)
