"""The ledger's clock: sends what was held until its time, and ends what waited for a receipt in vain."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from sms_common.errors import Code, Unavailable
from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_common.telemetry import metrics
from sms_dispatcher.entries import CLAIMABLE, Entry
from sms_dispatcher.lanes import Lanes
from sms_dispatcher.ledger import Ledger
from sms_dispatcher.statuses import status_event
from sms_dispatcher.telling import Teller

log = structlog.get_logger()

_BATCH = 500


class DueEntries:
    """Works on entries whose time has come. Several dispatchers may run this: the ledger gives each entry to one."""

    def __init__(self, ledger: Ledger, lanes: Lanes, teller: Teller, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._teller = teller
        self._clock = clock

    async def run(self, stop: asyncio.Event, *, every: float) -> None:
        """Look every `every` seconds until `stop` is set."""
        while not stop.is_set():
            try:
                await self.work()
                metrics.unknown_outcomes.set(await self._ledger.count_unknown())
            except Unavailable as error:
                log.info("due.postponed", code=error.code)
            try:
                async with asyncio.timeout(every):
                    await stop.wait()
            except TimeoutError:
                continue

    async def work(self) -> int:
        """Work on all that is due now; returns how many that were. Raises Unavailable, leaving the rest for the next
        time.
        """
        count = 0
        while batch := await self._ledger.take_due(_BATCH):
            for entry in batch:
                await self._one(entry)
            count += len(batch)
        return count

    async def _one(self, entry: Entry) -> None:
        if entry.status in CLAIMABLE:
            await self._lanes.put(entry)
            await self._ledger.done_due(entry)
        elif not entry.status.final and entry.status is not Status.SUBMITTING:
            await self._give_up_waiting(entry)

    async def _give_up_waiting(self, entry: Entry) -> None:
        """No receipt within the window. Told first: a crash in between tells it again under the same event id, and
        never not at all.
        """
        now = self._clock()
        advice = "Ask the recipient before sending again: the text may well have arrived."
        after = replace(
            entry,
            status=Status.UNDETERMINED,
            sequence=entry.sequence + 1,
            reason="No delivery receipt came within the receipt window.",
            error=StatusError(error_class=ErrorClass.UNKNOWN, code=Code.NO_RECEIPT, advice=advice),
            updated_at=now,
            due_at=None,
        )
        await self._teller.tell([status_event(after)])
        await self._ledger.change(entry, after)
