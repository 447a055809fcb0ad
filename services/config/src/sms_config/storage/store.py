"""Keeps the control plane's records in MongoDB. The only module here that knows Motor, documents and indexes."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any, Self, TypeVar

import pymongo
import structlog
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pydantic import SecretStr
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from sms_common.backoff import BackoffPolicy
from sms_common.errors import Code, Unavailable
from sms_common.events import SeenWebhook
from sms_common.mongo.errors import COMMIT_UNKNOWN, TRANSIENT, ErrorCause, cause_of, unavailable
from sms_config.model.query import Query
from sms_config.model.records import (
    SCHEMA,
    Announcement,
    ApiKeyRecord,
    Record,
    RetiredConfig,
    SmsConfigRecord,
    StoredRecord,
    TenantRecord,
    Ticket,
    TrunkRecord,
    UserRecord,
    now_utc,
)
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.storage.documents import (
    INDEXES,
    RETIRED_FOR,
    STAMP,
    WEBHOOKS_SEEN,
    Document,
    condition,
    identity,
    sort_keys,
    stamp_of,
    to_document,
    to_record,
    to_webhooks,
    version_of,
    visible,
    webhook_document,
    with_id,
)
from sms_config.storage.store_protocol import (
    Duplicate,
    Everything,
    Missing,
    Page,
    R,
    StoreUnusable,
    T,
    Tenancy,
    Transaction,
)

_log = structlog.get_logger()
S = TypeVar("S", bound=Record)
_Stamp = tuple[object, ...]

SERVER_SELECTION_SECONDS = 5.0
OPERATION_SECONDS = 5.0
CLOSE_SECONDS = 2.0
# Making an index over a large collection. With a shorter limit it would start again at every attempt and never end.
INDEX_SECONDS = 600.0
# A transaction that keeps colliding with other processes gives up before its caller does.
TRANSACTION_SECONDS = 10.0
_COLLIDED = BackoffPolicy(0.01, 0.5)
_ASK_AGAIN = BackoffPolicy(0.1, 0.1)
_BATCH = 5_000
_META = "meta"
_SNAPSHOT = "snapshot"
_MAJORITY = WriteConcern(w="majority", j=True)
_INDEX_CONFLICTS = {
    11000: "two documents have the same value. Remove the duplicates",
    85: "one with other options exists. Drop that index",
    86: "one of that name with other fields exists. Drop that index",
}


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Turn what the driver raises while MongoDB is down, slow or between primaries into Unavailable."""
    try:
        yield
    except PyMongoError as error:
        if cause_of(error) is not ErrorCause.MONGODB:
            raise
        _log.warning("store.unavailable", error=type(error).__name__, code=getattr(error, "code", None))
        raise unavailable(error, "MongoDB cannot be used now") from error


