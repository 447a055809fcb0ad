"""Office hours as people write them: kept to the minute, and refused when they cannot be meant."""

from datetime import time

import pytest
from pydantic import BaseModel, ValidationError

from sms_common.rules import WeeklyHours
from sms_common.rules.hours import Span
from sms_config.model.hours import MAX_SPANS, OpenHours, OpenSpan, StoredHours


@pytest.mark.parametrize(
    ("opens", "closes", "kept"),
    [
        ("09:00", "17:30", ("09:00", "17:30")),
        ("9:00", "17:30", ("09:00", "17:30")),
        (" 09:00\u200b", "17:30\n", ("09:00", "17:30")),
        ("00:00", "24:00", ("00:00", "00:00")),
        ("22:00", "00:00", ("22:00", "00:00")),
        ("0:00", "0:00", ("00:00", "00:00")),
    ],
)
def test_times_of_day_are_read_as_they_are_written(opens, closes, kept):
    span = OpenSpan(opens=opens, closes=closes)

    assert (span.opens, span.closes) == kept


@pytest.mark.parametrize(
    ("opens", "closes", "said"),
    [
        ("24:00", "24:00", "must be a time of day such as 09:00"),
        ("9", "17:00", "must be a time of day such as 09:00"),
        ("09:00", "17:60", "must be a time of day such as 09:00"),
        ("09:00:30", "17:00", "must be a time of day such as 09:00"),
        ("17:00", "09:00", "must close after it opens; split a span at midnight"),
        ("09:00", "9:00", "must close after it opens; split a span at midnight"),
    ],
)
def test_a_span_that_cannot_be_is_refused_with_a_sentence(opens, closes, said):
    with pytest.raises(ValidationError, match=said):
        OpenSpan(opens=opens, closes=closes)


def test_a_day_has_only_so_many_spans():
    spans = [{"opens": f"{hour:02}:00", "closes": f"{hour:02}:30"} for hour in range(MAX_SPANS + 1)]

    OpenHours.model_validate({"monday": spans[:-1]})
    with pytest.raises(ValidationError):
        OpenHours.model_validate({"monday": spans})


class Record(BaseModel):
    hours: StoredHours


def test_what_is_stored_is_read_as_it_was():
    monday = (Span(opens=time(9), closes=time(17, 30)), Span(opens=time(22), closes=time(0)))
    record = Record(hours=WeeklyHours(monday=monday))
    stored = record.model_dump(mode="json")

    assert stored["hours"]["monday"] == [
        {"opens": "09:00", "closes": "17:30"},
        {"opens": "22:00", "closes": "00:00"},
    ]
    assert stored["hours"]["tuesday"] == []
    assert Record.model_validate(stored) == record
