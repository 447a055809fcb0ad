"""Works on several things at once and leaves none of them running behind."""

import asyncio
from collections.abc import Awaitable, Iterable


async def gather_all(work: Iterable[Awaitable[None]], *, at_a_time: int | None = None) -> None:
    """Return when all of `work` has ended, however it ended; `at_a_time` limits how much of it runs at once.

    Raises what the first that failed raised.
    """
    if at_a_time is not None:
        gate = asyncio.Semaphore(at_a_time)
        work = [_behind(gate, one) for one in work]
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _behind(gate: asyncio.Semaphore, work: Awaitable[None]) -> None:
    async with gate:
        await work
