"""Keeps one AMQP connection open: connects with back-off, hands each new connection to its user, opens channels."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractConnection as RawConnection
from aiormq.channel import Channel as RawChannel
from aiormq.exceptions import ChannelInvalidStateError, InvalidFrameError, ProbableAuthenticationError

from sms_common.backoff import Backoff, was_cancelled
from sms_common.broker.amqp import aiormq_internals
from sms_common.broker.amqp.acks import AckBatch
from sms_common.broker.amqp.write_buffer import WriteBuffer

_CANCEL_AGAIN_SECONDS = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `publish` limits a publish, including the wait for a connection. `connect` limits a connection attempt,
    and also each single request to the broker. A peer that is silent for about three heartbeats is given up.

    `hold` limits how long a delivery stays unacknowledged while something is Unavailable. RabbitMQ closes a channel
    with a delivery that was unacknowledged for 30 minutes, and counts each such return towards the queue's delivery
    limit. A message is no less safe on the retry ladder.
    """

    publish: float = 5.0
    connect: float = 10.0
    heartbeat: int = 10
    hold: float = 900.0


@dataclass(frozen=True, slots=True)
class BrokerChannel:
    """An open channel. `raw` is aiormq's, for the methods of the protocol; these do not wait for what is still in
    `buffer`. `connection` is kept here so that it lives as long as the channel.
    """

    raw: RawChannel
    connection: RawConnection
    buffer: WriteBuffer
    acks: AckBatch
    timeout: float

    @property
    def is_open(self) -> bool:
        """Whether it can be used. On a closed channel nothing can be acknowledged any more."""
        return self.buffer.is_open

    async def closed(self) -> None:
        """Return when the channel has been closed, by either side and for any reason."""
        closing = self.raw.closing
        try:
            await asyncio.wait([closing])
        finally:
            closing.cancel()  # aiormq makes a new one for each caller and keeps it until the channel closes

    async def close(self) -> None:
        """Close the channel. Never raises: a channel that does not answer is closed with its connection."""
        self.buffer.stop()
        try:
            await self.raw.close(exc=None, timeout=self.timeout)
        except asyncio.CancelledError:  # aiormq also raises it as the reason why a connection ended
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # whatever it was, nothing is left to be closed
            log.debug("channel_not_closed", error=type(error).__name__)

    async def flush(self, prefetch: int = 0, timeout: float | None = None) -> None:
        """Return when the broker has processed everything that was put into the buffer. `timeout` is in seconds.

        It sends a request that changes nothing and waits for the answer: it sets `prefetch`, which has to be the one
        that the channel has already. Raises ChannelClosed when the broker refused something, TimeoutError when it does
        not answer, or the reason why the connection was lost.
        """
        seconds = self.timeout if timeout is None else timeout
        await self.buffer.flush(seconds)
        answer = asyncio.ensure_future(self.raw.basic_qos(prefetch_count=prefetch, timeout=seconds))
        closed = asyncio.ensure_future(self.closed())  # on a closed channel the answer never comes
        try:
            await asyncio.wait({answer, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() or isinstance(answer.exception(), ChannelInvalidStateError):
                async with asyncio.timeout(self.timeout):
                    await self.raw.closing  # the reason is set a little later than the channel is closed
                raise ConnectionError("the channel was closed")
            await answer
        finally:
            answer.cancel()
            closed.cancel()
            await asyncio.gather(answer, closed, return_exceptions=True)

    def settle(self, tag: int, *, acknowledge: bool) -> None:
        """Acknowledge a delivery or return it to its queue. On a closed channel this does nothing: the broker delivers
        the message again.
        """
        if self.is_open:
            self.acks.settle(tag, acknowledge=acknowledge)
            self.buffer.put(self.acks.frames)
        else:
            log.debug("answer_skipped", acknowledge=acknowledge)


async def open_channel(connection: AbstractConnection, timeout: float, *, confirms: bool = False) -> BrokerChannel:
    """A new channel, within `timeout` seconds. With `confirms`, the broker confirms what is published on it.

    It is one of aiormq's: for each channel of aio-pika's that is closed, a callback stays with the connection (see
    docs/decisions/0008), and channels are opened and closed here every few seconds.
    """
    assert connection.transport is not None
    opened = connection.transport.connection
    async with asyncio.timeout(timeout):
        await opened.ready()
        raw = await opened.channel(publisher_confirms=confirms, on_return_raises=False)
    assert isinstance(raw, RawChannel)
    return BrokerChannel(raw, raw.connection, WriteBuffer(raw), AckBatch(raw.number), timeout)


async def _end(task: asyncio.Future[None]) -> None:
    """Cancel `task` until it has ended. Once is not enough: an AMQP call that is answered at the same moment loses a
    cancellation.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(task, return_exceptions=True)


def _refusal(error: BaseException) -> str | None:
    """What is wrong with the address when RabbitMQ refused it, as a sentence; None for any other error."""
    if isinstance(error, ProbableAuthenticationError):
        return "RabbitMQ refuses the log-in: correct user and password of the address, percent-encoded where needed"
    if not isinstance(error, InvalidFrameError):
        return None
    said = aiormq_internals.close_reason(error)
    if said is None:
        return None
    if "not found" in said:
        return "there is no vhost of the name in the address: make it in RabbitMQ, or correct the end of the address"
    if "limit" in said:
        return "RabbitMQ takes no more connections to this vhost, or of this user"
    return "RabbitMQ refuses the vhost to this user: give the user permissions on it, or correct the address"


class ReconnectingConnection:
    """A connection that is opened again whenever it is lost. `serve` uses each new one until it ends. `changed` is
    called whenever `connected` changes. `reason` says why the last connection ended, or why the last attempt failed.
    `refusal` says what RabbitMQ refuses, when a person has to correct something.
    """

    def __init__(
        self,
        url: str,
        name: str,
        timeouts: Timeouts,
        serve: Callable[[AbstractConnection], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._url = url
        self._name = name
        self._timeouts = timeouts
        self._serve = serve
        self._changed = changed
        self._log = log.bind(connection=name)
        self.connected = False
        self.reason: str | None = None
        self.refusal: str | None = None

    async def run(self) -> None:
        """Connect and serve, again and again, until cancelled."""
        backoff = Backoff()
        while True:
            refusal: str | None = None
            try:
                await self._connect_and_serve()
            except asyncio.CancelledError:
                if was_cancelled():
                    raise
                reason = "no heartbeat"
            except Exception as error:  # noqa: BLE001  # whatever went wrong, the answer is to connect again
                refusal = _refusal(error)
                reason = refusal or f"{type(error).__name__}: {error}"
            self.reason, self.refusal = reason, refusal
            delay = backoff.delay()
            self._log.warning("broker_away", reason=reason, retry_in=round(delay, 2))
            await asyncio.sleep(delay)

    async def _connect_and_serve(self) -> None:
        """Use one connection until it ends. Always raises: the reason why it ended."""
        async with asyncio.timeout(self._timeouts.connect):
            connection = await aio_pika.connect(
                self._url,
                timeout=self._timeouts.connect,
                heartbeat=self._timeouts.heartbeat,
                client_properties={"connection_name": self._name},
            )
        assert connection.transport is not None
        closing = connection.transport.connection.closing
        serving = asyncio.ensure_future(self._serve(connection))
        try:
            if was_cancelled():  # connecting can lose a cancellation too, and nobody would cancel again
                raise asyncio.CancelledError
            self._set(connected=True)
            self._log.info("broker_connected")
            await asyncio.wait({closing, serving}, return_when=asyncio.FIRST_COMPLETED)
            # `serve` fails too when the connection ends, but `closing` knows better why.
            await (closing if closing.done() else serving)
            raise ConnectionError("closed")
        finally:
            self._set(connected=False)
            await _end(serving)
            await self._close(connection)

    def _set(self, *, connected: bool) -> None:
        self.connected = connected
        self._changed()

    async def _close(self, connection: AbstractConnection) -> None:
        with suppress(Exception):
            async with asyncio.timeout(self._timeouts.connect):
                await connection.close()
