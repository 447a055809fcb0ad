"""Queues by key: first come, first served. Nobody overtakes when one leaves early or is cancelled."""

import asyncio

from sms_dispatcher.lanes.keyed_queue import KeyedQueue


async def test_those_of_one_key_come_in_their_order_and_others_do_not_wait():
    turns = KeyedQueue()
    first, second, other = turns.join("a"), turns.join("a"), turns.join("b")

    assert (first.is_ready, second.is_ready, other.is_ready) == (True, False, True)
    coming = asyncio.create_task(second.wait())
    await asyncio.sleep(0)
    assert not coming.done()
    first.release()
    await coming


async def test_a_turn_that_is_released_early_lets_nobody_overtake():
    turns = KeyedQueue()
    first, second, third = (turns.join("a") for _ in range(3))
    with second:
        pass
    assert not third.is_ready
    first.release()
    await third.wait()

    assert third.is_ready


async def test_a_cancelled_wait_releases_no_turn_but_its_own():
    turns = KeyedQueue()
    first, second, third = (turns.join("a") for _ in range(3))
    waiting = asyncio.create_task(second.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    second.release()

    assert not third.is_ready
    first.release()
    await third.wait()


async def test_an_empty_queue_is_forgotten():
    turns = KeyedQueue()
    for _ in range(3):
        with turns.join("a"), turns.join("b"):
            assert len(turns) == 2
    assert len(turns) == 0
