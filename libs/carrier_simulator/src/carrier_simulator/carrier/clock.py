"""The simulator's time: one clock with timers. Tests may freeze it, and anyone may move it forward."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "Timer", "iso_time"]

_FRACTION_DIGITS = {0: "seconds", 3: "milliseconds", 6: "microseconds"}


def iso_time(epoch: float, digits: int = 6) -> str:
    """Return `epoch` seconds as Bandwidth writes times: UTC with Z and 0, 3 or 6 fraction digits."""
    moment = datetime.fromtimestamp(epoch, UTC)
    return moment.isoformat(timespec=_FRACTION_DIGITS[digits])[:-6] + "Z"


class Timer:
    """One pending call, which can be cancelled."""

    __slots__ = ("_action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Cancel the call; does nothing if it was already made."""
        self._action = None

    def fire(self) -> None:
        """Make the call once, unless it was cancelled."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Clock:
    """Epoch seconds and timers. It follows the machine's clock, or stays at `frozen_at` if that is given.

    `advance` moves it forward and fires each timer that becomes due, in order and at its own time. So a test need not
    wait for a day of retries or for a token to expire. Time never moves backwards.
    """

    def __init__(self, frozen_at: float | None = None) -> None:
        self._frozen_at = frozen_at
        self._offset = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = 0.0

    def time(self) -> float:
        """Return the simulated time in seconds since 1970."""
        return (time.time() if self._frozen_at is None else self._frozen_at) + self._offset

    def call_at(self, when: float, action: Callable[[], None]) -> Timer:
        """Call `action` (which must not raise) from the event loop once the clock has reached `when`."""
        timer = Timer(action)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        self._arm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has advanced by `seconds`."""
        passed = asyncio.get_running_loop().create_future()
        timer = self.call_at(self.time() + seconds, lambda: None if passed.done() else passed.set_result(None))
        try:
            await passed
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Move the clock forward and fire the timers that become due."""
        target = self.time() + seconds
        while self._timers and self._timers[0][0] <= target:
            self._offset += max(0.0, self._timers[0][0] - self.time())
            self._fire_due()
        self._offset += max(0.0, target - self.time())
        self._disarm()
        self._arm()

    def clear(self) -> None:
        """Forget every pending timer."""
        self._timers.clear()
        self._disarm()

    def _fire_due(self) -> None:
        while self._timers and self._timers[0][0] <= self.time():
            heapq.heappop(self._timers)[2].fire()

    def _arm(self) -> None:
        """Schedule a wake-up for the first timer; on a frozen clock only if it is already due."""
        if not self._timers:
            return
        first = self._timers[0][0]
        if self._wake is not None:
            if self._wake_at <= first:
                return
            self._disarm()
        wait = max(0.0, first - self.time())
        if wait == 0 or self._frozen_at is None:
            self._wake_at = first
            self._wake = asyncio.get_running_loop().call_later(wait, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._fire_due()
        self._arm()

    def _disarm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
