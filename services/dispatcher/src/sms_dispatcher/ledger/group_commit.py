"""Makes one store operation out of many concurrent ones, without adding latency: while one batch is being written,
the next
one gathers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sms_common.errors import Unavailable

# Under load a moment between two commits makes the next one larger: each costs as much as some dozen of its items.
_BUSY, _GATHER_SECONDS = 4, 0.003

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Gives every caller of `submit` its own result of a shared commit.

    `commit` gets a batch of at most `limit` items and returns one result an item, in order; a result that is an
    exception is raised to that one's caller. When it raises Unavailable
    every caller of that batch gets it; after anything else each item is tried alone, so that one which cannot be
    committed fails alone. At most one commit runs at a time, so batches take effect in the order of their items.
    """

    def __init__(
        self, commit: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]], *, limit: int = 256
    ) -> None:
        self._commit = commit
        self._limit = limit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The result of `item`'s part of a commit."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        # One turn of the loop lets everything that is ready now join the first batch.
        await asyncio.sleep(0)
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._write_batch(batch)
                if len(batch) >= _BUSY:
                    await asyncio.sleep(_GATHER_SECONDS)
        finally:
            self._writer = None

    async def _write_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # every caller of this batch gets it and decides
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for one in batch:
                    await self._write_batch([one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
