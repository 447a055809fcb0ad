"""What a service gives to the broker and gets from it; no AMQP library shows through."""

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
    """The broker took no message because no queue is bound where it was published: on the default exchange, the queue
    that the routing key names does not exist (yet).
    """


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish: persistent JSON. `message_id` is the event's stable id, by which readers remove
    duplicates.

    `timestamp` is the moment of the first publishing and is now by default. A `traceparent` in `headers` wins over
    the one of the delivery being handled.
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

    `routing_key` is the one it was first published with, also after retries. `attempt` counts the failures that
    brought it through the ladder, `deferrals` how often a handler raised RetryLater; both from 0. `redelivered` says
    that an earlier reader may have worked on it, or this one, before something was Unavailable.
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
    """Raised by a handler whose reader leaves: this message goes back to its place in the queue, for the next reader.

    The broker counts it as a delivery; a reader that stays raises RetryLater instead.
    """


Handler = Callable[[Delivery], Awaitable[None]]
Listener = Callable[[Delivery | None], Awaitable[None]]


class Held(Protocol):
    """A message that somebody looks at: out of its queue for so long, and back in it unless it is removed."""

    @property
    def delivery(self) -> Delivery:
        """The message."""

    async def remove(self) -> None:
        """Take it out of its queue for good; returns once the broker has done so. Raises Unavailable when it may not
        have.
        """


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
    """How many messages wait in a queue for a reader, and how many read it."""

    waiting: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Which of the exchanges and queues asked for do not exist, and the counts of the queues that do."""

    missing: tuple[str, ...]
    queues: Mapping[str, QueueCounts]


@dataclass(frozen=True, slots=True)
class Restored:
    """Exchanges and queues that had been gone for a while and are there again, with their bindings. `since`: when all
    was last seen there.
    """

    names: frozenset[str]
    since: datetime


class Subscription(Protocol):
    """A running consumer or listener."""

    async def cancel(self) -> None:
        """Stop the intake and give back what was prefetched but not begun; handlers already running go on to their
        end.
        """


class Publisher(Protocol):
    """The half of the broker that most code needs."""

    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has confirmed `message`. Raises Unavailable when it did not within the deadline; the
        message may have landed all the same, so a repeat carries the same `message_id`. Raises Unroutable when no
        queue took it.
        """


class Broker(Publisher, Protocol):
    """Everything a service does with RabbitMQ."""

    async def declare(self, topology: Topology) -> None:
        """Make sure that these exchanges, queues and bindings exist, now and after every reconnect. Raises
        Unavailable.
        """

    async def ensure(self, topology: Topology) -> None:
        """Make sure that these exist now; unlike what was declared, they are not made again after a reconnect. Raises
        Unavailable.
        """

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Subscription:
        """Give every message of `queue` to `handler`, at most `prefetch` at a time, also after every reconnect.

        What the handler does decides: returning acknowledges; RetryLater brings it back later; GiveBack puts it back
        into its place; TemporaryFailure
        brings it back on the ladder's next rung and dead-letters it after the last; UnreadableEvent dead-letters it
        with its code; Unavailable keeps it unacknowledged and calls the handler again until the dependency is back;
        anything else is retried through the ladder a few times and then dead-lettered.
        """

    async def listen(self, key: str, listener: Listener) -> Subscription:
        """Give `listener` every message published under `key` from now on; each process gets its own copy, and
        nothing is kept for a process that is away. `listener` gets None whenever it may have missed something: at
        every (re)connect.
        """

    def browse(
        self, queue: str, *, limit: int, budget: int | None = None
    ) -> AbstractAsyncContextManager[Sequence[Held]]:
        """Hold the first `limit` messages of `queue`, those that no consumer has, in their order. On leaving, and
        whatever happens, all go back that were not removed; meanwhile nobody else gets them. Raises Unavailable.

        They are in memory meanwhile: no more are taken once their bodies have `budget` bytes together, so a large one
        may be the last, and the first is always taken. None: whatever `limit` messages have.
        """

    async def survey(self, topology: Topology) -> Survey:
        """Look which parts of `topology` exist, without declaring any. Raises Unavailable."""

    async def ready(self) -> None:
        """Return once the topology exists and messages can be published and consumed."""

    def on_restored(self, told: Callable[[Restored], Awaitable[None]]) -> None:
        """Call `told` whenever something that was declared had been deleted and was made again. What was published in
        between may lie in `sms.unrouted`. It runs beside nothing else of the watch; it must not raise.
        """

    def check(self) -> str | None:
        """Why this broker cannot do its work right now, or None: for a readiness probe."""

    def why_away(self) -> str | None:
        """Why the last attempt to connect failed, or None while connected or before it has. It may be shown."""

    async def stop_consuming(self, timeout: float) -> None:
        """Drain: stop the intake for good, give back what has not begun, wait up to `timeout` seconds for running
        handlers, then cancel those and give their messages back. Publishing goes on to work.
        """
