"""The account queue: its rate in segments, its depth in seconds, its fast lane."""

import asyncio

import pytest

from carrier_simulator import Clock
from carrier_simulator.carrier.account_queue import AccountQueue
from tests.simulator.conftest import ACCOUNT, HANDSET, account

TEN = [f"+1404555{number:04}" for number in range(100, 110)]


class Watched:
    """A queue on a frozen clock, with the items it handed on and when."""

    def __init__(self, rate: float, depth: float) -> None:
        self.clock = Clock(frozen_at=0)
        self.handed: list[tuple[str, float]] = []
        self.queue: AccountQueue[str] = AccountQueue(
            self.clock, rate, depth, lambda item: self.handed.append((item, self.clock.time()))
        )

    def offer(self, *items: str, segments: int = 1, urgent: bool = False) -> list[bool]:
        return [self.queue.offer(item, segments, urgent=urgent) for item in items]


async def test_items_leave_at_the_rate():
    watched = Watched(rate=2, depth=900)
    watched.offer("a", "b", "c", "d")

    watched.clock.advance(10)

    assert watched.handed == [("a", 0), ("b", 0.5), ("c", 1), ("d", 1.5)]


async def test_several_segments_hold_up_the_next_item():
    watched = Watched(rate=1, depth=900)
    watched.offer("long", segments=3)
    watched.offer("short")

    watched.clock.advance(10)

    assert watched.handed == [("long", 0), ("short", 3)]


async def test_an_idle_queue_saves_up_no_burst():
    watched = Watched(rate=1, depth=900)
    watched.offer("a")
    watched.clock.advance(100)
    watched.offer("b", "c")

    watched.clock.advance(10)

    assert watched.handed == [("a", 0), ("b", 100), ("c", 101)]


async def test_high_priority_goes_to_the_front_but_counts_and_is_refused_when_full():
    watched = Watched(rate=1, depth=4)
    watched.offer("a", "b", "c")

    assert watched.offer("urgent", urgent=True) == [True]
    assert watched.offer("too much", urgent=True) == [False]
    watched.clock.advance(10)

    assert [item for item, _ in watched.handed] == ["urgent", "a", "b", "c"]


async def test_the_depth_is_a_time_counted_in_segments():
    watched = Watched(rate=2, depth=5)

    assert watched.offer("a", segments=9) == [True]
    assert watched.offer("b", segments=2) == [False]
    assert watched.offer("c", segments=1) == [True]
    assert (watched.queue.segments, len(watched.queue)) == (10, 2)


async def test_rate_zero_is_no_limit():
    watched = Watched(rate=0, depth=1)
    watched.offer(*"abc", segments=1000)

    watched.clock.advance(0)

    assert watched.handed == [("a", 0), ("b", 0), ("c", 0)]
    assert watched.queue.segments == 0


async def test_a_new_rate_holds_at_once():
    watched = Watched(rate=0.001, depth=900_000)
    watched.offer("a", "b", "c")
    watched.clock.advance(1)
    watched.queue.configure(1, 900)

    watched.clock.advance(10)

    assert watched.handed == [("a", 0), ("b", 1), ("c", 2)]


async def test_a_cleared_queue_starts_anew():
    watched = Watched(rate=1, depth=900)
    watched.offer("a", "b", "c", segments=100)
    watched.clock.advance(0)
    watched.queue.clear()
    watched.offer("d")

    watched.clock.advance(10)

    assert watched.handed == [("a", 0), ("d", 0)]


async def test_a_group_counts_once_per_recipient(start):
    api = await start(frozen=True, changes={"rate": 10, "queue_seconds": 2})

    assert (await api.send(to=TEN))[0] == 202
    assert (await api.send(to=TEN))[0] == 202
    _, state = await api.control("GET", "")
    await api.send()

    assert state["queues"][ACCOUNT]["rate"] == 10
    assert state["queues"][ACCOUNT]["segments"] in (10, 20)  # the first may be out already
    statuses = [(await api.send(to=TEN))[0] for _ in range(3)]
    assert statuses[-1] == 429


async def test_messages_leave_the_account_at_its_rate(start, receiver):
    api = await start(
        frozen=True, changes={"rate": 1, "queue_seconds": 900}, application={"events": ["message-delivered"]}
    )
    for tag in ("first", "second", "third"):
        await api.send(tag=tag)
    await api.send(tag="urgent", priority="high")
    order = []

    for second in range(4):
        events = await receiver.events(second + 1)
        order.append(events[-1]["message"]["tag"])
        assert len(receiver.received) == second + 1
        api.simulator.clock.advance(1)

    assert order == ["first", "urgent", "second", "third"]


async def test_an_account_that_is_changed_keeps_what_waits_and_one_that_is_removed_does_not(start, receiver):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="a")
    await api.send(tag="b")
    await api.simulator.wait_for_attempts(1, tag="a", kind="message-delivered")

    api.simulator.put_account(account(receiver.url, rate=0))
    await api.simulator.wait_for_attempts(1, tag="b", kind="message-delivered")

    assert await api.control("DELETE", f"/accounts/{ACCOUNT}") == (204, b"")
    assert (await api.send())[0] == 401
    assert (await api.control("DELETE", f"/accounts/{ACCOUNT}"))[0] == 404


@pytest.mark.parametrize("text", ["a" * 160, "a" * 161])
async def test_the_queue_counts_segments_not_messages(start, text):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 4})
    await api.send(text=text)
    await asyncio.sleep(0)
    statuses = [(await api.send(text=text, to=HANDSET))[0] for _ in range(5)]

    assert statuses.count(202) == (4 if len(text) == 160 else 2)
