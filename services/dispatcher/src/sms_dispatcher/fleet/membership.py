"""Shares the work among all dispatchers. Each shard, which is a lane or a tenant's queue of requests, has one owner."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from sms_common.errors import Unavailable
from sms_common.service.background_work import LoopEvents, periodically
from sms_common.telemetry import metrics
from sms_dispatcher.fleet.assignment import assign

log = structlog.get_logger()

HEARTBEAT_SECONDS = 1.0
_EVENTS = LoopEvents("fleet.postponed", "fleet.failed")
_SILENT_SECONDS = 10.0
# A process that could send no heartbeat for so long releases its shards: others have acquired them.
_RELEASE_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LiveMembers:
    """The dispatchers that are alive, and those of them that acquire shards."""

    alive: frozenset[str] = frozenset()
    working: frozenset[str] = frozenset()


class FleetStore(Protocol):
    """Where the dispatchers agree on who is alive and who owns what."""

    async def heartbeat(self, member: str, *, leaving: bool) -> LiveMembers:
        """Record that `member` is alive. Returns all that are. Raises Unavailable."""

    async def leave(self, member: str) -> None:
        """Record that `member` has ended and owns nothing. Raises Unavailable."""

    async def acquire(self, shards: Iterable[str], member: str, alive: Collection[str]) -> frozenset[str]:
        """Acquire those shards that nobody `alive` owns. Returns which of them `member` owns. Raises Unavailable."""

    async def release(self, shards: Iterable[str], member: str) -> None:
        """Release shards. Raises Unavailable."""


class Work(Protocol):
    """Does the work of the shards that this process owns."""

    async def acquire(self, shards: Mapping[str, str]) -> None:
        """Start to work on these shards, given with their groups. Raises Unavailable when one of them could not be
        started; all others are.
        """

    async def release(self, shards: frozenset[str]) -> None:
        """Stop working on these shards. Returns when nothing of them is in flight."""

    async def refresh(self) -> None:
        """Find out what has changed about the shards that are owned. Raises Unavailable."""


class FleetMember:
    """One process's share of the work. `is_fit` says whether it can work at all: a process without a connection to the
    broker must not keep shards that another could own.
    """

    def __init__(
        self,
        member: str,
        store: FleetStore,
        work: Work,
        is_fit: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.member = member
        self._store = store
        self._work = work
        self._is_fit = is_fit
        self._clock = clock
        self._shards: Mapping[str, str] = {}
        self._assignment: Mapping[str, frozenset[str]] = {}
        self._assigned_to: frozenset[str] = frozenset()
        self._members = LiveMembers()
        self._owned: frozenset[str] = frozenset()
        self._to_start: frozenset[str] = frozenset()
        self._has_share = False
        self._releasing: dict[str, asyncio.Task[None]] = {}
        self._heartbeat_at = clock()
        self._rebalancing = asyncio.Lock()
        self._leaving = False

    def check(self) -> str | None:
        """Why this process does not do its share, for a readiness probe; None when it does."""
        if self._leaving:
            return "it is leaving"
        if not self._members.alive:
            return "it has not joined the other dispatchers yet"
        silent = self._clock() - self._heartbeat_at
        if silent > _SILENT_SECONDS:
            return f"the other dispatchers got no heartbeat from it for {silent:.0f} s"
        if self._to_start:
            return f"{len(self._to_start)} queues could not be read yet"
        return None if self._has_share else "it has not taken its share of the work yet"

    @property
    def owned(self) -> frozenset[str]:
        """The shards that this process owns."""
        return self._owned

    async def set_shards(self, shards: Mapping[str, str]) -> None:
        """Set all shards that there are, with their groups (see `assign`), and acquire this process's share. Raises
        Unavailable.
        """
        self._shards, self._assignment = shards, {}
        await self._heartbeat()
        await self._rebalance()

    async def run(self, stop: asyncio.Event) -> None:
        """Send a heartbeat and rebalance every second until `stop` is set."""
        async with asyncio.TaskGroup() as both:
            both.create_task(periodically(self._heartbeat, HEARTBEAT_SECONDS, stop, _EVENTS))
            both.create_task(periodically(self._rebalance_and_refresh, HEARTBEAT_SECONDS, stop, _EVENTS))

    async def _heartbeat(self) -> None:
        if not self._is_fit():
            return
        self._members = await self._store.heartbeat(self.member, leaving=self._leaving)
        self._heartbeat_at = self._clock()
        metrics.fleet_members.set(len(self._members.alive))

    async def _rebalance_and_refresh(self) -> None:
        try:
            await self._rebalance()
        except Unavailable:
            await self._work.refresh()  # the shards that are owned go on
            raise
        await self._work.refresh()

    async def _rebalance(self) -> None:
        """Release and acquire shards until this process owns its share. Raises Unavailable."""
        async with self._rebalancing:
            if self._clock() - self._heartbeat_at > _RELEASE_AFTER_SECONDS:
                self._release(self._owned)  # others have acquired them
                return
            ours = self._share()
            self._release(self._owned - ours)
            wanted = ours - self._owned - self._releasing.keys()
            if wanted:
                acquired = await self._store.acquire(wanted, self.member, self._members.alive)
                self._owned |= acquired
                self._to_start |= acquired
            if self._to_start:
                await self._start()
            self._has_share = bool(self._shards) and self.member in self._members.alive

    def _share(self) -> frozenset[str]:
        """The shards that this process should own. Computed again when the shards or the members have changed."""
        if self._leaving:
            return frozenset()
        if not self._assignment or self._assigned_to != self._members.working:
            self._assigned_to = self._members.working
            self._assignment = assign(self._shards, self._assigned_to)
        return self._assignment.get(self.member, frozenset())

    async def _start(self) -> None:
        count = len(self._to_start)
        await self._work.acquire({shard: self._shards.get(shard, "") for shard in self._to_start})
        self._to_start = frozenset()
        log.info("fleet.acquired", shards=count, owned=len(self._owned), members=len(self._members.alive))

    def _release(self, released: frozenset[str]) -> None:
        """Release each shard in the background, as soon as nothing of it is in flight. Heartbeats go on meanwhile."""
        if not released:
            return
        self._owned -= released
        self._to_start -= released
        log.info("fleet.releasing", shards=len(released), owned=len(self._owned))
        for one in released:
            self._releasing[one] = asyncio.create_task(self._release_one(one))

    async def _release_one(self, one: str) -> None:
        try:
            await self._work.release(frozenset({one}))
            await self._store.release((one,), self.member)
        except Unavailable as error:
            log.info(
                "fleet.release_postponed", code=error.code
            )  # it stays recorded as owned until it is acquired again or this process has ended
        except Exception:  # a bug in one must not stop the others, or end the process
            log.exception("fleet.failed")
        finally:
            del self._releasing[one]

    async def leave(self) -> None:
        """Release everything. Others can acquire each shard when nothing of it is in flight any more."""
        self._leaving = True
        async with self._rebalancing:
            self._release(self._owned)
        try:
            while shards := set(self._releasing.values()):
                await self._store.heartbeat(self.member, leaving=True)
                await asyncio.wait(shards, timeout=HEARTBEAT_SECONDS)
            await self._store.leave(self.member)
        except Unavailable as error:
            log.info("fleet.left_unannounced", code=error.code)
