"""Several things at once."""

import asyncio

import pytest

from sms_common.concurrency import gather_all, is_set_within


async def test_all_have_ended_when_one_has_failed():
    ended = []

    async def work(name: str, error: Exception | None = None) -> None:
        await asyncio.sleep(0)
        ended.append(name)
        if error is not None:
            raise error

    with pytest.raises(ValueError, match="first"):
        await gather_all([work("a"), work("b", ValueError("first")), work("c", ValueError("second")), work("d")])

    assert ended == ["a", "b", "c", "d"]


async def test_no_more_run_at_once_than_may():
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await gather_all([work() for _ in range(9)], at_a_time=3)

    assert most == 3


@pytest.mark.parametrize("which", [0, 1])
async def test_one_of_the_events_is_enough(which):
    events = asyncio.Event(), asyncio.Event()
    events[which].set()

    assert await is_set_within(60, *events)


async def test_after_the_time_nothing_runs_on():
    before = asyncio.all_tasks()
    assert not await is_set_within(0.001, asyncio.Event(), asyncio.Event())
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
