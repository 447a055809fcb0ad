"""What is known about a lane's queue: nothing at first; once the broker was asked, everything that is put in."""

import pytest

from sms_dispatcher.lanes.backlog import Backlog

ASKED = ("was_empty", 0)


@pytest.mark.parametrize(
    ("events", "empty"),
    [
        ([], False),
        ([("delivered", "a")], False),
        ([ASKED], True),
        ([ASKED, ("put", "a")], False),
        ([ASKED, ("put", "a"), ("delivered", "a")], True),
        ([ASKED, ("put", "a"), ("put", "b"), ("delivered", "a")], False),
        ([ASKED, ("delivered", "a"), ("put", "a")], False),
        ([ASKED, ("put", "a"), ("delivered", "another dispatcher's")], False),
        ([ASKED, ("put", "a"), ("delivered", "another dispatcher's"), ("delivered", "a")], True),
        ([("put", "a"), ("was_empty", 1), ("put", "b"), ("delivered", "a")], False),
        ([ASKED, ("put", "a"), ("delivered", None)], False),
        ([("put", "a"), ASKED], False),
        ([("put", "a"), ("was_empty", 1)], True),
        ([ASKED, ("put", "a"), ("forget",), ("delivered", "a")], False),
        ([ASKED, ("put", "a"), ("forget",), ("was_empty", 1)], True),
    ],
)
def test_a_queue_is_empty_only_when_that_is_known(events, empty):
    backlog = Backlog()
    for name, *arguments in events:
        getattr(backlog, name)(*arguments)

    assert backlog.is_empty is empty


def test_of_a_long_queue_nothing_is_known_until_the_broker_is_asked_again():
    backlog = Backlog()
    backlog.was_empty(0)
    for n in range(20_000):
        backlog.put(str(n))
    for n in range(20_000):
        backlog.delivered(str(n))
    assert not backlog.is_empty

    backlog.was_empty(backlog.puts)
    assert backlog.is_empty
