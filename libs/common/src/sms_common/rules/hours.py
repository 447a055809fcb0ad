"""Office hours and holidays in a tenant's time zone: which period a moment falls into, and when the office opens
next.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Within this many days an office that opens at all opens again, even across a long run of holidays.
_LOOK_AHEAD_DAYS = 370
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Period(StrEnum):
    """What kind of time it is."""

    OFFICE = "office"
    OUTSIDE = "outside"
    HOLIDAY = "holiday"


class Span(BaseModel):
    """From a time (included) to a time (excluded) of one day; 00:00 as the end means midnight."""

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
    """The open spans of each weekday. None at all means: always closed."""

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
    """A tenant's clock: its time zone (IANA name), its hours (None: always open) and its holidays (which win over
    hours).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))

    time_zone: str = "UTC"
    hours: WeeklyHours | None = None
    holidays: Annotated[frozenset[date], Field()] = frozenset()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.time_zone)

    def period(self, moment: datetime, own: WeeklyHours | None = None) -> Period:
        """What `moment` (aware) is; `own` hours of a rule take the place of the tenant's."""
        local = moment.astimezone(self.zone)
        if local.date() in self.holidays:
            return Period.HOLIDAY
        hours = own or self.hours
        if hours is None or any(span.holds(local.time()) for span in hours.on(local.date())):
            return Period.OFFICE
        return Period.OUTSIDE

    def next_opening(self, moment: datetime, own: WeeklyHours | None = None) -> datetime | None:
        """The first moment from `moment` on that is office time, or None if the office never opens."""
        if self.period(moment, own) is Period.OFFICE:
            return moment
        local = moment.astimezone(self.zone)
        for start in self._openings(local.date(), own):
            if start > local:
                return start.astimezone(moment.tzinfo)
        return None

    def _openings(self, first: date, own: WeeklyHours | None) -> Iterable[datetime]:
        hours = own or self.hours
        for offset in range(_LOOK_AHEAD_DAYS):
            day = first + timedelta(days=offset)
            if day in self.holidays:
                continue
            if hours is None:
                yield datetime.combine(day, time(0), self.zone)
            else:
                for span in sorted(hours.on(day), key=lambda s: s.opens):
                    yield datetime.combine(day, span.opens, self.zone)
