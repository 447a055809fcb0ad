"""The pace of a lane: how many segments its configuration, numbers, account, campaign and brand allow, and when."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sms_common.errors import Code, Throttled
from sms_dispatcher.lanes.allowances import Allowance
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker
from sms_dispatcher.lanes.token_bucket import SHARED_MARGIN, NumberBuckets, TokenBucket, brand_day, next_brand_day

# Slots of a shared budget are reserved for so long ahead. More would save writes, but make other lanes wait longer.
_AHEAD_SECONDS = 0.1
# A slot that was not used within its own length, or within this, is dropped: used late it is too close to the next one.
_LATE_SECONDS = 0.005


class Budgets(Protocol):
    """Budgets that all dispatchers share."""

    async def reserve(self, key: str, slots: int, interval: float) -> float:
        """Reserve the next `slots` slots. Returns in how many seconds the first of them is. Raises Unavailable."""

    async def count(self, key: str, segments: int, cap: int) -> bool:
        """Count segments against the budget of a day. Returns False when they exceed it. Raises Unavailable."""


class Pacer:
    """The pace of one lane in this process. Its buckets are empty at first: what was sent before is unknown."""

    def __init__(
        self,
        breaker: CircuitBreaker,
        budgets: Budgets,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breaker = breaker
        self._budgets = budgets
        self._now = now
        self._clock = clock
        self._allowance = Allowance()
        self._own: TokenBucket | None = None
        self._numbers: NumberBuckets | None = None
        self._slots: tuple[_Slots, ...] = ()

    def configure(self, allowance: Allowance) -> None:
        """Use another allowance from now on."""
        before, self._allowance = self._allowance, allowance
        limits, old, now = allowance.limits, before.limits, self._clock()
        if (limits.segments_per_second, limits.burst) != (old.segments_per_second, old.burst):
            rate = limits.segments_per_second
            self._own = None if rate is None else TokenBucket(rate, limits.burst, now)
        if limits.number_segments_per_minute != old.number_segments_per_minute:
            minute = limits.number_segments_per_minute
            self._numbers = None if minute is None else NumberBuckets(minute, now)
        if allowance.shared != before.shared:
            self._slots = tuple(_Slots(name, rate, self._budgets, self._clock) for name, rate in allowance.shared)

    @property
    def unlimited(self) -> bool:
        """Whether every message may be sent at once."""
        return self._allowance.unlimited

    def at_most(self, most: int, seconds: float) -> int:
        """How many messages to prefetch, `most` at most: no more than are sent within `seconds`."""
        limits = self._allowance.limits
        minute = limits.number_segments_per_minute
        own = [limits.segments_per_second, None if minute is None else minute / 60]
        rates = [rate for rate in (*own, *(rate for _, rate in self._allowance.shared)) if rate is not None]
        return max(1, min(most, math.floor(min(rates) * seconds))) if rates else most

    @property
    def waiting_reason(self) -> str:
        """Why a message waits, as a sentence."""
        rate = self._allowance.limits.segments_per_second
        return (
            "It waits for its turn in the lane." if rate is None else f"The lane's pace is {rate:g} segments a second."
        )

    def number_wait(self, number: str, segments: int) -> float:
        """Seconds until the number may send so many segments; 0 when it may send them now."""
        if self._numbers is None:
            return 0.0
        now = self._clock()
        return self._numbers.of(number, now).wait(segments, now)

    async def wait(self, segments: int, waiting: int, stop: Callable[[], bool]) -> bool:
        """Wait for everything that the lane shares. `waiting` is how many messages wait behind this one.

        Returns False when `stop` says so, or when the brand's budget of the day is used up. Slots of shared budgets are
        used up all the same. Raises Unavailable when a shared budget cannot be asked.
        """
        while self._own is not None and (seconds := self._own.wait(segments, self._clock())) > 0:
            await self._breaker.wait_for_change(seconds)
            if stop():
                return False
        for slots in self._slots:
            if not await slots.next(segments, waiting, stop):
                return False
        return not stop() and await self._brand_allows(segments)

    async def _brand_allows(self, segments: int) -> bool:
        if self._allowance.brand is None:
            return True
        name, cap = self._allowance.brand
        now = self._now()
        if await self._budgets.count(f"{name}:{brand_day(now)}", segments, cap):
            return True
        reason = "The brand's segments of this day are used up; it goes on at midnight Pacific time."
        self._breaker.pause((next_brand_day(now) - now).total_seconds(), Throttled(Code.BRAND_CAP_REACHED, reason))
        return False

    def count(self, number: str, segments: int) -> None:
        """Count segments that this number sends now."""
        now = self._clock()
        if self._own is not None:
            self._own.take(segments, now)
        if self._numbers is not None:
            self._numbers.of(number, now).take(segments, now)


class _Slots:
    """Slots of one shared budget that this lane has reserved and not used."""

    def __init__(self, name: str, per_second: float, budgets: Budgets, clock: Callable[[], float]) -> None:
        self._name = name
        self._interval = 1 / (per_second * SHARED_MARGIN)
        self._budgets = budgets
        self._clock = clock
        self._reserved: deque[float] = deque()

    async def next(self, segments: int, waiting: int, stop: Callable[[], bool]) -> bool:
        """Wait for the slots of a message and use them up. `waiting` is how many messages wait behind it."""
        while not stop():
            late = self._clock() - max(self._interval, _LATE_SECONDS)
            while self._reserved and self._reserved[0] < late:
                self._reserved.popleft()
            if len(self._reserved) < segments:
                await self._reserve(segments, waiting)
            wait = self._reserved[0] - self._clock()
            if wait <= 0:
                for _ in range(segments):
                    self._reserved.popleft()
                return True
            await asyncio.sleep(min(wait, _AHEAD_SECONDS))
        return False

    async def _reserve(self, segments: int, waiting: int) -> None:
        ahead = math.floor(_AHEAD_SECONDS / self._interval)
        count = max(segments, min(segments + waiting, ahead))
        asked = self._clock()
        first = await self._budgets.reserve(self._name, count, self._interval)
        # Counted from the answer. Counted from the question, the slots would be too early by the time that the call
        # took.
        start = max(asked, self._clock()) + first
        self._reserved = deque(start + n * self._interval for n in range(count))
