"""Office hours as the API takes and shows them, and as MongoDB stores them: to the minute."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from sms_common.input.pasted import trimmed
from sms_common.rules import WeeklyHours
from sms_common.rules.hours import WEEKDAYS
from sms_config.model.strict_model import StrictModel

MAX_SPANS = 10
_TIME = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]")


def _time(text: str) -> str:
    text = trimmed(text)
    if not _TIME.fullmatch(text):
        raise ValueError("must be a time of day such as 09:00")
    return text.zfill(5)


def _end(text: str) -> str:
    """Accept 24:00 too: ISO 8601 and timetables write the midnight at the end of a day so."""
    return "00:00" if trimmed(text) == "24:00" else _time(text)


TimeOfDay = Annotated[str, AfterValidator(_time), Field(description="HH:MM, of the tenant's time zone.")]
EndOfSpan = Annotated[
    str, AfterValidator(_end), Field(description="HH:MM, of the tenant's time zone; 24:00 and 00:00 are midnight.")
]


class OpenSpan(StrictModel):
    """From a time (included) to a time (excluded) of one day; 00:00 as the end means midnight."""

    opens: TimeOfDay
    closes: EndOfSpan

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes != "00:00" and self.closes <= self.opens:
            raise ValueError("must close after it opens; split a span at midnight")
        return self


Spans = Annotated[list[OpenSpan], Field(max_length=MAX_SPANS)]


class OpenHours(StrictModel):
    """When the office is open on each weekday. All of them empty: never."""

    monday: Spans = Field(default=[])
    tuesday: Spans = Field(default=[])
    wednesday: Spans = Field(default=[])
    thursday: Spans = Field(default=[])
    friday: Spans = Field(default=[])
    saturday: Spans = Field(default=[])
    sunday: Spans = Field(default=[])


assert tuple(OpenHours.model_fields) == WEEKDAYS


def _to_the_minute(hours: WeeklyHours) -> OpenHours:
    spans = {day: getattr(hours, day) for day in WEEKDAYS}
    return OpenHours(
        **{
            day: [OpenSpan(opens=f"{span.opens:%H:%M}", closes=f"{span.closes:%H:%M}") for span in on]
            for day, on in spans.items()
        }
    )


StoredHours = Annotated[WeeklyHours, PlainSerializer(_to_the_minute, return_type=OpenHours)]
