"""Publishes with confirms on one pipelined channel, each message under one deadline."""

import asyncio
import struct
from collections.abc import Callable
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import DeliveryError

from sms_common.backoff import Backoff, was_cancelled
from sms_common.broker.amqp.aiormq_internals import is_blocked
from sms_common.broker.amqp.connection import BrokerChannel, Timeouts, open_channel
from sms_common.broker.amqp.write_buffer import ConfirmChannel
from sms_common.broker.messages import Outgoing, Unroutable
from sms_common.errors import Code, Unavailable
from sms_common.telemetry import metrics

log = structlog.get_logger(__name__)

_BLOCKED = "the broker blocks publishers: memory or disk alarm"

_confirmed = metrics.publish_total.labels("confirmed")
_returned = metrics.publish_total.labels("returned")
_nacked = metrics.publish_total.labels("nacked")
_timed_out = metrics.publish_total.labels("timeout")
_failed = metrics.publish_total.labels("error")


class _SameId:
    """How many messages with the same id are under way, and whether one of them was returned."""

    __slots__ = ("returned", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.returned = False


class ConfirmedPublisher:
    """The publishing half of the broker. `topology_ready` is set when the exchanges exist. `check_topology` is called
    when an exchange or a queue may have been deleted.
    """

    def __init__(
        self, timeouts: Timeouts, topology_ready: asyncio.Event, check_topology: Callable[[], None] = lambda: None
    ) -> None:
        self._timeouts = timeouts
        self._topology_ready = topology_ready
        self._check_topology = check_topology
        self._channel: BrokerChannel | None = None
        self._confirms: ConfirmChannel | None = None
        self._opened = asyncio.Event()
        self._closed = False
        self._pending: dict[str, _SameId] = {}
        self._none_pending: asyncio.Future[None] | None = None
        self._unblocking: asyncio.Task[None] | None = None

    async def serve(self, connection: AbstractConnection) -> None:
        """Keep a channel open on `connection` until it ends. The broker closes it when an exchange is missing."""
        await self._topology_ready.wait()
        backoff = Backoff()
        while True:
            channel = await open_channel(connection, self._timeouts.connect, confirms=True)
            channel.raw.on_return_callbacks.add(self._on_return)
            self._channel = channel
            self._confirms = ConfirmChannel(channel.raw, channel.buffer, self._timeouts.publish)
            self._opened.set()
            try:
                await channel.closed()
            finally:
                self._channel = self._confirms = None
                self._opened.clear()
                if self._unblocking is not None:
                    self._unblocking.cancel()
            self._check_topology()
            await asyncio.sleep(backoff.delay())

    async def ready(self) -> None:
        """Return when there is an open channel."""
        await self._opened.wait()

    def problem(self) -> str | None:
        """Why nothing can be published right now, or None."""
        if self._channel is None:
            return "not connected to the broker for publishing"
        return _BLOCKED if self._is_blocked(self._channel) else None

    async def finish(self) -> None:
        """Refuse further messages and wait until those under way are confirmed or have failed."""
        self._closed = True
        if self._pending:
            self._none_pending = asyncio.get_running_loop().create_future()
            await self._none_pending

    async def publish(self, message: Outgoing) -> None:
        """Publish one message. See Publisher.publish."""
        if self._closed:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker connection has been closed.")
        try:
            if self._is_open:
                await self._publish_tracked(message)  # ConfirmChannel has the deadline, at a tenth of the cost
            else:
                async with asyncio.timeout(self._timeouts.publish):
                    await self._publish_tracked(message)
        except (TypeError, ValueError, struct.error):
            raise  # it cannot be written as an AMQP message at all: a mistake of the caller
        except asyncio.CancelledError as error:
            if was_cancelled():
                raise
            raise self._failure(error) from None
        except Exception as error:  # noqa: BLE001  # aiormq raises whatever ended the connection
            raise self._failure(error) from None
        _confirmed.inc()

    def _failure(self, error: BaseException) -> Unavailable:
        """What a failed publish means to the caller. Counts it."""
        if isinstance(error, Unavailable):
            (_returned if isinstance(error, Unroutable) else _failed).inc()
            return error
        if isinstance(error, TimeoutError):
            _timed_out.inc()
            if self._channel is not None:
                self._is_blocked(self._channel)
            reason = f"The broker did not confirm within {self._timeouts.publish:g} s."
            return Unavailable(Code.BROKER_UNAVAILABLE, reason)
        if isinstance(error, DeliveryError):
            _nacked.inc()
            return Unavailable(Code.BROKER_UNAVAILABLE, "The broker refused the message: a queue is full.")
        _failed.inc()
        return Unavailable(Code.BROKER_UNAVAILABLE, f"The broker connection was lost ({type(error).__name__}).")

    async def _publish_tracked(self, message: Outgoing) -> None:
        """Publish, and raise Unroutable if the message was returned.

        A returned message is known by its id alone. So when one of several with the same id is returned, all of them
        fail, though the broker may have taken some. Publishing those again does no harm, since they have the same id.
        """
        message_id = message.message_id or uuid4().hex
        same_id = self._pending.get(message_id)
        if same_id is None:
            same_id = self._pending[message_id] = _SameId()
        same_id.under_way += 1
        try:
            await self._publish(message, message_id)
        finally:
            same_id.under_way -= 1
            if not same_id.under_way:
                del self._pending[message_id]
                none_pending = self._none_pending
                if none_pending is not None and not self._pending and not none_pending.done():
                    none_pending.set_result(None)
        if same_id.returned:
            where = f"exchange {message.exchange!r} under {message.routing_key!r}"
            raise Unroutable(Code.BROKER_UNAVAILABLE, f"No queue takes what is published to {where}.")

    def _on_return(self, message: DeliveredMessage) -> None:
        """Note that no queue took the message. RabbitMQ confirms it next, as if it had been taken."""
        self._check_topology()
        same_id = self._pending.get(message.header.properties.message_id or "")
        if same_id is not None:
            same_id.returned = True

    async def _publish(self, message: Outgoing, message_id: str) -> None:
        while not self._is_open:
            # `serve` may not have noticed yet that the channel is closed.
            self._opened.clear()
            await self._opened.wait()
        assert self._channel is not None
        assert self._confirms is not None
        if self._is_blocked(self._channel):
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"{_BLOCKED.capitalize()}.")
        await self._confirms.publish(message, message_id)

    @property
    def _is_open(self) -> bool:
        return self._channel is not None and self._channel.is_open

    def _is_blocked(self, channel: BrokerChannel) -> bool:
        """Whether the broker has an alarm on. Sets the metric until the alarm is over."""
        blocked = is_blocked(channel.connection)
        if blocked and self._unblocking is None:
            log.warning("broker_blocked")
            metrics.broker_blocked.set(1)
            self._unblocking = asyncio.ensure_future(channel.connection.ready())
            self._unblocking.add_done_callback(self._unblocked)
        return blocked

    def _unblocked(self, _: object) -> None:
        self._unblocking = None
        metrics.broker_blocked.set(0)
        log.info("broker_unblocked")
