"""Keeps the order of what arrives under one key, while everything else goes on side by side."""

import asyncio
from types import TracebackType
from typing import Self


class Turn:
    """A place in the line of one key. As a context it ends by itself; ending it earlier lets the next one go."""

    def __init__(self, line: "KeyedQueue", key: str, before: "asyncio.Future[None] | None") -> None:
        self._line = line
        self._key = key
        self._before = before
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def has_come(self) -> bool:
        """Whether all that came before have ended."""
        return self._before is None or self._before.done()

    async def come(self) -> None:
        """Return when all that came before have ended."""
        if self._before is None or self._before.done():
            return
        # A future of its own: to cancel one who waits must not end the turn that is waited for.
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._before.add_done_callback(lambda _: _wake(mine))
        await mine

    def end(self) -> None:
        """Let the next one go; one that leaves the line before its turn opens no gap in it."""
        if self.ended.done():
            return
        if self._before is None or self._before.done():
            self._finish()
        else:
            self._before.add_done_callback(lambda _: self._finish())

    def _finish(self) -> None:
        _wake(self.ended)
        self._line.forget(self._key, self.ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class KeyedQueue:
    """The lines of all keys. A key costs nothing once its line is empty."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def take(self, key: str) -> Turn:
        """Join the line of `key`: at once, so that the order of calls is the order of turns."""
        turn = Turn(self, key, self._last.get(key))
        self._last[key] = turn.ended
        return turn

    def forget(self, key: str, ended: "asyncio.Future[None]") -> None:
        """Drop the line of `key` if nobody joined after the one that ended."""
        if self._last.get(key) is ended:
            del self._last[key]

    def __len__(self) -> int:
        return len(self._last)
