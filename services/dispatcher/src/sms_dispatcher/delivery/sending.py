"""Sends one ledger entry: claim it, call the carrier, record how it ended, publish its status."""

import asyncio
import time
import uuid
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog

from sms_common.backoff import UNIFORM, Uniform, retry_until_available
from sms_common.broker import RetryLater
from sms_common.carriers.protocol import Account, Carrier
from sms_common.configuration import FailurePolicy, SmsConfig
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    SendFailure,
    TemporaryFailure,
    Throttled,
    UnreadableEvent,
)
from sms_common.events import LaneEntry
from sms_common.messages import OutboundMessage, Status
from sms_common.telemetry import metrics
from sms_dispatcher.delivery import attempts
from sms_dispatcher.delivery.attempts import Patience
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.delivery.due_alarm import DueAlarm
from sms_dispatcher.delivery.failover import next_route
from sms_dispatcher.delivery.statuses import current, status_event
from sms_dispatcher.lanes.circuit_breaker import Permit
from sms_dispatcher.lanes.fast_path import SendSlot
from sms_dispatcher.ledger.entries import CLAIMABLE, LedgerEntry, changed, entry_id, replaces
from sms_dispatcher.ledger.ledger import LEASE

log = structlog.get_logger()

_TAKEN_SECONDS = 5.0
# When a message is due whose outcome is still being published, should this process die. It is no lease: the scheduler
# must see that somebody has said this since it took the entry.
_DUE_IF_WE_DIE = LEASE / 2


