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
from sms_common.broker.amqp.connection import Link, Timeouts
from sms_common.broker.amqp.consuming import DeliveryIntake
from sms_common.broker.amqp.declaring import Declarations, NotDeclared
from sms_common.broker.amqp.decoding import install_lenient_decoders
from sms_common.broker.amqp.listening import Listeners
from sms_common.broker.amqp.publishing import ConfirmedPublisher
from sms_common.broker.amqp.watching import TopologyWatch
from sms_common.broker.messages import Handler, Held, Listener, Outgoing, Restored, Subscription, Survey
from sms_common.errors import Code, Refused, Unavailable
from sms_common.telemetry import metrics, redact_text
from sms_common.topology import Topology

log = structlog.get_logger(__name__)


class RabbitBroker:
    """`async with RabbitBroker(url, name=..., topology=base()) as broker`: connects in the background.

    A broker that is away is no failure here: `ready` waits for it, `check` says what is wrong, `publish` raises
    Unavailable after its deadline, and consumers start when it is back. `name` is shown in RabbitMQ's list of
    connections. With `repairs` what somebody deletes is made again while the connection lives: for the one service that
    declares everything.
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
        self._publisher = ConfirmedPublisher(self._timeouts, self._topology_ready, self._watch.suspect)
        self._intake = DeliveryIntake(
            self._timeouts, self._declarations, self._publisher.publish, self._watch.made_again
        )
        self._listeners = Listeners(self._timeouts)
        self._links = (
            Link(url, f"{name} publishing", self._timeouts, self._publisher.serve, self._note_connected),
            Link(url, f"{name} consuming", self._timeouts, self._serve, self._note_connected),
        )
        self._connection: AbstractConnection | None = None
        self._restored = asyncio.Event()
        self._problem: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(link.run()) for link in self._links]
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
        """See Publisher.publish."""
        await self._publisher.publish(message)

    async def declare(self, topology: Topology) -> None:
        """See Broker.declare. Even when it raises, `topology` is declared as soon as there is a connection."""
        self._declarations.remember(topology)
        await self.ensure(topology)

    async def ensure(self, topology: Topology) -> None:
        """See Broker.ensure."""
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
        """See Broker.consume. Returns at once when there is no connection; the consumer starts when there is one."""
        return await self._intake.consume(queue, handler, prefetch)

    async def listen(self, key: str, listener: Listener) -> Subscription:
        """See Broker.listen."""
        return await self._listeners.listen(key, listener)

    @asynccontextmanager
    async def browse(self, queue: str, *, limit: int, budget: int | None = None) -> AsyncIterator[Sequence[Held]]:
        """See Broker.browse."""
        share = browsing.Share(limit, budget)
        async with browsing.browse(await self._connected(), queue, share, self._timeouts.connect) as held:
            yield held

    async def survey(self, topology: Topology) -> Survey:
        """See Broker.survey."""
        return await browsing.survey(await self._connected(), topology, self._timeouts.connect)

    async def ready(self) -> None:
        """See Broker.ready."""
        await self._restored.wait()
        await self._publisher.ready()

    def on_restored(self, told: Callable[[Restored], Awaitable[None]]) -> None:
        """See Broker.on_restored."""
        self._watch.tell(told)

    def check(self) -> str | None:
        """See Broker.check."""
        refused = next((link.refusal for link in self._links if not link.connected and link.refusal), None)
        trouble = self._problem or refused or self._publisher.trouble()
        if trouble is not None:
            return trouble
        if not self._restored.is_set():
            return "not connected to the broker for consuming"
        if (gone := self._watch.trouble()) is not None:
            return gone
        missing = self._intake.missing() + self._listeners.missing()
        if missing:
            return f"{len(missing)} of the consumers not running, one of them on {missing[0]}"
        return None

    async def stop_consuming(self, timeout: float) -> None:  # noqa: ASYNC109  # the handlers get this long, not the call
        """See Broker.stop_consuming."""
        await self._intake.drain(timeout)

    def why_away(self) -> str | None:
        """See Broker.why_away."""
        reasons = (link.reason for link in self._links if not link.connected and link.reason)
        return next((redact_text(reason) for reason in reasons), None)

    async def _connected(self) -> AbstractConnection:
        try:
            async with asyncio.timeout(self._timeouts.publish):
                await self._restored.wait()
        except TimeoutError:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker did not answer in time.") from None
        assert self._connection is not None
        return self._connection

    def _note_connected(self) -> None:
        metrics.broker_connected.set(all(link.connected for link in self._links))

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
