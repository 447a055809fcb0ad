"""Reads what waits in queues for a person, without losing any of it, and says which exchanges and queues exist.

It uses aiormq's public methods and not aio-pika's, see `open_channel`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel as RawChannel
from aiormq.exceptions import ChannelClosed, ChannelNotFoundEntity

from sms_common.backoff import was_cancelled
from sms_common.broker.amqp.connection import BrokerChannel, open_channel
from sms_common.broker.amqp.incoming import read
from sms_common.broker.messages import BrowseLimit, Delivery, QueueCounts, Survey
from sms_common.errors import Code, Unavailable
from sms_common.topology import Topology

_T = TypeVar("_T")
_CHANNELS = 8
_NAMES_PER_CHANNEL = 20


class HeldMessage:
    """A message that was taken out of its queue and is not acknowledged, for as long as somebody looks at it."""

    def __init__(self, channel: BrokerChannel, queue: str, message: DeliveredMessage) -> None:
        assert message.delivery_tag is not None
        self.delivery: Delivery = read(message, queue)
        self._tag = message.delivery_tag
        self._channel = channel
        channel.acks.delivered(self._tag)

    async def remove(self) -> None:
        """Acknowledge the message. See Held.remove."""
        self._channel.settle(self._tag, acknowledge=True)
        await _request(self._channel.flush)  # the broker does not answer an acknowledgement itself


@asynccontextmanager
async def browse(
    connection: AbstractConnection, queue: str, limit: BrowseLimit, timeout: float
) -> AsyncIterator[tuple[HeldMessage, ...]]:
    """Hold the first messages of `queue`. See Broker.browse."""
    channel = await _request(lambda: open_channel(connection, timeout))
    try:
        held: list[HeldMessage] = []
        size = 0
        while limit.allows(len(held), size):
            message = await _request(lambda: channel.raw.basic_get(queue, timeout=timeout))
            if message.delivery_tag is None:
                break
            held.append(HeldMessage(channel, queue, message))
            size += len(held[-1].delivery.body)
        yield tuple(held)
    finally:
        await channel.close()  # which returns everything that was not removed to the queue


async def survey(connection: AbstractConnection, topology: Topology, timeout: float) -> Survey:
    """Which parts of `topology` exist. See Broker.survey.

    It declares passively. The broker closes the channel on which something is asked for that does not exist.
    """
    exchanges = {exchange.name: partial(_exchange_exists, exchange.name, timeout) for exchange in topology.exchanges}
    queues = {queue.name: partial(_count_queue, queue.name, timeout) for queue in topology.queues}
    existing = await _look_up_all(connection, exchanges, timeout)
    counts = await _look_up_all(connection, queues, timeout)
    missing = [name for found in (existing, counts) for name, answer in found.items() if answer is None]
    return Survey(tuple(missing), {name: answer for name, answer in counts.items() if answer is not None})


async def _look_up_all(
    connection: AbstractConnection, lookups: Mapping[str, Callable[[RawChannel], Awaitable[_T]]], timeout: float
) -> dict[str, _T | None]:
    """The answers by name. A few channels share the work: the broker answers the requests of each in turn."""

    async def look_up(names: Sequence[str]) -> dict[str, _T | None]:
        channel = _LookupChannel(connection, timeout)
        try:
            return {name: await channel.look_up(lookups[name]) for name in names}
        finally:
            await channel.close()

    names = list(lookups)
    channels = max(1, min(_CHANNELS, len(names) // _NAMES_PER_CHANNEL))
    answers: dict[str, _T | None] = {}
    parts = (look_up(names[first::channels]) for first in range(channels))
    for result in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        answers |= result
    return {name: answers[name] for name in names}


async def _exchange_exists(name: str, timeout: float, raw: RawChannel) -> bool:
    await raw.exchange_declare(name, passive=True, timeout=timeout)
    return True


async def _count_queue(name: str, timeout: float, raw: RawChannel) -> QueueCounts:
    declared = await raw.queue_declare(name, passive=True, timeout=timeout)
    return QueueCounts(declared.message_count or 0, declared.consumer_count or 0)


class _LookupChannel:
    """Looks things up on one channel, and on a new one after each thing that does not exist."""

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._channel: BrokerChannel | None = None

    async def look_up(self, lookup: Callable[[RawChannel], Awaitable[_T]]) -> _T | None:
        """Return the answer, or None when the thing does not exist. Raises Unavailable."""
        if self._channel is None or not self._channel.is_open:
            self._channel = await _request(lambda: open_channel(self._connection, self._timeout))
        raw = self._channel.raw
        try:
            return await lookup(raw)
        except ChannelNotFoundEntity:
            return None
        except BaseException as error:
            raise _as_unavailable(error) from error

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()


async def _request(request: Callable[[], Awaitable[_T]]) -> _T:
    """Make a request to the broker. Raises Unavailable when it fails for any reason."""
    try:
        return await request()
    except BaseException as error:
        raise _as_unavailable(error) from error


def _as_unavailable(error: BaseException) -> BaseException:
    """What to raise for a request that failed with `error`: Unavailable, unless this task itself was cancelled."""
    if isinstance(error, ChannelClosed):
        return Unavailable(Code.BROKER_UNAVAILABLE, f"The broker refused: {error}.")
    if isinstance(error, asyncio.CancelledError):
        return error if was_cancelled() else Unavailable(Code.BROKER_UNAVAILABLE, "The broker connection went silent.")
    if isinstance(error, Exception):
        return Unavailable(Code.BROKER_UNAVAILABLE, f"The broker connection was lost ({type(error).__name__}).")
    return error
