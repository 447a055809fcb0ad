"""Wait for what only asking again can tell, such as the broker's counts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(ask: Callable[[], T], holds: Callable[[T], bool], seconds: float = 10) -> T:
    """Ask in a thread every 50 ms until the answer `holds`, and return it; an AssertionError shows the last answer."""
    deadline = time.monotonic() + seconds
    while not holds(answer := await asyncio.to_thread(ask)):
        assert time.monotonic() < deadline, f"after {seconds} s it is still {answer!r}"
        await asyncio.sleep(0.05)
    return answer


async def eventually_told(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], seconds: float = 10) -> T:
    """The same for what is asked asynchronously."""
    deadline = time.monotonic() + seconds
    while not holds(answer := await ask()):
        assert time.monotonic() < deadline, f"after {seconds} s it is still {answer!r}"
        await asyncio.sleep(0.05)
    return answer
