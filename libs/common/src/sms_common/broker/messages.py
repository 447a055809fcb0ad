"""What a service gives to the broker and gets from it; no AMQP library shows through."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sms_common.topology import Topology

HeaderValue = str | int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish: persistent JSON. `message_id` is the event's stable id, by which readers remove duplicates."""

    exchange: str
    routing_key: str
    body: bytes
    type: str
    message_id: str
    correlation_id: str | None = None
    headers: Mapping[str, HeaderValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a handler sees it.

    `attempt` counts the failures that brought it through the ladder, `deferrals` how often a handler raised RetryLater; both
    from 0. `redelivered` says that an earlier reader may have worked on it.
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


class RetryLater(Exception):  # noqa: N818  # it is an instruction to the broker, not an error
    """Raised by a handler: bring this message back after `seconds`, without counting it as a failure."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


Handler = Callable[[Delivery], Awaitable[None]]


class Subscription(Protocol):
    """A running consumer."""

    async def cancel(self) -> None:
        """Stop the intake and give back what was prefetched but not begun; handlers already running go on to their end."""


class Publisher(Protocol):
    """The half of the broker that most code needs."""

    async def publish(self, message: Outgoing) -> None:
        """Return once the broker has confirmed `message`. Raises Unavailable when it did not within the deadline; the message
        may have landed all the same, so a repeat carries the same `message_id`.
        """


class Broker(Publisher, Protocol):
    """Everything a service does with RabbitMQ."""

    async def declare(self, topology: Topology) -> None:
        """Make sure that these exchanges, queues and bindings exist. Raises Unavailable."""

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Subscription:
        """Give every message of `queue` to `handler`, at most `prefetch` at a time, also after every reconnect.

        What the handler does decides: returning acknowledges; RetryLater brings it back later; UnreadableEvent dead-letters
        it with its code; Unavailable keeps it unacknowledged and calls the handler again until the dependency is back;
        anything else is retried through the ladder a few times and then dead-lettered.
        """
