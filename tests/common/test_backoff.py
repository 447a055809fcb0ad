"""How long is waited before the next try, and that a try is repeated until it is taken."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.backoff import Backoff, BackoffPolicy, retry_until_available, spread
from sms_common.errors import Code, Unavailable

AT_ONCE = BackoffPolicy(0.0, 0.0)


def lowest(low: float, _: float) -> float:
    return low


def highest(_: float, high: float) -> float:
    return high


class Away:
    """Something that is away so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise Unavailable(Code.STORE_UNAVAILABLE, f"{self.left} more.")
        return "done"


@pytest.mark.parametrize(
    ("failures", "least", "most"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 2.0, 4.0), (4, 2.5, 5.0), (10_000, 2.5, 5.0)]
)
def test_delays_double_up_to_the_longest_and_their_upper_half_is_random(failures, least, most):
    policy = BackoffPolicy(1.0, 5.0)

    assert (policy.delay(failures, lowest), policy.delay(failures, highest)) == (least, most)


@pytest.mark.parametrize(("jitter", "least"), [(0.0, 8.0), (0.25, 6.0), (1.0, 0.0)])
def test_the_jitter_is_the_share_that_is_random(jitter, least):
    assert BackoffPolicy(8.0, 8.0, jitter).delay(1, lowest) == least


@given(
    first=st.floats(0.001, 100),
    growth=st.floats(1, 10_000),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 100_000),
    seed=st.integers(),
)
def test_no_delay_is_longer_than_the_longest_or_shorter_than_its_share(first, growth, jitter, failures, seed):
    policy = BackoffPolicy(first, first * growth, jitter)
    delay = policy.delay(failures, random.Random(seed).uniform)

    assert policy.ceiling(failures) * (1 - jitter) * 0.999 <= delay <= first * growth * 1.001


def test_what_failed_together_does_not_come_back_together():
    assert len({BackoffPolicy(1.0, 1.0).delay(1) for _ in range(100)}) > 90
    assert len({spread(10.0, 0.2) for _ in range(100)}) > 90


def test_a_spread_goes_both_ways():
    assert (spread(10.0, 0.2, lowest), spread(10.0, 0.2, highest)) == (8.0, 12.0)


def test_what_is_kept_going_waits_longer_with_each_failure_and_begins_anew_after_it_went_well(monkeypatch):
    now = 0.0
    monkeypatch.setattr("sms_common.backoff.time.monotonic", lambda: now)
    backoff = Backoff(BackoffPolicy(1.0, 4.0, jitter=0.0))
    now = 0.1
    assert [backoff.delay() for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
    now = 15.0

    assert backoff.delay() == 1.0


async def test_what_is_away_is_asked_until_it_is_there():
    away, told = Away(3), []
    result = await retry_until_available(away, policy=AT_ONCE, on_failure=lambda error: told.append(error.reason))

    assert (result, told) == ("done", ["2 more.", "1 more.", "0 more."])


async def test_each_wait_is_longer_and_who_waits_may_give_up():
    waits = []

    async def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) < 3

    with pytest.raises(Unavailable, match=r"7 more"):
        await retry_until_available(Away(10), policy=BackoffPolicy(1.0, 9.0, jitter=0.0), wait=wait)

    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("error", [ValueError("bug"), asyncio.CancelledError()], ids=["bug", "cancelled"])
async def test_anything_else_ends_it(error):
    async def broken() -> None:
        raise error

    with pytest.raises(type(error)):
        await retry_until_available(broken)
