"""The parts of the broker in memory: messages, queues, consumers and listeners."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sms_common.broker.headers import read_retry_headers
from sms_common.broker.messages import Delivery, Handler, Listener, Outgoing
from sms_common.testing.routing import matches
from sms_common.topology import SMS, Queue


@dataclass(slots=True, eq=False)
class Stored:
    """A message in a queue, or held by a consumer. `due` is when it may leave a queue of the retry ladder."""

    message: Outgoing
    exchange: str
    due: float = 0.0
    redelivered: bool = False

    def delivery(self, queue: str) -> Delivery:
        """The delivery that a reader of `queue` gets."""
        message = self.message
        raw = Delivery(
            queue=queue,
            routing_key=message.routing_key,
            body=message.body,
            type=message.type or None,
            message_id=message.message_id,
            redelivered=self.redelivered,
            timestamp=message.timestamp,
            headers=dict(message.headers),
            correlation_id=message.correlation_id,
            content_type=message.content_type,
        )
        return read_retry_headers(raw, self.exchange)


@dataclass(slots=True, eq=False)
class FakeQueue:
    """A queue in memory. With a single active consumer, only the first of its consumers gets messages."""

    declared: Queue
    waiting: deque[Stored] = field(default_factory=deque)
    consumers: list["FakeConsumer"] = field(default_factory=list)

    def next_consumer(self) -> "FakeConsumer | None":
        """The consumer that gets the next message, in turn. None when none has room."""
        single = self.declared.arguments.get("x-single-active-consumer")
        candidates = self.consumers[:1] if single else self.consumers
        chosen = next((consumer for consumer in candidates if consumer.has_room), None)
        if chosen is not None and not single:
            self.consumers.remove(chosen)
            self.consumers.append(chosen)
        return chosen


class FakeConsumer:
    """One consumer of one queue. `holds` counts the messages that it has not settled."""

    def __init__(self, queue: str, handler: Handler, prefetch: int, forget: Callable[["FakeConsumer"], None]) -> None:
        self.queue = queue
        self.handler = handler
        self.holds = 0
        self.stopped = False
        self._prefetch = prefetch
        self._forget = forget

    @property
    def has_room(self) -> bool:
        """Whether it may be given one more message."""
        return not self.stopped and self.holds < self._prefetch

    async def cancel(self) -> None:
        """Stop for good. See Subscription.cancel."""
        self.stopped = True
        self._forget(self)


class FakeHeld:
    """A message that somebody looks at. If `removed`, it does not go back. `check` raises while the broker is away."""

    def __init__(self, queue: FakeQueue, stored: Stored, check: Callable[[], None]) -> None:
        self._check = check
        self.stored = stored
        self.removed = False
        self.delivery = stored.delivery(queue.declared.name)

    async def remove(self) -> None:
        """Remove it from its queue. See Held.remove."""
        self._check()
        self.removed = True


class FakeListener:
    """One listener, and the messages that it has not been called with yet."""

    def __init__(self, key: str, listener: Listener, forget: Callable[["FakeListener"], None]) -> None:
        self._key = key
        self._listener = listener
        self._forget = forget
        self._messages: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._call_listener())

    def matches(self, message: Outgoing) -> bool:
        """Whether `message` is for this listener."""
        return message.exchange == SMS and matches(self._key, message.routing_key)

    def call_with(self, message: Delivery | None) -> None:
        """Call the listener with `message`, after all earlier ones."""
        self._messages.put_nowait(message)

    async def cancel(self) -> None:
        """Stop for good. See Subscription.cancel."""
        self._forget(self)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _call_listener(self) -> None:
        while True:
            message = await self._messages.get()
            with suppress(Exception):  # the real broker logs it and goes on
                await self._listener(message)
