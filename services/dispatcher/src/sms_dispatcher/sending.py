"""Sends one ledger entry: claim it, call the carrier, record how it ended, tell the PBX."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from sms_common.broker import Delivery, RetryLater
from sms_common.carriers.protocol import Account, Carrier
from sms_common.configuration import DispatcherSnapshot, FailurePolicy, SmsConfig
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    SendFailure,
    TemporaryFailure,
    Throttled,
    Unavailable,
    UnreadableEvent,
)
from sms_common.events import LaneEntry, StatusError, decode
from sms_common.messages import ErrorClass, OutboundMessage, Status
from sms_common.telemetry import metrics
from sms_dispatcher.entries import CLAIMABLE, Entry, entry_id
from sms_dispatcher.lanes import StopSigns
from sms_dispatcher.ledger import LEASE, Ledger
from sms_dispatcher.statuses import current, status_event
from sms_dispatcher.telling import Teller

log = structlog.get_logger()

Result = TypeVar("Result")

# A text that could not be handed over for a day is of no use to anyone any more.
GIVE_UP_AFTER = timedelta(hours=24)
_FIRST_RETRY_SECONDS = 5.0
_LONGEST_RETRY_SECONDS = 600.0
_RESEND_AFTER_SECONDS = 30.0
_FIRST_THROTTLE_SECONDS = 5.0
_LONGEST_THROTTLE_SECONDS = 900.0
_MISCONFIGURED_SECONDS = 60.0
_STORE_PAUSE_SECONDS = 0.2
_LONGEST_STORE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended: the entry to record, and in how many seconds it comes back to its lane, if it does."""

    after: Entry
    again_in: float | None = None


