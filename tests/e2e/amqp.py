"""A plain AMQP client, as a PBX has one: it knows the contract's names and JSON and none of the gateway's code."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which something that should have come did not."""


@dataclass(frozen=True)
class Message:
    """One delivery: `body` as it came and `json` as it reads."""

    routing_key: str
    type: str | None
    message_id: str | None
    correlation_id: str | None
    headers: Mapping[str, Any]
    body: bytes

    @cached_property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


class Inbox:
    """Everything that came to one queue, acknowledged as it came."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = asyncio.Condition()

    async def take(self, delivery: AbstractIncomingMessage) -> None:
        message = Message(
            delivery.routing_key or "",
            delivery.type,
            delivery.message_id,
            delivery.correlation_id,
            dict(delivery.headers),
            delivery.body,
        )
        await delivery.ack()
        async with self._news:
            self.messages.append(message)
            self._news.notify_all()

    async def until(self, find: Callable[[list[Message]], T], what: str, seconds: float = PATIENCE) -> T:
        """What `find` makes of the messages, once that is true. AssertionError says that `what` did not come."""
        try:
            async with asyncio.timeout(seconds), self._news:
                return await self._news.wait_for(lambda: find(self.messages))
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {seconds:g} s") from None

    async def first(self, wanted: Callable[[Message], bool], what: str, seconds: float = PATIENCE) -> Message:
        """The first message that is `wanted`, as soon as there is one."""
        found = await self.until(lambda messages: next(filter(wanted, messages), None), what, seconds)
        assert found is not None
        return found


class Client:
    """One connection. What it publishes is confirmed."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, exchange: AbstractExchange) -> None:
        self._connection = connection
        self._channel = channel
        self._exchange = exchange

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str) -> AsyncIterator[Self]:
        # No heartbeats: between tests nobody runs this loop, and the broker would take the client for dead.
        async with await aio_pika.connect(url, heartbeat=0) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=500)
            yield cls(connection, channel, await channel.get_exchange("sms"))

    async def publish(
        self, body: bytes | Mapping[str, Any], key: str, *, exchange: str = "sms", **properties: Any
    ) -> None:
        """Publish `body`, in JSON unless it is bytes; `properties` are the AMQP ones."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        target = self._exchange if exchange == "sms" else self._channel.default_exchange
        await target.publish(aio_pika.Message(content, **properties), key)

    async def has_queue(self, name: str) -> bool:
        """Whether there is such a queue."""
        channel = await self._connection.channel()  # the broker closes it when there is not
        try:
            await channel.get_queue(name)
        except aio_pika.exceptions.ChannelClosed:
            return False
        await channel.close()
        return True

    @asynccontextmanager
    async def reading(self, queue_name: str, inbox: Inbox | None = None) -> AsyncIterator[Inbox]:
        """Read a queue inside the context, into `inbox` or a new one."""
        inbox = inbox or Inbox()
        queue = await self._channel.get_queue(queue_name)
        tag = await queue.consume(inbox.take)
        try:
            yield inbox
        finally:
            await queue.cancel(tag)
