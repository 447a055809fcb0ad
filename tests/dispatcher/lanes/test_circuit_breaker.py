"""A lane's gate: what shuts it, for how long, who tries, and what opens it."""

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
        self.gate = CircuitBreaker("cfg", lambda: self.now)

    def report(self, failure=None) -> None:
        passage = self.gate.enter()
        assert passage is not None
        with passage:
            if failure is None:
                passage.answered()
            else:
                passage.failed(failure)


@pytest.fixture
def rig():
    return Rig()


def test_an_open_gate_lets_everybody_pass(rig):
    assert (rig.gate.state, rig.gate.enter() is not None, rig.gate.enter() is not None) == (
        BreakerState.OPEN,
        True,
        True,
    )


def test_after_a_pause_one_tries_and_its_success_opens(rig):
    rig.report(BUSY)
    assert (rig.gate.state, rig.gate.enter()) == (BreakerState.PAUSED, None)
    rig.now += 5.1
    with rig.gate.enter() as trying:
        assert (rig.gate.state, rig.gate.enter()) == (BreakerState.TRYING, None)
        trying.answered()

    assert rig.gate.state is BreakerState.OPEN


@pytest.mark.parametrize("failure", [BUSY, DOWN, REFUSED, SILENCE], ids=lambda failure: type(failure).__name__)
def test_one_that_tries_in_vain_shuts_it_again(rig, failure):
    rig.report(BUSY)
    rig.now += 1000
    rig.report(failure)

    assert rig.gate.enter() is None
    assert rig.gate.seconds_left > 0


def test_one_that_tries_and_learns_nothing_leaves_it_to_the_next(rig):
    rig.report(BUSY)
    rig.now += 1000
    with rig.gate.enter():
        pass

    assert rig.gate.enter() is not None


def test_an_answer_to_what_left_before_the_pause_opens_nothing(rig):
    early = rig.gate.enter()
    rig.report(BUSY)
    early.answered()
    early.end()

    assert rig.gate.state is BreakerState.PAUSED
    assert not early.holds


def test_those_refused_together_shut_it_once(rig):
    passages = [rig.gate.enter() for _ in range(64)]
    for passage in passages:
        passage.failed(BUSY)

    assert 2.5 <= rig.gate.seconds_left <= 5


@pytest.mark.parametrize("failure", [BUSY, DOWN], ids=["throttled", "outage"])
def test_it_is_shut_for_longer_while_the_carrier_goes_on_refusing(rig, failure):
    rig.report(BUSY)
    spans = []
    for _ in range(12):
        spans.append(rig.gate.seconds_left)
        rig.now += spans[-1] + 0.001
        rig.report(failure)

    assert spans[0] <= 5
    assert 100 < spans[-1] <= 900


def test_the_carriers_wish_is_kept(rig):
    rig.report(Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=333))

    assert rig.gate.seconds_left == 333


@pytest.mark.parametrize(
    ("answers", "failures", "shut"),
    [(0, 4, False), (0, 5, True), (100, 5, True)],
)
@pytest.mark.parametrize("failure", [DOWN, SILENCE], ids=["not sent", "unknown"])
def test_an_outage_is_some_failures_in_a_row(rig, answers, failures, shut, failure):
    for _ in range(answers):
        rig.report()
    passages = [rig.gate.enter() for _ in range(failures)]
    for passage in passages:
        passage.failed(failure)

    assert (rig.gate.enter() is None) is shut


@pytest.mark.parametrize(("pairs", "shut"), [(9, False), (10, True)])
def test_an_outage_is_many_failures_among_enough_answers(rig, pairs, shut):
    for _ in range(pairs):
        rig.report()
        rig.report(DOWN)

    assert (rig.gate.enter() is None) is shut


def test_failures_of_long_ago_do_not_count(rig):
    for _ in range(40):
        rig.report()
        rig.report(DOWN)
        rig.now += 2

    assert rig.gate.state is BreakerState.OPEN


def test_a_refused_account_needs_a_person_and_asks_once_a_minute(rig):
    rig.report(REFUSED)
    assert (rig.gate.state, rig.gate.seconds_left, rig.gate.why) == (BreakerState.PERSON, 60, REFUSED)
    rig.now += 60
    rig.report(REFUSED)
    assert rig.gate.state is BreakerState.PERSON
    rig.gate.open()

    assert rig.gate.enter() is not None


def test_a_disabled_configurations_gate_is_shut_until_it_is_enabled(rig):
    passage = rig.gate.enter()
    rig.gate.disable(True)
    assert (rig.gate.state, rig.gate.enter(), passage.holds) == (BreakerState.DISABLED, None, False)
    rig.gate.disable(False)

    assert rig.gate.enter() is not None


async def test_who_waits_hears_of_a_change_and_of_the_time(rig):
    async with asyncio.timeout(5):
        await rig.gate.changes(0.01)
        rig.gate.pause(0.01, BUSY)
        await rig.gate.changes(60)
        waiting = asyncio.create_task(rig.gate.changes(60))
        await asyncio.sleep(0)
        rig.gate.open()
        await waiting


def test_retries_are_a_share_of_what_is_sent(rig):
    granted = 0
    for n in range(1000):
        if n % 10 == 0:
            rig.gate.earn_retry()
        granted += rig.gate.spend_retry()

    assert 20 <= granted <= 40
