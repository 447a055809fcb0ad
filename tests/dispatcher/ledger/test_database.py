"""What happens on MongoDB's errors: a bad value fails alone and for good, everything else is tried again."""

import pytest
from pymongo.errors import BulkWriteError, ConfigurationError, OperationFailure, ServerSelectionTimeoutError, WriteError

from sms_common.errors import Unavailable, UnreadableEvent
from sms_dispatcher.ledger.database import operation


def bulk(*codes: int, **more: object) -> BulkWriteError:
    failed = [{"index": place, "code": code, "errmsg": "canary"} for place, code in enumerate(codes)]
    return BulkWriteError({"writeErrors": failed, "writeConcernErrors": [], **more})


@pytest.mark.parametrize(
    "error",
    [
        WriteError("canary", 121),
        OperationFailure("canary", 2),
        bulk(121),
        bulk(17419, 2),
        OverflowError("canary"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "canary"),
    ],
    ids=["against the rules", "bad value", "in a batch", "all of a batch", "too large a number", "half a character"],
)
async def test_what_can_never_be_stored_is_unreadable(error):
    with pytest.raises(UnreadableEvent) as raised:
        async with operation("accept"):
            raise error

    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServerSelectionTimeoutError("127.0.0.1:27017: [Errno 111] Connection refused"), "nothing listens there"),
        (
            ServerSelectionTimeoutError('No replica set members available for replica set name "x"'),
            "another replica set name",
        ),
        (
            ServerSelectionTimeoutError("client is configured to connect to a replica set named 'x' but this node"),
            "another replica set name",
        ),
        (OperationFailure("Authentication failed.", 18), "log-in refused (authSource?)"),
        (OperationFailure("not authorized on canary to execute command", 13), "no rights"),
        (ConfigurationError("The DNS query name does not exist: _mongodb._tcp.canary."), "the DNS does not know"),
        (OperationFailure("canary: no space left", 14031), "OperationFailure"),
        (bulk(121, 14031), "BulkWriteError"),
        (bulk(writeConcernErrors=[{"code": 64}]), "BulkWriteError"),
    ],
)
async def test_what_may_pass_is_away_with_a_reason_that_says_what_to_mend(error, said):
    with pytest.raises(Unavailable) as raised:
        async with operation("accept"):
            raise error

    assert said in raised.value.reason
    assert "canary" not in raised.value.reason