def _is_transient(error: PyMongoError | Unavailable) -> bool:
    """Whether the transaction left nothing behind and may be repeated."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    return isinstance(cause, PyMongoError) and cause.has_error_label(TRANSIENT)


def _require_one(count: int, record: Record) -> None:
    """Raise Missing unless a change found its record."""
    if count != 1:
        raise Missing(f"{record.COLLECTION}/{record.id}")


class _Reading:
    """Reads documents as records, within a session or without one."""

    def __init__(
        self, database: AsyncIOMotorDatabase[Document], session: AsyncIOMotorClientSession | None = None
    ) -> None:
        self._database = database
        self._session = session

    async def get(self, kind: type[R], record_id: str, tenancy: Tenancy) -> R | None:
        async with _translated_errors():
            document = await self._database[kind.COLLECTION].find_one(
                {"$and": [{"_id": record_id}, visible(kind, tenancy)]}, session=self._session
            )
        return None if document is None else to_record(kind, document)

    async def find(self, kind: type[R], query: Query, tenancy: Tenancy) -> Page[R]:
        collection = self._database[kind.COLLECTION]
        wanted = condition(kind, query, tenancy)
        async with _translated_errors():
            cursor = (
                collection.find(wanted, session=self._session)
                .sort(sort_keys(query))
                .skip(query.skip)
                .limit(query.top or 0)
            )
            documents = await cursor.to_list(None)
            if query.skip == 0 and (query.top is None or len(documents) < query.top):
                count, more = len(documents), False
            else:
                limit = query.count_up_to + 1
                count = await collection.count_documents(wanted, limit=limit, session=self._session)
                more = count == limit
        counted = query.at_least(len(documents)) if more else count
        return Page(tuple(to_record(kind, document) for document in documents), counted, more)


class _ReadCache:
    """The records that were read last for the snapshots: there may be tens of thousands, and few change at a time."""

    def __init__(self) -> None:
        self._kept: dict[type[Record], Mapping[str, tuple[_Stamp, Any]]] = {}

    def of(self, kind: type[S]) -> Mapping[str, tuple[_Stamp, S]]:
        """Return the records of a kind by their ids, each with its stamp."""
        return self._kept.get(kind, {})

    def keep(self, kind: type[S], records: Mapping[str, tuple[_Stamp, S]]) -> None:
        """Replace the records of a kind."""
        self._kept[kind] = records


class _MongoTransaction(_Reading):
    """One attempt of a transaction."""

    _session: AsyncIOMotorClientSession

    async def insert(self, record: StoredRecord) -> None:
        await self._database[record.COLLECTION].insert_one(to_document(record), session=self._session)

    async def replace(self, before: Record, after: Record) -> None:
        collection = self._database[before.COLLECTION]
        done = await collection.replace_one(identity(before), to_document(after), session=self._session)
        _require_one(done.matched_count, before)

    async def remove(self, record: Record) -> None:
        done = await self._database[record.COLLECTION].delete_one(identity(record), session=self._session)
        _require_one(done.deleted_count, record)

    async def lock(self) -> None:
        # Written to the document that `next_version` writes, so that the two conflict.
        update = {"$inc": {"turns": 1}}
        await self._database[_META].update_one({"_id": _SNAPSHOT}, update, upsert=True, session=self._session)

    async def next_version(self) -> str:
        # The number orders versions; the random mark keeps a database restored from a backup from repeating one.
        update = {"$inc": {"number": 1}, "$set": {"mark": secrets.token_hex(4)}}
        document = await self._database[_META].find_one_and_update(
            {"_id": _SNAPSHOT}, update, upsert=True, return_document=True, session=self._session
        )
        return version_of(document)

    async def announce(self, announcement: Announcement) -> None:
        await self._database[Announcement.COLLECTION].insert_one(to_document(announcement), session=self._session)

    async def retire(self, retired: RetiredConfig) -> None:
        await self._database[RetiredConfig.COLLECTION].insert_one(to_document(retired), session=self._session)

    async def everything(self, cache: _ReadCache, *, with_rules: bool) -> Everything:
        version = version_of(await self._database[_META].find_one({"_id": _SNAPSHOT}, session=self._session))
        tenants = await self._all(TenantRecord, cache)
        trunks = await self._all(TrunkRecord, cache)
        configs = await self._all(SmsConfigRecord, cache)
        # The server removes older documents about once a minute; this makes the limit exact.
        recent = {"at": {"$gt": now_utc() - RETIRED_FOR}}
        cursor = self._database[RetiredConfig.COLLECTION].find(recent, session=self._session).sort("at", ASCENDING)
        retired = tuple(RetiredConfig.model_validate(with_id(document)) for document in await cursor.to_list(None))
        found = Everything(version, tenants, trunks, configs, retired)
        if not with_rules:
            return found
        return replace(
            found,
            inbound_rules=await self._all(InboundRuleRecord, cache),
            outbound_rules=await self._all(OutboundRuleRecord, cache),
            extensions=await self._all(ExtensionRecord, cache),
        )

    async def _all(self, kind: type[S], cache: _ReadCache) -> tuple[S, ...]:
        """Return every record of a kind, oldest first. Only records whose stamp has changed are read."""
        collection, known = self._database[kind.COLLECTION], cache.of(kind)
        cursor = collection.find({}, STAMP, session=self._session)
        found = await cursor.sort([("created_at", ASCENDING), ("_id", ASCENDING)]).to_list(None)
        stamps = {document["_id"]: stamp_of(document) for document in found}
        stale = [id_ for id_, stamp in stamps.items() if id_ not in known or known[id_][0] != stamp]
        read: dict[str, S] = {}
        for place in range(0, len(stale), _BATCH):
            cursor = collection.find({"_id": {"$in": stale[place : place + _BATCH]}}, session=self._session)
            read.update({document["_id"]: to_record(kind, document) for document in await cursor.to_list(None)})
        records = {id_: (stamp, read[id_] if id_ in read else known[id_][1]) for id_, stamp in stamps.items()}
        cache.keep(kind, records)
        return tuple(record for _, record in records.values())


class MongoStore(_Reading):
    """The store on a MongoDB replica set. Writes are acknowledged by a majority, and every call has a time limit."""

    def __init__(self, url: SecretStr, database: str, *, patience: float = TRANSACTION_SECONDS) -> None:
        self._patience = patience
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url.get_secret_value(),
            tz_aware=True,
            appname="sms-config",
            serverSelectionTimeoutMS=int(SERVER_SELECTION_SECONDS * 1000),
            timeoutMS=int(OPERATION_SECONDS * 1000),
        )
        super().__init__(
            self._client.get_database(database, write_concern=_MAJORITY, read_concern=ReadConcern("majority"))
        )
        self._cache = _ReadCache()
        # Changes of one process never collide with each other; those of several are retried.
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Return at once: the client connects when it is first used."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections, whatever state MongoDB and the network are in."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # The driver ends its sessions at the server and waits for the answer, without a limit of its own.
        with pymongo.timeout(CLOSE_SECONDS):
            self._client.close()

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a transaction. Raises Unavailable also when it did not succeed within `patience` seconds."""
        deadline = monotonic() + self._patience
        async with _translated_errors():
            try:
                async with asyncio.timeout(self._patience):
                    await self._one_at_a_time.acquire()
            except TimeoutError:
                raise Unavailable(Code.STORE_UNAVAILABLE, "Too many changes are waiting for MongoDB.") from None
            try:
                return await self._try_until(deadline, work)
            except DuplicateKeyError:
                raise Duplicate from None
            finally:
                self._one_at_a_time.release()

    async def _try_until(self, deadline: float, work: Callable[["_MongoTransaction"], Awaitable[T]]) -> T:
        async with await self._client.start_session() as session:
            for failures in itertools.count(1):
                pause = _COLLIDED.delay(failures)
                try:
                    return await self._try_once(session, deadline, work)
                except (PyMongoError, Unavailable) as error:
                    if not _is_transient(error) or monotonic() + pause > deadline:
                        raise
                await asyncio.sleep(pause)
        raise AssertionError

    async def _try_once(
        self, session: AsyncIOMotorClientSession, deadline: float, work: Callable[["_MongoTransaction"], Awaitable[T]]
    ) -> T:
        session.start_transaction(ReadConcern("snapshot"), _MAJORITY)
        try:
            result = await work(_MongoTransaction(self._database, session))
        except BaseException:
            await session.abort_transaction()
            raise
        # If the answer to a commit was lost, only the commit is repeated: to repeat the work could change things twice.
        while True:
            try:
                await session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label(COMMIT_UNKNOWN) or monotonic() > deadline:
                    raise
                await asyncio.sleep(_ASK_AGAIN.delay(1))
            else:
                return result

    async def snapshot_version(self) -> str:
        async with _translated_errors():
            return version_of(await self._database[_META].find_one({"_id": _SNAPSHOT}))

    async def everything(self, *, with_rules: bool = True) -> Everything:
        """Read everything in one snapshot of the database."""

        async def work(transaction: _MongoTransaction) -> Everything:
            return await transaction.everything(self._cache, with_rules=with_rules)

        async with _translated_errors():
            return await self._try_until(monotonic() + self._patience, work)

    async def api_key(self, prefix: str) -> ApiKeyRecord | None:
        async with _translated_errors():
            document = await self._database[ApiKeyRecord.COLLECTION].find_one({"prefix": prefix})
        return None if document is None else to_record(ApiKeyRecord, document)

    async def touch_api_key(self, key_id: str, at: datetime) -> None:
        async with _translated_errors():
            await self._database[ApiKeyRecord.COLLECTION].update_one({"_id": key_id}, {"$max": {"last_used_at": at}})

    async def touch_user(self, user_id: str, at: datetime) -> None:
        async with _translated_errors():
            await self._database[UserRecord.COLLECTION].update_one({"_id": user_id}, {"$max": {"last_login_at": at}})

    async def add_ticket(self, ticket: Ticket) -> None:
        async with _translated_errors():
            await self._database[Ticket.COLLECTION].insert_one(to_document(ticket))

    async def ticket(self, ticket_id: str) -> Ticket | None:
        async with _translated_errors():
            document = await self._database[Ticket.COLLECTION].find_one({"_id": ticket_id})
        return None if document is None else Ticket.model_validate(with_id(document))

    async def extend_ticket(self, ticket_id: str, until: datetime) -> None:
        async with _translated_errors():
            await self._database[Ticket.COLLECTION].update_one({"_id": ticket_id}, {"$max": {"expires_at": until}})

    async def delete_ticket(self, ticket_id: str) -> None:
        async with _translated_errors():
            await self._database[Ticket.COLLECTION].delete_one({"_id": ticket_id})

    async def announcements(self, limit: int) -> list[Announcement]:
        async with _translated_errors():
            documents = (
                await self._database[Announcement.COLLECTION].find().sort("at", ASCENDING).limit(limit).to_list(None)
            )
        return [Announcement.model_validate(with_id(document)) for document in documents]

    async def remove_announcements(self, ids: Iterable[str]) -> None:
        async with _translated_errors():
            await self._database[Announcement.COLLECTION].delete_many({"_id": {"$in": list(ids)}})

    async def record_webhooks(self, webhooks: Iterable[SeenWebhook]) -> None:
        # Documents are compared field by field, so the time, which is their first, decides.
        updates = [
            UpdateOne({"_id": one.config_id}, {"$max": {f"results.{one.result}": webhook_document(one)}}, upsert=True)
            for one in webhooks
        ]
        if updates:
            async with _translated_errors():
                await self._database[WEBHOOKS_SEEN].bulk_write(updates, ordered=False)

    async def latest_webhooks(self, config_ids: Iterable[str]) -> list[SeenWebhook]:
        async with _translated_errors():
            documents = await self._database[WEBHOOKS_SEEN].find({"_id": {"$in": list(config_ids)}}).to_list(None)
        return [webhook for document in documents for webhook in to_webhooks(document)]

    async def prepare(self) -> None:
        async with _translated_errors():
            await self._check_replica_set()
            for collection, indexes in INDEXES.items():
                await self._ensure_indexes(collection, indexes)
            for collection in INDEXES:
                newer = await self._database[collection].count_documents({"schema": {"$gt": SCHEMA}}, limit=1)
                if newer:
                    raise StoreUnusable(
                        f"The collection {collection} holds documents of a newer version of this service; start that."
                    )

    async def ping(self) -> None:
        async with _translated_errors():
            await self._database.command("ping")

    async def _check_replica_set(self) -> None:
        hello = await self._database.command("hello")
        if hello.get("isreplicaset"):
            raise Unavailable(Code.STORE_UNAVAILABLE, "MongoDB's replica set has not been initiated yet.")
        if "setName" not in hello:
            raise StoreUnusable(
                "MongoDB does not run as a replica set, so it has no transactions; "
                "start it with --replSet and initiate it once."
            )

    async def _ensure_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        for index in indexes:
            name = index.document["name"]
            try:
                with pymongo.timeout(INDEX_SECONDS):
                    await self._database[collection].create_indexes([index])
            except OperationFailure as error:
                if error.code not in _INDEX_CONFLICTS:
                    raise
                raise StoreUnusable(
                    f"The index {name} of the collection {collection} cannot be made: {_INDEX_CONFLICTS[error.code]} "
                    "and start again."
                ) from error
