"""Counts what is under way, so that somebody can wait until nothing is."""

import asyncio
from types import TracebackType
from typing import Self


class InFlight:
    """As a context: one more piece of work is under way."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @property
    def count(self) -> int:
        """How many pieces of work are under way."""
        return self._count

    def begin(self) -> None:
        """One more is under way."""
        self._count += 1
        self._none.clear()

    def end(self) -> None:
        """One of them has ended."""
        self._count -= 1
        if not self._count:
            self._none.set()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def none(self) -> None:
        """Return when nothing is under way."""
        await self._none.wait()
