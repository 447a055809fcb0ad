"""Works on several things at once and leaves none of them running behind."""

import asyncio
from collections.abc import Awaitable, Iterable


async def gather_all(work: Iterable[Awaitable[None]], *, at_a_time: int | None = None) -> None:
    """Return when all of `work` has ended, however it ended; `at_a_time` limits how much of it runs at once.

    Raises what the first that failed raised.
    """
    if at_a_time is not None:
        limit = asyncio.Semaphore(at_a_time)
        work = [_within(limit, one) for one in work]
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _within(limit: asyncio.Semaphore, work: Awaitable[None]) -> None:
    async with limit:
        await work


async def is_set_within(seconds: float, *events: asyncio.Event) -> bool:
    """Return True as soon as one of `events` is set, or False after `seconds`."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return any(event.is_set() for event in events)
