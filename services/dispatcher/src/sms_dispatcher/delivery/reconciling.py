"""Asks the carrier's own list of messages about those whose answer was lost and of which no receipt has come.

The list does not hold our reference, so a message is taken for sent only when exactly one looks like it, and nobody
else may be meant. Everything else goes on waiting for its receipt: to be unsure is better than to be wrong.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from sms_common.carriers.protocol import Account, Window
from sms_common.errors import SendFailure
from sms_common.messages import Status
from sms_common.telemetry import metrics
from sms_dispatcher.delivery.attempts import Patience
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.delivery.sending import message_of
from sms_dispatcher.delivery.statuses import status_event
from sms_dispatcher.ledger.entries import LedgerEntry, changed

log = structlog.get_logger()

# The call was made before its answer was given up, and the carrier's clock is not ours.
_BEFORE, _AFTER = timedelta(minutes=3), timedelta(minutes=2)
# A list that cannot be read now is asked again then.
_AGAIN_AFTER = timedelta(minutes=5)
# Carriers limit how often the list is asked for.
_AT_A_TIME = 4


class Reconciler:
    """Settles unknown outcomes."""

    def __init__(self, context: DispatchContext, patience: Patience) -> None:
        self._ledger = context.ledger
        self._publisher = context.publisher
        self._carriers = context.carriers
        self._snapshot = context.snapshot
        self._clock = context.clock
        self._patience = patience
        self._limit = asyncio.Semaphore(_AT_A_TIME)

    def window_is_over(self, entry: LedgerEntry) -> bool:
        """Whether a receipt for an unknown entry has been waited for long enough."""
        return self._until(entry) <= self._clock()

    def _until(self, entry: LedgerEntry) -> datetime:
        return (entry.occurred_at or entry.updated_at) + self._patience.receipt_window

    async def reconcile(self, entry: LedgerEntry) -> None:
        """Settle an unknown entry if the carrier's list shows it beyond doubt. Raises Unavailable."""
        try:
            carrier_id = await self._find(entry)
        except SendFailure as failure:
            metrics.reconciled_total.labels("failed").inc()
            log.info("reconcile.failed", message_id=entry.message_id, code=failure.code, reason=failure.reason)
            await self._ledger.postpone(entry, min(self._clock() + _AGAIN_AFTER, self._until(entry)))
            return
        metrics.reconciled_total.labels("open" if carrier_id is None else "settled").inc()
        if carrier_id is None:
            await self._ledger.postpone(entry, self._until(entry))
        else:
            await self._settle(entry, carrier_id)

    async def _find(self, entry: LedgerEntry) -> str | None:
        config, carrier = self._snapshot().config(entry.config_id or ""), self._carriers.get(entry.carrier or "")
        if config is None or carrier is None:
            return None
        moment = entry.occurred_at or entry.updated_at
        window = Window(moment - _BEFORE, moment + _AFTER)
        async with self._limit:
            found = await carrier.find_sent(message_of(entry), Account(config.id, config.credentials), window)
        possible = await self._ledger.possible_carrier_ids(entry, found) if len(found) == 1 else frozenset()
        return next(iter(possible), None)

    async def _settle(self, entry: LedgerEntry, carrier_id: str) -> None:
        now = self._clock()
        after = changed(
            entry,
            Status.SUBMITTED,
            now,
            reason="The carrier's answer was lost; its list of messages holds exactly one like this.",
            error=None,
            provider_msg_id=carrier_id,
            occurred_at=now,
            due_at=self._until(entry),
        )
        if await self._ledger.change(entry, after):
            await self._publisher.publish([status_event(after)])
