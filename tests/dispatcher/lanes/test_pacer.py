"""Pace in the lanes: what a configuration, its numbers, its account, its campaign and its brand allow."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from sms_common.configuration import PaceLimits
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.lanes.allowances import allowances
from sms_dispatcher.lanes.circuit_breaker import BreakerState, CircuitBreaker
from sms_dispatcher.lanes.pacer import Pacer
from tests.dispatcher.builders import HANDSET, config, snapshot
from tests.dispatcher.memory_coordination import MemoryCoordination

CARRIERS = {"fake": FakeCarrier()}


def limited(id_: str = "cfg", account: str = "5500001", owner: str | None = None, **limits):
    credentials = {"account_id": SecretStr(account)}
    return config(id=id_, trunk_owner=owner, credentials=credentials, limits=PaceLimits(**limits))


class Lane:
    """A pacer with its circuit breaker on the loop's own clock, and what was sent when."""

    def __init__(self, coordination: MemoryCoordination, now: datetime | None = None, **limits) -> None:
        self.breaker = CircuitBreaker("cfg", asyncio.get_running_loop().time)
        self.now = now or datetime(2026, 11, 24, 12, tzinfo=UTC)
        self.pacer = Pacer(self.breaker, coordination, lambda: self.now, asyncio.get_running_loop().time)
        self.pacer.configure(allowances(snapshot(limited(**limits)), CARRIERS)["cfg"])
        self.left: list[float] = []

    async def send(self, count: int, segments: int = 1, number: str = "+1") -> None:
        loop = asyncio.get_running_loop()
        for waiting in reversed(range(count)):
            while (wait := self.pacer.number_wait(number, segments)) > 0:  # noqa: ASYNC110  # it is time that is waited for
                await asyncio.sleep(wait)
            if not await self.pacer.wait(segments, waiting, lambda: False):
                return
            self.pacer.count(number, segments)
            self.left += [loop.time()] * segments


@pytest.fixture
async def coordination():
    return MemoryCoordination(asyncio.get_running_loop().time)


def most_in_a_window(left: list[float], seconds: float) -> int:
    return max(sum(1 for moment in left if start <= moment < start + seconds) for start in left)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"segments_per_second": 100}, 11),
        ({"segments_per_second": 100, "burst": 5}, 15),
        ({"number_segments_per_minute": 6000}, 11),
        ({"account_segments_per_second": 100}, 11),
        ({"campaign_id": "C", "campaign_segments_per_minute": 6000}, 11),
        ({"segments_per_second": 200, "account_segments_per_second": 100}, 11),
    ],
)
async def test_no_window_holds_more_than_the_limit(coordination, limits, most):
    lane = Lane(coordination, **limits)
    await lane.send(30)

    assert len(lane.left) == 30
    assert most_in_a_window(lane.left, 0.1) <= most


async def test_lanes_of_one_account_share_its_pace(coordination):
    lanes = [Lane(coordination, account_segments_per_second=100) for _ in range(3)]
    await asyncio.gather(*(lane.send(15, segments=2) for lane in lanes))
    left = sorted(moment for lane in lanes for moment in lane.left)

    assert len(left) == 90
    assert most_in_a_window(left, 0.1) <= 12


async def test_a_brands_day_ends_the_lanes_day(coordination):
    lane = Lane(coordination, datetime(2026, 11, 25, 7, 30, tzinfo=UTC), brand_id="B", brand_segments_per_day=5)
    await lane.send(10)

    assert len(lane.left) == 5
    assert (lane.breaker.state, 1700 < lane.breaker.seconds_left <= 1800) == (BreakerState.PAUSED, True)
    lane.now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    await lane.send(5)
    assert len(lane.left) == 10


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({}, 64),
        ({"segments_per_second": 50}, 64),
        ({"segments_per_second": 0.05}, 30),
        ({"number_segments_per_minute": 1}, 10),
        ({"segments_per_second": 5, "account_segments_per_second": 0.001}, 1),
        ({"brand_id": "B", "brand_segments_per_day": 5}, 64),
    ],
)
async def test_no_more_wait_in_a_lane_than_leave_before_their_patience_ends(coordination, limits, most):
    assert Lane(coordination, **limits).pacer.at_most(64, 600) == most


async def test_a_limit_can_be_changed_and_lifted(coordination):
    lane = Lane(coordination, segments_per_second=0.001)
    lane.pacer.configure(allowances(snapshot(limited()), CARRIERS)["cfg"])
    await lane.send(10)

    assert (len(lane.left), lane.pacer.unlimited) == (10, True)


async def test_a_conversation_does_not_wait_for_a_campaign(rig):
    await rig.use(snapshot(limited(segments_per_second=100)))
    for n in range(20):
        await rig.ask(message_id=f"bulk-{n}", category="marketing", to=f"+1404555{n:04}")
    async with asyncio.timeout(20):
        while not rig.carrier.sent:
            rig.monotonic += 0.01
            rig.lanes.owned["cfg"].breaker.wake()
            await asyncio.sleep(0)
        await rig.ask(message_id="reply")
        await rig.until_told(22)
        before = len(rig.carrier.sent)
        while len(rig.carrier.sent) < 21:
            rig.monotonic += 0.001
            rig.lanes.owned["cfg"].breaker.wake()
            await asyncio.sleep(0)
    place = [sent.message.recipients for sent in rig.carrier.sent].index((HANDSET,))

    assert place <= before + 2 < 15
