"""Broadcasts: every process that listens to a key gets its own copy, from a queue that ends with its connection.

It uses aiormq's public methods and not aio-pika's, see `open_channel`.
"""

import asyncio
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage

from sms_common.backoff import Backoff, was_cancelled
from sms_common.broker.amqp.connection import Timeouts, open_channel
from sms_common.broker.amqp.incoming import read
from sms_common.broker.messages import Delivery, Listener
from sms_common.broker.outcomes import stack_of
from sms_common.topology import SMS

log = structlog.get_logger(__name__)

_BIND_EVERY = 20.0


class QueueListening:
    """One listener. It is called for one message after the other, in their order."""

    def __init__(self, key: str, listener: Listener, timeouts: Timeouts, listeners: "Listeners") -> None:
        self.key = key
        self._listener = listener
        self._timeouts = timeouts
        self._listeners = listeners
        self._messages: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._calling = asyncio.ensure_future(self._call_listener())
        self.connected = False

    async def cancel(self) -> None:
        """Stop for good. See Subscription.cancel."""
        await self._listeners.cancel(self)

    async def serve(self, connection: AbstractConnection) -> None:
        """Listen on `connection` until it ends."""
        backoff = Backoff()
        while True:
            try:
                await self._listen(connection)
            except (Exception, asyncio.CancelledError) as error:  # it must not stop the consumers
                if was_cancelled():
                    raise
                log.warning("listener_not_started", key=self.key, reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(backoff.delay())

    async def _listen(self, connection: AbstractConnection) -> None:
        """Listen on a new channel until it is closed."""
        timeout = self._timeouts.connect
        channel = await open_channel(connection, timeout)
        try:
            declared = await channel.raw.queue_declare(exclusive=True, auto_delete=True, timeout=timeout)
            queue = declared.queue
            assert queue

            async def deliver(message: DeliveredMessage) -> None:
                self._messages.put_nowait(read(message, queue))

            await channel.raw.queue_bind(queue, SMS, self.key, timeout=timeout)
            await channel.raw.basic_consume(queue, deliver, no_ack=True, timeout=timeout)
            self._messages.put_nowait(None)
            self.connected = True
            while channel.is_open:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_BIND_EVERY):
                        await channel.closed()
                        return
                # When somebody deletes the exchange, the binding is gone too, and the broker tells nobody.
                await channel.raw.queue_bind(queue, SMS, self.key, timeout=timeout)
        finally:
            self.connected = False
            await channel.close()

    async def stop(self) -> None:
        """End the listener's task."""
        self._calling.cancel()
        await asyncio.gather(self._calling, return_exceptions=True)

    async def _call_listener(self) -> None:
        while True:
            message = await self._messages.get()
            try:
                await self._listener(message)
            except Exception as error:  # noqa: BLE001  # the next message may be understood
                log.error(  # noqa: TRY400  # stack_of leaves out what the exception says
                    "listener_failed", key=self.key, error=type(error).__name__, stack=stack_of(error)
                )


class Listeners:
    """All listeners of one broker."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._serving: dict[QueueListening, asyncio.Task[None] | None] = {}
        self._connection: AbstractConnection | None = None

    async def listen(self, key: str, listener: Listener) -> QueueListening:
        """Start a listener. See Broker.listen."""
        listening = QueueListening(key, listener, self._timeouts, self)
        self._serving[listening] = None
        self._start(listening)
        return listening

    async def cancel(self, listening: QueueListening) -> None:
        """Stop one listener for good."""
        serving = self._serving.pop(listening, None)
        if serving is not None:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        await listening.stop()

    def not_running(self) -> list[str]:
        """The keys whose listeners do not run at present."""
        return [listening.key for listening in self._serving if not listening.connected]

    async def close(self) -> None:
        """Stop all listeners for good."""
        for listening in list(self._serving):
            await self.cancel(listening)

    async def serve(self, connection: AbstractConnection) -> None:
        """Run all listeners on `connection` until it ends."""
        self._connection = connection
        try:
            for listening in self._serving:
                self._start(listening)
            await asyncio.Event().wait()
        finally:
            self._connection = None
            running = [task for task in self._serving.values() if task is not None]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _start(self, listening: QueueListening) -> None:
        if self._connection is not None:
            self._serving[listening] = asyncio.ensure_future(listening.serve(self._connection))
