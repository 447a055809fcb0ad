"""How much of a queue may be held at once to be looked at."""

import pytest

from sms_common.broker.messages import BrowseLimit


@pytest.mark.parametrize(
    ("limit", "count", "size", "allowed"),
    [
        (BrowseLimit(2, None), 0, 0, True),
        (BrowseLimit(2, None), 1, 10**9, True),
        (BrowseLimit(2, None), 2, 0, False),
        (BrowseLimit(9, 100), 3, 99, True),
        (BrowseLimit(9, 100), 3, 100, False),
        (BrowseLimit(9, 0), 0, 0, True),
        (BrowseLimit(9, 0), 1, 0, False),
        (BrowseLimit(0, None), 0, 0, False),
    ],
)
def test_so_many_messages_and_so_many_bytes_but_always_one(limit, count, size, allowed):
    assert limit.allows(count, size) is allowed
