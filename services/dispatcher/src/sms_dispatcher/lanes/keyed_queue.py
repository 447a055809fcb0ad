"""A queue for each key: what has the same key takes turns, and everything else runs at the same time."""

import asyncio
from types import TracebackType
from typing import Self


class Turn:
    """A place in the queue of one key. As a context manager it is released at the end; it may be released earlier."""

    def __init__(self, queue: "KeyedQueue", key: str, previous: "asyncio.Future[None] | None") -> None:
        self._queue = queue
        self._key = key
        self._previous = previous
        self.released: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_ready(self) -> bool:
        """Whether all earlier turns were released."""
        return self._previous is None or self._previous.done()

    async def wait(self) -> None:
        """Return when all earlier turns were released."""
        if self._previous is None or self._previous.done():
            return
        # A future of its own: cancelling a waiter must not release the turn that it waits for.
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._previous.add_done_callback(lambda _: _resolve(mine))
        await mine

    def release(self) -> None:
        """Let the next one have its turn. It still waits for those before this one, when there are any."""
        if self.released.done():
            return
        if self._previous is None or self._previous.done():
            self._finish()
        else:
            self._previous.add_done_callback(lambda _: self._finish())

    def _finish(self) -> None:
        _resolve(self.released)
        self._queue.forget(self._key, self.released)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class KeyedQueue:
    """The queues of all keys. A key whose queue is empty takes no memory."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    def join(self, key: str) -> Turn:
        """Join the queue of `key`. The order of calls is the order of turns."""
        turn = Turn(self, key, self._last.get(key))
        self._last[key] = turn.released
        return turn

    def forget(self, key: str, released: "asyncio.Future[None]") -> None:
        """Forget the queue of `key` if nobody joined after the turn that was released."""
        if self._last.get(key) is released:
            del self._last[key]

    def __len__(self) -> int:
        return len(self._last)
