"""Repeats an operation until the store or the broker takes it: what it would record or tell exists nowhere else."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sms_common.errors import Unavailable

Result = TypeVar("Result")

_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


async def retry_until_available(operation: Callable[[], Awaitable[Result]], *, pause: float = _PAUSE_SECONDS) -> Result:
    """The result of `operation`, which is repeated while it raises Unavailable; only cancellation ends it early.

    The first pause is at most `pause` seconds, each further one twice as long, up to five seconds.
    """
    while True:
        try:
            return await operation()
        except Unavailable:
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
