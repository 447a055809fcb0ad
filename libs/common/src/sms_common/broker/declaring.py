"""Declares topologies and remembers them, so that every new connection finds or makes all of it again."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

import structlog
from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.exceptions import ChannelClosed
from pamqp import frame
from pamqp.base import Frame
from pamqp.common import FieldTable

from sms_common.broker.connection import open_channel
from sms_common.topology import Binding, Exchange, Forwarding, Queue, Topology

log = structlog.get_logger(__name__)

# A thousand lanes are asked for without waiting for each answer, but in portions that a slow cluster deals with within
# the time a request has, and on a few channels, whose requests the broker works on side by side.
_PORTION = 50
_CHANNELS = 8


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
        """Declare `topology` on channels of its own, since a refusal closes the channel.

        Raises ChannelClosed when the broker refuses (it exists with other arguments, no permission), or whatever the
        loss of the connection looks like.
        """
        for stage in _stages(topology):
            gate = asyncio.Semaphore(_CHANNELS)
            portions = (stage[start : start + _PORTION] for start in range(0, len(stage), _PORTION))
            asked = (self._ask(connection, portion, gate) for portion in portions)
            for result in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        if topology.retired:
            await self._unbind(connection, topology.retired)

    async def _ask(self, connection: AbstractConnection, portion: Sequence[Frame], gate: asyncio.Semaphore) -> None:
        async with gate:
            channel = await open_channel(connection, self._timeout)
            try:
                channel.outbox.put(partial(_marshalled, portion, channel.wire.number))
                await channel.flush()
            finally:
                await channel.close()

    async def _unbind(self, connection: AbstractConnection, retired: Iterable[Binding]) -> None:
        """Each waits for its answer: the protocol has no other way for this one."""
        channel = await open_channel(connection, self._timeout)
        try:
            for binding in retired:
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
        if later == Topology():
            return
        try:
            await self.declare(connection, later)
        except ChannelClosed:
            await self._one_by_one(connection, later)

    async def restore_queue(self, connection: AbstractConnection, name: str) -> None:
        """Declare the queue `name` again, with its bindings, when it is one of those remembered or of the base."""
        known = [queue for queue in (*self._base.queues, *self._queues.values()) if queue.name == name]
        bindings = [binding for binding in (*self._base.bindings, *self._bindings) if binding.queue == name]
        if known:
            await self.declare(connection, Topology(queues=tuple(known), bindings=tuple(bindings)))

    async def _one_by_one(self, connection: AbstractConnection, topology: Topology) -> None:
        parts = [
            *(Topology(exchanges=(exchange,)) for exchange in topology.exchanges),
            *(Topology(queues=(queue,)) for queue in topology.queues),
            *(Topology(bindings=(binding,)) for binding in topology.bindings),
            *(Topology(forwardings=(forwarding,)) for forwarding in topology.forwardings),
            *(Topology(retired=(binding,)) for binding in topology.retired),
        ]
        for part in parts:
            try:
                await self.declare(connection, part)
            except ChannelClosed as error:
                log.error("declaration_refused", reason=str(error))  # noqa: TRY400  # the broker's sentence says it all


def _stages(topology: Topology) -> Iterator[Sequence[Frame]]:
    """What has to be asked for, each stage when the one before has been answered; a little in one go."""
    stages: list[list[Frame]] = [
        [_exchange(exchange) for exchange in topology.exchanges],
        [_queue(queue) for queue in topology.queues],
        [*map(_binding, topology.bindings), *map(_forwarding, topology.forwardings)],
    ]
    return iter(stages) if sum(map(len, stages)) > _PORTION else iter([list(chain(*stages))])


def _marshalled(portion: Sequence[Frame], channel: int) -> bytes:
    return b"".join(frame.marshal(one, channel) for one in portion)


def _exchange(exchange: Exchange) -> Frame:
    arguments: FieldTable | None = {"alternate-exchange": exchange.alternate} if exchange.alternate else None
    return spec.Exchange.Declare(
        exchange=exchange.name, exchange_type=exchange.kind, durable=True, nowait=True, arguments=arguments
    )


def _queue(queue: Queue) -> Frame:
    arguments: FieldTable = {"x-queue-type": "quorum", **queue.arguments}
    return spec.Queue.Declare(queue=queue.name, durable=True, nowait=True, arguments=arguments)


def _binding(binding: Binding) -> Frame:
    return spec.Queue.Bind(queue=binding.queue, exchange=binding.exchange, routing_key=binding.key, nowait=True)


def _forwarding(forwarding: Forwarding) -> Frame:
    return spec.Exchange.Bind(
        destination=forwarding.destination, source=forwarding.source, routing_key=forwarding.key, nowait=True
    )
