"""Office hours and holidays in the tenant's own zone."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.rules.hours import Period, Schedule, Span, WeeklyHours

NINE_TO_FIVE = Span(opens=time(9), closes=time(17))
WEEK = WeeklyHours(**dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), (NINE_TO_FIVE,)))
CHRISTMAS = date(2026, 12, 25)
NEW_YORK = Schedule(time_zone="America/New_York", hours=WEEK, holidays=frozenset({CHRISTMAS}))


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "period"),
    [
        pytest.param(utc(2026, 11, 24, 14, 0), Period.OFFICE, id="nine in New York"),
        pytest.param(utc(2026, 11, 24, 13, 59), Period.OUTSIDE, id="a minute before nine"),
        pytest.param(utc(2026, 11, 24, 22, 0), Period.OUTSIDE, id="five sharp is closed"),
        pytest.param(utc(2026, 7, 1, 13, 0), Period.OFFICE, id="nine in summer time"),
        pytest.param(utc(2026, 11, 22, 15, 0), Period.OUTSIDE, id="sunday"),
        pytest.param(utc(2026, 12, 25, 15, 0), Period.HOLIDAY, id="holidays win over hours"),
        pytest.param(utc(2026, 12, 26, 4, 0), Period.HOLIDAY, id="still the 25th there"),
    ],
)
def test_a_moment_falls_into_one_period(moment, period):
    assert NEW_YORK.period(moment) is period


def test_without_hours_the_office_is_always_open():
    assert Schedule().period(utc(2026, 11, 22, 3, 0)) is Period.OFFICE


def test_a_rules_own_hours_take_the_place_of_the_tenants():
    assert NEW_YORK.period(utc(2026, 11, 24, 15, 0), WeeklyHours()) is Period.OUTSIDE


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        (utc(2026, 11, 24, 15, 0), utc(2026, 11, 24, 15, 0)),
        (utc(2026, 11, 24, 23, 0), utc(2026, 11, 25, 14, 0)),
        (utc(2026, 12, 24, 23, 0), utc(2026, 12, 28, 14, 0)),
    ],
)
def test_the_next_opening_skips_nights_weekends_and_holidays(moment, opens):
    assert NEW_YORK.next_opening(moment) == opens


def test_an_office_that_never_opens_has_no_next_opening():
    assert Schedule(hours=WeeklyHours()).next_opening(utc(2026, 1, 1)) is None


@given(st.integers(0, 400 * 24 * 60))
def test_the_next_opening_is_open(minutes):
    moment = utc(2026, 1, 1) + timedelta(minutes=minutes)
    opens = NEW_YORK.next_opening(moment)

    assert opens is not None
    assert opens >= moment
    assert NEW_YORK.period(opens) is Period.OFFICE


def test_a_span_must_end_after_it_begins_and_may_reach_midnight():
    with pytest.raises(ValueError, match="after the opening"):
        Span(opens=time(9), closes=time(8))
    assert Span(opens=time(22), closes=time(0)).holds(time(23, 59))
