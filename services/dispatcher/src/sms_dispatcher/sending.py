"""Sends one ledger entry: claim it, call the carrier, record how it ended, tell the PBX."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
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
from sms_common.events import LaneEntry, decode
from sms_common.messages import OutboundMessage, Status
from sms_common.telemetry import metrics
from sms_dispatcher import endings
from sms_dispatcher.endings import Ending
from sms_dispatcher.entries import CLAIMABLE, Entry, entry_id, replaces
from sms_dispatcher.lanes import StopSigns
from sms_dispatcher.ledger import LEASE, Ledger
from sms_dispatcher.statuses import current, status_event
from sms_dispatcher.telling import Teller

log = structlog.get_logger()

Result = TypeVar("Result")

_TAKEN_SECONDS = 5.0
# To the retry ladder's first rung: it waits at the lane's stop sign, not there.
_AT_THE_STOP_SIGN_SECONDS = 1.0
_FIRST_THROTTLE_SECONDS = 5.0
_LONGEST_THROTTLE_SECONDS = 900.0
_MISCONFIGURED_SECONDS = 60.0
_STORE_PAUSE_SECONDS = 0.2
_LONGEST_STORE_PAUSE_SECONDS = 5.0


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
            raise RetryLater(_TAKEN_SECONDS)
        self._in_flight.add(id_)
        try:
            await self._work(id_, item)
        finally:
            self._in_flight.discard(id_)

    async def _work(self, id_: str, item: LaneEntry) -> None:
        claim_id = uuid.uuid4().hex
        entry = await _until_stored(partial(self._ledger.claim, id_, claim_id))
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
            raise RetryLater(_TAKEN_SECONDS)
        if entry.status is not Status.SUBMITTING:
            await self._teller.tell(current(entry))
            return
        dead = OutcomeUnknown(
            Code.OUTCOME_UNKNOWN, "The sending process ended before the carrier's answer was recorded."
        )
        ending = self._lost(entry, dead, self._policy(entry))
        if not await self._ledger.abandon(entry, ending.after):
            raise RetryLater(LEASE.total_seconds() / 2)
        metrics.dispatch_total.labels(entry.carrier or "", "unknown").inc()
        await self._tell_and_bring_back(ending)

    def _policy(self, entry: Entry) -> FailurePolicy:
        config = self._snapshot().config(entry.config_id or "")
        return config.failure_policy if config is not None else FailurePolicy.HOLD

    async def _attempt(self, entry: Entry) -> Ending:
        now = self._clock()
        config = self._snapshot().config(entry.config_id or "")
        carrier = self._carriers.get(entry.carrier or "")
        too_late = endings.over(entry, now)
        if too_late is not None:
            return too_late
        if config is None or carrier is None:
            reason = "The SMS configuration was deleted before sending."
            return endings.ended(entry, Status.FAILED, Code.UNKNOWN_CONFIG, reason, now)
        if not config.enabled:
            await self._signs.pause(config.id, _MISCONFIGURED_SECONDS)
            disabled = TemporaryFailure(Code.CONFIG_DISABLED, "The SMS configuration is disabled.")
            return endings.waits(entry, disabled, _AT_THE_STOP_SIGN_SECONDS, now)
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
            ending = self._lost(entry, crashed, config.failure_policy)
        else:
            self._throttles.pop(config.id, None)
            ending = endings.submitted(entry, accepted, self._clock(), self._receipt_window)
        metrics.dispatch_duration_seconds.labels(carrier.name).observe(time.perf_counter() - started)
        metrics.dispatch_total.labels(carrier.name, ending.after.status.value).inc()
        return ending

    async def _failed(self, entry: Entry, config: SmsConfig, failure: SendFailure) -> Ending:
        """What a failure means for the message and for its lane: the one place where the error classes are told
        apart.
        """
        now = self._clock()
        if isinstance(failure, Throttled):
            await self._signs.pause(config.id, self._throttle(config.id, failure.retry_after))
            return endings.waits(entry, failure, _AT_THE_STOP_SIGN_SECONDS, now)
        if isinstance(failure, Misconfigured):
            log.error("lane.needs_a_person", config_id=config.id, code=failure.code, reason=failure.reason)
            await self._signs.pause(config.id, failure.retry_after or _MISCONFIGURED_SECONDS)
            return endings.waits(entry, failure, _AT_THE_STOP_SIGN_SECONDS, now)
        if isinstance(failure, TemporaryFailure):
            return endings.waits(entry, failure, endings.backoff(entry.attempt, failure.retry_after), now)
        if isinstance(failure, PermanentFailure):
            return endings.refused(entry, failure, now)
        return self._lost(entry, failure, config.failure_policy)

    def _lost(self, entry: Entry, failure: SendFailure, policy: FailurePolicy) -> Ending:
        return endings.lost(entry, failure, policy, self._clock(), self._receipt_window)

    def _throttle(self, config_id: str, retry_after: float | None) -> float:
        """Equal jitter, growing while the carrier goes on refusing, never below its own wish. Requests that left before
        the lane was stopped are refused with the first one and make it no worse.
        """
        if self._signs.seconds_left(config_id) > 0:
            return retry_after or 0.0
        times = self._throttles[config_id] = self._throttles.get(config_id, 0) + 1
        span = min(_FIRST_THROTTLE_SECONDS * 2.0 ** min(times - 1, 10), _LONGEST_THROTTLE_SECONDS)
        seconds = span / 2 + random.uniform(0, span / 2)  # noqa: S311  # jitter, not a secret
        return max(seconds, retry_after or 0.0)

    async def _record(self, claimed: Entry, ending: Ending) -> None:
        """Write the outcome, however long the store is away, and tell it, unless what came meanwhile says more."""
        recorded = await self._finish(claimed, ending.after)
        log.info(
            "message.dispatched",
            message_id=claimed.message_id,
            tenant_id=claimed.tenant_id,
            config_id=claimed.config_id,
            status=ending.after.status.value,
            code=ending.after.error.code if ending.after.error else None,
            attempt=claimed.attempt,
        )
        if recorded is not None:
            await self._tell_and_bring_back(replace(ending, after=recorded))
        elif ending.after.provider_msg_id is not None:
            carrier_id, segments = ending.after.provider_msg_id, ending.after.segments
            await _until_stored(partial(self._ledger.note_carrier_id, claimed, carrier_id, segments))

    async def _finish(self, claimed: Entry, after: Entry) -> Entry | None:
        """The entry with its outcome recorded; None when it stands where this outcome does not follow any more.

        A receipt for one recipient of a group may have come first, or another process may have given the claim up.
        """
        change_id, before = uuid.uuid4().hex, claimed
        while not await _until_stored(partial(self._ledger.finish, before, after, change_id)):
            present = await _until_stored(partial(self._ledger.find, claimed.tenant_id, claimed.message_id))
            ours = present is not None and present.claim_id == claimed.claim_id
            if present is None or not ours or not replaces(after.status, present.status):
                return None
            sequence = present.sequence + 1
            recipients = present.recipients
            before, after = present, replace(after, sequence=sequence, status_sequence=sequence, recipients=recipients)
        return after

    async def _tell_and_bring_back(self, ending: Ending) -> None:
        await self._teller.tell([status_event(ending.after)])
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


async def _until_stored(operation: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a ledger operation until the store takes it: what the carrier said exists nowhere else."""
    pause = _STORE_PAUSE_SECONDS
    while True:
        try:
            return await operation()
        except Unavailable:
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311  # jitter, not a secret
            pause = min(pause * 2, _LONGEST_STORE_PAUSE_SECONDS)
