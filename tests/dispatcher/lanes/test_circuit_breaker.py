"""A lane's circuit breaker: what opens it, for how long, which message is the trial, and what closes it."""

import asyncio

import pytest

from sms_common.errors import Code, Misconfigured, OutcomeUnknown, TemporaryFailure, Throttled
from sms_dispatcher.lanes.circuit_breaker import BreakerState, CircuitBreaker

BUSY = Throttled(Code.CARRIER_BUSY, "Too fast.")
DOWN = TemporaryFailure(Code.CARRIER_ERROR, "It broke.")
REFUSED = Misconfigured(Code.CREDENTIALS_REFUSED, "Not you.")
SILENCE = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer.")


class Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = CircuitBreaker("cfg", lambda: self.now)

    def report(self, failure=None) -> None:
        permit = self.breaker.try_acquire()
        assert permit is not None
        with permit:
            if failure is None:
                permit.answered()
            else:
                permit.failed(failure)


@pytest.fixture
def rig():
    return Rig()


def test_a_closed_breaker_lets_every_message_be_sent(rig):
    assert (rig.breaker.state, rig.breaker.try_acquire() is not None, rig.breaker.try_acquire() is not None) == (
        BreakerState.CLOSED,
        True,
        True,
    )


def test_after_a_pause_one_message_is_the_trial_and_its_success_closes_the_breaker(rig):
    rig.report(BUSY)
    assert (rig.breaker.state, rig.breaker.try_acquire()) == (BreakerState.PAUSED, None)
    rig.now += 5.1
    with rig.breaker.try_acquire() as trial:
        assert (rig.breaker.state, rig.breaker.try_acquire()) == (BreakerState.HALF_OPEN, None)
        trial.answered()

    assert rig.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("failure", [BUSY, DOWN, REFUSED, SILENCE], ids=lambda failure: type(failure).__name__)
def test_a_trial_that_fails_opens_it_again(rig, failure):
    rig.report(BUSY)
    rig.now += 1000
    rig.report(failure)

    assert rig.breaker.try_acquire() is None
    assert rig.breaker.seconds_left > 0


def test_after_a_trial_without_a_result_the_next_message_is_the_trial(rig):
    rig.report(BUSY)
    rig.now += 1000
    with rig.breaker.try_acquire():
        pass

    assert rig.breaker.try_acquire() is not None


def test_an_answer_to_what_was_sent_before_the_pause_closes_nothing(rig):
    early = rig.breaker.try_acquire()
    rig.report(BUSY)
    early.answered()
    early.release()

    assert rig.breaker.state is BreakerState.PAUSED
    assert not early.is_valid


def test_those_refused_together_open_it_once(rig):
    passages = [rig.breaker.try_acquire() for _ in range(64)]
    for permit in passages:
        permit.failed(BUSY)

    assert 2.5 <= rig.breaker.seconds_left <= 5


@pytest.mark.parametrize("failure", [BUSY, DOWN], ids=["throttled", "outage"])
def test_it_stays_open_for_longer_while_the_carrier_goes_on_refusing(rig, failure):
    rig.report(BUSY)
    spans = []
    for _ in range(12):
        spans.append(rig.breaker.seconds_left)
        rig.now += spans[-1] + 0.001
        rig.report(failure)

    assert spans[0] <= 5
    assert 100 < spans[-1] <= 900


def test_the_carriers_wish_is_kept(rig):
    rig.report(Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=333))

    assert rig.breaker.seconds_left == 333


@pytest.mark.parametrize(
    ("answers", "failures", "opens"),
    [(0, 4, False), (0, 5, True), (100, 5, True)],
)
@pytest.mark.parametrize("failure", [DOWN, SILENCE], ids=["not sent", "unknown"])
def test_an_outage_is_some_failures_in_a_row(rig, answers, failures, opens, failure):
    for _ in range(answers):
        rig.report()
    passages = [rig.breaker.try_acquire() for _ in range(failures)]
    for permit in passages:
        permit.failed(failure)

    assert (rig.breaker.try_acquire() is None) is opens


@pytest.mark.parametrize(("pairs", "opens"), [(9, False), (10, True)])
def test_an_outage_is_many_failures_among_enough_answers(rig, pairs, opens):
    for _ in range(pairs):
        rig.report()
        rig.report(DOWN)

    assert (rig.breaker.try_acquire() is None) is opens


def test_failures_of_long_ago_do_not_count(rig):
    for _ in range(40):
        rig.report()
        rig.report(DOWN)
        rig.now += 2

    assert rig.breaker.state is BreakerState.CLOSED


def test_a_refused_account_needs_intervention_and_a_trial_follows_once_a_minute(rig):
    rig.report(REFUSED)
    assert (rig.breaker.state, rig.breaker.seconds_left, rig.breaker.cause) == (
        BreakerState.NEEDS_INTERVENTION,
        60,
        REFUSED,
    )
    rig.now += 60
    rig.report(REFUSED)
    assert rig.breaker.state is BreakerState.NEEDS_INTERVENTION
    rig.breaker.close()

    assert rig.breaker.try_acquire() is not None


def test_a_disabled_configurations_lane_sends_nothing_until_it_is_enabled(rig):
    permit = rig.breaker.try_acquire()
    rig.breaker.disable(True)
    assert (rig.breaker.state, rig.breaker.try_acquire(), permit.is_valid) == (BreakerState.DISABLED, None, False)
    rig.breaker.disable(False)

    assert rig.breaker.try_acquire() is not None


async def test_who_waits_hears_of_a_change_and_of_the_time(rig):
    async with asyncio.timeout(5):
        await rig.breaker.wait_for_change(0.01)
        rig.breaker.pause(0.01, BUSY)
        await rig.breaker.wait_for_change(60)
        waiting = asyncio.create_task(rig.breaker.wait_for_change(60))
        await asyncio.sleep(0)
        rig.breaker.close()
        await waiting


def test_retries_are_a_share_of_what_is_sent(rig):
    granted = 0
    for n in range(1000):
        if n % 10 == 0:
            rig.breaker.earn_retry()
        granted += rig.breaker.spend_retry()

    assert 20 <= granted <= 40
