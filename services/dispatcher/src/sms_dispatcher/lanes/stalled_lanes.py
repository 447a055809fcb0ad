"""Which lanes are stalled, and why. It is stored where every dispatcher can read it: users may ask any of them."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sms_common.errors import Misconfigured
from sms_common.service.background_work import LoopEvents, periodically
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker

EVERY_SECONDS = 5.0
_EVENTS = LoopEvents("lanes.report_postponed", "lanes.report_failed", logging.DEBUG)

Why = Literal["paused", "person"]


@dataclass(frozen=True, slots=True)
class StalledLane:
    """A lane that sends nothing. `paused` ends by itself; `person` ends when somebody corrects the account. `since` is
    when this was first recorded.
    """

    config_id: str
    why: Why
    code: str
    reason: str
    since: datetime | None = None


class StalledLanes(Protocol):
    """Stores which lanes are stalled. Every method raises Unavailable."""

    async def record_stalled(self, stalled: Sequence[StalledLane], running: Iterable[str]) -> None:
        """Record the lanes that are stalled, and remove those that run."""

    async def stalled(self, config_ids: Iterable[str]) -> list[StalledLane]:
        """Those of these lanes that are stalled."""


class HasCircuitBreaker(Protocol):
    """A lane."""

    @property
    def breaker(self) -> CircuitBreaker:
        """Its circuit breaker."""


class StalledReport:
    """Stores what has changed about the lanes that this process owns. At first that is everything: the former owner may
    have died.
    """

    def __init__(self, owned: Callable[[], Mapping[str, HasCircuitBreaker]], store: StalledLanes) -> None:
        self._owned = owned
        self._store = store
        self._published: dict[str, StalledLane | None] = {}

    async def run(self, stop: asyncio.Event, *, every: float = EVERY_SECONDS) -> None:
        """Publish every few seconds until `stop` is set."""
        await periodically(self.publish, every, stop, _EVENTS)

    async def publish(self) -> None:
        """Publish once. Raises Unavailable; the next time publishes all of it."""
        now = {config_id: stalled_lane(config_id, lane.breaker) for config_id, lane in self._owned().items()}
        news = {
            config_id: stalled
            for config_id, stalled in now.items()
            if config_id not in self._published or self._published[config_id] != stalled
        }
        if news:
            stalled = [one for one in news.values() if one is not None]
            await self._store.record_stalled(stalled, [config_id for config_id, one in news.items() if one is None])
        self._published = now


def stalled_lane(config_id: str, breaker: CircuitBreaker) -> StalledLane | None:
    """Why a lane is stalled, or None. A lane that is half open counts as stalled until its trial succeeds. A disabled
    lane does not: the configuration says that it is disabled.
    """
    why = breaker.cause
    if breaker.is_closed or why is None:
        return None
    return StalledLane(config_id, "person" if isinstance(why, Misconfigured) else "paused", why.code, why.reason)
