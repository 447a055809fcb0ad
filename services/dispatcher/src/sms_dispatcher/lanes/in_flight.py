"""Counts the work in flight, so that somebody can wait until there is none."""

import asyncio
from types import TracebackType
from typing import Self


class InFlight:
    """As a context manager it counts one more."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def count(self) -> int:
        """How much work is in flight."""
        return self._count

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self._idle.clear()

    def end(self) -> None:
        """Count one less."""
        self._count -= 1
        if not self._count:
            self._idle.set()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def wait_idle(self) -> None:
        """Return when nothing is in flight."""
        await self._idle.wait()
