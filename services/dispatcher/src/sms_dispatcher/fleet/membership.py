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

BEAT_SECONDS = 1.0
_EVENTS = LoopEvents("fleet.postponed", "fleet.failed")
_SILENT_SECONDS = 10.0
# A process that can be heard by nobody for so long gives its lanes up: others have taken them.
_GIVE_UP_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Present:
    """The dispatchers that are alive, and those of them that take work."""

    alive: frozenset[str] = frozenset()
    working: frozenset[str] = frozenset()


class Agreement(Protocol):
    """How the dispatchers agree; see Coordination."""

    async def beat(self, member: str, *, leaving: bool) -> Present:
        """Say that `member` is there; returns who is. Raises Unavailable."""

    async def leave(self, member: str) -> None:
        """Say that `member` is gone and holds nothing any more. Raises Unavailable."""

    async def take(self, work: Iterable[str], member: str, alive: Collection[str]) -> frozenset[str]:
        """Take those that are free or belong to one who is not `alive`. Raises Unavailable."""

    async def release(self, work: Iterable[str], member: str) -> None:
        """Give work back. Raises Unavailable."""


class Work(Protocol):
    """What is shared, by the names of its pieces."""

    async def hold(self, work: frozenset[str]) -> None:
        """Begin to work on these too. Raises Unavailable when one of them could not be begun; all others are."""

    async def drop(self, work: frozenset[str]) -> None:
        """Work on these no more; returns when nothing of them is under way."""

    async def look(self) -> None:
        """Look for what others have begun for work that is held. Raises Unavailable."""


class FleetMember:
    """One process's part of the work. `fit` says whether it can work at all: one that has lost the broker must not
    keep work that another could do.
    """

    def __init__(
        self,
        member: str,
        agreement: Agreement,
        work: Work,
        fit: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.member = member
        self._agreement = agreement
        self._work = work
        self._fit = fit
        self._clock = clock
        self._pieces: Mapping[str, str] = {}
        self._shares: Mapping[str, frozenset[str]] = {}
        self._shared_among: frozenset[str] = frozenset()
        self._present = Present()
        self._held: frozenset[str] = frozenset()
        self._to_begin: frozenset[str] = frozenset()
        self._began = False
        self._giving_back: dict[str, asyncio.Task[None]] = {}
        self._heard_at = clock()
        self._settling = asyncio.Lock()
        self._leaving = False

    def check(self) -> str | None:
        """Why this process does not do its share, or None: for a readiness probe."""
        if self._leaving:
            return "it is leaving"
        if not self._present.alive:
            return "it has not joined the other dispatchers yet"
        silent = self._clock() - self._heard_at
        if silent > _SILENT_SECONDS:
            return f"it could not tell the other dispatchers for {silent:.0f} s that it is there"
        if self._to_begin:
            return f"{len(self._to_begin)} queues could not be read yet"
        return None if self._began else "it has not taken its share of the work yet"

    @property
    def held(self) -> frozenset[str]:
        """What this process works on."""
        return self._held

    async def follow(self, pieces: Mapping[str, str]) -> None:
        """These are all pieces of work there are, by group (see assign); take what is ours. Raises Unavailable."""
        self._pieces, self._shares = pieces, {}
        await self._beat()
        await self._settle()

    async def run(self, stop: asyncio.Event) -> None:
        """Say every second that we are here, and take what is ours, until `stop` is set."""
        async with asyncio.TaskGroup() as both:
            both.create_task(periodically(self._beat, BEAT_SECONDS, stop, _EVENTS))
            both.create_task(periodically(self._settle_and_look, BEAT_SECONDS, stop, _EVENTS))

    async def _beat(self) -> None:
        if not self._fit():
            return
        self._present = await self._agreement.beat(self.member, leaving=self._leaving)
        self._heard_at = self._clock()
        metrics.fleet_members.set(len(self._present.alive))

    async def _settle_and_look(self) -> None:
        try:
            await self._settle()
        except Unavailable:
            await self._work.look()  # what can be worked on is
            raise
        await self._work.look()

    async def _settle(self) -> None:
        """Drop and take lanes until we hold our part. Raises Unavailable."""
        async with self._settling:
            if self._clock() - self._heard_at > _GIVE_UP_AFTER_SECONDS:
                self._give_back(self._held)  # others have taken them
                return
            ours = self._share()
            self._give_back(self._held - ours)
            wanted = ours - self._held - self._giving_back.keys()
            if wanted:
                taken = await self._agreement.take(wanted, self.member, self._present.alive)
                self._held |= taken
                self._to_begin |= taken
            if self._to_begin:
                await self._begin()
            self._began = bool(self._pieces) and self.member in self._present.alive

    def _share(self) -> frozenset[str]:
        """Our share; worked out again when there is something new to share or somebody else to share it with."""
        if self._leaving:
            return frozenset()
        if not self._shares or self._shared_among != self._present.working:
            self._shared_among = self._present.working
            self._shares = assign(self._pieces, self._shared_among)
        return self._shares.get(self.member, frozenset())

    async def _begin(self) -> None:
        count = len(self._to_begin)
        await self._work.hold(self._to_begin)
        self._to_begin = frozenset()
        log.info("fleet.took", pieces=count, held=len(self._held), members=len(self._present.alive))

    def _give_back(self, lost: frozenset[str]) -> None:
        """Each is released as soon as nothing of it is under way; meanwhile we are heard as ever."""
        if not lost:
            return
        self._held -= lost
        self._to_begin -= lost
        log.info("fleet.gives_back", pieces=len(lost), held=len(self._held))
        for one in lost:
            self._giving_back[one] = asyncio.create_task(self._give_one_back(one))

    async def _give_one_back(self, one: str) -> None:
        try:
            await self._work.drop(frozenset({one}))
            await self._agreement.release((one,), self.member)
        except Unavailable as error:
            log.info("fleet.kept", code=error.code)  # ours in name only, until we take it again or are gone
        except Exception:  # a bug in one must not leave the others, or end the process
            log.exception("fleet.failed")
        finally:
            del self._giving_back[one]

    async def leave(self) -> None:
        """Give everything back; others take each lane when nothing of it is under way any more."""
        self._leaving = True
        async with self._settling:
            self._give_back(self._held)
        try:
            while pieces := set(self._giving_back.values()):
                await self._agreement.beat(self.member, leaving=True)
                await asyncio.wait(pieces, timeout=BEAT_SECONDS)
            await self._agreement.leave(self.member)
        except Unavailable as error:
            log.info("fleet.left_silently", code=error.code)