class Sending:
    """The handler of all lanes. One entry is worked on by one task of this process at a time."""

    def __init__(
        self,
        ledger: Ledger,
        teller: Teller,
        carriers: Mapping[str, Carrier],
        snapshot: Callable[[], DispatcherSnapshot],
        signs: StopSigns,
        clock: Callable[[], datetime],
        *,
        receipt_window: timedelta,
    ) -> None:
        self._ledger = ledger
        self._teller = teller
        self._carriers = carriers
        self._snapshot = snapshot
        self._signs = signs
        self._clock = clock
        self._receipt_window = receipt_window
        self._in_flight: set[str] = set()
        self._throttles: dict[str, int] = {}

    async def handle(self, delivery: Delivery) -> None:
        """Work on one lane entry until its outcome is recorded and told."""
        item = decode(LaneEntry.TYPE, delivery.body, accept=(LaneEntry,))
        assert isinstance(item, LaneEntry)
        id_ = entry_id(item.tenant_id, item.message_id)
        if id_ in self._in_flight:
            raise RetryLater(_FIRST_RETRY_SECONDS)
        self._in_flight.add(id_)
        try:
            await self._work(id_, item)
        finally:
            self._in_flight.discard(id_)

    async def _work(self, id_: str, item: LaneEntry) -> None:
        claim_id = uuid.uuid4().hex
        entry = await _until_stored(lambda: self._ledger.claim(id_, claim_id))
        if entry is None:
            raise UnreadableEvent(Code.UNKNOWN_MESSAGE, "The ledger does not know this message.")
        if entry.claim_id != claim_id or entry.status is not Status.SUBMITTING:
            await self._not_ours(entry)
            return
        if entry.attempt == 1:
            waited = (self._clock() - item.queued_at).total_seconds()
            metrics.queue_to_carrier_seconds.observe(max(waited, 0.0))
        await self._record(entry, await self._attempt(entry))

    async def _not_ours(self, entry: Entry) -> None:
        """Somebody else has or had this entry: repeat what is known, or end a claim whose process is dead."""
        if entry.status in CLAIMABLE:
            raise RetryLater(_FIRST_RETRY_SECONDS)
        if entry.status is not Status.SUBMITTING:
            await self._teller.tell(current(entry))
            return
        lost = OutcomeUnknown(
            Code.OUTCOME_UNKNOWN, "The sending process ended before the carrier's answer was recorded."
        )
        ending = self._unknown(entry, lost, self._policy(entry))
        if not await self._ledger.abandon(entry, ending.after):
            raise RetryLater(LEASE.total_seconds() / 2)
        metrics.dispatch_total.labels(entry.carrier or "", "unknown").inc()
        await self._teller.tell([status_event(ending.after)])
        if ending.again_in is not None:
            raise RetryLater(ending.again_in)

    def _policy(self, entry: Entry) -> FailurePolicy:
        config = self._snapshot().config(entry.config_id or "")
        return config.failure_policy if config is not None else FailurePolicy.HOLD

    async def _attempt(self, entry: Entry) -> Ending:
        now = self._clock()
        config = self._snapshot().config(entry.config_id or "")
        carrier = self._carriers.get(entry.carrier or "")
        if entry.expires_at is not None and entry.expires_at <= now:
            return self._ended(entry, Status.EXPIRED, Code.EXPIRED, "The text expired before it could be sent.")
        if now - entry.created_at > GIVE_UP_AFTER:
            return self._ended(
                entry, Status.FAILED, Code.RETRIES_EXHAUSTED, "The carrier could not be reached for a day."
            )
        if config is None or carrier is None:
            return self._ended(
                entry, Status.FAILED, Code.UNKNOWN_CONFIG, "The SMS configuration was deleted before sending."
            )
        if not config.enabled:
            await self._stop(config.id, _MISCONFIGURED_SECONDS)
            return self._waits(entry, TemporaryFailure(Code.CONFIG_DISABLED, "The SMS configuration is disabled."), 1.0)
        return await self._send(entry, config, carrier)

    async def _send(self, entry: Entry, config: SmsConfig, carrier: Carrier) -> Ending:
        started = time.perf_counter()
        try:
            accepted = await carrier.send(_message(entry), Account(config.id, config.credentials))
        except SendFailure as failure:
            ending = await self._failed(entry, config, failure)
        except Exception as error:  # whatever it was, the request may have left
            log.exception("dispatch.crashed", message_id=entry.message_id, config_id=config.id)
            crashed = OutcomeUnknown(Code.OUTCOME_UNKNOWN, f"Sending ended in {type(error).__name__}.")
            ending = self._unknown(entry, crashed, config.failure_policy)
        else:
            self._throttles.pop(config.id, None)
            ending = Ending(self._submitted(entry, accepted.carrier_message_id, accepted.segments))
        metrics.dispatch_duration_seconds.labels(carrier.name).observe(time.perf_counter() - started)
        metrics.dispatch_total.labels(carrier.name, ending.after.status.value).inc()
        return ending

    def _submitted(self, entry: Entry, carrier_message_id: str, segments: int | None) -> Entry:
        now = self._clock()
        return replace(
            entry,
            status=Status.SUBMITTED,
            sequence=entry.sequence + 1,
            reason=None,
            error=None,
            provider_msg_id=carrier_message_id,
            segments=segments or entry.segments,
            updated_at=now,
            occurred_at=now,
            due_at=now + self._receipt_window,
        )

    async def _failed(self, entry: Entry, config: SmsConfig, failure: SendFailure) -> Ending:
        """What a failure means for the message and for its lane: the one place where the error classes are told
        apart.
        """
        if isinstance(failure, Throttled):
            seconds = self._throttle(config.id, failure.retry_after)
            await self._stop(config.id, seconds)
            return self._waits(entry, failure, 1.0)
        if isinstance(failure, Misconfigured):
            log.error("lane.needs_a_person", config_id=config.id, code=failure.code, reason=failure.reason)
            await self._stop(config.id, failure.retry_after or _MISCONFIGURED_SECONDS)
            return self._waits(entry, failure, 1.0)
        if isinstance(failure, TemporaryFailure):
            return self._waits(entry, failure, _backoff(entry.attempt, failure.retry_after))
        if isinstance(failure, PermanentFailure):
            return self._ended(entry, Status.FAILED, failure.code, failure.reason, failure)
        return self._unknown(entry, failure, config.failure_policy)

    def _throttle(self, config_id: str, retry_after: float | None) -> float:
        """Equal jitter, growing while the carrier goes on refusing, never below its own wish."""
        times = self._throttles[config_id] = self._throttles.get(config_id, 0) + 1
        span = min(_FIRST_THROTTLE_SECONDS * 2.0 ** (times - 1), _LONGEST_THROTTLE_SECONDS)
        seconds = span / 2 + random.uniform(0, span / 2)  # noqa: S311  # jitter, not a secret
        return max(seconds, retry_after or 0.0)

    async def _stop(self, config_id: str, seconds: float) -> None:
        await self._signs.pause(config_id, seconds)

    def _waits(self, entry: Entry, failure: TemporaryFailure, again_in: float) -> Ending:
        now = self._clock()
        after = replace(
            entry,
            status=Status.QUEUED,
            sequence=entry.sequence + 1,
            reason=failure.reason,
            error=_error(ErrorClass.TEMPORARY, failure),
            updated_at=now,
            occurred_at=now,
        )
        return Ending(after, again_in)

    def _ended(
        self, entry: Entry, status: Status, code: Code, reason: str, failure: SendFailure | None = None
    ) -> Ending:
        now = self._clock()
        error = StatusError(
            error_class=ErrorClass.PERMANENT,
            code=code,
            carrier_code=failure.carrier_code if failure else None,
            carrier_text=failure.carrier_text if failure else None,
        )
        after = replace(
            entry,
            status=status,
            sequence=entry.sequence + 1,
            reason=reason,
            error=error,
            updated_at=now,
            occurred_at=now,
            due_at=None,
        )
        return Ending(after)

    def _unknown(self, entry: Entry, failure: SendFailure, policy: FailurePolicy) -> Ending:
        """The answer was lost. By policy: wait for the receipt, send again marked as a possible duplicate, or give
        up.
        """
        now = self._clock()
        error = _error(ErrorClass.UNKNOWN, failure)
        base = replace(
            entry, sequence=entry.sequence + 1, reason=failure.reason, error=error, updated_at=now, occurred_at=now
        )
        if policy is FailurePolicy.RESEND:
            return Ending(replace(base, status=Status.QUEUED, possible_duplicate=True), _RESEND_AFTER_SECONDS)
        if policy is FailurePolicy.FAIL:
            return Ending(replace(base, status=Status.FAILED, due_at=None))
        return Ending(replace(base, status=Status.UNKNOWN, due_at=now + self._receipt_window))

    async def _record(self, claimed: Entry, ending: Ending) -> None:
        """Write the outcome, however long the store is away, and tell it, unless the receipt was faster."""
        change_id, after = uuid.uuid4().hex, ending.after
        applied = await _until_stored(lambda: self._ledger.finish(claimed, after, change_id))
        log.info(
            "message.dispatched",
            message_id=claimed.message_id,
            tenant_id=claimed.tenant_id,
            config_id=claimed.config_id,
            status=after.status.value,
            code=after.error.code if after.error else None,
            attempt=claimed.attempt,
        )
        if not applied:
            if after.provider_msg_id is not None:
                carrier_id, segments = after.provider_msg_id, after.segments
                await _until_stored(lambda: self._ledger.note_carrier_id(claimed, carrier_id, segments))
            return
        await self._teller.tell([status_event(after)])
        if ending.again_in is not None:
            raise RetryLater(ending.again_in)


def _message(entry: Entry) -> OutboundMessage:
    assert entry.sender is not None
    return OutboundMessage(
        reference=entry.id,
        sender=entry.sender,
        recipients=entry.to,
        text=entry.text,
        media_urls=entry.media,
        high_priority=entry.high_priority,
        expires_at=entry.expires_at,
    )


def _error(error_class: ErrorClass, failure: SendFailure) -> StatusError:
    return StatusError(
        error_class=error_class, code=failure.code, carrier_code=failure.carrier_code, carrier_text=failure.carrier_text
    )


def _backoff(attempt: int, retry_after: float | None) -> float:
    """Full jitter, so that messages which failed together do not come back together; never below the carrier's wish."""
    span = min(_FIRST_RETRY_SECONDS * 2.0 ** (attempt - 1), _LONGEST_RETRY_SECONDS)
    return max(random.uniform(0, span), retry_after or 0.0)  # noqa: S311  # jitter, not a secret


async def _until_stored(operation: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a ledger operation until the store takes it: what the carrier said exists nowhere else."""
    pause = _STORE_PAUSE_SECONDS
    while True:
        try:
            return await operation()
        except Unavailable:
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret
            pause = min(pause * 2, _LONGEST_STORE_PAUSE_SECONDS)
