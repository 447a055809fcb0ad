"""Collects the acknowledgements of a channel and makes as few frames of them as possible. Pure.

A frame that acknowledges all deliveries up to a tag is one command for a quorum queue. Of single acknowledgements
RabbitMQ 3.10 passes 32 on and keeps the others back. When the channel closes then, it forgets those, and their messages
are delivered again.
"""

from collections import OrderedDict

from aiormq import spec
from pamqp import frame


class AckBatch:
    """The acknowledgements of the channel with this number that have not been written yet."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._open: OrderedDict[int, None] = OrderedDict()
        self._last = 0
        self._gapless = True
        self._acknowledged: list[int] = []
        self._returned: list[int] = []

    def delivered(self, tag: int) -> None:
        """Note a delivery, in the order in which the broker counts them."""
        # The broker may count a delivery that never reaches us. "All up to here" would acknowledge it unseen.
        self._gapless = self._gapless and tag == self._last + 1
        self._last = tag
        self._open[tag] = None

    def settle(self, tag: int, *, acknowledge: bool) -> None:
        """Acknowledge a delivery, or return it to its queue, with the next frames."""
        self._open.pop(tag, None)
        (self._acknowledged if acknowledge else self._returned).append(tag)

    def frames(self) -> bytes:
        """The frames for everything that was settled since the last call."""
        methods: list[spec.Basic.Ack | spec.Basic.Nack] = [
            spec.Basic.Nack(tag, multiple=False, requeue=True) for tag in self._returned
        ]
        lowest_open = next(iter(self._open), self._last + 1) if self._gapless else 0
        below = [tag for tag in self._acknowledged if tag < lowest_open]
        # It comes after the returned ones: a tag that has been answered is not included in "all up to here".
        if below:
            methods.append(spec.Basic.Ack(max(below), multiple=len(below) > 1))
        methods += [spec.Basic.Ack(tag, multiple=False) for tag in self._acknowledged if tag >= lowest_open]
        self._acknowledged, self._returned = [], []
        return b"".join(frame.marshal(method, self._channel) for method in methods)
