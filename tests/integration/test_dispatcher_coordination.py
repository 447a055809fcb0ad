"""What dispatchers agree on, on MongoDB and in memory: one holder for each lane, one slot for each segment."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from sms_common.errors import Unavailable
from sms_dispatcher.fleet import coordination as module
from sms_dispatcher.fleet.coordination import Coordination
from sms_dispatcher.fleet.membership import LiveMembers
from sms_dispatcher.lanes.stalled_lanes import StalledLane
from sms_dispatcher.ledger.database import open_database
from tests.dispatcher.memory_coordination import MemoryCoordination
from tests.stack import Database

pytestmark = pytest.mark.integration


@pytest.fixture(params=["mongodb", "memory"])
async def coordination(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Coordination]:
    if request.param == "memory":
        yield MemoryCoordination(asyncio.get_running_loop().time)
        return
    async with open_database(database.url, database.name) as opened:
        coordination = Coordination(opened)
        await coordination.prepare()
        yield coordination


async def test_preparing_it_again_is_no_harm(coordination):
    await coordination.heartbeat("a", leaving=False)
    await coordination.prepare()

    assert (await coordination.heartbeat("b", leaving=False)).alive == {"a", "b"}


async def test_who_is_there_is_heard_and_who_leaves_is_not(coordination):
    assert await coordination.heartbeat("a", leaving=False) == LiveMembers(frozenset({"a"}), frozenset({"a"}))
    assert (await coordination.heartbeat("b", leaving=True)) == LiveMembers(frozenset({"a", "b"}), frozenset({"a"}))
    await coordination.leave("a")

    assert await coordination.heartbeat("b", leaving=False) == LiveMembers(frozenset({"b"}), frozenset({"b"}))


async def test_who_is_not_heard_of_any_more_is_gone(coordination, monkeypatch):
    monkeypatch.setattr("tests.dispatcher.memory_coordination.MEMBER_TTL", timedelta(milliseconds=50))
    monkeypatch.setattr(module, "MEMBER_TTL", timedelta(milliseconds=50))
    await coordination.heartbeat("a", leaving=False)
    async with asyncio.timeout(5):
        while (await coordination.heartbeat("b", leaving=False)).alive != {"b"}:  # noqa: ASYNC110  # silence announces nothing
            await asyncio.sleep(0.01)


async def test_of_many_who_take_one_lane_one_holds_it(coordination):
    members = [f"m{n}" for n in range(20)]
    taken = await asyncio.gather(*(coordination.acquire(["x", "y"], member, members) for member in members))

    assert sorted(lane for lanes in taken for lane in lanes) == ["x", "y"]


async def test_a_lane_is_taken_from_the_dead_and_not_from_the_living(coordination):
    assert await coordination.acquire(["x", "y"], "a", {"a"}) == {"x", "y"}
    assert await coordination.acquire(["x", "z"], "b", {"a", "b"}) == {"z"}
    assert await coordination.acquire(["x"], "a", {"a", "b"}) == {"x"}

    assert await coordination.acquire(["x"], "b", {"b"}) == {"x"}
    assert await coordination.acquire([], "b", {"b"}) == frozenset()


async def test_a_lane_given_back_is_free_and_only_its_holder_gives_it_back(coordination):
    await coordination.acquire(["x", "y"], "a", {"a", "b"})
    await coordination.release(["x"], "b")
    assert await coordination.acquire(["x"], "b", {"a", "b"}) == frozenset()
    await coordination.release(["x"], "a")
    assert await coordination.acquire(["x", "y"], "b", {"a", "b"}) == {"x"}
    await coordination.leave("a")

    assert await coordination.acquire(["y"], "b", {"a", "b"}) == {"y"}


async def test_every_slot_is_given_once(coordination):
    loop = asyncio.get_running_loop()

    async def reserve() -> float:
        wait: float = await coordination.reserve("account", 3, 10.0)
        return loop.time() + wait

    moments = sorted(await asyncio.gather(*(reserve() for _ in range(20))))

    assert moments[0] > loop.time() + 5
    assert all(28 < after - before < 32 for before, after in pairwise(moments))


async def test_when_the_interval_changes_what_is_reserved_counts_as_many_slots(coordination):
    await coordination.reserve("account", 4, 1e6)  # a slip: one in eleven days

    waits = [await coordination.reserve("account", 2, interval) for interval in (10.0, 10.0, 1.0)]

    assert waits == [pytest.approx(slots, abs=2) for slots in (5 * 10, 7 * 10, 9 * 1)]


async def test_slots_nobody_used_are_lost(coordination):
    await coordination.reserve("account", 1, 0.02)
    await asyncio.sleep(0.1)  # time itself is what is waited for

    assert await coordination.reserve("account", 1, 0.02) == 0


async def test_a_days_budget_is_never_overdrawn(coordination):
    counted = await asyncio.gather(*(coordination.count("brand:day", 3, 100) for _ in range(50)))

    assert counted.count(True) == 33
    assert [await coordination.count("brand:day", n, 100) for n in (2, 1, 1)] == [False, True, False]
    assert await coordination.count("brand:day", 1, 101)
    assert not await coordination.count("another:day", 101, 100)


async def test_a_store_that_is_away_is_told_as_such():
    async with open_database("mongodb://127.0.0.1:1/?replicaSet=rs0", "none") as opened:
        with pytest.raises(Unavailable):
            await Coordination(opened).heartbeat("a", leaving=False)


async def test_why_a_lane_stands_is_kept_with_since_when(coordination):
    stands = StalledLane("x", "person", "credentials_refused", "$words of a carrier")
    await coordination.record_stalled([stands], ["y"])
    (first,) = await coordination.stalled(["x", "y"])
    await coordination.record_stalled([replace(stands, reason="Other words.")], [])
    (second,) = await coordination.stalled(["x"])
    await coordination.record_stalled([replace(stands, why="paused", code="carrier_busy")], [])
    (third,) = await coordination.stalled(["x"])
    await coordination.record_stalled([], ["x"])

    assert replace(first, since=None) == stands
    assert (second.since, second.reason) == (first.since, "Other words.")
    assert (third.why, third.since >= first.since) == ("paused", True)
    assert await coordination.stalled(["x"]) == []
