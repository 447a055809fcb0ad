"""The scheduler: sends what was held or put off until its time, and ends what was waited for in vain.

It is also what still ends a message whose lane entry was lost: the ledger alone knows of it then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from sms_common.errors import Code, Unavailable
from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_common.service.background_work import LoopEvents, periodically
from sms_common.telemetry import metrics
from sms_dispatcher.delivery import attempts
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.delivery.due_alarm import DueAlarm
from sms_dispatcher.delivery.reconciling import Reconciler
from sms_dispatcher.delivery.statuses import current
from sms_dispatcher.lanes.lanes import Lanes
from sms_dispatcher.ledger.entries import CLAIMABLE, LedgerEntry, changed
from sms_dispatcher.ledger.ledger import LEASE

log = structlog.get_logger()

_EVENTS = LoopEvents("due.postponed", "due.failed")
_BATCH = 500
# How soon an entry is put again that its lane's queue did not take.
_PUT_AGAIN = timedelta(seconds=2)
# So many ends are being published at a time. Only a PBX whose queue takes nothing makes so many of them wait.
_PUBLISHED_AT_A_TIME = 2 * _BATCH
# How soon a claim that never ended is put into its lane again, in case that entry gets lost as well.
_CLAIM_AGAIN = timedelta(minutes=10)
# Carriers' lists are asked for so many at a time, each within this, also when the carrier is slow.
_RECONCILED_AT_A_TIME = 20
_RECONCILE_AGAIN = timedelta(minutes=5)


class DueScheduler:
    """Works on entries whose time has come. Several dispatchers may run this: the ledger gives each entry to one."""

    def __init__(
        self, context: DispatchContext, lanes: Lanes, reconciler: Reconciler, alarm: DueAlarm | None = None
    ) -> None:
        self._ledger = context.ledger
        self._publisher = context.publisher
        self._clock = context.clock
        self._lanes = lanes
        self._reconciler = reconciler
        self._alarm = alarm or DueAlarm()
        self.reconciling: set[asyncio.Task[None]] = set()
        """Questions to carriers' lists that are in flight."""
        self.publishing: set[asyncio.Task[None]] = set()
        """Ends that are being published."""

    async def run(self, stop: asyncio.Event, *, every: float) -> None:
        """Look about every `every` seconds, and when the alarm rings, until `stop` is set."""
        looking = periodically(self.work, every, stop, _EVENTS, wake=self._alarm.rings)
        try:
            # The alarm may ring ten times a second. The time and the number are not needed so often.
            await asyncio.gather(looking, periodically(self._set_clock_and_count, every, stop, _EVENTS))
        finally:
            beside = self.reconciling | self.publishing
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _set_clock_and_count(self) -> None:
        await self._ledger.set_clock()
        metrics.unknown_outcomes.set(await self._ledger.count_unknown())

    async def work(self) -> int:
        """Work on all that is due now; returns how many that were. What has ended is published beside it.

        Raises Unavailable when that happened to any of them; the others are worked on all the same. When it happened to
        a whole batch, the rest is left for the next time.
        """
        count, trouble = 0, None
        while batch := await self._ledger.take_due(_BATCH):
            failures = [one for one in await asyncio.gather(*map(self._work_on, batch)) if one is not None]
            count += len(batch)
            trouble = failures[0] if failures else trouble
            if len(failures) == len(batch):
                break
        if trouble is not None:
            raise trouble
        return count

    async def _work_on(self, entry: LedgerEntry) -> Unavailable | None:
        try:
            await self._next_step(entry)
        except Unavailable as error:
            return error
        except Exception:  # it is due again soon; the others go on
            log.exception("due.entry_failed", message_id=entry.message_id, tenant_id=entry.tenant_id)
        return None

    async def _next_step(self, entry: LedgerEntry) -> None:
        now = self._clock()
        if entry.status.final:
            self._start_publishing(entry)
        elif entry.status in CLAIMABLE:
            too_late = attempts.out_of_time(entry, now)
            if too_late is not None:
                await self._end(entry, too_late)
                return
            await self._put(entry, entry.deadline)
        elif entry.status is Status.SUBMITTING:
            await self._put(entry, now + _CLAIM_AGAIN)
        elif entry.status is Status.UNKNOWN and not self._reconciler.window_is_over(entry):
            await self._start_reconciling(entry)
        else:
            metrics.undetermined_total.labels(entry.config_id or "").inc()
            await self._end(entry, _undetermined(entry, now))

    async def _put(self, entry: LedgerEntry, look_again: datetime) -> None:
        """Put an entry into its lane. Look at it again at `look_again`, or soon when the lane's queue did not take it.
        Raises Unavailable.
        """
        try:
            await self._lanes.put(entry)
        except Unavailable:
            with suppress(Unavailable):
                await self._ledger.postpone(entry, self._clock() + _PUT_AGAIN, leased=True)
                self._alarm.set_for(_PUT_AGAIN.total_seconds())
            raise
        await self._ledger.postpone(entry, look_again, leased=True)

    async def _start_reconciling(self, entry: LedgerEntry) -> None:
        """Look beside everything else: a carrier's list may be slow. When many do, it is due again after its lease."""
        if len(self.reconciling) >= _RECONCILED_AT_A_TIME:
            return
        await self._ledger.postpone(entry, self._clock() + _RECONCILE_AGAIN)
        self._start(self.reconciling, self._reconciler.reconcile, entry)

    def _start_publishing(self, ended: LedgerEntry) -> None:
        """Publish an end beside everything else: one PBX's queue may take nothing. When too many wait for that, it is
        due again after its lease.
        """
        if len(self.publishing) < _PUBLISHED_AT_A_TIME:
            self._start(self.publishing, self._publish_end, ended)

    def _start(
        self, tasks: set[asyncio.Task[None]], act: Callable[[LedgerEntry], Awaitable[None]], entry: LedgerEntry
    ) -> None:
        """Do `act` in a task that is in `tasks` until it is done."""
        task = asyncio.create_task(self._beside(act, entry))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _beside(self, act: Callable[[LedgerEntry], Awaitable[None]], entry: LedgerEntry) -> None:
        try:
            await act(entry)
        except Unavailable as error:
            log.info("due.postponed", code=error.code)
        except Exception:  # it is due again later
            log.exception("due.entry_failed", message_id=entry.message_id, tenant_id=entry.tenant_id)

    async def _end(self, entry: LedgerEntry, after: LedgerEntry) -> None:
        """Record the end, unless something else came first, and publish it. It stays due until it is published, so
        that after a crash in between it is published later.
        """
        after = replace(after, due_at=self._clock() + LEASE)
        if await self._ledger.change(entry, after):
            self._start_publishing(after)

    async def _publish_end(self, entry: LedgerEntry) -> None:
        try:
            await self._publisher.publish(current(entry))
        except Unavailable as error:  # it stays due
            log.info("due.not_told", message_id=entry.message_id, tenant_id=entry.tenant_id, reason=error.reason)
            return
        await self._ledger.postpone(entry, None)


def _undetermined(entry: LedgerEntry, now: datetime) -> LedgerEntry:
    """No receipt within the window."""
    advice = "Ask the recipient before sending again: the text may well have arrived."
    reason = "No delivery receipt came within the receipt window."
    error = StatusError(error_class=ErrorClass.UNKNOWN, code=Code.NO_RECEIPT, advice=advice)
    return changed(entry, Status.UNDETERMINED, now, reason=reason, error=error)
