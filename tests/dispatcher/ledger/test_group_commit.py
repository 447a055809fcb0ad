"""Concurrent submissions share commits, and each caller gets its own result."""

import asyncio

import pytest

from sms_common.errors import Code, Unavailable
from sms_dispatcher.ledger.group_commit import GroupCommit


async def test_what_comes_while_a_batch_is_written_goes_into_the_next_one():
    batches, begun, gate = [], asyncio.Event(), asyncio.Event()

    async def commit(items):
        batches.append(items)
        begun.set()
        await gate.wait()
        return [item * 10 for item in items]

    group = GroupCommit(commit)
    first = asyncio.create_task(group.submit(1))
    await begun.wait()
    rest = [asyncio.create_task(group.submit(n)) for n in (2, 3)]
    gate.set()

    assert await asyncio.gather(first, *rest) == [10, 20, 30]
    assert batches == [[1], [2, 3]]


async def test_no_batch_is_larger_than_the_limit():
    sizes = []

    async def commit(items):
        sizes.append(len(items))
        return items

    group = GroupCommit(commit, limit=2)

    assert await asyncio.gather(*(group.submit(n) for n in range(5))) == list(range(5))
    assert max(sizes) == 2


async def test_a_failed_commit_fails_its_callers_and_no_later_one():
    async def commit(items):
        if "bad" in items:
            raise ValueError("no")
        return items

    group = GroupCommit(commit)
    with pytest.raises(ValueError, match="no"):
        await group.submit("bad")

    assert await group.submit("good") == "good"


async def test_one_bad_item_fails_alone():
    async def commit(items):
        if "bad" in items:
            raise ValueError("no")
        return [item.upper() for item in items]

    group = GroupCommit(commit)
    results = await asyncio.gather(*(group.submit(item) for item in ("a", "bad", "b")), return_exceptions=True)

    assert (results[0], type(results[1]), results[2]) == ("A", ValueError, "B")


async def test_a_batch_is_not_tried_item_by_item_while_the_store_is_away():
    batches = []

    async def commit(items):
        batches.append(items)
        raise Unavailable(Code.STORE_UNAVAILABLE, "Away.")

    group = GroupCommit(commit)
    results = await asyncio.gather(*(group.submit(n) for n in range(3)), return_exceptions=True)

    assert ({type(result) for result in results}, batches) == ({Unavailable}, [[0, 1, 2]])


async def test_a_caller_that_gave_up_does_not_disturb_the_others():
    gate = asyncio.Event()

    async def commit(items):
        await gate.wait()
        return items

    group = GroupCommit(commit)
    quitter, stayer = asyncio.create_task(group.submit(1)), asyncio.create_task(group.submit(2))
    await asyncio.sleep(0)
    quitter.cancel()
    gate.set()

    assert await stayer == 2
