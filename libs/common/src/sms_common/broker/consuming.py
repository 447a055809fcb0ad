"""Consumes queues: restores every consumer on every new connection, runs handlers in tasks of its own, settles by the
table.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from typing import TypeVar

import structlog
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import DeliveredMessage

from sms_common.broker import outcomes
from sms_common.broker.connection import Backoff, Channel, Timeouts, open_channel, was_cancelled
from sms_common.broker.declaring import Declarations
from sms_common.broker.headers import continue_trace
from sms_common.broker.incoming import read
from sms_common.broker.messages import Delivery, Handler, Outgoing
from sms_common.broker.outcomes import Outcome
from sms_common.errors import Unavailable

log = structlog.get_logger(__name__)

Publish = Callable[[Outgoing], Awaitable[None]]
_T = TypeVar("_T")

# Consumers share channels: a channel of its own for each of 1,000 lanes costs the broker a process and 2.5 times the
# time to restore; one for all would make every lane suffer when the broker closes it.
_CONSUMERS_PER_CHANNEL = 50
# RabbitMQ closes a channel on which a delivery stays unacknowledged for 30 minutes, and counts every such return
# towards the queue's delivery limit. Before that the message goes through the ladder, where it is no less safe.
_PATIENCE = 900.0


class Consumer:
    """One consumed queue: what is asked of it, and on which channel it runs at present."""

    def __init__(self, queue: str, handler: Handler, prefetch: int, intake: "Intake") -> None:
        self.queue = queue
        self.handler = handler
        self.prefetch = prefetch
        self.backoff = Backoff()
        self.suspect = False
        self.tried = asyncio.Event()
        self.stopping = asyncio.Event()
        self.place: _SharedChannel | None = None
        self.tag = ""
        self._intake = intake

    async def cancel(self) -> None:
        """See Subscription.cancel."""
        await self._intake.cancel(self)


class Intake:
    """The consuming half of the broker."""

    def __init__(self, timeouts: Timeouts, declarations: Declarations, publish: Publish) -> None:
        self._timeouts = timeouts
        self._declarations = declarations
        self._publish = publish
        self._consumers: dict[Consumer, None] = {}
        self._to_start: asyncio.Queue[Consumer] = asyncio.Queue()
        self._channels: list[_SharedChannel] = []
        self._connected = False
        self._running: set[asyncio.Task[None]] = set()

    # -- what the broker asks of it

    async def consume(self, queue: str, handler: Handler, prefetch: int) -> Consumer:
        """Begin to consume. When connected, returns after the first try; it goes on trying whatever that try gave."""
        consumer = Consumer(queue, handler, prefetch, self)
        self._consumers[consumer] = None
        if self._connected:
            self._to_start.put_nowait(consumer)
            await consumer.tried.wait()
        return consumer

    async def cancel(self, consumer: Consumer) -> None:
        """Stop one consumer for good."""
        self._consumers.pop(consumer, None)
        consumer.stopping.set()
        place, consumer.place = consumer.place, None
        if place is not None:
            await place.remove(consumer, self._timeouts.connect)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109  # the handlers get this long, not the call
        """Stop all consumers and end all handlers, those that need longer than `timeout` seconds by cancelling them."""
        await asyncio.gather(*(self.cancel(consumer) for consumer in list(self._consumers)))
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=timeout)
            if late:
                log.warning("handlers_cancelled", count=len(late))
                for task in late:
                    task.cancel()
                await asyncio.wait(late)
        # An acknowledgement waits in a buffer that closing the connection throws away; closing the channel sends it
        # first.
        await asyncio.gather(*(place.channel.close() for place in self._channels))

    def missing(self) -> list[str]:
        """The queues that ought to be consumed and are not."""
        return [consumer.queue for consumer in self._consumers if consumer.place is None]

    # -- one connection

    async def serve(self, connection: AbstractConnection) -> None:
        """Run all consumers on `connection`, restarting those that lose their channel, for as long as it lives."""
        self._to_start = asyncio.Queue()
        for consumer in self._consumers:
            consumer.suspect = False
            self._to_start.put_nowait(consumer)
        self._connected = True
        try:
            while True:
                consumer = await self._to_start.get()
                if consumer in self._consumers and consumer.place is None:
                    await self._start(consumer, connection)
        finally:
            self._connected = False
            self._channels.clear()
            for consumer in self._consumers:
                consumer.place = None
                consumer.tried.set()

    async def _start(self, consumer: Consumer, connection: AbstractConnection) -> None:
        try:
            if consumer.suspect:
                await self._declarations.restore_queue(connection, consumer.queue)
            place = await self._place_for(consumer, connection)
            await place.add(consumer, self._timeouts.connect)
            if consumer not in self._consumers:  # cancelled meanwhile
                await place.remove(consumer, self._timeouts.connect)
        except Exception as error:  # noqa: BLE001  # one consumer that cannot start must not stop the others
            consumer.suspect = True
            log.warning("consumer_not_started", queue=consumer.queue, reason=f"{type(error).__name__}: {error}")
            self._start_later(consumer)
        else:
            consumer.suspect = False
            consumer.backoff.reset()
        finally:
            consumer.tried.set()

    def _start_later(self, consumer: Consumer) -> None:
        asyncio.get_running_loop().call_later(consumer.backoff.delay(), self._to_start.put_nowait, consumer)

    async def _place_for(self, consumer: Consumer, connection: AbstractConnection) -> "_SharedChannel":
        """A channel with room. One that failed to start gets a channel to itself, where it can do no harm."""
        if not consumer.suspect:
            for place in self._channels:
                if place.has_room:
                    return place
        channel = await open_channel(connection, self._timeouts.connect)
        place = _SharedChannel(channel, self, private=consumer.suspect)
        self._channels.append(place)
        return place

    def lost_channel(self, place: "_SharedChannel", consumers: Iterable[Consumer]) -> None:
        """`place` was closed, and `consumers` with it."""
        if place in self._channels:
            self._channels.remove(place)
        for consumer in consumers:
            self._lost(consumer, "its channel was closed")

    def lost_queue(self, consumer: Consumer) -> None:
        """The broker cancelled `consumer`: its queue was deleted or moved."""
        consumer.suspect = True
        self._lost(consumer, "cancelled by the broker")

    def _lost(self, consumer: Consumer, reason: str) -> None:
        consumer.place = None
        log.warning("consumer_lost", queue=consumer.queue, reason=reason)
        self._start_later(consumer)

    # -- one delivery

    def begin(self, consumer: Consumer, channel: Channel, message: DeliveredMessage) -> None:
        """Give a message to its handler in a task that the AMQP library does not own and cannot cancel."""
        task = asyncio.get_running_loop().create_task(self._work(consumer, channel, message), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _work(self, consumer: Consumer, channel: Channel, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        delivery = read(message, consumer.queue)
        trace = continue_trace(delivery.headers)
        structlog.contextvars.bind_contextvars(queue=consumer.queue, trace=trace[3:35], attempt=delivery.attempt)
        settled = False
        try:
            settled = await self._settle(consumer, channel, delivery)
        except asyncio.CancelledError:
            log.info("handler_cancelled")  # by drain; the message goes back below
        except Exception as error:
            log.exception("delivery_not_settled", error=type(error).__name__)
        await _answer(channel, tag, acknowledge=settled)

    async def _settle(self, consumer: Consumer, channel: Channel, delivery: Delivery) -> bool:
        """Work on `delivery` and record what has to be recorded. Whether it may be acknowledged."""
        if consumer.stopping.is_set():
            return False

        async def handle() -> Outcome:
            return await outcomes.handle(consumer.handler, delivery)

        outcome = await self._until_available(handle, consumer, channel, patience=_PATIENCE)
        if outcome is None:
            if consumer.stopping.is_set() or not channel.is_open:
                return False
            outcome = outcomes.later(delivery, _PATIENCE)
        message = outcome.message
        if message is None:
            return True
        if not channel.is_open:
            return False  # it has been given to somebody else by now; publishing would double it

        async def publish() -> bool:
            await self._publish(message)
            return True

        return await self._until_available(publish, consumer, channel) is not None

    async def _until_available(
        self,
        act: Callable[[], Awaitable[_T]],
        consumer: Consumer,
        channel: Channel,
        patience: float = float("inf"),
    ) -> _T | None:
        """Repeat `act` while it raises Unavailable. None: the consumer stops, its channel died, or patience ran out."""
        backoff = Backoff(first=0.1)
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while True:
            try:
                return await act()
            except Unavailable as error:
                delay = backoff.delay()
                log.warning("work_waits", code=error.code.value, reason=error.reason, retry_in=round(delay, 2))
            try:
                async with asyncio.timeout(delay):
                    await consumer.stopping.wait()
            except TimeoutError:
                if channel.is_open and loop.time() < until:
                    continue
            return None


class _SharedChannel:
    """A channel on which several consumers run, and who they are."""

    def __init__(self, channel: Channel, intake: Intake, *, private: bool) -> None:
        self.channel = channel
        self._intake = intake
        self._private = private
        self._prefetch: int | None = None
        self._consumers: dict[str, Consumer] = {}
        channel.wire.on_consumer_cancel_callbacks.add(self._on_cancel)
        self._closing = channel.wire.closing
        self._closing.add_done_callback(self._on_close)

    @property
    def has_room(self) -> bool:
        return self.channel.is_open and not self._private and len(self._consumers) < _CONSUMERS_PER_CHANNEL

    async def add(self, consumer: Consumer, timeout: float) -> None:  # noqa: ASYNC109  # of each request to the broker
        """Start `consumer` here. Its prefetch applies to itself only."""
        if self._prefetch != consumer.prefetch:
            await self.channel.wire.basic_qos(prefetch_count=consumer.prefetch, timeout=timeout)
            self._prefetch = consumer.prefetch

        async def deliver(message: DeliveredMessage) -> None:
            self._intake.begin(consumer, self.channel, message)

        started = await self.channel.wire.basic_consume(consumer.queue, deliver, timeout=timeout)
        assert started.consumer_tag is not None
        consumer.tag = started.consumer_tag
        consumer.place = self
        self._consumers[consumer.tag] = consumer

    async def remove(self, consumer: Consumer, timeout: float) -> None:  # noqa: ASYNC109  # of one request to the broker
        """Stop `consumer`. What the broker had sent before it agreed has reached `begin`, which gives it back."""
        self._consumers.pop(consumer.tag, None)
        try:
            await self.channel.wire.basic_cancel(consumer.tag, timeout=timeout)
        except asyncio.CancelledError:
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # a dead channel has no consumers left
            log.debug("cancel_failed", queue=consumer.queue, error=type(error).__name__)

    def _on_cancel(self, frame: spec.Basic.Cancel) -> None:
        consumer = self._consumers.pop(frame.consumer_tag or "", None)
        if consumer is not None:
            self._intake.lost_queue(consumer)

    def _on_close(self, _: object) -> None:
        self._intake.lost_channel(self, self._consumers.values())


async def _answer(channel: Channel, tag: int, *, acknowledge: bool) -> None:
    """Acknowledge or give back. On a channel that has died there is nothing to answer: the broker delivers again."""
    if not channel.is_open:
        log.debug("answer_skipped", acknowledge=acknowledge)
        return
    try:
        if acknowledge:
            await channel.wire.basic_ack(tag, wait=False)
        else:
            await channel.wire.basic_nack(tag, requeue=True, wait=False)
    except Exception as error:  # noqa: BLE001  # it died this moment
        log.debug("answer_failed", acknowledge=acknowledge, error=type(error).__name__)
