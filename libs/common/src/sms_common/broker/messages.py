"""What a service gives to the broker and gets from it. Knows no AMQP library."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sms_common.errors import Unavailable
from sms_common.topology import Topology

HeaderValue = str | int

JSON = "application/json"


class Unroutable(Unavailable):
    """No queue is bound for this message. On the default exchange: the queue that the routing key names does not exist
    (yet).
    """


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish: persistent JSON. `message_id` is the event's stable id; readers remove duplicates by it.

    `timestamp` is when it was first published, by default now. A `traceparent` in `headers` replaces the one of the
    delivery that is being handled.
    """

    exchange: str
    routing_key: str
    body: bytes
    type: str
    message_id: str
    correlation_id: str | None = None
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    timestamp: datetime | None = None
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a handler sees it.

    `routing_key` is the one it was first published with, also after retries. `attempt` counts the failures after which
    it went through the retry ladder. `deferrals` counts how often a handler raised RetryLater. Both begin at 0.
    `redelivered` says that it may have been worked on before: by an earlier reader, or by this one before something was
    Unavailable.
    """

    queue: str
    routing_key: str
    body: bytes
    type: str | None = None
    message_id: str | None = None
    attempt: int = 0
    deferrals: int = 0
    redelivered: bool = False
    timestamp: datetime | None = None
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)
    correlation_id: str | None = None
    content_type: str | None = None


class RetryLater(Exception):  # it is an instruction to the broker, not an error
    """Raised by a handler: bring this message back after `seconds`, without counting it as a failure.

    The delay is rounded up to the next rung of the retry ladder, and down to its last one (10 minutes).
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


class GiveBack(Exception):  # it is an instruction to the broker, not an error
    """Raised by a handler whose reader stops: return this message to its place in the queue, for the next reader.

    The broker counts this as a delivery. A reader that goes on raises RetryLater instead.
    """


Handler = Callable[[Delivery], Awaitable[None]]
Listener = Callable[[Delivery | None], Awaitable[None]]


class Held(Protocol):
    """A message that was taken out of its queue to be looked at. It is returned afterwards, unless it is removed."""

    @property
    def delivery(self) -> Delivery:
        """The message."""

    async def remove(self) -> None:
        """Remove it from its queue. Returns when the broker has done so; raises Unavailable if that is not certain."""


@dataclass(frozen=True, slots=True)
class BrowseLimit:
    """How much of a queue may be held at once: a number of messages, and a number of bytes. See Broker.browse."""

    max_messages: int
    max_size: int | None

    def allows(self, count: int, size: int) -> bool:
        """Whether one more may be taken after `count` messages with bodies of `size` bytes together."""
        return count < self.max_messages and (count == 0 or self.max_size is None or size < self.max_size)


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many messages wait in a queue, and how many consumers it has."""

    waiting: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Which of the exchanges and queues do not exist, and the counts of the queues that do."""

    missing: tuple[str, ...]
    queues: Mapping[str, QueueCounts]


@dataclass(frozen=True, slots=True)
class Restored:
    """Exchanges and queues that were missing and exist again, with their bindings. `since`: when everything was last
    seen to exist.
    """

    names: frozenset[str]
    since: datetime


class Subscription(Protocol):
    """A running consumer or listener."""

    async def cancel(self) -> None:
        """Take no further messages, and return those that no handler has started on. Running handlers finish."""


class Publisher(Protocol):
    """The part of the broker that most code needs."""

    async def publish(self, message: Outgoing) -> None:
        """Return when the broker has confirmed `message`. Raises Unavailable when it did not within the deadline, and
        Unroutable when no queue took it. After Unavailable the broker may have the message all the same, so a repeat
        needs the same `message_id`.
        """


class Broker(Publisher, Protocol):
    """Everything a service does with RabbitMQ."""

    async def declare(self, topology: Topology) -> None:
        """Declare these exchanges, queues and bindings, now and after every reconnect. Raises Unavailable."""

    async def ensure(self, topology: Topology) -> None:
        """Declare these now, but not again after a reconnect. Raises Unavailable."""

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Subscription:
        """Give every message of `queue` to `handler`, at most `prefetch` at a time, also after every reconnect.

        What happens to a message depends on how the handler ends:

        * It returns: the message is acknowledged.
        * RetryLater: the message comes back later.
        * GiveBack: the message returns to its place in the queue.
        * TemporaryFailure: it comes back after the ladder's next delay; after the last one it is dead-lettered.
        * UnreadableEvent: it is dead-lettered with its code.
        * Unavailable: it stays unacknowledged, and the handler is called again until the dependency is back.
        * Any other exception: it is retried through the ladder a few times and then dead-lettered.
        """

    async def listen(self, key: str, listener: Listener) -> Subscription:
        """Give `listener` every message published under `key` from now on. Each process gets its own copy. Nothing is
        kept for a process that is not connected, so `listener` gets None after every (re)connect: it may have missed
        something.
        """

    def browse(
        self, queue: str, *, limit: int, budget: int | None = None
    ) -> AbstractAsyncContextManager[Sequence[Held]]:
        """Hold the first `limit` messages of `queue` that no consumer has, in their order. Nobody else gets them while
        they are held. When the context ends, those that were not removed go back. Raises Unavailable.

        The messages are in memory. So no more are taken once their bodies have `budget` bytes together; the first is
        always taken. None: any size.
        """

    async def survey(self, topology: Topology) -> Survey:
        """Say which parts of `topology` exist, without declaring any. Raises Unavailable."""

    async def ready(self) -> None:
        """Return when the topology exists and messages can be published and consumed."""

    def on_restored(self, callback: Callable[[Restored], Awaitable[None]]) -> None:
        """Call `callback` whenever a deleted exchange or queue has been declared again. What was published in between
        may be in `sms.unrouted`. No further check runs until the callback returns. It must not raise.
        """

    def check(self) -> str | None:
        """Why the broker cannot be used now, or None: for a readiness probe."""

    def why_away(self) -> str | None:
        """Why the last attempt to connect failed, or None when connected or before the first. It holds no secret."""

    async def stop_consuming(self, timeout: float) -> None:
        """Drain: take no further messages and return those that no handler has started on. Wait up to `timeout` seconds
        for running handlers, then cancel them and return their messages. Publishing still works.
        """
