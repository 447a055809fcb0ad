"""Keeps consumers running: starts each on every new connection, on channels that they share, and stops them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count

import structlog
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import DeliveredMessage

from sms_common.backoff import Backoff, was_cancelled
from sms_common.broker.amqp.connection import BrokerChannel, Timeouts, open_channel
from sms_common.broker.amqp.declaring import Declarations
from sms_common.broker.amqp.settling import Deliveries, Publish, QueueReader
from sms_common.broker.messages import Handler
from sms_common.errors import Code, Unavailable

log = structlog.get_logger(__name__)

# Consumers share channels: a channel of its own for each of 1,000 lanes costs the broker a process and 2.5 times the
# time to restore; one for all would make every lane suffer when the broker closes it.
_CONSUMERS_PER_CHANNEL = 50
# So many are being started at a time, each on another channel: the broker answers the requests of one in turn.
_STARTERS = 8


class Consumer:
    """One consumed queue: what is asked of it, and on which channel it runs at present."""

    def __init__(self, queue: str, handler: Handler, prefetch: int, intake: "DeliveryIntake") -> None:
        self.reader = QueueReader(queue, handler)
        self.prefetch = prefetch
        self.backoff = Backoff()
        self.suspect = False
        self.queue_gone = False
        self.tried = asyncio.Event()
        self.place: _SharedChannel | None = None
        self.tag = ""
        self._intake = intake

    async def cancel(self) -> None:
        """See Subscription.cancel."""
        await self._intake.cancel(self)


class DeliveryIntake:
    """The consuming half of the broker. `made_again` is told of each queue that had been deleted under its consumer."""

    def __init__(
        self,
        timeouts: Timeouts,
        declarations: Declarations,
        publish: Publish,
        made_again: Callable[[str], Awaitable[None]],
    ) -> None:
        self._timeouts = timeouts
        self._declarations = declarations
        self._made_again = made_again
        self._deliveries = Deliveries(publish, timeouts.hold)
        self._consumers: dict[Consumer, None] = {}
        self._to_start: asyncio.Queue[Consumer] = asyncio.Queue()
        self._channels: list[_SharedChannel] = []
        self._connected = False
        self._drained = False

    # -- what the broker asks of it

    async def consume(self, queue: str, handler: Handler, prefetch: int) -> Consumer:
        """Begin to consume. When connected, returns after the first try; it goes on trying whatever that try gave."""
        if prefetch < 1:
            raise ValueError("a prefetch below 1 would mean no limit")
        if self._drained:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "Consuming has been stopped.")
        consumer = Consumer(queue, handler, prefetch, self)
        self._consumers[consumer] = None
        if self._connected:
            self._to_start.put_nowait(consumer)
            await consumer.tried.wait()
        return consumer

    async def cancel(self, consumer: Consumer) -> None:
        """Stop one consumer for good."""
        self._consumers.pop(consumer, None)
        consumer.tried.set()
        place, consumer.place = consumer.place, None
        try:
            if place is not None:
                await place.remove(consumer, self._timeouts.connect)
        finally:
            # Not before: what comes while the broker agrees would go back ahead of what came earlier and still waits.
            consumer.reader.stopping.set()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109  # the handlers get this long, not the call
        """Stop all consumers and end all handlers, those that need longer than `timeout` seconds by cancelling them."""
        self._drained = True
        await asyncio.gather(*(self.cancel(consumer) for consumer in list(self._consumers)))
        await self._deliveries.end(timeout)
        # An acknowledgement waits in a buffer that closing throws away: the answer to a request that was sent after it
        # says that the broker has read it.
        await asyncio.gather(*(place.flush() for place in self._channels))
        await asyncio.gather(*(place.channel.close() for place in self._channels))

    def missing(self) -> list[str]:
        """The queues that ought to be consumed and are not."""
        return [consumer.reader.queue for consumer in self._consumers if consumer.place is None]

    # -- one connection

    async def serve(self, connection: AbstractConnection) -> None:
        """Run all consumers on `connection`, restarting those that lose their channel, for as long as it lives."""
        self._to_start = asyncio.Queue()
        for consumer in self._consumers:
            consumer.suspect = False
            self._to_start.put_nowait(consumer)
        self._connected = True
        try:
            async with asyncio.TaskGroup() as starters:
                for _ in range(_STARTERS):
                    starters.create_task(self._start_all(connection))
        finally:
            self._connected = False
            self._channels.clear()
            for consumer in self._consumers:
                consumer.place = None
                consumer.tried.set()

    async def _start_all(self, connection: AbstractConnection) -> None:
        while not was_cancelled():  # an AMQP call that is answered at the same moment swallows a cancellation
            consumer = await self._to_start.get()
            if consumer in self._consumers and consumer.place is None:
                await self._start(consumer, connection)

    async def _start(self, consumer: Consumer, connection: AbstractConnection) -> None:
        try:
            await self._try_to_start(consumer, connection)
        except (Exception, asyncio.CancelledError) as error:  # one consumer that cannot start must not stop the others
            if was_cancelled():
                raise
            consumer.suspect = True
            log.warning("consumer_not_started", queue=consumer.reader.queue, reason=f"{type(error).__name__}: {error}")
            self._start_later(consumer)
        finally:
            consumer.tried.set()

    async def _try_to_start(self, consumer: Consumer, connection: AbstractConnection) -> None:
        """Start on a channel with room. One that failed before is tried on a new channel, where it can do no harm."""
        place = None if consumer.suspect else next((place for place in self._channels if place.has_room), None)
        if consumer.suspect:
            await self._declarations.restore_queue(connection, consumer.reader.queue)
        if consumer.queue_gone:
            consumer.queue_gone = False
            await self._made_again(consumer.reader.queue)
        if place is None:
            place = _SharedChannel(await open_channel(connection, self._timeouts.connect), self, self._deliveries)
        try:
            await place.add(consumer, self._timeouts.connect)
        except BaseException:
            if place not in self._channels:
                await place.channel.close()
            raise
        consumer.suspect = False
        if place not in self._channels:
            self._channels.append(place)
        if consumer not in self._consumers:  # cancelled meanwhile
            await place.remove(consumer, self._timeouts.connect)

    def _start_later(self, consumer: Consumer) -> None:
        asyncio.get_running_loop().call_later(consumer.backoff.delay(), self._to_start.put_nowait, consumer)

    def lost_channel(self, place: "_SharedChannel", consumers: Iterable[Consumer]) -> None:
        """`place` was closed, and `consumers` with it."""
        if place in self._channels:
            self._channels.remove(place)
        lost = [consumer for consumer in consumers if consumer.place is place]
        if lost:
            log.warning(
                "consumers_lost", count=len(lost), queue=lost[0].reader.queue, reason="their channel was closed"
            )
        for consumer in lost:
            consumer.place = None
            self._start_later(consumer)

    def lost_queue(self, place: "_SharedChannel", consumer: Consumer) -> None:
        """The broker cancelled `consumer`: its queue was deleted or moved."""
        if consumer.place is place:
            log.warning("consumers_lost", count=1, queue=consumer.reader.queue, reason="cancelled by the broker")
            consumer.place = None
            consumer.suspect = consumer.queue_gone = True
            self._start_later(consumer)


class _SharedChannel:
    """A channel on which several consumers run, and who they are."""

    def __init__(self, channel: BrokerChannel, intake: DeliveryIntake, deliveries: Deliveries) -> None:
        self.channel = channel
        self._intake = intake
        self._deliveries = deliveries
        self._prefetch: int | None = None
        self._starting = False
        self._consumers: dict[str, Consumer] = {}
        self._numbers = count(1)
        channel.wire.on_consumer_cancel_callbacks.add(self._on_cancel)
        self._closing = channel.wire.closing
        self._closing.add_done_callback(self._on_close)

    @property
    def has_room(self) -> bool:
        """Whether another consumer can be started here now."""
        return self.channel.is_open and not self._starting and len(self._consumers) < _CONSUMERS_PER_CHANNEL

    async def add(self, consumer: Consumer, timeout: float) -> None:  # noqa: ASYNC109  # of each request to the broker
        """Start `consumer` here. Its prefetch applies to itself only, if nobody else is being started meanwhile."""
        self._starting = True
        try:
            await self._add(consumer, timeout)
        finally:
            self._starting = False

    async def _add(self, consumer: Consumer, timeout: float) -> None:  # noqa: ASYNC109  # of each request to the broker
        if self._prefetch != consumer.prefetch:
            await self.channel.wire.basic_qos(prefetch_count=consumer.prefetch, timeout=timeout)
            self._prefetch = consumer.prefetch

        async def deliver(message: DeliveredMessage) -> None:
            self._deliveries.begin(consumer.reader, self.channel, message)

        # Known before the broker answers: it may cancel the consumer in the same breath.
        tag = f"consumer {next(self._numbers)}"
        self._consumers[tag] = consumer
        try:
            await self.channel.wire.basic_consume(consumer.reader.queue, deliver, consumer_tag=tag, timeout=timeout)
        except BaseException:
            self._consumers.pop(tag, None)
            raise
        if tag not in self._consumers or not self.channel.is_open:
            raise ConnectionError("cancelled by the broker")
        consumer.tag = tag
        consumer.place = self

    async def remove(self, consumer: Consumer, timeout: float) -> None:  # noqa: ASYNC109  # of one request to the broker
        """Stop `consumer`. What the broker had sent before it agreed has reached `begin`."""
        self._consumers.pop(consumer.tag, None)
        try:
            await self.channel.wire.basic_cancel(consumer.tag, timeout=timeout)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # a dead channel has no consumers left
            log.debug("cancel_failed", queue=consumer.reader.queue, error=type(error).__name__)

    async def flush(self) -> None:
        """Return once the broker has read everything that was written to this channel, or the channel is dead."""
        try:
            await self.channel.flush(self._prefetch or 0)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # a dead channel has nothing left to flush
            log.debug("flush_failed", error=type(error).__name__)

    def _on_cancel(self, frame: spec.Basic.Cancel) -> None:
        consumer = self._consumers.pop(frame.consumer_tag or "", None)
        if consumer is not None:
            self._intake.lost_queue(self, consumer)

    def _on_close(self, _: object) -> None:
        self._intake.lost_channel(self, self._consumers.values())
