"""What every scenario is made of: traffic that goes on, faults in its midst, calm, and the comparison at the end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.judge import Verdict, judge, unsettled
from tests.chaos.site import Customer, Site

CLAIM_LEASE = 60
"""Seconds after which the claim of a dead dispatcher is given up; the next look is up to half of that later."""
_CALM = 3 * CLAIM_LEASE
_RECOVERY = 60.0


@dataclass(slots=True)
class Row:
    """One line of the table. `failures` says in sentences what was not as promised; empty: kept."""

    messages: int = 0
    faults: int = 0
    lost: int = 0
    duplicates: int = 0
    unknown: int = 0
    slowest: float = 0.0
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def expect(self, *, holds: bool, otherwise: str) -> None:
        """Note a broken promise."""
        if not holds:
            self.failures.append(otherwise)


@dataclass(frozen=True, slots=True)
class Draw:
    """What a run is made with: chance with a seed, and whether there is time for the long form."""

    chance: random.Random
    long: bool

    def of(self, short: int, long: int) -> int:
        """A size."""
        return long if self.long else short


class Traffic:
    """Publishes requests of the customers in turn, `rate` a second, until it is stopped. Numbers go on where an earlier
    traffic of the same scenario ended.
    """

    def __init__(self, site: Site, customers: Sequence[Customer], rate: float, *, senders: int = 100) -> None:
        self._site = site
        self._customers = customers
        self._rate = rate
        self._senders = senders
        self._sent = 0
        self._stopped = asyncio.Event()

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Traffic inside the context; leaving waits until all of it is confirmed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._flow(group))
            try:
                yield
            finally:
                self._stopped.set()

    async def _flow(self, group: asyncio.TaskGroup) -> None:
        began = time.monotonic()
        while not self._stopped.is_set():
            while self._sent < (time.monotonic() - began) * self._rate:
                customer = self._customers[self._sent % len(self._customers)]
                number = self._sent // len(self._customers)
                group.create_task(self._site.pbx.send(customer.request(number, senders=self._senders)))
                self._sent += 1
            await asyncio.sleep(0.01)


async def recovery(site: Site, since: float) -> float:
    """Seconds from `since` (monotonic) until one message of every tenant is submitted, a minute at most."""
    waiting, deadline = set(site.pbx.books.progress), since + _RECOVERY
    slowest = 0.0
    while waiting and time.monotonic() < deadline:
        for tenant in list(waiting):
            progress = site.pbx.books.progress[tenant]
            if progress[-1] >= since:
                slowest = max(slowest, next(moment for moment in progress if moment >= since) - since)
                waiting.remove(tenant)
        await asyncio.sleep(0.02)
    return _RECOVERY if waiting else slowest


async def disturb(row: Row, times: int, fault: Callable[[], Awaitable[float]], pause: Callable[[], float]) -> None:
    """Do `fault`, which gives the seconds of recovery, so many times with pauses (seconds) between."""
    for _ in range(times):
        await asyncio.sleep(pause())
        row.slowest = max(row.slowest, await fault())
        row.faults += 1


async def calm(site: Site, draw: Draw, row: Row) -> Verdict:
    """Wait until everything has ended, or nothing more does, compare the four sets, and note them in the row.

    The short form does not wait for the leases of killed dispatchers: what they had in hand counts as unknown.
    """
    pending, deadline = -1, 0.0
    while True:
        books, ledger = site.pbx.books, await asyncio.to_thread(site.ledger)
        arrivals = await site.arrivals()
        if not draw.long:
            ledger = {key: _pending_is_unknown(entry, arrivals.get(key, 0)) for key, entry in ledger.items()}
        left = unsettled(books, ledger)
        if left != pending:
            pending, deadline = left, time.monotonic() + _CALM
        if not left or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5 + len(ledger) / 10_000)
    verdict = judge(books, arrivals, ledger)
    row.messages += verdict.confirmed
    row.lost += len(verdict.lost) + len(verdict.untold)
    row.duplicates += verdict.duplicates
    row.unknown += len(verdict.unknown)
    for what, found in (
        ("lost", verdict.lost),
        ("final, and the PBX was not told", verdict.untold),
        ("unknown although the receipt came", verdict.forgotten),
        ("said to be delivered without having arrived", verdict.invented),
    ):
        row.expect(holds=not found, otherwise=f"{len(found)} {what}, such as {_some(found, ledger)}")
    return verdict


def never_twice(row: Row, verdict: Verdict) -> None:
    """The promise of the policy `hold`."""
    row.expect(holds=not verdict.twice, otherwise=f"sent twice: {dict(list(verdict.twice.items())[:5])}")


def _pending_is_unknown(entry: dict[str, object], arrived: int) -> dict[str, object]:
    return entry | {"status": "unknown"} if entry["status"] == "submitting" and not arrived else entry


def _some(found: set[str], ledger: dict[str, dict[str, object]]) -> str:
    return ", ".join(
        f"{one} ({ledger[one]['status'] if one in ledger else 'not recorded'})" for one in sorted(found)[:3]
    )
