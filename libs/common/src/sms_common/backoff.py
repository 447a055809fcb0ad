"""Trying again: how long to wait, and whether a cancellation was meant for the one who tries."""

import asyncio
import random
import time

_FIRST_DELAY = 0.2
# With what it takes to restore a thousand queues, within five seconds of whatever was closed.
_LAST_DELAY = 3.0
_GOOD_AFTER = 10.0


class Backoff:
    """Growing delays with jitter: each between half and all of a doubling value. What went well for some seconds
    after a delay starts again with the first one.
    """

    def __init__(self, first: float = _FIRST_DELAY, last: float = _LAST_DELAY) -> None:
        self._first = first
        self._last = last
        self._ceiling = first
        self._good_at = time.monotonic()

    def delay(self) -> float:
        """The seconds to wait before the next try."""
        now = time.monotonic()
        if now > self._good_at:
            self._ceiling = self._first
        seconds = random.uniform(self._ceiling / 2, self._ceiling)  # noqa: S311  # jitter, not a secret
        self._ceiling = min(self._last, self._ceiling * 2)
        self._good_at = now + seconds + _GOOD_AFTER
        return seconds


def was_cancelled() -> bool:
    """Inside `except CancelledError`: whether somebody cancels this task. aiormq also hands out CancelledError as the
    reason why a connection died, and that must not end a task which nobody cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
