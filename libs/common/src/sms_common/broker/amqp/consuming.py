"""Keeps consumers running: starts them on every new connection, on shared channels, and stops them."""

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

# Consumers share channels. A channel for each of 1,000 lanes costs the broker a process each, and a restart takes 2.5
# times as long. One channel for all would stop every lane when the broker closes it.
_CONSUMERS_PER_CHANNEL = 50
# How many are started at once, each on another channel: the broker answers the requests of one channel in turn.
_STARTERS = 8


class Consumer:
    """The consumer of one queue. `channel` is where it runs now, or None; `failed` says that its last start failed."""

    def __init__(self, queue: str, handler: Handler, prefetch: int, intake: "DeliveryIntake") -> None:
        self.reader = QueueReader(queue, handler)
        self.prefetch = prefetch
        self.backoff = Backoff()
        self.failed = False
        self.queue_deleted = False
        self.first_try_done = asyncio.Event()
        self.channel: _SharedChannel | None = None
        self.tag = ""
        self._intake = intake

    async def cancel(self) -> None:
        """Stop for good. See Subscription.cancel."""
        await self._intake.cancel(self)


class DeliveryIntake:
    """The consuming half of the broker. `queue_restored` is called for each queue that was deleted under its consumer,
    once it exists again.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        declarations: Declarations,
        publish: Publish,
        queue_restored: Callable[[str], Awaitable[None]],
    ) -> None:
        self._timeouts = timeouts
        self._declarations = declarations
        self._queue_restored = queue_restored
        self._deliveries = Deliveries(publish, timeouts.hold)
        self._consumers: dict[Consumer, None] = {}
        self._to_start: asyncio.Queue[Consumer] = asyncio.Queue()
        self._channels: list[_SharedChannel] = []
        self._connected = False
        self._drained = False

    async def consume(self, queue: str, handler: Handler, prefetch: int) -> Consumer:
        """Start to consume. When connected, it returns after the first try; a try that failed is repeated."""
        if prefetch < 1:
            raise ValueError("a prefetch below 1 would mean no limit")
        if self._drained:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "Consuming has been stopped.")
        consumer = Consumer(queue, handler, prefetch, self)
        self._consumers[consumer] = None
        if self._connected:
            self._to_start.put_nowait(consumer)
            await consumer.first_try_done.wait()
        return consumer

    async def cancel(self, consumer: Consumer) -> None:
        """Stop one consumer for good."""
        self._consumers.pop(consumer, None)
        consumer.first_try_done.set()
        channel, consumer.channel = consumer.channel, None
        try:
            if channel is not None:
                await channel.remove(consumer, self._timeouts.connect)
        finally:
            # Only now. What is delivered before the broker answers would go back ahead of earlier messages that wait.
            consumer.reader.stopping.set()

    async def drain(self, timeout: float) -> None:
        """Stop all consumers, wait up to `timeout` seconds for running handlers, then cancel those that still run."""
        self._drained = True
        await asyncio.gather(*(self.cancel(consumer) for consumer in list(self._consumers)))
        await self._deliveries.drain(timeout)
        # Closing throws away the acknowledgements that are still buffered. So wait until the broker has read them.
        await asyncio.gather(*(channel.flush() for channel in self._channels))
        await asyncio.gather(*(channel.channel.close() for channel in self._channels))

    def not_running(self) -> list[str]:
        """The queues whose consumers do not run at present."""
        return [consumer.reader.queue for consumer in self._consumers if consumer.channel is None]

    async def serve(self, connection: AbstractConnection) -> None:
        """Run all consumers on `connection` until it ends. Those that lose their channel are started again."""
        self._to_start = asyncio.Queue()
        for consumer in self._consumers:
            consumer.failed = False
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
                consumer.channel = None
                consumer.first_try_done.set()

    async def _start_all(self, connection: AbstractConnection) -> None:
        while not was_cancelled():  # an AMQP call that is answered at the same moment loses a cancellation
            consumer = await self._to_start.get()
            if consumer in self._consumers and consumer.channel is None:
                await self._start(consumer, connection)

    async def _start(self, consumer: Consumer, connection: AbstractConnection) -> None:
        try:
            await self._try_to_start(consumer, connection)
        except (Exception, asyncio.CancelledError) as error:  # one consumer that cannot start must not stop the others
            if was_cancelled():
                raise
            consumer.failed = True
            log.warning("consumer_not_started", queue=consumer.reader.queue, reason=f"{type(error).__name__}: {error}")
            self._start_later(consumer)
        finally:
            consumer.first_try_done.set()

    async def _try_to_start(self, consumer: Consumer, connection: AbstractConnection) -> None:
        """Start on a channel with room. After a failure it gets a new channel, so that it cannot harm the others."""
        channel = None if consumer.failed else next((channel for channel in self._channels if channel.has_room), None)
        if consumer.failed:
            await self._declarations.restore_queue(connection, consumer.reader.queue)
        if consumer.queue_deleted:
            consumer.queue_deleted = False
            await self._queue_restored(consumer.reader.queue)
        if channel is None:
            channel = _SharedChannel(await open_channel(connection, self._timeouts.connect), self, self._deliveries)
        try:
            await channel.add(consumer, self._timeouts.connect)
        except BaseException:
            if channel not in self._channels:
                await channel.channel.close()
            raise
        consumer.failed = False
        if channel not in self._channels:
            self._channels.append(channel)
        if consumer not in self._consumers:  # cancelled meanwhile
            await channel.remove(consumer, self._timeouts.connect)

    def _start_later(self, consumer: Consumer) -> None:
        asyncio.get_running_loop().call_later(consumer.backoff.delay(), self._to_start.put_nowait, consumer)

    def on_channel_closed(self, channel: "_SharedChannel", consumers: Iterable[Consumer]) -> None:
        """Start `consumers` again: `channel`, on which they ran, was closed."""
        if channel in self._channels:
            self._channels.remove(channel)
        lost = [consumer for consumer in consumers if consumer.channel is channel]
        if lost:
            log.warning(
                "consumers_lost", count=len(lost), queue=lost[0].reader.queue, reason="their channel was closed"
            )
        for consumer in lost:
            consumer.channel = None
            self._start_later(consumer)

    def on_cancelled_by_broker(self, channel: "_SharedChannel", consumer: Consumer) -> None:
        """Start `consumer` again: its queue was deleted or moved, so the broker cancelled it."""
        if consumer.channel is channel:
            log.warning("consumers_lost", count=1, queue=consumer.reader.queue, reason="cancelled by the broker")
            consumer.channel = None
            consumer.failed = consumer.queue_deleted = True
            self._start_later(consumer)


class _SharedChannel:
    """A channel on which several consumers run."""

    def __init__(self, channel: BrokerChannel, intake: DeliveryIntake, deliveries: Deliveries) -> None:
        self.channel = channel
        self._intake = intake
        self._deliveries = deliveries
        self._prefetch: int | None = None
        self._starting = False
        self._consumers: dict[str, Consumer] = {}
        self._numbers = count(1)
        channel.raw.on_consumer_cancel_callbacks.add(self._on_cancel)
        self._closing = channel.raw.closing
        self._closing.add_done_callback(self._on_close)

    @property
    def has_room(self) -> bool:
        """Whether another consumer can be started on it now."""
        return self.channel.is_open and not self._starting and len(self._consumers) < _CONSUMERS_PER_CHANNEL

    async def add(self, consumer: Consumer, timeout: float) -> None:
        """Start `consumer`. One at a time: the prefetch is set on the channel, for the consumer that starts next."""
        self._starting = True
        try:
            await self._add(consumer, timeout)
        finally:
            self._starting = False

    async def _add(self, consumer: Consumer, timeout: float) -> None:
        if self._prefetch != consumer.prefetch:
            await self.channel.raw.basic_qos(prefetch_count=consumer.prefetch, timeout=timeout)
            self._prefetch = consumer.prefetch

        async def deliver(message: DeliveredMessage) -> None:
            self._deliveries.start(consumer.reader, self.channel, message)

        # It is known before the broker answers, since the broker may cancel the consumer right after its answer.
        tag = f"consumer {next(self._numbers)}"
        self._consumers[tag] = consumer
        try:
            await self.channel.raw.basic_consume(consumer.reader.queue, deliver, consumer_tag=tag, timeout=timeout)
        except BaseException:
            self._consumers.pop(tag, None)
            raise
        if tag not in self._consumers or not self.channel.is_open:
            raise ConnectionError("cancelled by the broker")
        consumer.tag = tag
        consumer.channel = self

    async def remove(self, consumer: Consumer, timeout: float) -> None:
        """Stop `consumer`. What the broker sent before its answer has been started."""
        self._consumers.pop(consumer.tag, None)
        try:
            await self.channel.raw.basic_cancel(consumer.tag, timeout=timeout)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # a closed channel has no consumers left
            log.debug("cancel_failed", queue=consumer.reader.queue, error=type(error).__name__)

    async def flush(self) -> None:
        """Return when the broker has read everything that was written to this channel, or the channel is closed."""
        try:
            await self.channel.flush(self._prefetch or 0)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # a closed channel has nothing left to flush
            log.debug("flush_failed", error=type(error).__name__)

    def _on_cancel(self, frame: spec.Basic.Cancel) -> None:
        consumer = self._consumers.pop(frame.consumer_tag or "", None)
        if consumer is not None:
            self._intake.on_cancelled_by_broker(self, consumer)

    def _on_close(self, _: object) -> None:
        self._intake.on_channel_closed(self, self._consumers.values())
