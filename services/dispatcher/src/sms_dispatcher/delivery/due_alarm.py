"""Wakes the scheduler when something falls due, instead of up to a period later."""

import asyncio
import math

# A longer wait may well take a period of the scheduler more.
_LONGEST_SECONDS = 5.0
# What falls due within such a span is worked on together.
_GRAIN_SECONDS = 0.1


class DueAlarm:
    """Knows what this process has made due soon. It is lost with the process; what is due is then found a period later,
    by any dispatcher.
    """

    def __init__(self) -> None:
        self.rings = asyncio.Event()
        """Set when something has fallen due. The scheduler clears it before it works."""
        self._set_for: set[int] = set()

    def set_for(self, seconds: float) -> None:
        """Ring in so many seconds."""
        if seconds > _LONGEST_SECONDS:
            return
        loop = asyncio.get_running_loop()
        grain = math.ceil((loop.time() + seconds) / _GRAIN_SECONDS)
        if grain not in self._set_for:
            self._set_for.add(grain)
            loop.call_at(grain * _GRAIN_SECONDS, self._ring, grain)

    def _ring(self, grain: int) -> None:
        self._set_for.discard(grain)
        self.rings.set()
