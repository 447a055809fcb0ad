"""What this process knows of the queues of its lanes."""

import asyncio

import pytest

from sms_common.messages import Accepted
from sms_dispatcher.lanes.lane_entries import lane_message
from tests.dispatcher.builders import NOW, entry, snapshot
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


async def test_a_text_does_not_overtake_one_in_the_queue_when_those_of_other_dispatchers_leave_it():
    rig, first_ends, end = Rig(lane=1), asyncio.Event(), asyncio.Event()

    def slow(until):
        async def answer(_):
            await until.wait()
            return Accepted("id")

        return answer

    numbers = ["+13125550100", "+13125550101"]
    rig.carrier.script(numbers[0], slow(first_ends))
    rig.carrier.script(numbers[1], slow(end))
    theirs = [entry(message_id=f"their-{n}", sender=f"+1202555014{n}", to=(to,)) for n, to in enumerate(numbers)]
    own, new = entry(message_id="own"), entry(message_id="new")
    async with rig.broker:
        await rig.start(snapshot())
        for one in (*theirs, own):
            await rig.ledger.accept(one)
        for one in theirs:
            await rig.broker.publish(lane_message(one, NOW))
        await rig.lanes.put(own)
        async with asyncio.timeout(5):
            await rig.carrier.wait_until_sent(1)
            first_ends.set()
            await rig.carrier.wait_until_sent(2)
            assert len(rig.broker.waiting("sms.lane.cfg")) == 1
            assert await rig.lanes.try_acquire(new) is None
        end.set()
        await rig.idle()
        slot = await rig.lanes.try_acquire(new)
        assert slot is not None
        slot.release()
