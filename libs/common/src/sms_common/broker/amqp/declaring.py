"""Declares topologies and remembers them, so that they are declared again on every new connection."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed, ChannelNotFoundEntity
from pamqp import frame
from pamqp.base import Frame
from pamqp.common import FieldTable

from sms_common.broker.amqp.browsing import survey
from sms_common.broker.amqp.connection import open_channel
from sms_common.concurrency import gather_all
from sms_common.topology import PBX_KIND, Binding, Exchange, Forwarding, Queue, Topology, queue_kind

log = structlog.get_logger(__name__)

# A thousand lanes are declared in batches, without waiting for each answer, on a few channels: the broker works on the
# requests of several channels at once. A cluster with slow disks makes a few dozen queues a second.
_BATCH = 50
_CHANNELS = 8
_BATCH_SECONDS = 60.0

Send = Callable[[AbstractConnection, Sequence[Frame]], Awaitable[None]]


class NotDeclared(ConnectionError):
    """Something is missing that this process may not declare. Another service will."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"waiting for another service to declare {', '.join(missing)}")


class Declarations:
    """Everything that has been declared: the base, without which nothing works, and what was added later."""

    def __init__(self, base: Topology, timeout: float) -> None:
        self._base = base
        self._timeout = timeout
        self._exchanges: dict[str, Exchange] = {}
        self._queues: dict[str, Queue] = {}
        self._bindings: dict[Binding, None] = {}
        self._forwardings: dict[Forwarding, None] = {}
        self._retired: dict[Binding, None] = {}

    def remember(self, topology: Topology) -> None:
        """Declare `topology` too on each new connection."""
        self._exchanges |= {exchange.name: exchange for exchange in topology.exchanges}
        self._queues |= {queue.name: queue for queue in topology.queues}
        self._forwardings |= dict.fromkeys(topology.forwardings)
        self._move(topology.bindings, self._retired, self._bindings)
        self._move(topology.retired, self._bindings, self._retired)

    def _move(self, bindings: Iterable[Binding], away: dict[Binding, None], there: dict[Binding, None]) -> None:
        for binding in bindings:
            away.pop(binding, None)
            there[binding] = None

    async def declare(self, connection: AbstractConnection, topology: Topology) -> None:
        """Declare `topology` on new channels, since a refusal closes the channel. A user without the right to declare
        only checks that everything exists.

        Raises NotDeclared when something does not; ChannelClosed when the broker refuses, since it exists with other
        arguments; or the reason why the connection was lost.
        """
        try:
            await self._declare_first(connection, topology)
            await self._send_all(connection, topology, self._send)
            if topology.retired:
                await self._unbind(connection, topology.retired)
        except ChannelAccessRefused:
            await self._check_exists(connection, topology)

    async def _declare_first(self, connection: AbstractConnection, topology: Topology) -> None:
        """Declare one thing and wait for the answer, before anything is sent in batches.

        A user without the right to declare is refused here. When a batch is refused, a frame of it may follow the close
        of its channel, and RabbitMQ ends the whole connection for that.
        """
        frames = _declarations(topology, nowait=False)
        if frames:
            channel = await open_channel(connection, self._timeout)
            try:
                await channel.raw.rpc(frames[0], timeout=self._timeout)
            finally:
                await channel.close()

    async def _check_exists(self, connection: AbstractConnection, topology: Topology) -> None:
        missing = (await survey(connection, topology, self._timeout)).missing
        if missing:
            raise NotDeclared(missing)

    async def _send_all(self, connection: AbstractConnection, topology: Topology, send: Send) -> None:
        """Declare all of it but what is retired, a few batches at a time, until one of them fails."""
        for stage in _stages(topology):
            batches = [stage[start : start + _BATCH] for start in range(0, len(stage), _BATCH)]
            for start in range(0, len(batches), _CHANNELS):
                await gather_all(send(connection, batch) for batch in batches[start : start + _CHANNELS])

    async def _send(self, connection: AbstractConnection, batch: Sequence[Frame]) -> None:
        channel = await open_channel(connection, self._timeout)
        try:
            frames = b"".join(frame.marshal(one, channel.raw.number) for one in batch)
            channel.buffer.put(lambda: frames)
            await channel.flush(timeout=max(self._timeout, _BATCH_SECONDS))
        finally:
            await channel.close()

    async def _send_leniently(self, connection: AbstractConnection, batch: Sequence[Frame]) -> None:
        """Send a batch that is refused once more, one by one, and only log what is refused."""
        try:
            await self._send(connection, batch)
        except ChannelClosed as error:
            if len(batch) == 1:
                log.error("declaration_refused", reason=str(error))  # noqa: TRY400  # the broker's sentence says it all
                return
            for one in batch:
                await self._send_leniently(connection, [one])

    async def _unbind(self, connection: AbstractConnection, retired: Iterable[Binding]) -> None:
        """Remove bindings, one by one: in AMQP this request is always answered."""
        channel = await open_channel(connection, self._timeout)
        try:
            for binding in retired:
                if not channel.is_open:
                    channel = await open_channel(connection, self._timeout)
                with suppress(ChannelNotFoundEntity):  # without queue or exchange there is no binding
                    await channel.raw.queue_unbind(binding.queue, binding.exchange, binding.key, timeout=self._timeout)
        finally:
            await channel.close()

    async def restore(self, connection: AbstractConnection) -> None:
        """Declare the base, then everything that was added later.

        A refusal of the base is raised. Any other refusal is only logged: one lane that somebody declared differently
        must not stop all the others.
        """
        await self.declare(connection, self._base)
        added = Topology(
            tuple(self._exchanges.values()),
            tuple(self._queues.values()),
            tuple(self._bindings),
            tuple(self._forwardings),
            tuple(self._retired),
        )
        await self._send_all(connection, added, self._send_leniently)
        await self._unbind_retired(connection)

    async def _unbind_retired(self, connection: AbstractConnection) -> None:
        """Remove what is retired by now. A tenant may have moved while its old bindings were declared again."""
        retired = iter(tuple(self._retired))
        done = False
        while not done:
            try:
                await self._unbind(connection, (binding for binding in retired if binding in self._retired))
                done = True
            except ChannelClosed as error:  # skip the one that was refused, go on with the next
                log.error("declaration_refused", reason=str(error))  # noqa: TRY400  # the broker's sentence says it all

    @property
    def size(self) -> int:
        """How many things are declared."""
        exchanges_and_queues = len(self._exchanges) + len(self._queues)
        return exchanges_and_queues + len(self._bindings) + len(self._forwardings) + len(self._retired)

    def watched(self) -> Topology:
        """What has to be checked: all exchanges, and the queues that no service reads. When any other queue is deleted,
        the broker tells its consumer.
        """
        exchanges = {exchange.name: exchange for exchange in self._base.exchanges} | self._exchanges
        unread = (queue for queue in self._queues.values() if queue_kind(queue.name) == PBX_KIND)
        queues = {queue.name: queue for queue in (*self._base.queues, *unread)}
        return Topology(tuple(exchanges.values()), tuple(queues.values()))

    async def missing(self, connection: AbstractConnection) -> tuple[str, ...]:
        """The names of what is watched and does not exist. Raises Unavailable."""
        watched = self.watched()
        if not watched.exchanges and not watched.queues:
            return ()
        return (await survey(connection, watched, self._timeout)).missing

    async def restore_queue(self, connection: AbstractConnection, name: str) -> None:
        """Declare the queue `name` and its bindings again, if they were declared by this process."""
        known = [queue for queue in (*self._base.queues, *self._queues.values()) if queue.name == name]
        bindings = [binding for binding in (*self._base.bindings, *self._bindings) if binding.queue == name]
        if known:
            await self.declare(connection, Topology(queues=tuple(known), bindings=tuple(bindings)))


