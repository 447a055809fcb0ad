"""A lock for the head of a lane: one message at a time waits there, a conversational one before any bulk one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PriorityLock:
    """Held by one at a time: conversational messages first, and else in the order of their calls."""

    def __init__(self) -> None:
        self._locked = False
        self._queues: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())

    @property
    def is_locked(self) -> bool:
        """Whether somebody has the lock."""
        return self._locked

    @property
    def waiting(self) -> int:
        """How many wait for the lock."""
        return len(self._queues[0]) + len(self._queues[1])

    @asynccontextmanager
    async def acquire(self, *, bulk: bool) -> AsyncIterator[None]:
        """Have the lock for as long as the context lasts."""
        await self._acquire(bulk=bulk)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, *, bulk: bool) -> None:
        if not self._locked:
            self._locked = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[bulk].append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        for queue in self._queues:
            while queue:
                following = queue.popleft()
                if not following.done():
                    following.set_result(None)
                    return
        self._locked = False
