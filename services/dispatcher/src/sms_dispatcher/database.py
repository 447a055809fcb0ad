"""The dispatcher's MongoDB: how it is opened, and how the driver's errors become ours."""

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TypeAlias

import pymongo
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError, PyMongoError

from sms_common.addresses import blamed_option
from sms_common.errors import Code, Unavailable, UnreadableEvent
from sms_common.telemetry import metrics
from sms_dispatcher.documents import Document

Database: TypeAlias = "AsyncIOMotorDatabase[Document]"

MAJORITY = WriteConcern("majority", j=True)
# One operation on the store. Longer than a fail-over of a healthy replica set takes to be noticed by the driver.
_OPERATION_TIMEOUT_MS = 5_000
_DUPLICATE_KEY = 11000


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
    wrong = [str(one.message) for one in heard if not str(one.message).startswith("Unknown option")]
    if wrong:
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
            reason = f"It holds a value that cannot be stored ({type(error).__name__})."
            raise UnreadableEvent(Code.INVALID_REQUEST, reason) from None
        except PyMongoError as error:
            reason = f"MongoDB did not take {name}: {type(error).__name__}."
            raise Unavailable(Code.STORE_UNAVAILABLE, reason) from error


def places_taken(error: BulkWriteError) -> set[int]:
    """The places of a batch whose ids exist already. Re-raises when anything else went wrong."""
    details = error.details or {}
    failures = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(failure["code"] != _DUPLICATE_KEY for failure in failures):
        raise error
    return {failure["index"] for failure in failures}
