"""The account queue: its rate in segments, its depth in seconds, its fast lane."""

from carrier_simulator import Clock
from carrier_simulator.carrier.account_queue import AccountQueue


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
