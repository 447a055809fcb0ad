"""What this process knows of the queues of its lanes."""

import asyncio

import pytest

from tests.dispatcher.builders import entry
from tests.dispatcher.conftest import Rig


@pytest.mark.parametrize("held", [True, False], ids=["a lane held here", "a lane that comes meanwhile"])
async def test_a_queue_into_which_something_is_on_its_way_is_not_taken_for_empty(held):
    rig, on_its_way, arrives = Rig(), asyncio.Event(), asyncio.Event()
    lanes, publish = rig.lanes, rig.broker.publish

    async def slow(message) -> None:
        on_its_way.set()
        await arrives.wait()
        await publish(message)

    rig.broker.publish = slow  # type: ignore[method-assign]
    async with rig.broker:
        if held:
            await lanes.acquire(["cfg"])
            await lanes.find_empty_queues()
        putting = asyncio.create_task(lanes.put(entry()))
        await on_its_way.wait()
        await lanes.acquire(["cfg"])
        await lanes.find_empty_queues()
        assert await lanes.try_acquire(entry(message_id="m-2")) is None
        arrives.set()
        await putting
