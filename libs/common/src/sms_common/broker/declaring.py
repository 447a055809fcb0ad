"""Declares topologies and remembers them, so that every new connection finds or makes all of it again."""

from collections.abc import Iterable

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelClosed

from sms_common.broker.connection import Channel, open_channel
from sms_common.topology import Binding, Exchange, Forwarding, Queue, Topology

log = structlog.get_logger(__name__)


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
        """Declare `topology` on a channel of its own, since a refusal closes the channel.

        Raises ChannelClosed when the broker refuses (it exists with other arguments, no permission), or whatever the
        loss of the connection looks like.
        """
        channel = await open_channel(connection, self._timeout)
        try:
            for exchange in topology.exchanges:
                await self._exchange(channel, exchange)
            for queue in topology.queues:
                await self._queue(channel, queue)
            for binding in topology.bindings:
                await channel.wire.queue_bind(binding.queue, binding.exchange, binding.key, timeout=self._timeout)
            for forwarding in topology.forwardings:
                await channel.wire.exchange_bind(
                    destination=forwarding.destination,
                    source=forwarding.source,
                    routing_key=forwarding.key,
                    timeout=self._timeout,
                )
            for binding in topology.retired:
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

    async def _exchange(self, channel: Channel, exchange: Exchange) -> None:
        await channel.wire.exchange_declare(
            exchange.name,
            exchange_type=exchange.kind,
            durable=True,
            arguments={"alternate-exchange": exchange.alternate} if exchange.alternate else None,
            timeout=self._timeout,
        )

    async def _queue(self, channel: Channel, queue: Queue) -> None:
        await channel.wire.queue_declare(
            queue.name, durable=True, arguments={"x-queue-type": "quorum", **queue.arguments}, timeout=self._timeout
        )
