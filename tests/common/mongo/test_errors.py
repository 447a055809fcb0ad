"""Whose fault an error of MongoDB's driver is, and what failed of a batch."""

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteError,
    WTimeoutError,
)

from sms_common.errors import Code
from sms_common.mongo.errors import (
    TRANSIENT,
    Fault,
    failures_of,
    fault_of,
    places_taken,
    places_unstorable,
    unavailable,
    unstorable,
)


def bulk(*codes: int, **more: object) -> BulkWriteError:
    failed = [{"index": place, "code": code, "errmsg": "canary"} for place, code in enumerate(codes)]
    return BulkWriteError({"writeErrors": failed, "writeConcernErrors": [], **more})


def labelled(error: OperationFailure) -> OperationFailure:
    error._add_error_label(TRANSIENT)
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (WriteError("", 121), Fault.CONTENT),
        (OperationFailure("", 2), Fault.CONTENT),
        (OperationFailure("", 17419), Fault.CONTENT),
        (bulk(121), Fault.CONTENT),
        (bulk(17419, 2), Fault.CONTENT),
        (InvalidDocument(""), Fault.CONTENT),
        (OverflowError(), Fault.CONTENT),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, ""), Fault.CONTENT),
        (ServerSelectionTimeoutError(""), Fault.MONGODB),
        (NetworkTimeout(""), Fault.MONGODB),
        (AutoReconnect(""), Fault.MONGODB),
        (ExecutionTimeout("", 50), Fault.MONGODB),
        (WTimeoutError("", 64), Fault.MONGODB),
        (ConfigurationError(""), Fault.MONGODB),
        (OperationFailure("", 13), Fault.MONGODB),
        (OperationFailure("", 18), Fault.MONGODB),
        (labelled(OperationFailure("", 112)), Fault.MONGODB),
        (OperationFailure("", 14031), Fault.UNKNOWN),
        (OperationFailure("", 59), Fault.UNKNOWN),
        (DuplicateKeyError("", 11000), Fault.UNKNOWN),
        (bulk(121, 14031), Fault.UNKNOWN),
        (bulk(121, writeConcernErrors=[{"code": 64}]), Fault.UNKNOWN),
        (bulk(), Fault.UNKNOWN),
    ],
    ids=repr,
)
def test_the_fault_is_the_contents_or_mongodbs_or_not_known(error, fault):
    assert fault_of(error) is fault


def test_what_is_unavailable_says_what_does_not_go_and_why_and_repeats_nothing():
    error = unavailable(ServerSelectionTimeoutError("canary: Connection refused"), "MongoDB did not take it")

    assert error.code is Code.STORE_UNAVAILABLE
    assert error.reason == "MongoDB did not take it: nothing listens there (ServerSelectionTimeoutError)."


def test_what_cannot_be_stored_is_an_invalid_request():
    assert unstorable().code is Code.INVALID_REQUEST


def test_of_a_batch_each_place_has_its_own_fault():
    found = failures_of(bulk(11000, 121, 11000))

    assert (sorted(found.taken), sorted(found.unstorable)) == ([0, 2], [1])


def test_the_places_of_one_fault_alone():
    assert places_taken(bulk(11000, 11000)) == {0, 1}
    assert places_unstorable(bulk(121, 2)) == {0, 1}


@pytest.mark.parametrize("ask", [places_taken, places_unstorable])
def test_a_batch_with_another_fault_than_the_one_asked_for_is_raised(ask):
    with pytest.raises(BulkWriteError):
        ask(bulk(11000, 121))


@pytest.mark.parametrize("error", [bulk(11000, 14031), bulk(), bulk(11000, writeConcernErrors=[{"code": 64}])])
def test_a_batch_that_may_not_have_been_written_is_raised(error):
    with pytest.raises(BulkWriteError):
        failures_of(error)
