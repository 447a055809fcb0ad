"""Which lanes stand still and why, kept where every dispatcher can read it, for people who ask any of them."""

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
_EVENTS = LoopEvents("lanes.not_told", "lanes.report_failed", logging.DEBUG)

Why = Literal["paused", "person"]


@dataclass(frozen=True, slots=True)
class StalledLane:
    """A lane that stands still: `paused` goes on by itself, `person` until somebody mends the account. `since` is when
    this was first told.
    """

    config_id: str
    why: Why
    code: str
    reason: str
    since: datetime | None = None


class StalledLanes(Protocol):
    """Where it is kept. Every method raises Unavailable."""

    async def note_standing(self, standing: Sequence[StalledLane], moving: Iterable[str]) -> None:
        """Keep the first, and forget what was kept of lanes that move."""

    async def standing(self, config_ids: Iterable[str]) -> list[StalledLane]:
        """Return those of these lanes that stand still."""


class HasCircuitBreaker(Protocol):
    """A lane, as far as it matters here."""

    @property
    def gate(self) -> CircuitBreaker:
        """Its gate."""


class StalledReport:
    """Tells what has changed about the lanes that this process holds; at first everything, as another may have died."""

    def __init__(self, held: Callable[[], Mapping[str, HasCircuitBreaker]], kept: StalledLanes) -> None:
        self._held = held
        self._kept = kept
        self._told: dict[str, StalledLane | None] = {}

    async def run(self, stop: asyncio.Event, *, every: float = EVERY_SECONDS) -> None:
        """Tell now and then until `stop`."""
        await periodically(self.tell, every, stop, _EVENTS)

    async def tell(self) -> None:
        """Tell once. Raises Unavailable; then all of it is told the next time."""
        now = {config_id: stalled_lane(config_id, lane.gate) for config_id, lane in self._held().items()}
        news = {
            config_id: standing
            for config_id, standing in now.items()
            if config_id not in self._told or self._told[config_id] != standing
        }
        if news:
            standing = [one for one in news.values() if one is not None]
            await self._kept.note_standing(standing, [config_id for config_id, one in news.items() if one is None])
        self._told = now


def stalled_lane(config_id: str, gate: CircuitBreaker) -> StalledLane | None:
    """Return why a lane stands still, or None. A lane that lets one message try stands still until that is well.

    One that was switched off needs no report: the configuration says so.
    """
    why = gate.why
    if gate.is_open or why is None:
        return None
    return StalledLane(config_id, "person" if isinstance(why, Misconfigured) else "paused", why.code, why.reason)
