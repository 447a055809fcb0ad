"""Declares topologies and remembers them, so that every new connection finds or makes all of it again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain

import structlog
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.exceptions import ChannelAccessRefused, ChannelClosed, ChannelNotFoundEntity
from pamqp import frame
from pamqp.base import Frame
from pamqp.common import FieldTable

from sms_common.broker.amqp.browsing import survey
from sms_common.broker.amqp.connection import open_channel
from sms_common.topology import PBX_KIND, Binding, Exchange, Forwarding, Queue, Topology, queue_kind

log = structlog.get_logger(__name__)

# A thousand lanes are asked for without waiting for each answer, but in portions, and on a few channels, whose requests
# the broker works on side by side. A cluster with slow disks makes some dozen queues a second.
_PORTION = 50
_CHANNELS = 8
_PORTION_SECONDS = 60.0

Ask = Callable[[AbstractConnection, Sequence[Frame]], Awaitable[None]]


class NotDeclared(ConnectionError):
    """What this process needs and may not declare itself; a service that may will do so."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"waiting for another service to declare {', '.join(missing)}")


class Declarations:
    """Everything that was ever declared: the base, without which nothing works, and what came later."""

    def __init__(self, base: Topology, timeout: float) -> None:
        self._base = base
        self._timeout = timeout
        self._exchanges: dict[str, Exchange] = {}
        self._queues: dict[str, Queue] = {}
        self._bindings: dict[Binding, None] = {}
        self._forwardings: dict[Forwarding, None] = {}
        self._retired: dict[Binding, None] = {}

    def remember(self, topology: Topology) -> None:
        """Make `topology` a part of what is restored on a new connection."""
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
        """Declare `topology` on channels of its own, since a refusal closes the channel. A user who may not declare
        only looks whether somebody else has.

        Raises NotDeclared when nobody has; ChannelClosed when the broker refuses (it exists with other arguments), or
        whatever the loss of the connection looks like.
        """
        try:
            await self._ask_for_one(connection, topology)
            await self._all(connection, topology, self._ask)
            if topology.retired:
                await self._unbind(connection, topology.retired)
        except ChannelAccessRefused:
            await self._look_for(connection, topology)

    async def _ask_for_one(self, connection: AbstractConnection, topology: Topology) -> None:
        """Ask for one thing and wait for the answer. Who may not declare learns it here: of a refused portion a request
        may leave behind the close of its channel, and RabbitMQ ends the whole connection for that.
        """
        if not topology.exchanges and not topology.queues:
            return
        channel = await open_channel(connection, self._timeout)
        try:
            if topology.exchanges:
                one = topology.exchanges[0]
                await channel.wire.exchange_declare(
                    one.name, exchange_type=one.kind, durable=True, arguments=_of_exchange(one), timeout=self._timeout
                )
            else:
                queue = topology.queues[0]
                await channel.wire.queue_declare(
                    queue.name, durable=True, arguments=_of_queue(queue), timeout=self._timeout
                )
        finally:
            await channel.close()

    async def _look_for(self, connection: AbstractConnection, topology: Topology) -> None:
        missing = (await survey(connection, topology, self._timeout)).missing
        if missing:
            raise NotDeclared(missing)

    async def _all(self, connection: AbstractConnection, topology: Topology, ask: Ask) -> None:
        """Ask for everything but what is retired, a few portions at a time, until one of them fails."""
        for stage in _stages(topology):
            portions = [stage[start : start + _PORTION] for start in range(0, len(stage), _PORTION)]
            for start in range(0, len(portions), _CHANNELS):
                asked = (ask(connection, portion) for portion in portions[start : start + _CHANNELS])
                for result in await asyncio.gather(*asked, return_exceptions=True):
                    if isinstance(result, BaseException):
                        raise result

    async def _ask(self, connection: AbstractConnection, portion: Sequence[Frame]) -> None:
        channel = await open_channel(connection, self._timeout)
        try:
            frames = b"".join(frame.marshal(one, channel.wire.number) for one in portion)
            channel.outbox.put(lambda: frames)
            await channel.flush(timeout=max(self._timeout, _PORTION_SECONDS))
        finally:
            await channel.close()

    async def _ask_leniently(self, connection: AbstractConnection, portion: Sequence[Frame]) -> None:
        """Of a portion that is refused ask for each thing by itself, and only log which one it is."""
        try:
            await self._ask(connection, portion)
        except ChannelClosed as error:
            if len(portion) == 1:
                log.error("declaration_refused", reason=str(error))  # noqa: TRY400  # the broker's sentence says it all
                return
            for one in portion:
                await self._ask_leniently(connection, [one])

    async def _unbind(self, connection: AbstractConnection, retired: Iterable[Binding]) -> None:
        """Each waits for its answer: the protocol has no other way for this one."""
        channel = await open_channel(connection, self._timeout)
        try:
            for binding in retired:
                if not channel.is_open:
                    channel = await open_channel(connection, self._timeout)
                with suppress(ChannelNotFoundEntity):  # without queue or exchange there is no binding
                    await channel.wire.queue_unbind(binding.queue, binding.exchange, binding.key, timeout=self._timeout)
        finally:
            await channel.close()

    async def restore(self, connection: AbstractConnection) -> None:
        """Declare the base and then everything remembered.

        A refusal of the base is raised. Of the rest each refused thing is only logged: one lane that somebody declared
        differently must not keep all the others from working.
        """
        await self.declare(connection, self._base)
        later = Topology(
            tuple(self._exchanges.values()),
            tuple(self._queues.values()),
            tuple(self._bindings),
            tuple(self._forwardings),
            tuple(self._retired),
        )
        await self._all(connection, later, self._ask_leniently)
        await self._unbind_remembered(connection)

    async def _unbind_remembered(self, connection: AbstractConnection) -> None:
        """Unbind what is retired by now: a tenant may have moved while the rest was declared, which bound it anew."""
        retired = iter(tuple(self._retired))
        done = False
        while not done:
            try:
                await self._unbind(connection, (binding for binding in retired if binding in self._retired))
                done = True
            except ChannelClosed as error:  # the one that was refused is passed, and the others follow
                log.error("declaration_refused", reason=str(error))  # noqa: TRY400  # the broker's sentence says it all

    @property
    def size(self) -> int:
        """How many things there are to declare."""
        exchanges_and_queues = len(self._exchanges) + len(self._queues)
        return exchanges_and_queues + len(self._bindings) + len(self._forwardings) + len(self._retired)

    def watched(self) -> Topology:
        """What nobody else would miss: all exchanges, and the queues that no service reads. Of a queue that is read the
        broker tells its reader when it is gone.
        """
        exchanges = {exchange.name: exchange for exchange in self._base.exchanges} | self._exchanges
        unread = (queue for queue in self._queues.values() if queue_kind(queue.name) == PBX_KIND)
        queues = {queue.name: queue for queue in (*self._base.queues, *unread)}
        return Topology(tuple(exchanges.values()), tuple(queues.values()))

    async def missing(self, connection: AbstractConnection) -> tuple[str, ...]:
        """The names of what is watched and is not there. Raises Unavailable."""
        watched = self.watched()
        if not watched.exchanges and not watched.queues:
            return ()
        return (await survey(connection, watched, self._timeout)).missing

    async def restore_queue(self, connection: AbstractConnection, name: str) -> None:
        """Declare the queue `name` again, with its bindings, when it is one of those remembered or of the base."""
        known = [queue for queue in (*self._base.queues, *self._queues.values()) if queue.name == name]
        bindings = [binding for binding in (*self._base.bindings, *self._bindings) if binding.queue == name]
        if known:
            await self.declare(connection, Topology(queues=tuple(known), bindings=tuple(bindings)))


