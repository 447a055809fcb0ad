"""A PBX that keeps books: each message is published until it is confirmed, each event is noted when it came.

It is a plain AMQP client that connects anew whenever it has to, as one outlives what is done to its broker.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aio_pika
import orjson
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

_TROUBLE = (AMQPError, ConnectionError, OSError, TimeoutError, RuntimeError)
_PATIENCE = 5.0
_PAUSE = 0.2
_WINDOW = 200


@dataclass(slots=True)
class Books:
    """What was published, what of it was confirmed, and what was told of it. Times are monotonic, in seconds."""

    published: dict[str, float] = field(default_factory=dict)
    confirmed: dict[str, float] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    finals: dict[str, str] = field(default_factory=dict)
    submitted_at: dict[str, float] = field(default_factory=dict)
    progress: dict[str, list[float]] = field(default_factory=dict)
    """when messages of each tenant were submitted"""
    inbound: Counter[str] = field(default_factory=Counter)
    seen_events: set[str] = field(default_factory=set)

    def note_status(self, event: dict[str, Any], now: float) -> None:
        """Take one status event; the same one again changes nothing."""
        if event["event_id"] in self.seen_events:
            return
        self.seen_events.add(event["event_id"])
        message_id = event["message_id"]
        self.statuses.setdefault(message_id, []).append(event)
        if event["status"] == "submitted":
            self.submitted_at.setdefault(message_id, now)
            self.progress.setdefault(event["tenant_id"], []).append(now)
        if event["final"]:
            self.finals.setdefault(message_id, event["status"])

    def note_inbound(self, event: dict[str, Any]) -> None:
        """Take one inbound text; the same event again changes nothing."""
        if event["event_id"] not in self.seen_events:
            self.seen_events.add(event["event_id"])
            self.inbound[event["provider_msg_id"]] += 1


class Publisher:
    """Publishes to `sms` until the broker confirms."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._connecting = asyncio.Lock()
        self._gate = asyncio.Semaphore(_WINDOW)

    async def send(self, body: dict[str, Any]) -> None:
        """Publish a request until it is confirmed, in the same words each time."""
        async with self._gate:
            await self.publish(orjson.dumps(body), f"sms.outbound.{body['tenant_id']}")

    async def publish(self, content: bytes, key: str) -> None:
        """Publish anything until it is confirmed."""
        while True:
            exchange = self._exchange
            try:
                exchange = await self._connected()
                message = aio_pika.Message(content, delivery_mode=2)
                await asyncio.wait_for(exchange.publish(message, key), _PATIENCE)
            except Exception:  # noqa: BLE001  # aiormq raises a bare one when a connection dies while it writes
                if self._exchange is exchange:
                    self._exchange = None
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(*_TROUBLE):
                await asyncio.wait_for(self._connection.close(), _PATIENCE)

    async def _connected(self) -> AbstractExchange:
        async with self._connecting:
            if self._exchange is None:
                if self._connection is not None:
                    with suppress(*_TROUBLE):
                        await asyncio.wait_for(self._connection.close(), 1)
                self._connection = await asyncio.wait_for(aio_pika.connect(self._url), _PATIENCE)
                channel = await self._connection.channel(publisher_confirms=True)
                self._exchange = await channel.get_exchange("sms")
            return self._exchange


class Pbx:
    """Publishes to `sms` and reads the queue pair of `pbx_id` inside its context."""

    def __init__(self, url: str, pbx_id: str = "main") -> None:
        self.books = Books()
        self._url = url
        self._pbx_id = pbx_id
        self._publisher = Publisher(url)
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        books = self.books
        takes: dict[str, Callable[[dict[str, Any]], None]] = {
            "status": lambda event: books.note_status(event, time.monotonic()),
            "inbound": books.note_inbound,
        }
        names = {f"pbx.{self._pbx_id}.{kind}": take for kind, take in takes.items()}
        self._readers = [asyncio.create_task(self._read(name, take)) for name, take in names.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._publisher.close()

    async def send(self, body: dict[str, Any]) -> None:
        """Publish a request until it is confirmed, in the same words each time."""
        self.books.published[body["message_id"]] = time.monotonic()
        await self._publisher.send(body)
        self.books.confirmed[body["message_id"]] = time.monotonic()

    async def publish(self, content: bytes, key: str) -> None:
        """Publish anything until it is confirmed."""
        await self._publisher.publish(content, key)

    async def _read(self, queue_name: str, take: Callable[[dict[str, Any]], None]) -> None:
        while True:
            with suppress(*_TROUBLE):
                connection = await asyncio.wait_for(aio_pika.connect(self._url, heartbeat=5), _PATIENCE)
                try:
                    await self._consume(connection, queue_name, take)
                finally:
                    with suppress(*_TROUBLE):
                        await asyncio.wait_for(connection.close(), 1)
            await asyncio.sleep(_PAUSE)

    async def _consume(
        self, connection: AbstractConnection, queue_name: str, take: Callable[[dict[str, Any]], None]
    ) -> None:
        ended = asyncio.Event()
        connection.close_callbacks.add(lambda *_: ended.set())
        channel = await connection.channel()
        channel.close_callbacks.add(lambda *_: ended.set())
        await channel.set_qos(500)

        async def on_message(message: AbstractIncomingMessage) -> None:
            take(orjson.loads(message.body))
            with suppress(*_TROUBLE):
                await message.ack()

        await (await channel.get_queue(queue_name)).consume(on_message)
        await ended.wait()
