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
    ErrorCause,
    cause_of,
    failures_of,
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
        (WriteError("", 121), ErrorCause.CONTENT),
        (OperationFailure("", 2), ErrorCause.CONTENT),
        (OperationFailure("", 17419), ErrorCause.CONTENT),
        (bulk(121), ErrorCause.CONTENT),
        (bulk(17419, 2), ErrorCause.CONTENT),
        (InvalidDocument(""), ErrorCause.CONTENT),
        (OverflowError(), ErrorCause.CONTENT),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, ""), ErrorCause.CONTENT),
        (ServerSelectionTimeoutError(""), ErrorCause.MONGODB),
        (NetworkTimeout(""), ErrorCause.MONGODB),
        (AutoReconnect(""), ErrorCause.MONGODB),
        (ExecutionTimeout("", 50), ErrorCause.MONGODB),
        (WTimeoutError("", 64), ErrorCause.MONGODB),
        (ConfigurationError(""), ErrorCause.MONGODB),
        (OperationFailure("", 13), ErrorCause.MONGODB),
        (OperationFailure("", 18), ErrorCause.MONGODB),
        (labelled(OperationFailure("", 112)), ErrorCause.MONGODB),
        (OperationFailure("", 14031), ErrorCause.UNKNOWN),
        (OperationFailure("", 59), ErrorCause.UNKNOWN),
        (DuplicateKeyError("", 11000), ErrorCause.UNKNOWN),
        (bulk(121, 14031), ErrorCause.UNKNOWN),
        (bulk(121, writeConcernErrors=[{"code": 64}]), ErrorCause.UNKNOWN),
        (bulk(), ErrorCause.UNKNOWN),
    ],
    ids=repr,
)
def test_the_fault_is_the_contents_or_mongodbs_or_not_known(error, fault):
    assert cause_of(error) is fault


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
