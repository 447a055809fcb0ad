"""How long to wait before the next try, and how to try until a dependency is available again. Every retry uses this."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sms_common.errors import Unavailable

Result = TypeVar("Result")
Uniform = Callable[[float, float], float]
# Its own source: what draws from it is in no step with anybody who seeds the one that all share.
UNIFORM: Final[Uniform] = random.SystemRandom().uniform

# More doublings than any limit needs; without an end a number of failures would overflow.
_MOST_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Delays that double from `first` to `longest` seconds. `jitter` is the share of each that is random, so that what
    failed together does not come back together: 0.5 draws from the upper half, 1.0 from all of it.
    """

    first: float
    longest: float
    jitter: float = 0.5

    def ceiling(self, failures: int) -> float:
        """The longest delay after so many failures in a row (1 or more)."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))

    def delay(self, failures: int, uniform: Uniform = UNIFORM) -> float:
        """The seconds to wait after so many failures in a row (1 or more)."""
        ceiling = self.ceiling(failures)
        return uniform(ceiling * (1.0 - self.jitter), ceiling)


def spread(seconds: float, share: float, uniform: Uniform = UNIFORM) -> float:
    """`seconds`, or up to that `share` of it more or less: what several processes do again and again drifts apart."""
    return uniform(seconds * (1.0 - share), seconds * (1.0 + share))


# Longest: with what it takes to restore a thousand queues, within five seconds of whatever was closed.
_RECONNECTING: Final = BackoffPolicy(0.2, 3.0)
_GOOD_AFTER: Final = 10.0


class Backoff:
    """The delays of something that is kept going for ever. What went well for some seconds after a delay starts again
    with the first one.
    """

    def __init__(self, policy: BackoffPolicy = _RECONNECTING) -> None:
        self._policy = policy
        self._failures = 0
        self._good_at = time.monotonic()

    def delay(self) -> float:
        """The seconds to wait before the next try."""
        now = time.monotonic()
        self._failures = 1 if now > self._good_at else self._failures + 1
        seconds = self._policy.delay(self._failures)
        self._good_at = now + seconds + _GOOD_AFTER
        return seconds


# What would be recorded or published exists nowhere else meanwhile.
UNTIL_AVAILABLE: Final = BackoffPolicy(0.2, 5.0)


async def _sleep(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True


async def retry_until_available(
    operation: Callable[[], Awaitable[Result]],
    *,
    policy: BackoffPolicy = UNTIL_AVAILABLE,
    on_failure: Callable[[Unavailable], None] = lambda _: None,
    wait: Callable[[float], Awaitable[bool]] = _sleep,
) -> Result:
    """The result of `operation`, which is repeated while it raises Unavailable.

    `wait` waits for so many seconds and says whether to try again; without it only cancellation ends the tries early.
    Raises the last Unavailable when `wait` says no.
    """
    failures = 0
    while True:
        try:
            return await operation()
        except Unavailable as error:
            failures += 1
            on_failure(error)
            if not await wait(policy.delay(failures)):
                raise


def was_cancelled() -> bool:
    """Inside `except CancelledError`: whether somebody cancels this task. aiormq also hands out CancelledError as the
    reason why a connection died, and that must not end a task which nobody cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
