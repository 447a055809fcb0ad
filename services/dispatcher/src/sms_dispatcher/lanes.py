"""The lanes: one paced sending queue per SMS configuration, their readers, and the stop signs that keep a lane
waiting.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from sms_common import topology
from sms_common.broker import Broker, Delivery, Handler, Outgoing, RetryLater, Subscription
from sms_common.events import LaneEntry, event_id
from sms_common.telemetry import metrics
from sms_dispatcher.entries import Entry
from sms_dispatcher.together import together

# How long a delivery waits unacknowledged at a stop sign before it takes the long way through the retry ladder. Well
# below the
# broker's 30 minutes for an acknowledgement, and no redelivery is counted against the message.
_PATIENCE_SECONDS = 300.0


class StopSigns:
    """Which lanes are paused, and until when. Times are of the monotonic clock, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._changed = asyncio.Condition()
        self._taken_down = False

    async def take_down(self) -> None:
        """The process leaves: nothing waits at a sign any more, and what would have to wait is not let through."""
        self._taken_down = True
        await self._wake()

    async def pause(self, config_id: str, seconds: float) -> None:
        """Stop a lane for `seconds` from now, or longer if it was to be stopped longer."""
        self._until[config_id] = max(self._until.get(config_id, 0.0), self._clock() + seconds)
        metrics.lane_paused.labels(config_id).set(1)
        await self._wake()

    async def resume(self, config_id: str) -> None:
        """Let a lane go on now."""
        if self._until.pop(config_id, None) is not None:
            metrics.lane_paused.labels(config_id).set(0)
            await self._wake()

    def seconds_left(self, config_id: str) -> float:
        """For how long a lane is still to wait; 0 when it is open."""
        return max(0.0, self._until.get(config_id, 0.0) - self._clock())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait(self, config_id: str, patience: float = _PATIENCE_SECONDS) -> bool:
        """Return True once the lane is open; False when it is still closed after `patience` seconds, or when the signs
        are taken down.
        """
        if config_id not in self._until:
            return True
        deadline = self._clock() + patience
        while (until := self._until.get(config_id)) is not None:
            now = self._clock()
            if until <= now:
                await self.resume(config_id)
                return True
            if now >= deadline or self._taken_down:
                return False
            await self._sleep(min(until, deadline) - now)
        return True

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or wake up early because a sign changed."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return


class BulkLanes(Protocol):
    """Where it is remembered which configurations have a bulk lane."""

    async def remember_bulk_lane(self, config_id: str) -> None:
        """Note that this configuration has one. Raises Unavailable."""

    async def bulk_lanes(self) -> list[str]:
        """Every configuration that has one. Raises Unavailable."""


class Lanes:
    """Declares and reads lanes as configurations come. `handler` gets what their signs let through."""

    def __init__(
        self,
        broker: Broker,
        handler: Handler,
        signs: StopSigns,
        bulk: BulkLanes,
        clock: Callable[[], datetime],
        *,
        prefetch: int,
    ) -> None:
        self._broker = broker
        self._handler = handler
        self._signs = signs
        self._clock = clock
        self._prefetch = prefetch
        self._bulk = bulk
        self._readers: dict[str, Subscription] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    async def open(self, config_id: str, *, bulk: bool = False) -> None:
        """Make sure a lane exists and is read. Raises Unavailable."""
        queue = topology.lane_queue(config_id, bulk=bulk)
        if queue in self._readers:
            return
        async with self._opening.setdefault(queue, asyncio.Lock()):
            if queue in self._readers:
                return
            if bulk:
                await self._bulk.remember_bulk_lane(config_id)
            await self._broker.declare(topology.lane(config_id, bulk=bulk))

            async def handle(delivery: Delivery) -> None:
                if not await self._signs.wait(config_id):
                    raise RetryLater(self._signs.seconds_left(config_id))
                await self._handler(delivery)

            self._readers[queue] = await self._broker.consume(queue, handle, prefetch=self._prefetch)

    async def open_all(self, config_ids: Iterable[str], *, bulk: bool = False) -> None:
        """Open many lanes, a few at a time: each is a declaration the broker writes to disk. Raises Unavailable when
        one could not be opened; all others are.
        """
        gate = asyncio.Semaphore(16)

        async def one(config_id: str) -> None:
            async with gate:
                await self.open(config_id, bulk=bulk)

        await together(one(config_id) for config_id in config_ids)

    async def open_bulk_lanes(self) -> None:
        """Open the bulk lanes that any dispatcher has begun. Raises Unavailable."""
        await self.open_all(await self._bulk.bulk_lanes(), bulk=True)

    async def put(self, entry: Entry) -> None:
        """Put an entry at the end of its lane. Raises Unavailable."""
        assert entry.config_id is not None
        await self.open(entry.config_id, bulk=entry.bulk)
        await self._broker.publish(lane_message(entry, self._clock()))


def lane_message(entry: Entry, now: datetime) -> Outgoing:
    """The broker message that says: it is this entry's turn after those before it."""
    assert entry.config_id is not None
    body = LaneEntry(tenant_id=entry.tenant_id, message_id=entry.message_id, queued_at=now)
    return Outgoing(
        exchange=topology.DEFAULT_EXCHANGE,
        routing_key=topology.lane_queue(entry.config_id, bulk=entry.bulk),
        body=body.encode(),
        type=LaneEntry.TYPE,
        message_id=event_id("lane", entry.id, entry.sequence),
    )
