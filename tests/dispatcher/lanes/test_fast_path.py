"""Which messages may be sent at once, and which have to go into the queue of their lane."""

import asyncio

import pytest

from sms_common.errors import Code, Throttled
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker
from sms_dispatcher.lanes.fast_path import FastPath, SendSlot
from sms_dispatcher.lanes.in_flight import InFlight
from sms_dispatcher.lanes.keyed_queue import KeyedQueue
from sms_dispatcher.ledger.entries import LedgerEntry
from tests.dispatcher.builders import entry

OTHER = "+12025550144"


class Sender:
    """Sends what it is given, or fails as a bug would."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.bug: Exception | None = None

    async def send_claimed(self, entry: LedgerEntry, slot: SendSlot, published: "asyncio.Future[None]") -> None:
        self.sent.append(entry.message_id)
        if self.bug is not None:
            raise self.bug


class Lane:
    def __init__(self, most: int) -> None:
        self.breaker, self.turns, self.in_flight, self.sender = (
            CircuitBreaker("cfg"),
            KeyedQueue(),
            InFlight(),
            Sender(),
        )
        self.fast_path = FastPath(self.breaker, self.turns, self.in_flight, self.sender, most)


@pytest.fixture
async def lane():
    return Lane(most=1)


async def test_a_message_on_a_free_lane_is_sent_and_frees_its_place(lane):
    claimed = entry()
    slot = await lane.fast_path.try_acquire(claimed)
    assert (slot is not None, lane.in_flight.count) == (True, 1)

    slot.send(claimed, asyncio.get_running_loop().create_future())
    await lane.in_flight.wait_idle()

    assert (lane.sender.sent, len(lane.turns)) == (["m-1"], 0)
    assert await lane.fast_path.try_acquire(entry()) is not None


async def test_a_bug_in_sending_frees_the_place_too(lane):
    lane.sender.bug = RuntimeError("a bug")
    slot = await lane.fast_path.try_acquire(entry())
    slot.send(entry(), asyncio.get_running_loop().create_future())
    await lane.in_flight.wait_idle()

    assert await lane.fast_path.try_acquire(entry()) is not None


@pytest.mark.parametrize("sender", [None, OTHER], ids=["of the same sender", "of another sender"])
async def test_who_finds_no_place_waits_for_the_next_one(lane, sender):
    first = await lane.fast_path.try_acquire(entry())
    waiting = asyncio.create_task(lane.fast_path.try_acquire(entry(sender=sender) if sender else entry()))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.release()

    assert await waiting is not None


@pytest.mark.parametrize("stopped", ["open", "disabled", "closed"])
async def test_a_lane_that_is_stopped_has_no_fast_path(lane, stopped):
    if stopped == "open":
        lane.breaker.pause(60, Throttled(Code.CARRIER_BUSY, "Too fast."))
    elif stopped == "disabled":
        lane.breaker.disable(disabled=True)
    else:
        lane.fast_path.close()

    assert await lane.fast_path.try_acquire(entry()) is None
    assert (lane.in_flight.count, len(lane.turns)) == (0, 0)


@pytest.mark.parametrize("stopped", ["open", "closed"])
async def test_a_lane_that_stops_meanwhile_gives_no_place_to_those_that_wait(lane, stopped):
    first = await lane.fast_path.try_acquire(entry())
    waiting = asyncio.create_task(lane.fast_path.try_acquire(entry()))
    await asyncio.sleep(0)
    if stopped == "open":
        lane.breaker.pause(60, Throttled(Code.CARRIER_BUSY, "Too fast."))
    else:
        lane.fast_path.close()
    first.release()

    assert await waiting is None
    assert (lane.in_flight.count, len(lane.turns)) == (0, 0)
    lane.breaker.close()
    assert (await lane.fast_path.try_acquire(entry()) is not None) is (stopped == "open")


async def test_no_more_than_four_wait_for_each_place(lane):
    first = await lane.fast_path.try_acquire(entry())
    waiting = [asyncio.create_task(lane.fast_path.try_acquire(entry(sender=f"+1202555010{n}"))) for n in range(4)]
    await asyncio.sleep(0)

    fifth = asyncio.create_task(lane.fast_path.try_acquire(entry(sender=OTHER)))
    await asyncio.sleep(0)

    assert fifth.done(), "it has to go into the queue at once"
    assert fifth.result() is None
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    first.release()
    assert await lane.fast_path.try_acquire(entry(sender=OTHER)) is not None
