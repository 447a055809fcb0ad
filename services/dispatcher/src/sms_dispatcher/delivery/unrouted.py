"""Publishes again what went to `sms.unrouted` while its queue was gone: the broker confirmed it, and nobody got it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from sms_common import topology
from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import Broker, Held, NoWayBack, Outgoing, Parked, Restored
from sms_common.errors import Unavailable
from sms_common.telemetry import metrics

_log = structlog.get_logger(__name__)

# Several things are made again at about the same time, and several dispatchers make them.
_SOON_SECONDS = 1.0
_AGAIN = BackoffPolicy(1.0, 5.0)
# Timestamps have whole seconds, and the clocks of dispatchers may differ.
_MARGIN = timedelta(seconds=60)
_AT_A_TIME = 5_000
_BYTES = 32 * 1024 * 1024
# What has a queue whenever all is there. A change of configuration is announced anew anyway.
_OURS = ("sms.status.", "sms.inbound.", "sms.carrier.", "sms.outbound.")


class UnroutedReturner:
    """Looks once things that were gone have been made again. What lay there before they were gone stays: it is for
    people to decide.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._since: datetime | None = None
        self._returning: asyncio.Task[None] | None = None

    async def schedule(self, restored: Restored) -> None:
        """Return soon what went astray until these were restored."""
        self._want(restored.since)
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._return_soon())

    async def close(self) -> None:
        """End what is in flight; what has not been returned yet stays where it is."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)

    def _want(self, since: datetime) -> None:
        self._since = since if self._since is None else min(self._since, since)

    async def _return_soon(self) -> None:
        while self._since is not None:
            await asyncio.sleep(_SOON_SECONDS)
            # What is restored from here on has a turn of its own: this one may have tried its messages already.
            since, self._since = self._since, None
            bring_back = partial(self._bring_all_back, since - _MARGIN)
            await retry_until_available(bring_back, policy=_AGAIN, on_failure=_note_failure)

    async def _bring_all_back(self, since: datetime) -> None:
        done: set[str] = set()
        while await self._bring_back(since, done):
            pass

    async def _bring_back(self, since: datetime, done: set[str]) -> int:
        """Publish again what was published after `since`, and take it out of the parking place; returns how many. They
        keep their ids, so one that comes twice does no harm; those in `done` have come back unrouted, and stay.
        """
        async with self._broker.browse(topology.UNROUTED, limit=_AT_A_TIME, budget=_BYTES) as held:
            strays = {one: back for one in held if (back := _way_back(one, since)) and back.message_id not in done}
            done.update(back.message_id for back in strays.values())
            await self._publish(strays)
        if strays:
            _log.warning("strays.brought_back", count=len(strays))
        return len(strays)

    async def _publish(self, strays: Mapping[Held, Outgoing]) -> None:
        for stray, back in strays.items():
            await self._broker.publish(back)
            await stray.remove()
            metrics.publish_total.labels("unrouted").inc()


def _note_failure(error: Unavailable) -> None:
    _log.info("strays.later", reason=error.reason)


def _way_back(held: Held, since: datetime) -> Outgoing | None:
    """A stray as it is published again; None for what is none, or is left for people since it cannot be."""
    parked = Parked.read(held.delivery)
    if not _is_stray(parked, held.delivery.timestamp, since):
        return None
    try:
        return parked.back()
    except NoWayBack:
        return None


def _is_stray(parked: Parked, published_at: datetime | None, since: datetime) -> bool:
    """Whether it was published, and nobody was bound; what a dispatcher put there itself says why."""
    return (
        parked.code is None
        and parked.source is None
        and parked.routing_key.startswith(_OURS)
        and not parked.routing_key.startswith(f"sms.inbound.{topology.NO_TENANT}.")
        and published_at is not None
        and published_at >= since
    )
