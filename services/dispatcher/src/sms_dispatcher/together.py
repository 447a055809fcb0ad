"""Works on several things at once and leaves none of them running behind."""

import asyncio
from collections.abc import Awaitable, Iterable


async def together(work: Iterable[Awaitable[None]]) -> None:
    """Return when all of `work` has ended, however it ended. Raises what the first that failed raised."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
