"""Looks into queues for a person: reads what waits there without losing any of it, and tells what there is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel as Wire
from aiormq.exceptions import ChannelClosed, ChannelNotFoundEntity

from sms_common.backoff import was_cancelled
from sms_common.broker.amqp.connection import BrokerChannel, open_channel
from sms_common.broker.amqp.incoming import read
from sms_common.broker.messages import Delivery, QueueCounts, Survey
from sms_common.errors import Code, Unavailable
from sms_common.topology import Topology

_T = TypeVar("_T")
_CHANNELS = 8
_WORTH_A_CHANNEL = 20


class HeldMessage:
    """A message that is out of its queue, unacknowledged, for as long as it is being looked at."""

    def __init__(self, channel: BrokerChannel, queue: str, message: DeliveredMessage) -> None:
        assert message.delivery_tag is not None
        self.delivery: Delivery = read(message, queue)
        self._tag = message.delivery_tag
        self._channel = channel
        channel.answers.delivered(self._tag)

    async def remove(self) -> None:
        """See Held.remove."""
        self._channel.answer(self._tag, acknowledge=True)
        # An acknowledgement is not answered.
        await _answered(self._channel.flush)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a queue is held at once: so many messages, and of no more bytes than that, see Broker.browse."""

    limit: int
    budget: int | None

    def has_room(self, count: int, size: int) -> bool:
        """Whether one more may be taken, after `count` with bodies of `size` bytes together."""
        return count < self.limit and (count == 0 or self.budget is None or size < self.budget)


@asynccontextmanager
async def browse(
    connection: AbstractConnection,
    queue: str,
    share: Share,
    timeout: float,  # noqa: ASYNC109  # of each request to the broker
) -> AsyncIterator[tuple[HeldMessage, ...]]:
    """See Broker.browse."""
    channel = await _answered(lambda: open_channel(connection, timeout))
    try:
        held: list[HeldMessage] = []
        size = 0
        while share.has_room(len(held), size):
            message = await _answered(lambda: channel.wire.basic_get(queue, timeout=timeout))
            if message.delivery_tag is None:
                break
            held.append(HeldMessage(channel, queue, message))
            size += len(held[-1].delivery.body)
        yield tuple(held)
    finally:
        await channel.close()  # which gives back all that was not removed


async def survey(connection: AbstractConnection, topology: Topology, timeout: float) -> Survey:  # noqa: ASYNC109  # of each request to the broker
    """See Broker.survey. Asks without declaring: the broker closes the channel on which it is asked for what is not
    there.
    """
    exchanges = {exchange.name: partial(_look_for_exchange, exchange.name, timeout) for exchange in topology.exchanges}
    queues = {queue.name: partial(_count_queue, queue.name, timeout) for queue in topology.queues}
    there = await _ask_all(connection, exchanges, timeout)
    counts = await _ask_all(connection, queues, timeout)
    missing = [name for answers in (there, counts) for name, answer in answers.items() if answer is None]
    return Survey(tuple(missing), {name: answer for name, answer in counts.items() if answer is not None})


async def _ask_all(
    connection: AbstractConnection,
    questions: Mapping[str, Callable[[Wire], Awaitable[_T]]],
    timeout: float,  # noqa: ASYNC109  # of each request to the broker
) -> dict[str, _T | None]:
    """The answers by name, asked for on a few channels, since the broker answers the questions of one in turn."""

    async def ask(names: Sequence[str]) -> dict[str, _T | None]:
        asker = _Asker(connection, timeout)
        try:
            return {name: await asker.ask(questions[name]) for name in names}
        finally:
            await asker.close()

    names = list(questions)
    channels = max(1, min(_CHANNELS, len(names) // _WORTH_A_CHANNEL))
    asked = (ask(names[place::channels]) for place in range(channels))
    answers: dict[str, _T | None] = {}
    for result in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        answers |= result
    return {name: answers[name] for name in names}


async def _look_for_exchange(name: str, timeout: float, wire: Wire) -> bool:  # noqa: ASYNC109  # of the request
    await wire.exchange_declare(name, passive=True, timeout=timeout)
    return True


async def _count_queue(name: str, timeout: float, wire: Wire) -> QueueCounts:  # noqa: ASYNC109  # of the request
    told = await wire.queue_declare(name, passive=True, timeout=timeout)
    return QueueCounts(told.message_count or 0, told.consumer_count or 0)


class _Asker:
    """Asks on one channel, and on a new one after each thing that is not there."""

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._channel: BrokerChannel | None = None

    async def ask(self, question: Callable[[Wire], Awaitable[_T]]) -> _T | None:
        """Return the answer, or None when the thing does not exist. Raises Unavailable."""
        if self._channel is None or not self._channel.is_open:
            self._channel = await _answered(lambda: open_channel(self._connection, self._timeout))
        wire = self._channel.wire
        try:
            return await question(wire)
        except ChannelNotFoundEntity:
            return None
        except BaseException as error:
            raise _unanswered(error) from error

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()


async def _answered(request: Callable[[], Awaitable[_T]]) -> _T:
    """Make a request to the broker. Raises Unavailable for whatever keeps it from being answered."""
    try:
        return await request()
    except BaseException as error:
        raise _unanswered(error) from error


def _unanswered(error: BaseException) -> BaseException:
    """What a request that failed with `error` raises: Unavailable, unless this task itself is being ended."""
    if isinstance(error, ChannelClosed):
        return Unavailable(Code.BROKER_UNAVAILABLE, f"The broker refused: {error}.")
    if isinstance(error, asyncio.CancelledError):
        return error if was_cancelled() else Unavailable(Code.BROKER_UNAVAILABLE, "The broker connection went silent.")
    if isinstance(error, Exception):
        return Unavailable(Code.BROKER_UNAVAILABLE, f"The broker connection was lost ({type(error).__name__}).")
    return error
