"""What is known of a lane's queue: nothing at first, and after a look all that was put in since."""

import pytest

from sms_dispatcher.lanes.backlog import Backlog

LOOK = ("was_empty", 0)


@pytest.mark.parametrize(
    ("events", "empty"),
    [
        ([], False),
        ([("delivered",)], False),
        ([LOOK], True),
        ([LOOK, ("put",)], False),
        ([LOOK, ("put",), ("delivered",)], True),
        ([LOOK, ("put",), ("put",), ("delivered",)], False),
        ([LOOK, ("delivered",), ("put",)], False),
        ([("put",), LOOK], False),
        ([("put",), ("was_empty", 1)], True),
        ([LOOK, ("put",), ("forget",), ("delivered",)], False),
        ([LOOK, ("put",), ("forget",), ("was_empty", 1)], True),
    ],
)
def test_a_queue_is_empty_only_when_that_is_known(events, empty):
    backlog = Backlog()
    for name, *arguments in events:
        getattr(backlog, name)(*arguments)

    assert backlog.is_empty is empty