def _stages(topology: Topology) -> Iterator[Sequence[Frame]]:
    """The frames to send, each stage after the answer to the one before. A small topology is one stage."""
    declarations = _declarations(topology, nowait=True)
    exchanges = len(topology.exchanges)
    bindings = [*map(_binding, topology.bindings), *map(_forwarding, topology.forwardings)]
    if len(declarations) + len(bindings) <= _BATCH:
        return iter([[*declarations, *bindings]])
    return iter([declarations[:exchanges], declarations[exchanges:], bindings])


def _declarations(topology: Topology, *, nowait: bool) -> list[Frame]:
    """The exchanges, then the queues. The broker answers unless `nowait`."""
    return [
        *(_exchange(exchange, nowait=nowait) for exchange in topology.exchanges),
        *(_queue(queue, nowait=nowait) for queue in topology.queues),
    ]


def _exchange(exchange: Exchange, *, nowait: bool) -> Frame:
    return spec.Exchange.Declare(
        exchange=exchange.name,
        exchange_type=exchange.kind,
        durable=True,
        nowait=nowait,
        arguments={"alternate-exchange": exchange.alternate} if exchange.alternate else None,
    )


def _queue(queue: Queue, *, nowait: bool) -> Frame:
    arguments: FieldTable = {"x-queue-type": "quorum", **queue.arguments}
    return spec.Queue.Declare(queue=queue.name, durable=True, nowait=nowait, arguments=arguments)


def _binding(binding: Binding) -> Frame:
    return spec.Queue.Bind(queue=binding.queue, exchange=binding.exchange, routing_key=binding.key, nowait=True)


def _forwarding(forwarding: Forwarding) -> Frame:
    return spec.Exchange.Bind(
        destination=forwarding.destination, source=forwarding.source, routing_key=forwarding.key, nowait=True
    )