def _stages(topology: Topology) -> Iterator[Sequence[Frame]]:
    """What has to be asked for, each stage when the one before has been answered; a little in one go."""
    stages: list[list[Frame]] = [
        [_exchange(exchange) for exchange in topology.exchanges],
        [_queue(queue) for queue in topology.queues],
        [*map(_binding, topology.bindings), *map(_forwarding, topology.forwardings)],
    ]
    return iter(stages) if sum(map(len, stages)) > _PORTION else iter([list(chain(*stages))])


def _exchange(exchange: Exchange) -> Frame:
    return spec.Exchange.Declare(
        exchange=exchange.name,
        exchange_type=exchange.kind,
        durable=True,
        nowait=True,
        arguments=_of_exchange(exchange),
    )


def _of_exchange(exchange: Exchange) -> FieldTable | None:
    return {"alternate-exchange": exchange.alternate} if exchange.alternate else None


def _queue(queue: Queue) -> Frame:
    return spec.Queue.Declare(queue=queue.name, durable=True, nowait=True, arguments=_of_queue(queue))


def _of_queue(queue: Queue) -> FieldTable:
    return {"x-queue-type": "quorum", **queue.arguments}


def _binding(binding: Binding) -> Frame:
    return spec.Queue.Bind(queue=binding.queue, exchange=binding.exchange, routing_key=binding.key, nowait=True)


def _forwarding(forwarding: Forwarding) -> Frame:
    return spec.Exchange.Bind(
        destination=forwarding.destination, source=forwarding.source, routing_key=forwarding.key, nowait=True
    )
