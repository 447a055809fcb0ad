"""The bucket of segments: no window above the limit and one segment, whatever is asked for and when."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_dispatcher.lanes.token_bucket import MARGIN, NumberBuckets, TokenBucket, brand_day, next_brand_day


def leave_as_soon_as_possible(bucket: TokenBucket, messages: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When messages leave that come at such times, with so many segments each."""
    now, left = 0.0, []
    for gap, segments in messages:
        now += gap
        now += bucket.wait(segments, now)
        bucket.take(segments, now)
        left.append((now, segments))
    return left


def most_in_a_window(left: list[tuple[float, int]], seconds: float) -> int:
    return max(sum(n for moment, n in left if start <= moment < start + seconds) for start, _ in left)


@given(
    rate=st.floats(0.2, 200),
    burst=st.integers(1, 10),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
    window=st.floats(0.1, 30),
)
def test_no_window_holds_more_than_the_limit_and_the_burst(rate, burst, gaps, window):
    left = leave_as_soon_as_possible(TokenBucket(rate, burst, 0.0), [(gap, 1) for gap in gaps])

    assert most_in_a_window(left, window) <= rate * window + burst


@given(messages=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 8)), min_size=1, max_size=100))
def test_a_long_message_is_paid_for_by_those_after_it(messages):
    left = leave_as_soon_as_possible(TokenBucket(10, 1, 0.0), messages)

    for (moment, segments), (following, _) in pairwise(left):
        assert following - moment >= segments / 10 - 1e-9


def test_a_new_bucket_is_empty_and_a_rested_one_is_full():
    bucket = TokenBucket(per_second=1, burst=5, now=100.0)

    assert 1 < bucket.wait(1, 100.0) <= 1.1
    assert bucket.wait(5, 106.0) == 0


def test_a_message_longer_than_the_burst_is_sent_when_the_bucket_is_full():
    bucket = TokenBucket(per_second=1, burst=2, now=0.0)

    assert 0 < bucket.wait(7, 0.0) < 3
    assert bucket.wait(7, 3.0) == 0


def test_each_number_has_its_own_bucket_and_none_is_fuller_than_the_lane_is_old():
    numbers = NumberBuckets(per_minute=60, now=0.0)
    numbers.of("+1", 5.0).take(1, 5.0)

    assert numbers.of("+1", 5.0).wait(1, 5.0) == pytest.approx(1 / MARGIN)
    assert numbers.of("+2", 5.0).wait(1, 5.0) == 0
    assert NumberBuckets(per_minute=60, now=5.0).of("+1", 5.0).wait(1, 5.0) > 1


def test_numbers_that_rest_are_forgotten():
    numbers = NumberBuckets(per_minute=6000, now=0.0)
    for n in range(10_001):
        numbers.of(str(n), float(n)).take(1, float(n))

    assert len(numbers) < 100


@pytest.mark.parametrize(
    ("moment", "day", "following"),
    [
        ("2026-11-24T07:59:00", "2026-11-23", "2026-11-24T08:00:00"),
        ("2026-11-24T08:00:00", "2026-11-24", "2026-11-25T08:00:00"),
        ("2026-03-08T12:00:00", "2026-03-08", "2026-03-09T07:00:00"),
        ("2026-07-01T06:59:59", "2026-06-30", "2026-07-01T07:00:00"),
    ],
)
def test_a_brands_day_begins_at_midnight_pacific(moment, day, following):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    assert brand_day(now) == day
    assert next_brand_day(now) == datetime.fromisoformat(following).replace(tzinfo=UTC)
