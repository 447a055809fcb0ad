"""Reads the queues of requests that this process works on: each tenant's own, and the one of all others."""

from sms_common.broker import Broker, Subscription
from sms_common.concurrency import gather_all
from sms_dispatcher.requests.handler import RequestHandler


class RequestIntake:
    """Gives requests to `outbound`, at most `prefetch` of a queue at a time."""

    def __init__(self, broker: Broker, outbound: RequestHandler, prefetch: int) -> None:
        self._broker = broker
        self._outbound = outbound
        self._prefetch = prefetch
        self._readers: dict[str, Subscription] = {}

    async def acquire(self, queues: frozenset[str]) -> None:
        """Read these queues too. Raises Unavailable."""
        await gather_all(self._read(queue) for queue in queues if queue not in self._readers)

    async def _read(self, queue: str) -> None:
        self._readers[queue] = await self._broker.consume(queue, self._outbound.handle, prefetch=self._prefetch)

    async def release(self, queues: frozenset[str]) -> None:
        """Read these queues no more; returns when none of their requests is being worked on."""
        await gather_all(self._stop(queue) for queue in queues if queue in self._readers)

    async def _stop(self, queue: str) -> None:
        await self._readers.pop(queue).cancel()
        await self._outbound.idle(queue)
