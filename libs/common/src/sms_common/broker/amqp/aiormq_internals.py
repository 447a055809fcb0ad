"""The only file that uses what aiormq and pamqp keep to themselves. Read it against each new version of either.

Both are pinned to a minor version, and a test fails as soon as another one is installed. What is used, and why:

* `Channel._Channel__close_event`: aiormq sets `is_closed` only some turns of the event loop after it has queued the
  frame that closes the channel. RabbitMQ ends the whole connection for anything written after that frame.
* `Channel.write_queue`, with `create_future`: the queue of bytes for the socket. Many frames are written as one piece,
  which the public methods cannot do (decision 0016).
* `Channel.delivery_tag`, `confirmations` and `message_id_delivery_tag`, with `Returning`: the numbers of publishes and
  who waits for the broker's answer. Our own publish has to keep them as aiormq's own would.
* `Channel.max_content_size`: how much of a body fits into one frame.
* `Channel._on_return_frame` has a bug: it sets the result of a future without looking whether it is done. When the
  publisher has given up meanwhile, the error ends the channel's reader. `Confirmation` ignores such a result.
* `Connection.ready()`: nothing public says whether the broker blocks the connection; this coroutine waits exactly then.
* `Connection._rpc` has a bug: it looks for valid answers before it looks for a close. So a refused virtual host is
  reported as an unexpected frame, without the broker's words. They are read from the variable `frame` in the traceback.
* `pamqp.decode.METHODS`: the table of decoders. One value that cannot be decoded makes pamqp refuse the whole frame.
"""

import asyncio
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from aiormq.abc import AbstractConnection, ChannelFrame
from aiormq.channel import Channel, Returning
from pamqp import commands as spec
from pamqp import decode
from pamqp.common import FieldValue

Decoder = Callable[..., tuple[int, FieldValue]]

# The minor versions that this file was read against.
VERSIONS = {"aiormq": "7.2", "pamqp": "4.0"}


def close_event(channel: Channel) -> asyncio.Event:
    """The event that is set as soon as nothing may be written to `channel` any more."""
    event: asyncio.Event = channel._Channel__close_event  # type: ignore[attr-defined]  # noqa: SLF001  # see above
    return event


async def write(channel: Channel, payload: bytes) -> None:
    """Return once the socket has taken `payload`, which may be many frames, or once the channel has ended."""
    drained = channel.create_future()
    await channel.write_queue.put(ChannelFrame(payload, should_close=False, drain_future=drained))
    await asyncio.wait({drained})  # not awaited itself: it fails when the channel ends, which its users learn anyway


class Confirmation(asyncio.Future[Any]):
    """The broker's answer to one publish, which may come after its publisher has given up."""

    def set_result(self, result: Any) -> None:
        """Set the result, unless there is one already."""
        if not self.done():
            super().set_result(result)


class Confirmations:
    """The publishes on one channel in confirm mode that the broker has not answered."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def add(self, message_id: str, confirmation: Confirmation) -> int:
        """Count a publish that is written next. Returns its delivery tag, which the broker counts too."""
        channel = self._channel
        channel.delivery_tag = tag = channel.delivery_tag + 1
        channel.confirmations[tag] = confirmation
        channel.message_id_delivery_tag[message_id] = tag
        return tag

    def abandon(self, tag: int) -> None:
        """Ignore the broker's answer to a publish, if it still comes: nobody waits for it."""
        if tag in self._channel.confirmations:
            self._channel.confirmations[tag] = Returning()

    def forget(self, message_id: str) -> None:
        """No publish with this id is under way any more. Until then a returned message is found by its id."""
        self._channel.message_id_delivery_tag.pop(message_id, None)


def largest_body_frame(channel: Channel) -> int:
    """How many bytes of a body one frame may hold; 0 or less: any number."""
    return channel.max_content_size


def is_blocked(connection: AbstractConnection) -> bool:
    """Whether the broker has an alarm on and reads nothing from this connection."""
    probe = connection.ready()
    try:
        probe.send(None)
    except StopIteration:
        return False
    probe.close()
    return True


def close_reason(error: BaseException) -> str | None:
    """What the broker said when it closed the connection while it was being opened, or None."""
    frames = (frame.f_locals.get("frame") for frame, _ in traceback.walk_tb(error.__traceback__))
    return next((frame.reply_text for frame in frames if isinstance(frame, spec.Connection.Close)), None)


def replace_decoders(decoders: Mapping[str, Decoder]) -> None:
    """Let pamqp decode values of these kinds with our own functions, in the whole process."""
    decode.METHODS.update(decoders)
