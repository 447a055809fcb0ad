"""Shares the work among the dispatchers that run: each piece, a lane or the intake of a tenant, is done by one."""

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
# A process that can be heard by nobody for so long gives its lanes up: others have taken them.
_RELEASE_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LiveMembers:
    """The dispatchers that are alive, and those of them that take work."""

    alive: frozenset[str] = frozenset()
    working: frozenset[str] = frozenset()


class FleetStore(Protocol):
    """How the dispatchers agree; see Coordination."""

    async def heartbeat(self, member: str, *, leaving: bool) -> LiveMembers:
        """Say that `member` is there; returns who is. Raises Unavailable."""

    async def leave(self, member: str) -> None:
        """Say that `member` is gone and holds nothing any more. Raises Unavailable."""

    async def acquire(self, work: Iterable[str], member: str, alive: Collection[str]) -> frozenset[str]:
        """Take those that are free or belong to one who is not `alive`. Raises Unavailable."""

    async def release(self, work: Iterable[str], member: str) -> None:
        """Give work back. Raises Unavailable."""


class Work(Protocol):
    """What is shared, by the names of its pieces."""

    async def acquire(self, work: Mapping[str, str]) -> None:
        """Begin to work on these too. Raises Unavailable when one of them could not be begun; all others are."""

    async def release(self, work: frozenset[str]) -> None:
        """Work on these no more; returns when nothing of them is under way."""

    async def refresh(self) -> None:
        """Look for what others have begun for work that is held. Raises Unavailable."""


class FleetMember:
    """One process's part of the work. `is_fit` says whether it can work at all: one that has lost the broker must not
    keep work that another could do.
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
        """Why this process does not do its share, or None: for a readiness probe."""
        if self._leaving:
            return "it is leaving"
        if not self._members.alive:
            return "it has not joined the other dispatchers yet"
        silent = self._clock() - self._heartbeat_at
        if silent > _SILENT_SECONDS:
            return f"it could not tell the other dispatchers for {silent:.0f} s that it is there"
        if self._to_start:
            return f"{len(self._to_start)} queues could not be read yet"
        return None if self._has_share else "it has not taken its share of the work yet"

    @property
    def owned(self) -> frozenset[str]:
        """What this process works on."""
        return self._owned

    async def set_shards(self, shards: Mapping[str, str]) -> None:
        """These are all pieces of work there are, by group (see assign); take what is ours. Raises Unavailable."""
        self._shards, self._assignment = shards, {}
        await self._heartbeat()
        await self._rebalance()

    async def run(self, stop: asyncio.Event) -> None:
        """Say every second that we are here, and take what is ours, until `stop` is set."""
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
            await self._work.refresh()  # what can be worked on is
            raise
        await self._work.refresh()

    async def _rebalance(self) -> None:
        """Drop and take lanes until we hold our part. Raises Unavailable."""
        async with self._rebalancing:
            if self._clock() - self._heartbeat_at > _RELEASE_AFTER_SECONDS:
                self._release(self._owned)  # others have taken them
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
        """Our share; worked out again when there is something new to share or somebody else to share it with."""
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
        log.info("fleet.took", shards=count, owned=len(self._owned), members=len(self._members.alive))

    def _release(self, released: frozenset[str]) -> None:
        """Each is released as soon as nothing of it is under way; meanwhile we are heard as ever."""
        if not released:
            return
        self._owned -= released
        self._to_start -= released
        log.info("fleet.gives_back", shards=len(released), owned=len(self._owned))
        for one in released:
            self._releasing[one] = asyncio.create_task(self._release_one(one))

    async def _release_one(self, one: str) -> None:
        try:
            await self._work.release(frozenset({one}))
            await self._store.release((one,), self.member)
        except Unavailable as error:
            log.info("fleet.kept", code=error.code)  # ours in name only, until we take it again or are gone
        except Exception:  # a bug in one must not leave the others, or end the process
            log.exception("fleet.failed")
        finally:
            del self._releasing[one]

    async def leave(self) -> None:
        """Give everything back; others take each lane when nothing of it is under way any more."""
        self._leaving = True
        async with self._rebalancing:
            self._release(self._owned)
        try:
            while shards := set(self._releasing.values()):
                await self._store.heartbeat(self.member, leaving=True)
                await asyncio.wait(shards, timeout=HEARTBEAT_SECONDS)
            await self._store.leave(self.member)
        except Unavailable as error:
            log.info("fleet.left_silently", code=error.code)