class Sending:
    """What all lanes do with a message whose turn has come. One task of this process at a time works on an entry."""

    def __init__(
        self,
        context: DispatchContext,
        patience: Patience,
        alarm: DueAlarm | None = None,
        uniform: Uniform = UNIFORM,
    ) -> None:
        self._ledger = context.ledger
        self._publisher = context.publisher
        self._carriers = context.carriers
        self._snapshot = context.snapshot
        self._clock = context.clock
        self._receipt_window = patience.receipt_window
        self._first_check = patience.first_check
        self._alarm = alarm or DueAlarm()
        self._uniform = uniform
        # What is in flight here; with its outcome, once it is recorded that it is to be sent again.
        self._in_flight: dict[str, LedgerEntry | None] = {}
        self._due_when_published: set[str] = set()

    async def send(self, item: LaneEntry, slot: SendSlot) -> None:
        """Work on one lane entry until its outcome is recorded and published. When that of an earlier attempt is still
        being published, this lane entry is not needed: the scheduler makes a new one after that.
        """
        id_ = entry_id(item.tenant_id, item.message_id)
        if id_ in self._in_flight:
            if await self._left_to_scheduler(id_):
                return
            if id_ in self._in_flight:
                raise RetryLater(_TAKEN_SECONDS)
        self._in_flight[id_] = None
        try:
            await self._work(id_, slot, item.queued_at)
        finally:
            self._ended(id_)

    async def _left_to_scheduler(self, id_: str) -> bool:
        """Make an entry due once its outcome is published here, if that is still to come. Until then it is due in half
        a minute, in case this process dies. Raises Unavailable.
        """
        recorded = self._in_flight.get(id_)
        if recorded is None:
            return False
        await self._ledger.postpone(recorded, self._no_sooner(recorded, self._clock() + _DUE_IF_WE_DIE))
        if self._in_flight.get(id_) is not recorded:
            return False
        self._due_when_published.add(id_)
        return True

    @staticmethod
    def _no_sooner(recorded: LedgerEntry, moment: datetime) -> datetime:
        """`moment`, or when the entry is due if that is later: RabbitMQ may give a lane entry again at any time."""
        return moment if recorded.due_at is None else max(moment, recorded.due_at)

    async def send_claimed(self, entry: LedgerEntry, slot: SendSlot, published: "asyncio.Future[None]") -> None:
        """Work on a message that was claimed when it was accepted until its outcome is recorded and, after what is
        being `published` already, published. Nothing of it is in a queue: the scheduler puts there what is retried.
        """
        self._in_flight[entry.id] = None
        try:
            await self._record(entry, await self._first_attempt(entry, slot, entry.created_at), published)
        finally:
            self._ended(entry.id)

    def _ended(self, id_: str) -> None:
        self._in_flight.pop(id_, None)
        self._due_when_published.discard(id_)

    async def report_waiting(self, item: LaneEntry, reason: str) -> None:
        """Record and publish that a message waits in its lane, unless it is known already. Raises Unavailable."""
        entry = await self._ledger.find(item.tenant_id, item.message_id)
        if entry is None or entry.status is not Status.ACCEPTED:
            return
        now = self._clock()
        after = changed(entry, Status.QUEUED, now, reason=reason, occurred_at=now)
        if await self._ledger.change(entry, after):
            await self._publisher.publish([status_event(after)])

    async def _work(self, id_: str, slot: SendSlot, queued_at: datetime) -> None:
        claim_id = uuid.uuid4().hex
        entry = await retry_until_available(partial(self._ledger.claim, id_, claim_id))
        if entry is None:
            raise UnreadableEvent(Code.UNKNOWN_MESSAGE, "The ledger does not know this message.")
        if entry.claim_id != claim_id or entry.status is not Status.SUBMITTING:
            await self._not_ours(entry)
            return
        first = entry.attempt == 1
        after = await (self._first_attempt(entry, slot, queued_at) if first else self._attempt(entry, slot))
        await self._record(entry, after)

    async def _first_attempt(self, entry: LedgerEntry, slot: SendSlot, queued_at: datetime) -> LedgerEntry:
        metrics.queue_to_carrier_seconds.observe(max((self._clock() - queued_at).total_seconds(), 0.0))
        slot.permit.breaker.earn_retry()
        return await self._attempt(entry, slot)

    async def _not_ours(self, entry: LedgerEntry) -> None:
        """Somebody else has or had this entry: repeat what is known, or end a claim whose process is dead."""
        if entry.status in CLAIMABLE:
            raise RetryLater(_TAKEN_SECONDS)
        if entry.status is not Status.SUBMITTING:
            await self._publisher.publish(current(entry))
            return
        dead = OutcomeUnknown(
            Code.OUTCOME_UNKNOWN, "The sending process ended before the carrier's answer was recorded."
        )
        # It left when it was claimed, if it did: the carrier's list is searched around that moment.
        after = self._unknown(entry, dead, self._policy(entry)).replace(occurred_at=entry.updated_at)
        if not await self._ledger.abandon(entry, after):
            raise RetryLater(LEASE.total_seconds() / 2)
        self._note_recorded(after)
        metrics.dispatch_total.labels(entry.carrier or "", "unknown").inc()
        await self._publish(after)

    def _policy(self, entry: LedgerEntry) -> FailurePolicy:
        config = self._snapshot().config(entry.config_id or "")
        return config.failure_policy if config is not None else FailurePolicy.HOLD

    async def _attempt(self, entry: LedgerEntry, slot: SendSlot) -> LedgerEntry:
        now = self._clock()
        config = self._snapshot().config(entry.config_id or "")
        carrier = self._carriers.get(entry.carrier or "")
        too_late = attempts.out_of_time(entry, now)
        if too_late is not None:
            return too_late
        if config is None or carrier is None:
            gone = PermanentFailure(
                Code.UNKNOWN_CONFIG, "The SMS configuration was deleted before sending.", try_next_route=True
            )
            return next_route(entry, gone, self._usable, now) or attempts.refused(entry, gone, now)
        if not config.enabled:
            disabled = TemporaryFailure(Code.CONFIG_DISABLED, "The SMS configuration is disabled.")
            return attempts.retry_later(entry, disabled, attempts.delay_while_lane_waits(), now)
        try:
            return await self._send(entry, config, carrier, slot.permit)
        finally:
            slot.turn.release()

    async def _send(self, entry: LedgerEntry, config: SmsConfig, carrier: Carrier, permit: Permit) -> LedgerEntry:
        started = time.perf_counter()
        try:
            accepted = await carrier.send(message_of(entry), Account(config.id, config.credentials))
        except SendFailure as failure:
            failed = self._failed(entry, config, failure, permit)
            after = next_route(entry, failure, self._usable, self._clock()) or failed
        except Exception as error:  # whatever it was, the request may have left
            log.exception("dispatch.crashed", message_id=entry.message_id, config_id=config.id)
            crashed = OutcomeUnknown(Code.OUTCOME_UNKNOWN, f"Sending ended in {type(error).__name__}.")
            after = self._unknown(entry, crashed, config.failure_policy)
        else:
            permit.answered()
            after = attempts.submitted(entry, accepted, self._clock(), self._receipt_window)
        metrics.dispatch_duration_seconds.labels(carrier.name).observe(time.perf_counter() - started)
        metrics.dispatch_total.labels(carrier.name, after.status.value).inc()
        metrics.lane_segments_total.labels(config.id).inc(entry.segments or 1)
        return after

    def _failed(self, entry: LedgerEntry, config: SmsConfig, failure: SendFailure, permit: Permit) -> LedgerEntry:
        """What a failure means for the message: the only place that distinguishes the error classes. What it means
        for the lane is its circuit breaker's to say.
        """
        now = self._clock()
        if isinstance(failure, PermanentFailure):
            permit.answered()
            return attempts.refused(entry, failure, now)
        permit.failed(failure)
        if isinstance(failure, Throttled | Misconfigured):
            return attempts.retry_later(entry, failure, attempts.delay_while_lane_waits(), now)
        if isinstance(failure, TemporaryFailure) and not permit.breaker.is_closed:
            return attempts.retry_later(entry, failure, attempts.delay_while_lane_waits(failure.retry_after), now)
        if isinstance(failure, TemporaryFailure):
            in_budget = permit.breaker.spend_retry()
            delay = attempts.retry_delay(
                entry.attempt, failure.retry_after, within_budget=in_budget, uniform=self._uniform
            )
            return attempts.retry_later(entry, failure, delay, now)
        return self._unknown(entry, failure, config.failure_policy)

    def _usable(self, config_id: str) -> bool:
        config = self._snapshot().config(config_id)
        return config is not None and config.enabled

    def _unknown(self, entry: LedgerEntry, failure: SendFailure, policy: FailurePolicy) -> LedgerEntry:
        return attempts.outcome_unknown(entry, failure, policy, self._clock(), self._first_check)

    async def _record(
        self, claimed: LedgerEntry, after: LedgerEntry, published: "asyncio.Future[None] | None" = None
    ) -> None:
        """Write the outcome, however long the store is away, and publish it, unless what came meanwhile says more."""
        recorded = await self._finish(claimed, after)
        self._note_recorded(recorded)
        log.info(
            "message.dispatched",
            message_id=claimed.message_id,
            tenant_id=claimed.tenant_id,
            config_id=claimed.config_id,
            status=after.status.value,
            code=after.error.code if after.error else None,
            attempt=claimed.attempt,
        )
        if published is not None and not published.done():
            await asyncio.wait((published,))
        if recorded is not None:
            await self._publish(recorded)
        elif after.provider_msg_id is not None:
            carrier_id, segments = after.provider_msg_id, after.segments
            await retry_until_available(partial(self._ledger.note_carrier_id, claimed, carrier_id, segments))

    def _note_recorded(self, recorded: LedgerEntry | None) -> None:
        if recorded is not None and recorded.status in CLAIMABLE:
            self._in_flight[recorded.id] = recorded

    async def _finish(self, claimed: LedgerEntry, after: LedgerEntry) -> LedgerEntry | None:
        """The entry with its outcome recorded; None when it stands where this outcome does not follow any more.

        A receipt for one recipient of a group may have come first, or another process may have given the claim up.
        """
        change_id, before = uuid.uuid4().hex, claimed
        while not await retry_until_available(partial(self._ledger.finish, before, after, change_id)):
            present = await retry_until_available(partial(self._ledger.find, claimed.tenant_id, claimed.message_id))
            ours = present is not None and present.claim_id == claimed.claim_id
            if present is None or not ours or not replaces(after.status, present.status):
                return None
            sequence = present.sequence + 1
            recipients = present.recipients
            before, after = present, replace(after, sequence=sequence, status_sequence=sequence, recipients=recipients)
        return after

    async def _publish(self, recorded: LedgerEntry) -> None:
        """Publish the outcome, and have the scheduler look when it is to be sent again. It may have looked before: a
        queue that takes nothing keeps the outcome for longer than the message has to wait. A lane entry that it put
        meanwhile was not used, so the message is due again.
        """
        await self._publisher.publish([status_event(recorded)])
        due_at = recorded.due_at if recorded.status in CLAIMABLE else None
        while recorded.id in self._due_when_published:
            self._due_when_published.discard(recorded.id)
            due_at = self._no_sooner(recorded, self._clock())
            await retry_until_available(partial(self._ledger.postpone, recorded, due_at))
        if due_at is not None:
            self._alarm.set_for((due_at - self._clock()).total_seconds())


def message_of(entry: LedgerEntry) -> OutboundMessage:
    """The entry as its carrier gets it."""
    assert entry.sender is not None
    return OutboundMessage(
        reference=entry.id,
        sender=entry.sender,
        recipients=entry.dialled or entry.to,
        text=entry.text,
        media_urls=entry.media,
        high_priority=entry.high_priority,
        expires_at=entry.expires_at,
    )
