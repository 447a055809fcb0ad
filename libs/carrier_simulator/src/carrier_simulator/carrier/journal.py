"""A bounded record of events that can be searched and waited for."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["Journal", "Numbered"]


class Numbered(Protocol):
    """An entry with its running number, which starts at 1 and has no gaps."""

    sequence: int


Entry = TypeVar("Entry", bound=Numbered)
Test = Callable[[Entry], bool]


@dataclass(slots=True)
class _Waiter(Generic[Entry]):
    test: Test[Entry]
    missing: int
    met: asyncio.Future[None]


class Journal(Generic[Entry]):
    """Keeps the last `limit` entries; `total` counts all of them, `forgotten` those no longer kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._waiters: list[_Waiter[Entry]] = []
        self.total = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def forgotten(self) -> int:
        """How many entries are no longer kept."""
        return self.total - len(self._entries)

    def append(self, entry: Entry) -> Entry | None:
        """Add an entry, wake those who wait for it, and return the entry that was dropped for it, if any."""
        self.total += 1
        self._entries.append(entry)
        if self._waiters:
            self._notify(entry)
        return self._entries.popleft() if len(self._entries) > self._limit else None

    def clear(self) -> None:
        """Forget all entries and restart the count; those who wait continue to wait."""
        self._entries.clear()
        self.total = 0

    async def wait(self, count: int, test: Test[Entry], timeout: float) -> bool:  # noqa: ASYNC109 - a result, not an error
        """Return True once `count` kept or coming entries pass the test, False after `timeout` seconds of real time."""
        missing = count - sum(1 for entry in self._entries if test(entry))
        if missing <= 0:
            return True
        waiter = _Waiter(test, missing, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter.met, timeout)
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(waiter)
        return True

    def _notify(self, entry: Entry) -> None:
        for waiter in self._waiters:
            if waiter.test(entry):
                waiter.missing -= 1
                if waiter.missing <= 0 and not waiter.met.done():
                    waiter.met.set_result(None)
