"""The head of a lane, at which one message at a time waits: a conversational one before any bulk one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PriorityLock:
    """Gives the head to one at a time, in the order of asking, the conversational ones first."""

    def __init__(self) -> None:
        self._taken = False
        self._lines: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())

    @property
    def taken(self) -> bool:
        """Whether somebody is at the head."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many wait behind the one at the head."""
        return len(self._lines[0]) + len(self._lines[1])

    @asynccontextmanager
    async def take(self, *, bulk: bool) -> AsyncIterator[None]:
        """Be at the head for as long as the context lasts."""
        await self._come(bulk=bulk)
        try:
            yield
        finally:
            self._leave()

    async def _come(self, *, bulk: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines[bulk].append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        for line in self._lines:
            while line:
                following = line.popleft()
                if not following.done():
                    following.set_result(None)
                    return
        self._taken = False
