"""Office hours and holidays in the tenant's own zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_common.rules.hours import WEEKDAYS, Period, Schedule, Span, WeeklyHours
from tests.cases import cases

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


# -- clock changes: the answer must be what `period` says, minute by minute

TWO_YEARS = (utc(2026, 1, 1), utc(2028, 1, 1))
ZONES = ("America/New_York", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia")


def span(opens: str, closes: str) -> Span:
    return Span(opens=time.fromisoformat(opens), closes=time.fromisoformat(closes))


def every_day(*spans: Span) -> WeeklyHours:
    return WeeklyHours(**dict.fromkeys(WEEKDAYS, spans))


WHOLE_YEARS = {
    "one span a day": every_day(NINE_TO_FIVE),
    "two spans a day": every_day(span("08:30", "12:00"), span("13:00", "17:30")),
    "inside the hour that is left out or shown twice": every_day(span("02:15", "02:45")),
}
NEAR_CHANGES = {
    "around the hour before it": every_day(span("01:15", "02:00"), span("02:30", "05:00")),
    "around midnight": every_day(span("00:15", "00:45"), span("23:30", "00:00")),
    "sundays only": WeeklyHours(sunday=(span("01:45", "03:00"),)),
    "until the change of the clock": every_day(span("00:30", "01:30")),
    "no hours": None,
}


def check_minute_by_minute(schedule: Schedule, start: datetime, end: datetime) -> None:
    """Compare with `period`: at each minute around an opening or a closing, and at some of the others."""
    minutes = [start + timedelta(minutes=n) for n in range(int((end - start) / timedelta(minutes=1)))]
    office = [schedule.period(minute) is Period.OFFICE for minute in minutes]
    asked = {m for n in range(1, len(minutes)) if office[n] != office[n - 1] for m in (n - 2, n - 1, n, n + 1)}
    asked |= set(range(0, len(minutes), 997))
    expected = None
    for n in reversed(range(len(minutes))):
        expected = minutes[n] if office[n] else expected
        if expected is not None and n in asked:
            assert schedule.next_opening(minutes[n]) == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hours", WHOLE_YEARS.values(), ids=WHOLE_YEARS)
def test_the_next_opening_is_the_first_minute_of_office_time_over_two_years(zone, hours):
    check_minute_by_minute(Schedule(time_zone=zone, hours=hours), *TWO_YEARS)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hours", NEAR_CHANGES.values(), ids=NEAR_CHANGES)
def test_the_next_opening_is_the_first_minute_of_office_time_around_changes_of_the_clock(zone, hours):
    schedule = Schedule(time_zone=zone, hours=hours, holidays=frozenset({date(2026, 11, 2), date(2027, 3, 14)}))
    clock = ZoneInfo(zone)
    for day in (TWO_YEARS[0] + timedelta(days=n) for n in range(5, 720)):
        if day.astimezone(clock).utcoffset() != (day + timedelta(days=1)).astimezone(clock).utcoffset():
            check_minute_by_minute(schedule, day - timedelta(days=3), day + timedelta(days=9))


@pytest.mark.parametrize(
    "case", cases("52-hold-opens-in-the-past"), ids=lambda case: f"{case['time_zone']} {case['at']}"
)
def test_a_text_is_held_until_the_office_really_opens(case):
    hours = WeeklyHours.model_validate(case["own_hours"])
    schedule = Schedule(time_zone=case["time_zone"])

    opens = schedule.next_opening(datetime.fromisoformat(case["at"]), hours)

    assert opens == datetime.fromisoformat(case["held_until"])


def test_a_day_that_a_zone_left_out_is_passed_over():
    """Samoa went from the 29th of December 2011 to the 31st."""
    apia = Schedule(time_zone="Pacific/Apia", hours=WeeklyHours(friday=(NINE_TO_FIVE,), saturday=(NINE_TO_FIVE,)))

    assert apia.next_opening(utc(2011, 12, 30, 5, 0)) == utc(2011, 12, 30, 19, 0)
