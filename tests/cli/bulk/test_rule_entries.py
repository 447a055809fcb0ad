"""What a file says of rules and hours."""

import pytest

from smsgw.bulk.document import parse

HEAD = "version: 1\n"


@pytest.mark.parametrize(
    ("written", "time"), [("1:00", "01:00"), ("9:30", "09:30"), ("24:00", "24:00"), ("0:15", "0:15")]
)
def test_times_need_no_quotes(written: str, time: str):
    document = parse(HEAD + f"routing: [{{tenant: a, hours: {{monday: [{{opens: {written}, closes: '17:00'}}]}}}}]")

    hours = document.routing[0].hours
    assert hours is not None
    assert hours.monday[0].opens == time
