"""The broker on RabbitMQ: one connection for publishing, one for everything else, each kept up in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelClosed

from sms_common.backoff import was_cancelled
from sms_common.broker.amqp import browsing
from sms_common.broker.amqp.connection import ReconnectingConnection, Timeouts
from sms_common.broker.amqp.consuming import DeliveryIntake
from sms_common.broker.amqp.declaring import Declarations, NotDeclared
from sms_common.broker.amqp.incoming import install_lenient_decoders
from sms_common.broker.amqp.listening import Listeners
from sms_common.broker.amqp.publishing import ConfirmedPublisher
from sms_common.broker.amqp.watching import TopologyWatch
from sms_common.broker.messages import BrowseLimit, Handler, Held, Listener, Outgoing, Restored, Subscription, Survey
from sms_common.errors import Code, Refused, Unavailable
from sms_common.telemetry import metrics, redact_text
from sms_common.topology import Topology

log = structlog.get_logger(__name__)


class RabbitBroker:
    """`async with RabbitBroker(url, name=..., topology=base()) as broker` connects in the background.

    It is no error when RabbitMQ cannot be reached. `ready` waits for it, `check` says what is wrong, `publish` raises
    Unavailable after its deadline, and consumers start when it is back. `name` is shown in RabbitMQ's list of
    connections. With `repairs`, an exchange or queue that somebody deletes is declared again at once. This is for the
    one service that declares everything.
    """

    def __init__(
        self, url: str, *, name: str, topology: Topology, timeouts: Timeouts | None = None, repairs: bool = False
    ) -> None:
        if urlsplit(url).scheme not in {"amqp", "amqps"}:
            raise ValueError("the broker's address has to begin with amqp:// or amqps://")
        install_lenient_decoders()
        self._timeouts = timeouts or Timeouts()
        self._topology_ready = asyncio.Event()
        self._declarations = Declarations(topology, self._timeouts.connect)
        self._watch = TopologyWatch(self._declarations, repairs=repairs)
        self._publisher = ConfirmedPublisher(self._timeouts, self._topology_ready, self._watch.check_soon)
        self._intake = DeliveryIntake(
            self._timeouts, self._declarations, self._publisher.publish, self._watch.queue_restored
        )
        self._listeners = Listeners(self._timeouts)
        self._connections = (
            ReconnectingConnection(
                url, f"{name} publishing", self._timeouts, self._publisher.serve, self._update_connected
            ),
            ReconnectingConnection(url, f"{name} consuming", self._timeouts, self._serve, self._update_connected),
        )
        self._connection: AbstractConnection | None = None
        self._restored = asyncio.Event()
        self._problem: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(connection.run()) for connection in self._connections]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_consuming(self._timeouts.publish)
        await self._listeners.close()
        await self._publisher.finish()
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def publish(self, message: Outgoing) -> None:
        """Publish one message. See Publisher.publish."""
        await self._publisher.publish(message)

    async def declare(self, topology: Topology) -> None:
        """Declare `topology`; if this raises, it is declared on the next connection. See Broker.declare."""
        self._declarations.remember(topology)
        await self.ensure(topology)

    async def ensure(self, topology: Topology) -> None:
        """Declare `topology` once. See Broker.ensure."""
        try:
            async with asyncio.timeout(self._timeouts.publish):
                await self._restored.wait()
            assert self._connection is not None
            await self._declarations.declare(self._connection, topology)
        except TimeoutError:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker did not answer in time.") from None
        except asyncio.CancelledError:
            if was_cancelled():
                raise
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker connection went silent.") from None
        except NotDeclared as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"It is {error}.") from error
        except ChannelClosed as error:
            raise Refused(Code.BROKER_UNAVAILABLE, f"The broker refused a declaration: {error}.") from error
        except Exception as error:
            reason = f"The broker connection was lost ({type(error).__name__})."
            raise Unavailable(Code.BROKER_UNAVAILABLE, reason) from error

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> Subscription:
        """Start a consumer, or register it until there is a connection. See Broker.consume."""
        return await self._intake.consume(queue, handler, prefetch)

    async def listen(self, key: str, listener: Listener) -> Subscription:
        """Start a listener. See Broker.listen."""
        return await self._listeners.listen(key, listener)

    @asynccontextmanager
    async def browse(self, queue: str, *, limit: int, budget: int | None = None) -> AsyncIterator[Sequence[Held]]:
        """Hold the first messages of `queue`. See Broker.browse."""
        allowed = BrowseLimit(limit, budget)
        async with browsing.browse(await self._connected(), queue, allowed, self._timeouts.connect) as held:
            yield held

    async def survey(self, topology: Topology) -> Survey:
        """Which parts of `topology` exist. See Broker.survey."""
        return await browsing.survey(await self._connected(), topology, self._timeouts.connect)

    async def ready(self) -> None:
        """Return when everything can be used. See Broker.ready."""
        await self._restored.wait()
        await self._publisher.ready()

    def on_restored(self, callback: Callable[[Restored], Awaitable[None]]) -> None:
        """Register a callback for restored exchanges and queues. See Broker.on_restored."""
        self._watch.subscribe(callback)

    def check(self) -> str | None:
        """Why the broker cannot be used now, or None. See Broker.check."""
        refused = next(
            (connection.refusal for connection in self._connections if not connection.connected and connection.refusal),
            None,
        )
        problem = self._problem or refused or self._publisher.problem()
        if problem is not None:
            return problem
        if not self._restored.is_set():
            return "not connected to the broker for consuming"
        if (missing := self._watch.problem()) is not None:
            return missing
        if stopped := self._intake.not_running() + self._listeners.not_running():
            return f"{len(stopped)} of the consumers not running, one of them on {stopped[0]}"
        return None

    async def stop_consuming(self, timeout: float) -> None:
        """Drain. See Broker.stop_consuming."""
        await self._intake.drain(timeout)

    def why_away(self) -> str | None:
        """Why the last attempt to connect failed, or None. See Broker.why_away."""
        reasons = (
            connection.reason for connection in self._connections if not connection.connected and connection.reason
        )
        return next((redact_text(reason) for reason in reasons), None)

    async def _connected(self) -> AbstractConnection:
        try:
            async with asyncio.timeout(self._timeouts.publish):
                await self._restored.wait()
        except TimeoutError:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker did not answer in time.") from None
        assert self._connection is not None
        return self._connection

    def _update_connected(self) -> None:
        metrics.broker_connected.set(all(connection.connected for connection in self._connections))

    async def _serve(self, connection: AbstractConnection) -> None:
        try:
            await self._declarations.restore(connection)
        except NotDeclared as error:
            self._problem = str(error)
            raise
        except ChannelClosed as error:
            self._problem = f"the broker refuses the topology: {error}"
            raise
        self._problem = None
        self._connection = connection
        self._topology_ready.set()
        self._restored.set()
        try:
            async with asyncio.TaskGroup() as users:
                users.create_task(self._intake.serve(connection))
                users.create_task(self._listeners.serve(connection))
                users.create_task(self._watch.serve(connection))
        finally:
            self._restored.clear()
            self._connection = None
