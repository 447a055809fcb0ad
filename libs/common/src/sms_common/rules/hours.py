"""Office hours and holidays in a tenant's time zone: the period of a moment, and when the office opens next."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

# An office that opens at all opens again within this many days, even with many holidays in a row.
_LOOK_AHEAD_DAYS = 370
# Local time is at most 14 hours before UTC and 12 behind it, so the moments of a local day lie within 50 hours.
_FURTHEST_FROM_UTC = timedelta(hours=14)
_SHORTEST_BETWEEN_CHANGES = timedelta(hours=5)
_STEPS_OF_A_DAY = 12
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Period(StrEnum):
    """The kind of a moment: office hours, outside them, or a holiday."""

    OFFICE = "office"
    OUTSIDE = "outside"
    HOLIDAY = "holiday"


class Span(BaseModel):
    """A span of one day, from a time (included) to a time (excluded). 00:00 as the end means midnight."""

    model_config = ConfigDict(frozen=True)

    opens: time
    closes: time

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes != time(0) and self.closes <= self.opens:
            raise ValueError("the closing time must be after the opening time; split a span at midnight")
        return self

    def holds(self, moment: time) -> bool:
        """Whether a local time lies in this span."""
        return self.opens <= moment and (self.closes == time(0) or moment < self.closes)


class WeeklyHours(BaseModel):
    """The open spans of each weekday. Without any span the office is always closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    monday: tuple[Span, ...] = ()
    tuesday: tuple[Span, ...] = ()
    wednesday: tuple[Span, ...] = ()
    thursday: tuple[Span, ...] = ()
    friday: tuple[Span, ...] = ()
    saturday: tuple[Span, ...] = ()
    sunday: tuple[Span, ...] = ()

    def on(self, day: date) -> Sequence[Span]:
        """The spans of a day."""
        spans: tuple[Span, ...] = getattr(self, WEEKDAYS[day.weekday()])
        return spans


class Schedule(BaseModel):
    """A tenant's time zone (IANA name), office hours (None: always open) and holidays, which take precedence."""

    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))

    time_zone: str = "UTC"
    hours: WeeklyHours | None = None
    holidays: Annotated[frozenset[date], Field()] = frozenset()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.time_zone)

    def period(self, moment: datetime, own: WeeklyHours | None = None) -> Period:
        """The period of `moment` (aware). A rule's `own` hours replace the tenant's."""
        local = moment.astimezone(self.zone)
        if local.date() in self.holidays:
            return Period.HOLIDAY
        hours = own or self.hours
        if hours is None or any(span.holds(local.time()) for span in hours.on(local.date())):
            return Period.OFFICE
        return Period.OUTSIDE

    def next_opening(self, moment: datetime, own: WeeklyHours | None = None) -> datetime | None:
        """The first moment of office hours at or after `moment` (aware), or None if the office never opens."""
        if self.period(moment, own) is Period.OFFICE:
            return moment
        first = moment.astimezone(self.zone).date()
        for offset in range(_LOOK_AHEAD_DAYS):
            day = first + timedelta(days=offset)
            opens = [possible for possible in self._possible_openings(day, own) if possible >= moment]
            if opens:
                return min(opens).astimezone(moment.tzinfo)
        return None

    def _possible_openings(self, day: date, own: WeeklyHours | None) -> Iterator[datetime]:
        """Moments of office hours on a day, in UTC. They include every moment at which the office opens.

        When clocks are put back, a time occurs twice, and the office opens at the second one too. When they are put
        forward, some times are left out, and the office opens at the change.
        """
        hours = own or self.hours
        if day in self.holidays or (hours is not None and not hours.on(day)):
            return
        spans = () if hours is None else hours.on(day)
        wall_times = [datetime.combine(day, at, self.zone) for at in {time(0), *(span.opens for span in spans)}]
        shown = (at.replace(fold=fold).astimezone(UTC) for at in wall_times for fold in (0, 1))
        for possible in (*shown, *self._clock_changes(day)):
            # A time that is left out belongs to another hour, or even another day.
            if possible.astimezone(self.zone).date() == day and self.period(possible, own) is Period.OFFICE:
                yield possible

    def _clock_changes(self, day: date) -> Iterator[datetime]:
        """The moments on a day or close to it, in UTC, at which its clocks are put forward or back."""
        start = datetime.combine(day, time(0), UTC) - _FURTHEST_FROM_UTC
        steps = [start + n * _SHORTEST_BETWEEN_CHANGES for n in range(_STEPS_OF_A_DAY)]
        for before, after in pairwise(steps):
            if self._offset(before) != self._offset(after):
                yield self._clock_change(before, after)

    def _clock_change(self, before: datetime, after: datetime) -> datetime:
        """The second, between two moments, at which the offset changes."""
        former = self._offset(before)
        low, high = 0, int((after - before).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(before + timedelta(seconds=middle)) == former else (low, middle)
        return before + timedelta(seconds=high)

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()
