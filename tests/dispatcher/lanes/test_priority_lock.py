"""One at a time is at the head of a lane: a conversational message before any bulk one."""

import asyncio

import pytest

from sms_dispatcher.lanes.priority_lock import PriorityLock


async def hold(lock: PriorityLock, name: str, held: list[str], *, bulk: bool = False) -> None:
    async with lock.acquire(bulk=bulk):
        held.append(name)
        await asyncio.sleep(0)


async def test_conversational_messages_come_first_and_else_the_order_of_the_calls_holds():
    lock, held = PriorityLock(), list[str]()
    async with lock.acquire(bulk=False):
        names = ("bulk-1", "bulk-2", "reply-1", "reply-2")
        waiting = [asyncio.create_task(hold(lock, name, held, bulk=name.startswith("bulk"))) for name in names]
        await asyncio.sleep(0)
        assert (lock.is_locked, lock.waiting, held) == (True, 4, [])
    await asyncio.gather(*waiting)

    assert held == ["reply-1", "reply-2", "bulk-1", "bulk-2"]
    assert (lock.is_locked, lock.waiting) == (False, 0)


async def test_who_stops_waiting_is_passed_over():
    lock, held = PriorityLock(), list[str]()
    async with lock.acquire(bulk=False):
        waiting = [asyncio.create_task(hold(lock, name, held)) for name in ("first", "second")]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
    await waiting[1]

    assert (held, lock.is_locked) == (["second"], False)


async def test_who_is_cancelled_in_the_moment_of_its_turn_gives_it_to_the_next():
    lock, held = PriorityLock(), list[str]()
    async with lock.acquire(bulk=False):
        waiting = [asyncio.create_task(hold(lock, name, held)) for name in ("first", "second")]
        await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting, timeout=5)

    assert (held, lock.is_locked) == (["second"], False)


async def test_a_failure_at_the_head_frees_it():
    lock, held = PriorityLock(), list[str]()
    with pytest.raises(RuntimeError, match="a bug"):
        async with lock.acquire(bulk=True):
            raise RuntimeError("a bug")
    await hold(lock, "next", held)

    assert held == ["next"]
