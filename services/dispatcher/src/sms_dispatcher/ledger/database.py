"""The dispatcher's MongoDB: how it is opened, and how the driver's errors become ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TypeAlias

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import WriteConcern

from sms_common.mongo.errors import DRIVER_ERRORS, ErrorCause, cause_of, unavailable, unstorable
from sms_common.telemetry import metrics
from sms_dispatcher.ledger.documents import Document

Database: TypeAlias = "AsyncIOMotorDatabase[Document]"

MAJORITY = WriteConcern("majority", j=True)
# One operation on the store. Longer than a fail-over of a healthy replica set takes to be noticed by the driver.
_OPERATION_TIMEOUT_MS = 5_000


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
        except DRIVER_ERRORS as error:
            if cause_of(error) is ErrorCause.CONTENT:
                raise unstorable(error) from None
            raise unavailable(error, f"MongoDB did not take {name}") from error
