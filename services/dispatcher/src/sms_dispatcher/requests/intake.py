"""Reads the queues of requests that this process owns: tenants' own queues, and the one that all others share."""

from sms_common.broker import Broker, Subscription
from sms_common.concurrency import gather_all
from sms_dispatcher.requests.handler import RequestHandler


class RequestIntake:
    """Passes requests to `handler`, at most `prefetch` of each queue at a time."""

    def __init__(self, broker: Broker, handler: RequestHandler, prefetch: int) -> None:
        self._broker = broker
        self._handler = handler
        self._prefetch = prefetch
        self._readers: dict[str, Subscription] = {}

    async def acquire(self, queues: frozenset[str]) -> None:
        """Start to read these queues. Raises Unavailable."""
        await gather_all(self._read(queue) for queue in queues if queue not in self._readers)

    async def _read(self, queue: str) -> None:
        self._readers[queue] = await self._broker.consume(queue, self._handler.handle, prefetch=self._prefetch)

    async def release(self, queues: frozenset[str]) -> None:
        """Stop reading these queues. Returns when none of their requests is in flight."""
        await gather_all(self._stop(queue) for queue in queues if queue in self._readers)

    async def _stop(self, queue: str) -> None:
        await self._readers.pop(queue).cancel()
        await self._handler.idle(queue)
