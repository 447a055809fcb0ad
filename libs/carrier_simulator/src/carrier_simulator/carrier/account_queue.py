"""The outbound queue of an account: a rate in segments a second, a depth in seconds, and priority for urgent items."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from carrier_simulator.carrier.clock import Clock, Timer

__all__ = ["AccountQueue"]

Item = TypeVar("Item")


class AccountQueue(Generic[Item]):
    """Passes items on at no more than `rate` segments a second (0: without limit).

    Its capacity is `rate` x `depth` segments. An item of n segments delays the next item by n / rate seconds.
    """

    def __init__(self, clock: Clock, rate: float, depth: float, hand_on: Callable[[Item], None]) -> None:
        self._clock = clock
        self._hand_on = hand_on
        self._urgent: deque[tuple[Item, int]] = deque()
        self._ordinary: deque[tuple[Item, int]] = deque()
        self._free_at = 0.0
        self._timer: Timer | None = None
        self.rate = rate
        self.depth = depth
        self.segments = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._ordinary)

    def configure(self, rate: float, depth: float) -> None:
        """Set another rate and depth; items already in the queue stay, even if they now exceed its capacity."""
        self.rate, self.depth = rate, depth
        self._free_at = self._clock.time()
        self._unschedule()
        self._schedule()

    def offer(self, item: Item, segments: int, *, urgent: bool = False) -> bool:
        """Add an item and return True, or return False if the queue is full."""
        if self.rate > 0 and self.segments + segments > self.rate * self.depth:
            return False
        if not len(self):  # an idle queue does not save up a burst; a busy one catches up after a late timer
            self._free_at = max(self._free_at, self._clock.time())
        (self._urgent if urgent else self._ordinary).append((item, segments))
        self.segments += segments
        self._schedule()
        return True

    def clear(self) -> None:
        """Remove all items."""
        self._urgent.clear()
        self._ordinary.clear()
        self.segments = 0
        self._free_at = 0.0
        self._unschedule()

    def _schedule(self) -> None:
        if self._timer is None and len(self):
            self._timer = self._clock.call_at(self._free_at if self.rate > 0 else self._clock.time(), self._drain)

    def _unschedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drain(self) -> None:
        self._timer = None
        now = self._clock.time()
        while len(self) and (self.rate == 0 or self._free_at <= now):
            item, segments = (self._urgent or self._ordinary).popleft()
            self.segments -= segments
            if self.rate > 0:
                self._free_at += segments / self.rate
            self._hand_on(item)
        self._schedule()
