"""When a message is tried again: the same after the same failure, whichever way it left."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_common.configuration import FailurePolicy
from sms_common.errors import Code, Misconfigured, OutcomeUnknown, SendFailure, TemporaryFailure, Throttled
from sms_common.events import LaneEntry, decode
from sms_common.messages import Status
from sms_common.testing.broker import FakeBroker
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.delivery import attempts
from sms_dispatcher.delivery.attempts import Patience
from sms_dispatcher.delivery.context import CurrentSnapshot, DispatchContext
from sms_dispatcher.delivery.sending import Sending
from sms_dispatcher.delivery.status_publisher import StatusPublisher
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker
from sms_dispatcher.lanes.fast_path import SendSlot
from sms_dispatcher.lanes.keyed_queue import KeyedQueue
from sms_dispatcher.lanes.lane_entries import lane_message
from sms_dispatcher.ledger.entries import LedgerEntry
from tests.dispatcher.builders import HANDSET, NOW, config, entry, snapshot
from tests.dispatcher.memory_ledger import MemoryLedger

LOST = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")
FAILURES = [
    TemporaryFailure(Code.CARRIER_UNREACHABLE, "The carrier cannot be reached."),
    TemporaryFailure(Code.CARRIER_ERROR, "Later.", retry_after=3.0),
    TemporaryFailure(Code.CARRIER_ERROR, "Much later.", retry_after=3_600.0),
    Throttled(Code.CARRIER_BUSY, "Too fast."),
    Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=90.0),
    Misconfigured(Code.CREDENTIALS_REFUSED, "The account is locked."),
    LOST,
]


class World:
    """One way out, with a source of randomness of its own."""

    def __init__(self, failure: SendFailure, seed: int, *, budget: bool) -> None:
        self.ledger = MemoryLedger(lambda: NOW, timedelta(days=90))
        self.broker = FakeBroker()
        carrier = FakeCarrier()
        carrier.script(HANDSET, failure)
        current = CurrentSnapshot()
        current.latest = snapshot(config(failure_policy=FailurePolicy.RESEND))
        publisher = StatusPublisher(self.broker)
        context = DispatchContext(self.ledger, publisher, {"fake": carrier}, current, lambda: NOW)
        self.sending = Sending(context, Patience(), uniform=random.Random(seed).uniform)
        self.breaker = CircuitBreaker("cfg", lambda: 0.0)
        while not budget and self.breaker.spend_retry():
            pass

    def slot(self) -> SendSlot:
        permit = self.breaker.try_acquire()
        assert permit is not None
        return SendSlot(permit, KeyedQueue().join("x"))

    def waits(self) -> float:
        after = self.ledger.entries["acme/m-1"]
        assert (after.status, after.due_at is None) == (Status.QUEUED, False)
        assert after.due_at is not None
        return (after.due_at - NOW).total_seconds()

    async def by_the_queue(self, attempt: int) -> float:
        before = entry(attempt=attempt - 1, status=Status.QUEUED)
        self.ledger.entries[before.id] = before
        item = decode(LaneEntry.TYPE, lane_message(before, NOW).body, accept=(LaneEntry,))
        assert isinstance(item, LaneEntry)
        await self.sending.send(item, self.slot())
        return self.waits()

    async def at_once(self, attempt: int) -> float:
        before = entry(attempt=attempt, status=Status.SUBMITTING, claim_id="ours", sequence=2)
        self.ledger.entries[before.id] = before
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told.set_result(None)
        await self.sending.send_claimed(before, self.slot(), told)
        return self.waits()


@settings(max_examples=40, deadline=None)
@given(failure=st.sampled_from(FAILURES), attempt=st.integers(1, 4), seed=st.integers(0, 2**32), budget=st.booleans())
def test_the_same_failure_waits_equally_long_whichever_way_the_message_left(failure, attempt, seed, budget):
    async def both() -> tuple[float, float]:
        one, other = (World(failure, seed, budget=budget) for _ in range(2))
        async with one.broker, other.broker:
            return await one.by_the_queue(attempt), await other.at_once(attempt)

    by_the_queue, at_once = asyncio.run(both())

    assert by_the_queue == at_once
    assert by_the_queue >= 1.0


def after(failure: Any, delay: float, **changes: Any) -> LedgerEntry:
    return attempts.retry_later(entry(**changes), failure, delay, NOW)


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [(1, 1.0, 5.0), (2, 2.0, 10.0), (3, 4.0, 20.0), (8, 120.0, 600.0), (900, 120.0, 600.0)],
)
def test_a_retry_waits_longer_each_time_and_never_less_than_a_second(attempt, least, most):
    assert attempts.retry_delay(attempt, None, uniform=lambda low, _: low) == pytest.approx(least)
    assert attempts.retry_delay(attempt, None, uniform=lambda _, high: high) == most


@pytest.mark.parametrize("within_budget", [True, False])
def test_the_carriers_wish_is_never_undercut(within_budget):
    assert attempts.retry_delay(1, 3_600.0, within_budget=within_budget) == 3_600.0


def test_a_lane_that_has_used_up_its_retries_waits_about_a_minute():
    assert 45.0 <= attempts.retry_delay(1, None, within_budget=False) <= 60.0


def test_no_retry_is_due_after_the_message_has_expired():
    expires = NOW + timedelta(minutes=1)

    assert after(FAILURES[0], 3_600.0, expires_at=expires).due_at == expires


def test_a_resend_is_due_half_a_minute_later():
    resent = attempts.outcome_unknown(entry(attempt=1), LOST, FailurePolicy.RESEND, NOW, timedelta(minutes=10))

    assert (resent.due_at, resent.possible_duplicate) == (NOW + timedelta(seconds=30), True)
