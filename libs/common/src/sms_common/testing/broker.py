"""A broker in memory, for tests without RabbitMQ: it routes, retries and dead-letters like the real one.

Its time passes only by `advance`, which brings back messages that wait in the retry ladder.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import takewhile
from types import TracebackType
from typing import Self, TypeVar

from sms_common import topology as names
from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import outcomes
from sms_common.broker.headers import TRACEPARENT, continue_trace, current_trace
from sms_common.broker.messages import (
    BrowseLimit,
    Delivery,
    GiveBack,
    Handler,
    Held,
    Listener,
    Outgoing,
    QueueCounts,
    Restored,
    Survey,
    Unroutable,
)
from sms_common.errors import Code, Unavailable
from sms_common.events import utc_now
from sms_common.testing.queues import FakeConsumer, FakeHeld, FakeListener, FakeQueue, Stored
from sms_common.testing.routing import FakeRouting
from sms_common.topology import RETRY_LADDER, Topology

_T = TypeVar("_T")

# How soon a handler that found something Unavailable is called again; the real broker begins with about as much.
_AGAIN = BackoffPolicy(0.02, 0.02)


class FakeBroker:
    """A Broker, with methods for tests besides.

    `published` is every message in order, including the broker's own retries and dead letters. While `away` or
    `blocked` is set, publishing fails at once. While it is `away`, nothing is delivered either, and running handlers
    can no longer acknowledge their messages, as after the loss of a connection.
    """

    def __init__(self, topology: Topology | None = None) -> None:
        self.published: list[Outgoing] = []
        self._blocked = False
        self._away = False
        self._drained = False
        self._callbacks: list[Callable[[Restored], Awaitable[None]]] = []
        self._usable = asyncio.Event()
        self._usable.set()
        self._now = 0.0
        self._routing = FakeRouting()
        self._queues: dict[str, FakeQueue] = {}
        self._consumers: dict[FakeConsumer, None] = {}
        self._listeners: dict[FakeListener, None] = {}
        self._held: dict[Stored, tuple[FakeQueue, FakeConsumer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._add(topology or names.base())

    # -- Broker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_consuming(timeout=1)
        for listener in list(self._listeners):
            await listener.cancel()

    async def publish(self, message: Outgoing) -> None:
        """Route one message. See Publisher.publish."""
        self._available()
        if TRACEPARENT not in message.headers:
            message = replace(message, headers={**message.headers, TRACEPARENT: current_trace()})
        message = replace(message, timestamp=message.timestamp or utc_now().replace(microsecond=0))
        listeners = [listener for listener in self._listeners if listener.matches(message)]
        try:
            queues = self._routing.route(message.exchange, message.routing_key, heard=bool(listeners))
        except KeyError:
            reason = f"There is no exchange {message.exchange!r}."
            raise Unavailable(Code.BROKER_UNAVAILABLE, reason) from None
        if not queues and not listeners:
            raise Unroutable(Code.BROKER_UNAVAILABLE, "No queue takes what is published there.")
        self.published.append(message)
        for listener in listeners:
            listener.call_with(Stored(message, message.exchange).delivery("listener"))
        for name in queues:
            wait = next((rung.seconds for rung in RETRY_LADDER if rung.queue == name), 0)
            self._queues[name].waiting.append(Stored(message, message.exchange, due=self._now + wait))
        self._dispatch()

    async def declare(self, topology: Topology) -> None:
        """Add `topology`. See Broker.declare."""
        self._available(for_publishing=False)
        self._add(topology)

    async def ensure(self, topology: Topology) -> None:
        """Add `topology`. See Broker.ensure."""
        await self.declare(topology)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> FakeConsumer:
        """Start a consumer. See Broker.consume."""
        if prefetch < 1:
            raise ValueError("a prefetch below 1 would mean no limit")
        if self._drained:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "Consuming has been stopped.")
        consumer = FakeConsumer(queue, handler, prefetch, self._forget_consumer)
        self._consumers[consumer] = None
        self._dispatch()
        return consumer

    async def listen(self, key: str, listener: Listener) -> FakeListener:
        """Start a listener. See Broker.listen."""
        listening = FakeListener(key, listener, self._forget_listener)
        self._listeners[listening] = None
        if not self._away:
            listening.call_with(None)
        return listening

    @asynccontextmanager
    async def browse(self, queue: str, *, limit: int, budget: int | None = None) -> AsyncIterator[Sequence[Held]]:
        """Hold the first messages of `queue`. See Broker.browse."""
        check = partial(self._available, for_publishing=False)
        check()
        found = self._queues.get(queue)
        if found is None:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"The broker refused: there is no queue {queue!r}.")
        room, held, size = BrowseLimit(limit, budget), list[FakeHeld](), 0
        while found.waiting and room.allows(len(held), size):
            held.append(FakeHeld(found, found.waiting.popleft(), check))
            size += len(held[-1].delivery.body)
        try:
            yield held
        finally:
            left = [
                Stored(one.stored.message, one.stored.exchange, redelivered=True) for one in held if not one.removed
            ]
            found.waiting.extendleft(reversed(left))
            self._dispatch()

    async def survey(self, topology: Topology) -> Survey:
        """Which parts of `topology` exist. See Broker.survey."""
        self._available(for_publishing=False)
        exchanges = [exchange.name for exchange in topology.exchanges if not self._routing.has_exchange(exchange.name)]
        queues = [queue.name for queue in topology.queues if queue.name not in self._queues]
        found = {queue.name: self._queues[queue.name] for queue in topology.queues if queue.name in self._queues}
        counts = {name: QueueCounts(len(queue.waiting), len(queue.consumers)) for name, queue in found.items()}
        return Survey((*exchanges, *queues), counts)

    async def ready(self) -> None:
        """Return when it is neither away nor blocked. See Broker.ready."""
        await self._usable.wait()

    def on_restored(self, callback: Callable[[Restored], Awaitable[None]]) -> None:
        """Register a callback for `restore`. See Broker.on_restored."""
        self._callbacks.append(callback)

    def check(self) -> str | None:
        """Why it cannot be used now, or None. See Broker.check."""
        if self._away:
            return "not connected to the broker"
        if self._blocked:
            return "the broker blocks publishers"
        missing = [consumer.queue for consumer in self._consumers if consumer.queue not in self._queues]
        return f"{len(missing)} of the consumers not running, one of them on {missing[0]}" if missing else None

    def why_away(self) -> str | None:
        """Why it cannot be reached, or None. See Broker.why_away."""
        return "The broker is away." if self._away else None

    async def stop_consuming(self, timeout: float) -> None:
        """Drain. See Broker.stop_consuming."""
        self._drained = True
        for consumer in list(self._consumers):
            await consumer.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    # -- for tests

    @property
    def away(self) -> bool:
        """Whether the broker cannot be reached."""
        return self._away

    @away.setter
    def away(self, value: bool) -> None:
        was, self._away = self._away, value
        self._note_usable()
        if value and not was:
            for stored in list(self._held):
                self._release(stored, settled=False)
        if was and not value:
            for listener in self._listeners:
                listener.call_with(None)
            self._dispatch()

    @property
    def blocked(self) -> bool:
        """Whether the broker has an alarm on and accepts nothing from publishers."""
        return self._blocked

    @blocked.setter
    def blocked(self, value: bool) -> None:
        self._blocked = value
        self._note_usable()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass. Messages that have waited long enough in the retry ladder go back to their queues."""
        self._now += seconds
        for rung in RETRY_LADDER:
            queue = self._queues.get(rung.queue)
            while queue and queue.waiting and queue.waiting[0].due <= self._now:
                stored = queue.waiting.popleft()
                for name in self._routing.route(names.BACK, stored.message.routing_key):
                    self._queues[name].waiting.append(Stored(stored.message, names.BACK))
        self._dispatch()

    def lose(self, queue: str) -> None:
        """Delete a queue with its messages and bindings, as an outsider may."""
        self._queues.pop(queue)
        self._routing.forget_queue(queue)

    async def restore(self, topology: Topology, since: datetime) -> None:
        """Declare deleted queues again, as the real broker does after a while, and call the callbacks."""
        self._add(topology)
        for callback in self._callbacks:
            await callback(Restored(frozenset(queue.name for queue in topology.queues), since))

    def waiting(self, queue: str) -> list[Delivery]:
        """The messages in `queue` that no consumer holds, in their order."""
        return [stored.delivery(queue) for stored in self._queues[queue].waiting]

    def published_to(self, exchange: str) -> list[Outgoing]:
        """What was published to `exchange`, in its order."""
        return [message for message in self.published if message.exchange == exchange]

    async def idle(self) -> None:
        """Return when no handler runs and no message waits for a consumer with room."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    # -- inside

    def _note_usable(self) -> None:
        if self._away or self._blocked:
            self._usable.clear()
        else:
            self._usable.set()

    def _forget_consumer(self, consumer: FakeConsumer) -> None:
        self._consumers.pop(consumer, None)
        queue = self._queues.get(consumer.queue)
        if queue is not None and consumer in queue.consumers:
            queue.consumers.remove(consumer)

    def _forget_listener(self, listener: FakeListener) -> None:
        self._listeners.pop(listener, None)

    def _add(self, topology: Topology) -> None:
        self._routing.add(topology)
        for queue in topology.queues:
            self._queues.setdefault(queue.name, FakeQueue(queue))
        self._dispatch()

    def _available(self, *, for_publishing: bool = True) -> None:
        if self._away:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker is away.")
        if self._blocked and for_publishing:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker blocks publishers.")

    def _dispatch(self) -> None:
        """Give waiting messages to consumers with room, in turn."""
        if self._away:
            return
        for consumer in list(self._consumers):
            queue = self._queues.get(consumer.queue)
            if queue is not None and consumer not in queue.consumers:
                queue.consumers.append(consumer)
        for queue in self._queues.values():
            while queue.waiting and (reader := queue.next_consumer()):
                self._begin(reader, queue, queue.waiting.popleft())

    def _begin(self, consumer: FakeConsumer, queue: FakeQueue, stored: Stored) -> None:
        consumer.holds += 1
        self._held[stored] = (queue, consumer)
        task = asyncio.get_running_loop().create_task(self._work(consumer, stored), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, consumer: FakeConsumer, stored: Stored) -> None:
        delivery = stored.delivery(consumer.queue)
        continue_trace(delivery.headers)
        settled = False
        try:
            settled = await self._settle(consumer, delivery, stored)
        except (asyncio.CancelledError, GiveBack):
            pass  # by stop_consuming, or by the handler; the message is returned below
        finally:
            self._release(stored, settled=settled)
            self._dispatch()

    def _release(self, stored: Stored, *, settled: bool) -> None:
        """Forget an acknowledged message, or return it to its queue. After the loss of the connection this does
        nothing.
        """
        if stored not in self._held:
            return
        queue, consumer = self._held.pop(stored)
        consumer.holds -= 1
        if not settled:
            # As in a quorum queue: before messages that nobody has had, after those that were returned earlier.
            earlier = sum(1 for _ in takewhile(lambda one: one.redelivered, queue.waiting))
            queue.waiting.insert(earlier, Stored(stored.message, stored.exchange, redelivered=True))

    async def _settle(self, consumer: FakeConsumer, delivery: Delivery, stored: Stored) -> bool:
        """Call the handler and publish the outcome. Returns whether the message may be acknowledged."""
        if consumer.stopped:
            return False

        async def handle() -> outcomes.Outcome:
            nonlocal delivery
            this_time, delivery = delivery, replace(delivery, redelivered=True)
            return await outcomes.handle(consumer.handler, this_time)

        outcome = await self._until_available(handle, consumer, stored)
        if outcome is None or outcome.message is None:
            return outcome is not None
        if stored not in self._held:
            return False
        message = outcome.message
        return await self._until_available(lambda: self._published(message), consumer, stored) is not None

    async def _published(self, message: Outgoing) -> bool:
        await self.publish(message)
        return True

    async def _until_available(
        self, act: Callable[[], Awaitable[_T]], consumer: FakeConsumer, stored: Stored
    ) -> _T | None:
        async def wait(seconds: float) -> bool:
            await asyncio.sleep(seconds)
            return not consumer.stopped and stored in self._held

        try:
            return await retry_until_available(act, policy=_AGAIN, wait=wait)
        except Unavailable:
            return None
