"""What a process does again and again goes on after any failure, and ends when it is told."""

import asyncio
import logging

import pytest
from structlog.testing import capture_logs

from sms_common.errors import Code, Unavailable
from sms_common.service.background_work import LoopEvents, periodically, run_until

EVENTS = LoopEvents("things.postponed", "things.failed")
AWAY = Unavailable(Code.STORE_UNAVAILABLE, "The store is away.")


class Rounds:
    """Each round ends as the script says; after the last one it stops."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.done = 0
        self.stop = asyncio.Event()

    async def __call__(self) -> None:
        error = self.script[self.done]
        self.done += 1
        if self.done == len(self.script):
            self.stop.set()
        if error is not None:
            raise error


async def test_it_is_done_at_once_and_again_until_it_stops():
    rounds = Rounds(None, None, None)
    await periodically(rounds, 0.001, rounds.stop, EVENTS)

    assert rounds.done == 3


async def test_neither_what_is_away_nor_a_bug_ends_it_and_the_log_tells_them_apart():
    rounds = Rounds(AWAY, ValueError("bug"), None)
    with capture_logs() as logs:
        await periodically(rounds, 0.001, rounds.stop, EVENTS)

    assert rounds.done == 3
    assert [(one["event"], one["log_level"]) for one in logs] == [
        ("things.postponed", "info"),
        ("things.failed", "error"),
    ]
    assert (logs[0]["code"], logs[0]["reason"]) == (Code.STORE_UNAVAILABLE, "The store is away.")


async def test_what_may_be_put_off_is_logged_at_the_level_that_was_asked_for():
    rounds = Rounds(AWAY)
    with capture_logs() as logs:
        await periodically(rounds, 0.001, rounds.stop, LoopEvents("a", "b", logging.WARNING))

    assert logs[0]["log_level"] == "warning"


async def test_a_failure_has_a_pause_of_its_own():
    rounds = Rounds(AWAY, None)
    async with asyncio.timeout(5):
        await periodically(rounds, 3600, rounds.stop, EVENTS, after_failure=0.001)

    assert rounds.done == 2


async def test_who_is_woken_does_not_wait_for_the_period():
    wake, stop, done = asyncio.Event(), asyncio.Event(), asyncio.Queue[None]()

    async def act() -> None:
        done.put_nowait(None)

    working = asyncio.create_task(periodically(act, 3600, stop, EVENTS, wake=wake))
    async with asyncio.timeout(5):
        await done.get()
        wake.set()
        await done.get()
        stop.set()
        await working


async def test_a_wake_during_a_round_leads_to_one_more():
    wake, stop = asyncio.Event(), asyncio.Event()
    rounds: list[None] = []

    async def act() -> None:
        rounds.append(None)
        if len(rounds) == 1:
            wake.set()
        else:
            stop.set()

    async with asyncio.timeout(5):
        await periodically(act, 3600, stop, EVENTS, wake=wake)

    assert len(rounds) == 2


async def test_without_a_stop_it_goes_on_until_it_is_cancelled():
    acted = asyncio.Event()

    async def act() -> None:
        acted.set()

    working = asyncio.create_task(periodically(act, 3600, None, EVENTS))
    await acted.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_work_ends_when_it_is_done():
    done = []

    async def work() -> None:
        done.append(1)

    await run_until(asyncio.Event(), work())

    assert done == [1]


async def test_work_is_cancelled_when_the_process_stops():
    stop, cancelled = asyncio.Event(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    running = asyncio.create_task(run_until(stop, work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stop.set()
    await running

    assert cancelled == [1]


async def test_what_the_work_raises_is_raised():
    async def work() -> None:
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        await run_until(asyncio.Event(), work())
