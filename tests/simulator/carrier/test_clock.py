"""Time that can be frozen and moved."""

import asyncio
import time

import pytest

from carrier_simulator import Clock
from carrier_simulator.carrier.clock import iso_time


@pytest.mark.parametrize(
    ("digits", "text"),
    [(0, "2026-07-10T09:00:00Z"), (3, "2026-07-10T09:00:00.123Z"), (6, "2026-07-10T09:00:00.123000Z")],
)
def test_times_are_written_with_0_3_or_6_digits(digits, text):
    assert iso_time(1783674000.123, digits) == text


async def test_a_frozen_clock_moves_only_by_hand():
    clock = Clock(frozen_at=100)
    seen = []
    clock.call_at(101, lambda: seen.append(clock.time()))

    await asyncio.sleep(0.01)
    assert (clock.time(), seen) == (100, [])
    clock.advance(0.5)
    assert (clock.time(), seen) == (100.5, [])
    clock.advance(0.5)
    assert (clock.time(), seen) == (101, [101])


async def test_timers_fire_in_order_each_at_its_own_time():
    clock = Clock(frozen_at=0)
    seen = []
    clock.call_at(2, lambda: seen.append(("two", clock.time())))

    def one() -> None:
        seen.append(("one", clock.time()))
        clock.call_at(1.5, lambda: seen.append(("chained", clock.time())))

    clock.call_at(1, one)
    cancelled = clock.call_at(1.2, lambda: seen.append(("never", 0)))
    cancelled.cancel()

    clock.advance(10)

    assert seen == [("one", 1), ("chained", 1.5), ("two", 2)]
    assert clock.time() == 10


async def test_what_is_due_at_once_happens_on_a_frozen_clock_too():
    clock = Clock(frozen_at=5)
    happened = asyncio.Event()
    clock.call_at(5, happened.set)

    async with asyncio.timeout(1):
        await happened.wait()


async def test_a_running_clock_follows_the_machine_and_wakes_for_the_earlier_timer():
    clock = Clock()
    later, sooner = asyncio.Event(), asyncio.Event()
    clock.call_at(clock.time() + 60, later.set)
    clock.call_at(clock.time() + 0.01, sooner.set)

    async with asyncio.timeout(1):
        await sooner.wait()
    assert abs(clock.time() - time.time()) < 1
    assert not later.is_set()
    clock.advance(60)
    assert later.is_set()
    assert clock.time() > time.time() + 59
    clock.clear()


async def test_a_timer_comes_sooner_when_the_clock_was_advanced():
    clock = Clock()
    happened = asyncio.Event()
    clock.call_at(clock.time() + 60, happened.set)

    clock.advance(59.99)

    async with asyncio.timeout(1):
        await happened.wait()


async def test_a_cleared_clock_forgets_its_timers():
    clock = Clock()
    seen = []
    clock.call_at(clock.time() + 0.001, lambda: seen.append(1))
    clock.clear()

    await asyncio.sleep(0.01)

    assert seen == []


async def test_sleep_takes_simulated_time_and_may_be_cancelled():
    clock = Clock(frozen_at=0)
    first, second = asyncio.create_task(clock.sleep(30)), asyncio.create_task(clock.sleep(30))
    await asyncio.sleep(0)
    second.cancel()

    clock.advance(30)

    await first
    with pytest.raises(asyncio.CancelledError):
        await second
