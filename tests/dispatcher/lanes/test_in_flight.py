"""Whoever waits for the work in flight waits for all of it."""

import asyncio

import pytest

from sms_dispatcher.lanes.in_flight import InFlight


async def test_without_work_nobody_waits():
    work = InFlight()

    await work.wait_idle()

    assert work.count == 0


async def test_it_is_idle_when_the_last_has_ended():
    work = InFlight()
    work.begin()
    waiting = asyncio.create_task(work.wait_idle())
    with work:
        assert work.count == 2
    await asyncio.sleep(0)
    assert (work.count, waiting.done()) == (1, False)

    work.end()
    await waiting


async def test_work_that_fails_has_ended_too():
    work = InFlight()

    with pytest.raises(RuntimeError, match="a bug"), work:
        raise RuntimeError("a bug")

    await work.wait_idle()
