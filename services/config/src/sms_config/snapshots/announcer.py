"""Tells RabbitMQ of changes: each waits in the store, written with the change, until the broker has confirmed it."""

import asyncio
import logging
from types import TracebackType
from typing import Self

from sms_common import topology
from sms_common.broker.messages import Outgoing, Publisher
from sms_common.events import ConfigChanged
from sms_common.service.background_work import LoopEvents, periodically
from sms_config.model.records import Announcement
from sms_config.storage.store_protocol import Store

_EVENTS = LoopEvents("config.announcement_waits", "config.announcement_failed", logging.WARNING)
_BATCH = 100
# The 30 s poll of the readers is the net under this; being a little sooner than that keeps announcements worth sending.
_RETRY_SECONDS = 5.0
# Another process may have written a change and died before announcing it.
_LOOK_SECONDS = 30.0


class Announcer:
    """Publishes what waits, oldest first, and removes it once confirmed. Repeats carry the same id."""

    def __init__(
        self, store: Store, publisher: Publisher, *, retry: float = _RETRY_SECONDS, look: float = _LOOK_SECONDS
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._retry = retry
        self._look = look
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something may wait."""
        self._work.set()

    async def __aenter__(self) -> Self:
        """Begin; what waited from before is announced first."""
        self._task = asyncio.create_task(
            periodically(self.announce_all, self._look, None, _EVENTS, wake=self._work, after_failure=self._retry)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop; what still waits is kept."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def announce_all(self) -> int:
        """Announce everything that waits; how many that were. Raises Unavailable when broker or store is away."""
        count = 0
        while waiting := await self._store.announcements(_BATCH):
            for announcement in waiting:
                await self._publisher.publish(message(announcement))
                await self._store.announced([announcement.id])
                count += 1
        return count


def message(announcement: Announcement) -> Outgoing:
    """Return a change as it is published."""
    event = ConfigChanged(
        event_id=announcement.id,
        tenant_id=announcement.tenant_id,
        change=announcement.action,
        kind=announcement.kind,
        object_id=announcement.object_id,
        version=announcement.snapshot,
        occurred_at=announcement.at,
    )
    return Outgoing(
        exchange=topology.SMS,
        routing_key=topology.config_key(announcement.tenant_id, announcement.action),
        body=event.encode(),
        type=ConfigChanged.TYPE,
        message_id=event.event_id,
    )
