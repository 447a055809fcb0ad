"""Settles deliveries: runs the handler in a task, records the outcome, then acknowledges the message or returns it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog
from aiormq.abc import DeliveredMessage

from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import outcomes
from sms_common.broker.amqp.connection import BrokerChannel
from sms_common.broker.amqp.incoming import read
from sms_common.broker.headers import continue_trace
from sms_common.broker.messages import Delivery, GiveBack, Handler, Outgoing
from sms_common.broker.outcomes import Outcome
from sms_common.concurrency import is_set_within
from sms_common.errors import Unavailable
from sms_common.telemetry import bind_log_context, metrics
from sms_common.topology import queue_kind

log = structlog.get_logger(__name__)

Publish = Callable[[Outgoing], Awaitable[None]]
_T = TypeVar("_T")

_LOG_EVERY = 5.0
_AGAIN = BackoffPolicy(0.1, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class QueueReader:
    """A queue and the handler of its deliveries. Once `stopping` is set, waiting deliveries are returned."""

    queue: str
    handler: Handler
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Deliveries:
    """All deliveries that are being worked on. A delivery that waits for a dependency for more than `hold` seconds goes
    through the retry ladder.
    """

    def __init__(self, publish: Publish, hold: float) -> None:
        self._publish = publish
        self._hold = hold
        self._running: set[asyncio.Task[None]] = set()
        self._waits = _RateLimitedLog()

    def start(self, reader: QueueReader, channel: BrokerChannel, message: DeliveredMessage) -> None:
        """Work on `message` in a task of our own: aiormq cancels its tasks when the channel is closed."""
        assert message.delivery_tag is not None
        channel.acks.delivered(message.delivery_tag)
        task = asyncio.get_running_loop().create_task(self._work(reader, channel, message), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for running handlers, then cancel those that still run. Their messages are
        returned to the queue.
        """
        running = set(self._running)
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=timeout)
        if late:
            log.warning("handlers_cancelled", count=len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late)

    async def _work(self, reader: QueueReader, channel: BrokerChannel, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        delivery = read(message, reader.queue)
        trace = continue_trace(delivery.headers)
        bind_log_context(
            queue=reader.queue, message_id=delivery.message_id, trace_id=trace[3:35], attempt=delivery.attempt
        )
        settled = False
        try:
            settled = await self._settle(reader, channel, delivery)
        except asyncio.CancelledError:
            log.info("handler_cancelled")  # by `drain`; the message is returned below
        except GiveBack:
            pass  # it is returned below
        except Exception as error:  # noqa: BLE001  # a bug; the broker delivers the message again, up to its limit
            log.error(  # noqa: TRY400  # stack_of leaves out what the exception says
                "delivery_not_settled", error=type(error).__name__, stack=outcomes.stack_of(error)
            )
        channel.settle(tag, acknowledge=settled)

    async def _settle(self, reader: QueueReader, channel: BrokerChannel, delivery: Delivery) -> bool:
        """Call the handler and record the outcome. Returns whether the delivery may be acknowledged."""
        if reader.stopping.is_set():
            return False

        async def handle() -> Outcome:
            nonlocal delivery
            # When it is called again, the handler may find what it recorded itself before an answer was lost.
            this_time, delivery = delivery, replace(delivery, redelivered=True)
            return await outcomes.handle(reader.handler, this_time)

        outcome = await self._until_available(handle, reader, channel, patience=self._hold)
        if outcome is None:
            if reader.stopping.is_set() or not channel.is_open:
                return False
            outcome = outcomes.later(delivery, self._hold)
        if outcome.message is not None and not await self._publish_outcome(outcome.message, reader, channel):
            return False
        metrics.consumed_total.labels(queue_kind(reader.queue), outcome.result).inc()
        return True

    async def _publish_outcome(self, message: Outgoing, reader: QueueReader, channel: BrokerChannel) -> bool:
        """Publish the outcome of a delivery: the message for the retry ladder, or the dead letter."""
        if not channel.is_open:
            return False  # another reader has the message by now; publishing would duplicate it

        async def publish() -> bool:
            await self._publish(message)
            return True

        return await self._until_available(publish, reader, channel) is not None

    async def _until_available(
        self,
        act: Callable[[], Awaitable[_T]],
        reader: QueueReader,
        channel: BrokerChannel,
        patience: float = float("inf"),
    ) -> _T | None:
        """Repeat `act` while it raises Unavailable. None: the reader stops, its channel died, or patience ran out."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience

        def note(error: Unavailable) -> None:
            self._waits.warning("work_waits", code=error.code.value, reason=error.reason)

        async def wait(seconds: float) -> bool:
            stops = await is_set_within(seconds, reader.stopping)
            return not stops and channel.is_open and loop.time() < until

        try:
            return await retry_until_available(act, policy=_AGAIN, on_failure=note, wait=wait)
        except Unavailable:
            return None


class _RateLimitedLog:
    """Logs a warning at most once in a few seconds, with the number of times: thousands of deliveries may wait."""

    def __init__(self) -> None:
        self._silent_until = 0.0
        self._count = 0

    def warning(self, event: str, **facts: str) -> None:
        self._count += 1
        now = time.monotonic()
        if now >= self._silent_until:
            log.warning(event, times=self._count, **facts)
            self._silent_until = now + _LOG_EVERY
            self._count = 0
