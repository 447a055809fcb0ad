"""Publishes changes by the transactional outbox pattern: each is stored until the broker confirms it."""

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
# Readers poll after 15 to 19 s anyway. A retry, after about so many seconds, should be sooner than that.
_RETRY_SECONDS = 5.0
# Another process may have written a change and died before announcing it. It is found after about so many seconds.
_POLL_SECONDS = 30.0


class Announcer:
    """Publishes stored announcements, oldest first, and removes each once confirmed. A repeat has the same id."""

    def __init__(
        self, store: Store, publisher: Publisher, *, retry: float = _RETRY_SECONDS, poll: float = _POLL_SECONDS
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._retry = retry
        self._poll = poll
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Publish soon: an announcement may be stored."""
        self._work.set()

    async def __aenter__(self) -> Self:
        """Start. Announcements that are already stored come first."""
        self._task = asyncio.create_task(
            periodically(self.announce_all, self._poll, None, _EVENTS, wake=self._work, after_failure=self._retry)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop. Announcements that are not published stay stored."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def announce_all(self) -> int:
        """Publish every stored announcement; return how many. Raises Unavailable when broker or store is down."""
        count = 0
        while waiting := await self._store.announcements(_BATCH):
            for announcement in waiting:
                await self._publisher.publish(message(announcement))
                await self._store.remove_announcements([announcement.id])
                count += 1
        return count


def message(announcement: Announcement) -> Outgoing:
    """Return the event that announces a change."""
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
