"""Keeps one AMQP connection alive: connects with back-off, hands every new connection to its user, notices an alarm."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractConnection as WireConnection
from aiormq.channel import Channel as Wire
from aiormq.exceptions import ChannelInvalidStateError, InvalidFrameError, ProbableAuthenticationError
from pamqp import commands as spec

from sms_common.backoff import Backoff, was_cancelled
from sms_common.broker.amqp.acks import AckBatch
from sms_common.broker.amqp.write_buffer import WriteBuffer

_CANCEL_AGAIN_SECONDS = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `publish` is the deadline of a publish, waiting for a connection included; `connect` that of a
    connection attempt and of each single request to the broker. A silent peer is given up after about three
    heartbeats.

    `hold` is how long a delivery may wait, unacknowledged, for something Unavailable. RabbitMQ closes a channel on
    which one stays so for 30 minutes, and counts every such return towards the queue's delivery limit; through the
    ladder the message is no less safe.
    """

    publish: float = 5.0
    connect: float = 10.0
    heartbeat: int = 10
    hold: float = 900.0


@dataclass(frozen=True, slots=True)
class BrokerChannel:
    """An open channel. `wire` speaks the protocol's own methods, which do not wait for what is in the `outbox`; the
    connection is kept so that it lives as long.
    """

    wire: Wire
    connection: WireConnection
    outbox: WriteBuffer
    answers: AckBatch
    timeout: float

    @property
    def is_open(self) -> bool:
        """Whether it can still be used; what was delivered on a closed one can no longer be acknowledged."""
        return self.outbox.is_open

    async def closed(self) -> None:
        """Return once it is closed, by whomever and for whatever reason."""
        await asyncio.wait([self.wire.closing])

    async def close(self) -> None:
        """Close it. Never raises: a channel that does not answer goes down with its connection."""
        self.outbox.shut()
        try:
            await self.wire.close(exc=None, timeout=self.timeout)
        except asyncio.CancelledError:  # aiormq hands it out as the reason why a connection died
            if was_cancelled():
                raise
        except Exception as error:  # noqa: BLE001  # whatever it was, nothing is left to be closed
            log.debug("channel_not_closed", error=type(error).__name__)

    async def flush(self, prefetch: int = 0, timeout: float | None = None) -> None:  # noqa: ASYNC109  # of each wait
        """Return once the broker has dealt with everything that was put into the outbox. `prefetch` is the channel's,
        which this sets again: a request that is answered and changes nothing. `timeout` is in seconds.

        Raises ChannelClosed when the broker refused something of it, TimeoutError when it does not answer, or whatever
        the loss of the connection looks like.
        """
        seconds = self.timeout if timeout is None else timeout
        await self.outbox.written(seconds)
        answer = asyncio.ensure_future(self.wire.basic_qos(prefetch_count=prefetch, timeout=seconds))
        closed = asyncio.ensure_future(self.closed())  # or the answer would be waited for in vain
        try:
            await asyncio.wait({answer, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() or isinstance(answer.exception(), ChannelInvalidStateError):
                async with asyncio.timeout(self.timeout):
                    await self.wire.closing  # why it was closed comes a little later than that it was
                raise ConnectionError("the channel was closed")
            await answer
        finally:
            answer.cancel()
            closed.cancel()
            await asyncio.gather(answer, closed, return_exceptions=True)

    def answer(self, tag: int, *, acknowledge: bool) -> None:
        """Acknowledge a delivery or give it back. On a channel that has died there is nothing to answer: the broker
        delivers again.
        """
        if self.is_open:
            self.answers.answer(tag, acknowledge=acknowledge)
            self.outbox.put(self.answers.frames)
        else:
            log.debug("answer_skipped", acknowledge=acknowledge)


async def open_channel(connection: AbstractConnection, timeout: float, *, confirms: bool = False) -> BrokerChannel:  # noqa: ASYNC109  # also covers aio-pika's own waits
    """A new channel, within `timeout` seconds. With `confirms`, publishing on it waits for the broker's answer."""
    assert connection.transport is not None
    opened = connection.transport.connection
    async with asyncio.timeout(timeout):
        await opened.ready()
        # Not by way of aio-pika: of each of its channels something stays with the connection when it is closed.
        wire = await opened.channel(publisher_confirms=confirms, on_return_raises=False)
    assert isinstance(wire, Wire)
    return BrokerChannel(wire, wire.connection, WriteBuffer(wire), AckBatch(wire.number), timeout)


def is_blocked(connection: WireConnection) -> bool:
    """Whether the broker has an alarm on and reads nothing from this connection.

    aiormq keeps connection.blocked to itself, but its `ready` suspends exactly while it lasts.
    """
    probe = connection.ready()
    try:
        probe.send(None)
    except StopIteration:
        return False
    probe.close()
    return True


async def _end(task: asyncio.Future[None]) -> None:
    """Cancel `task` until it has ended: an AMQP call that is answered at the same moment swallows a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(task, return_exceptions=True)


def _refusal(error: BaseException) -> str | None:
    """What RabbitMQ refused of the address, as a sentence; None for all else.

    Of a virtual host aiormq raises that it got another frame than it expected, and keeps to itself what the frame says.
    """
    if isinstance(error, ProbableAuthenticationError):
        return "RabbitMQ refuses the log-in: correct user and password of the address, percent-encoded where needed"
    if not isinstance(error, InvalidFrameError):
        return None
    closes = (frame.f_locals.get("frame") for frame, _ in traceback.walk_tb(error.__traceback__))
    said = next((one.reply_text for one in closes if isinstance(one, spec.Connection.Close)), None)
    if said is None:
        return None
    if "not found" in said:
        return "there is no vhost of the name in the address: make it in RabbitMQ, or correct the end of the address"
    if "limit" in said:
        return "RabbitMQ takes no more connections to this vhost, or of this user"
    return "RabbitMQ refuses the vhost to this user: give the user permissions on it, or correct the address"


class Link:
    """One connection that is always being kept up. `serve` uses each new one for as long as it lives; `changed` is
    called whenever `connected` changes. `reason` is why the last one ended, or none came about; `refusal`
    says what RabbitMQ refuses and a person must mend.
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
        """Connect, serve, and begin again, until cancelled."""
        backoff = Backoff()
        while True:
            refusal: str | None = None
            try:
                await self._live()
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

    async def _live(self) -> None:
        """One connection from its beginning to its end. Always raises: the reason why it ended."""
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
            if was_cancelled():  # connecting swallows a cancellation too, and nobody would cancel again
                raise asyncio.CancelledError
            self._note(connected=True)
            self._log.info("broker_connected")
            await asyncio.wait({closing, serving}, return_when=asyncio.FIRST_COMPLETED)
            # The user of a connection notices its end too, but less well why.
            await (closing if closing.done() else serving)
            raise ConnectionError("closed")
        finally:
            self._note(connected=False)
            await _end(serving)
            await self._close(connection)

    def _note(self, *, connected: bool) -> None:
        self.connected = connected
        self._changed()

    async def _close(self, connection: AbstractConnection) -> None:
        with suppress(Exception):
            async with asyncio.timeout(self._timeouts.connect):
                await connection.close()
