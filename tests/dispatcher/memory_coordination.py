"""What dispatchers agree on, in memory; passes the same contract tests as the one on MongoDB."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sms_common.errors import Code, Unavailable
from sms_dispatcher.fleet.coordination import MEMBER_TTL, Coordination
from sms_dispatcher.fleet.membership import LiveMembers
from sms_dispatcher.lanes.stalled_lanes import StalledLane


class MemoryCoordination(Coordination):
    """`clock` is the database's time, in seconds. `away` makes every call fail as if MongoDB were gone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.away = False
        self.owners: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.still: dict[str, StalledLane] = {}
        self._clock = clock
        self._seen: dict[str, tuple[float, bool]] = {}
        self._next: dict[str, tuple[float, float]] = {}

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(Code.STORE_UNAVAILABLE, "The store is away.")

    async def prepare(self) -> None:
        self._answer()

    async def heartbeat(self, member: str, *, leaving: bool) -> LiveMembers:
        self._answer()
        now = self._clock()
        self._seen[member] = (now, leaving)
        there = {name: leaves for name, (seen, leaves) in self._seen.items() if now - seen < MEMBER_TTL.total_seconds()}
        return LiveMembers(frozenset(there), frozenset(name for name, leaves in there.items() if not leaves))

    async def record_stalled(self, stalled: Sequence[StalledLane], running: Iterable[str]) -> None:
        self._answer()
        for one in stalled:
            known = self.still.get(one.config_id)
            same = known is not None and (known.why, known.code) == (one.why, one.code)
            since = known.since if known is not None and same else datetime.fromtimestamp(self._clock(), UTC)
            self.still[one.config_id] = replace(one, since=since)
        for config_id in running:
            self.still.pop(config_id, None)

    async def stalled(self, config_ids: Iterable[str]) -> list[StalledLane]:
        self._answer()
        return [self.still[config_id] for config_id in config_ids if config_id in self.still]

    async def leave(self, member: str) -> None:
        self._answer()
        self._seen.pop(member, None)
        self.owners = {lane: owner for lane, owner in self.owners.items() if owner != member}

    async def acquire(self, lanes: Iterable[str], member: str, alive: Collection[str]) -> frozenset[str]:
        self._answer()
        wanted = list(lanes)
        for lane in wanted:
            if self.owners.get(lane) not in set(alive) - {member}:
                self.owners[lane] = member
        return frozenset(lane for lane in wanted if self.owners[lane] == member)

    async def release(self, lanes: Iterable[str], member: str) -> None:
        self._answer()
        for lane in lanes:
            if self.owners.get(lane) == member:
                del self.owners[lane]

    async def reserve(self, key: str, slots: int, interval: float) -> float:
        self._answer()
        now = self._clock()
        next_, gap = self._next.get(key, (now + interval, interval))
        ahead = max(next_ - now, 0) / gap * interval
        self._next[key] = (now + ahead + slots * interval, interval)
        return ahead

    async def count(self, key: str, segments: int, cap: int) -> bool:
        self._answer()
        if self.counts.get(key, 0) + segments > cap:
            return False
        self.counts[key] = self.counts.get(key, 0) + segments
        return True
