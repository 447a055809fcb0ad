"""Brings back what went to `sms.unrouted` while its queue was gone: the broker confirmed it, and nobody was told."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from sms_common import topology
from sms_common.broker import Broker, Held, Parked, Restored
from sms_common.errors import Unavailable
from sms_common.telemetry import metrics

_log = structlog.get_logger(__name__)

# Several things are made again at about the same time, and several dispatchers make them.
_SOON_SECONDS = 1.0
# Timestamps have whole seconds, and the clocks of dispatchers may differ.
_MARGIN = timedelta(seconds=60)
_AT_A_TIME = 5_000
_BYTES = 32 * 1024 * 1024
# What has a queue whenever all is there. A change of configuration is announced anew anyway.
_OURS = ("sms.status.", "sms.inbound.", "sms.carrier.", "sms.outbound.")


class Strays:
    """Looks once things that were gone have been made again. What lay there before they were gone stays: it is for
    people to decide.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._since: datetime | None = None
        self._looking: asyncio.Task[None] | None = None

    async def look(self, restored: Restored) -> None:
        """Have it looked soon; see Broker.on_restored."""
        self._since = restored.since if self._since is None else min(self._since, restored.since)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_soon())

    async def close(self) -> None:
        """End a look that is under way; what it has not brought back yet stays where it is."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_soon(self) -> None:
        while self._since is not None:
            await asyncio.sleep(_SOON_SECONDS)
            since, done = self._since, set[str]()
            try:
                while await self._bring_back(since - _MARGIN, done):
                    pass
            except Unavailable as error:
                _log.info("strays.later", reason=error.reason)
                continue
            if self._since == since:
                self._since = None

    async def _bring_back(self, since: datetime, done: set[str]) -> int:
        """Publish again what was published after `since`, and take it out of the parking place; returns how many. They
        keep their ids, so one that comes twice does no harm; those in `done` have come back unrouted, and stay.
        """
        async with self._broker.browse(topology.UNROUTED, limit=_AT_A_TIME, budget=_BYTES) as held:
            strays = [one for one in held if _is_stray(one, since) and Parked.read(one.delivery).id not in done]
            done.update(Parked.read(one.delivery).id for one in strays)
            await self._publish(strays)
        if strays:
            _log.warning("strays.brought_back", count=len(strays))
        return len(strays)

    async def _publish(self, strays: Sequence[Held]) -> None:
        for stray in strays:
            await self._broker.publish(Parked.read(stray.delivery).back())
            await stray.remove()
            metrics.publish_total.labels("unrouted").inc()


def _is_stray(held: Held, since: datetime) -> bool:
    """Whether it was published, and nobody was bound; what a dispatcher put there itself says why."""
    parked = Parked.read(held.delivery)
    published_at = held.delivery.timestamp
    return (
        parked.code is None
        and parked.source is None
        and parked.routing_key.startswith(_OURS)
        and not parked.routing_key.startswith(f"sms.inbound.{topology.NO_TENANT}.")
        and published_at is not None
        and published_at >= since
    )
