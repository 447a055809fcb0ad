"""The dispatcher's MongoDB: how it is opened, and how the driver's errors become ours."""

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import TypeAlias

import pymongo
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from sms_common.errors import Code, Unavailable, UnreadableEvent
from sms_common.input.addresses import blamed_option
from sms_common.mongo.reasons import told_of_options, why_unusable
from sms_common.telemetry import metrics
from sms_dispatcher.ledger.documents import Document

Database: TypeAlias = "AsyncIOMotorDatabase[Document]"

MAJORITY = WriteConcern("majority", j=True)
# One operation on the store. Longer than a fail-over of a healthy replica set takes to be noticed by the driver.
_OPERATION_TIMEOUT_MS = 5_000
_DUPLICATE_KEY = 11000
# What the server says about one document or update, and would say again: a wrong or forbidden value, name or type,
# too large, or against the collection's rules. Everything else may be another at the next try.
_UNSTORABLE = frozenset({2, 9, 14, 15, 22, 28, 40, 52, 56, 57, 66, 121, 10334, 16837, 17280, 17419, 17420})


def check_address(url: str) -> None:
    """Raise ValueError, with a sentence and nothing of the address, unless the driver can use it. Asks nobody: neither
    a server nor, for mongodb+srv, the DNS.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            pymongo.MongoClient(url, connect=False).close()
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise ValueError(f"MongoDB's driver cannot use it: {blamed_option(url, str(error))}") from None
    # It tells a wrong value of an option in this way, and would go on without the option: without TLS, for one.
    if wrong := told_of_options(one.message for one in heard):
        raise ValueError(f"MongoDB's driver would pass an option over: {blamed_option(url, wrong[0])}")


@asynccontextmanager
async def open_database(url: str, name: str) -> AsyncIterator[Database]:
    """The dispatcher's database at `url`. Nothing is asked of the server yet, so this does not fail when it is away."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        url,
        tz_aware=True,
        tzinfo=UTC,
        serverSelectionTimeoutMS=_OPERATION_TIMEOUT_MS,
        timeoutMS=_OPERATION_TIMEOUT_MS,
        appname="sms-dispatcher",
    )
    try:
        yield client.get_database(name, write_concern=MAJORITY)
    finally:
        client.close()


@asynccontextmanager
async def operation(name: str) -> AsyncIterator[None]:
    """Times an operation and turns the driver's errors into ours: UnreadableEvent for what is the content's fault,
    Unavailable (store_unavailable) for the store's.
    """
    with metrics.ledger_duration_seconds.labels(name).time():
        try:
            yield
        except (OverflowError, UnicodeError, BSONError) as error:
            raise unstorable(type(error).__name__) from None
        except PyMongoError as error:
            if _is_unstorable(error):
                raise unstorable() from None
            why = why_unusable(type(error).__name__, getattr(error, "code", None), str(error))
            reason = f"MongoDB did not take {name}: {why}."
            raise Unavailable(Code.STORE_UNAVAILABLE, reason) from error


def unstorable(why: str = "MongoDB refuses it") -> UnreadableEvent:
    """What is raised for a value that can never be stored."""
    return UnreadableEvent(Code.INVALID_REQUEST, f"It holds a value that cannot be stored ({why}).")


def _is_unstorable(error: PyMongoError) -> bool:
    """Whether the content alone is at fault, so that each repeat would fail as this one did."""
    if isinstance(error, BulkWriteError):
        codes = _codes(error)
        return bool(codes) and codes <= _UNSTORABLE
    return isinstance(error, OperationFailure) and error.code in _UNSTORABLE


def _codes(error: BulkWriteError) -> frozenset[int]:
    """The codes of all failures of a batch; none when the batch itself was not confirmed."""
    details = error.details or {}
    if details.get("writeConcernErrors"):
        return frozenset()
    return frozenset(failure["code"] for failure in details.get("writeErrors", []))


@dataclass(frozen=True, slots=True)
class Failures:
    """The places of a batch whose ids exist already, and of those that can never be stored."""

    taken: frozenset[int]
    unstorable: frozenset[int]


def failures_of(error: BulkWriteError) -> Failures:
    """What failed by itself, while the rest of the batch was written. Re-raises when anything else went wrong."""
    codes = _codes(error)
    if not codes or not codes <= _UNSTORABLE | {_DUPLICATE_KEY}:
        raise error
    single = (error.details or {}).get("writeErrors", [])
    taken = frozenset(failure["index"] for failure in single if failure["code"] == _DUPLICATE_KEY)
    return Failures(taken, frozenset(failure["index"] for failure in single) - taken)


def places_taken(error: BulkWriteError) -> frozenset[int]:
    """The places of a batch whose ids exist already. Re-raises when anything else went wrong."""
    found = failures_of(error)
    if found.unstorable:
        raise error
    return found.taken
