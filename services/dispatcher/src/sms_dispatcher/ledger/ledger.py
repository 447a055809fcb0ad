"""The ledger: the state of every message, in MongoDB.

Concurrent operations share their writes: each kind has a group commit. Every change is conditional on the state that it
changes. Of two writers one wins, and the other reads the present state. All times that decide between writers are the
database's.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from sms_common.errors import Unavailable
from sms_common.messages import Status
from sms_common.mongo.errors import failures_of, places_unstorable, unstorable
from sms_common.telemetry import metrics
from sms_dispatcher.ledger.database import MAJORITY, Database, operation
from sms_dispatcher.ledger.database_clock import DatabaseClock
from sms_dispatcher.ledger.documents import (
    Document,
    changing_fields,
    claim_fields,
    from_document,
    history_item,
    to_document,
)
from sms_dispatcher.ledger.entries import CLAIMABLE, LedgerEntry, Receipt, advance, entry_id
from sms_dispatcher.ledger.group_commit import GroupCommit

_CLAIMABLE = [status.value for status in CLAIMABLE]

# Longer than the longest carrier call (25 s) and recording its result: a claim this old belongs to a dead process.
LEASE = timedelta(seconds=60)
# Lines of a message's timeline. A message that waits a day for a corrected account has over a thousand changes.
_TIMELINE = 100
# Building an index of millions of messages. If it were cut short, every try would begin anew and none would end.
INDEX_SECONDS = 600.0

# Few messages end in these, and people search for them.
RARE = (Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.CANCELED, Status.UNDETERMINED, Status.UNKNOWN)
# A partial index serves only queries that repeat its filter.
INDEXES = (
    IndexModel([("tenant_id", ASCENDING), ("created_at", DESCENDING)], name="tenant_time"),
    IndexModel(
        [("tenant_id", ASCENDING), ("numbers", ASCENDING), ("created_at", DESCENDING)], name="tenant_number_time"
    ),
    IndexModel(
        [("provider_msg_id", ASCENDING)],
        name="provider_msg_id",
        partialFilterExpression={"provider_msg_id": {"$type": "string"}},
    ),
    IndexModel([("due_at", ASCENDING)], name="due", partialFilterExpression={"due_at": {"$type": "date"}}),
    IndexModel([("status", ASCENDING)], name="unknown", partialFilterExpression={"status": Status.UNKNOWN.value}),
    IndexModel(
        [("tenant_id", ASCENDING), ("status", ASCENDING), ("created_at", DESCENDING)],
        name="tenant_rare_time",
        partialFilterExpression={"status": {"$in": [status.value for status in RARE]}},
    ),
    IndexModel([("delete_at", ASCENDING)], name="retention", expireAfterSeconds=0),
    IndexModel(
        [(name, ASCENDING) for name in ("direction", "tenant_id", "sender", "did", "created_at")],
        name="written_to",
        partialFilterExpression={"direction": "IN"},
    ),
)


@dataclass(frozen=True, slots=True)
class MatchedReceipt:
    """A receipt and how to find its message: by the gateway's reference, else by the carrier's id.

    `allowed` says whether the receipt's sender may speak for the message that was found.
    """

    receipt: Receipt
    reference: str | None
    allowed: Callable[[LedgerEntry], bool]


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """An entry before and after a receipt. It is the same object twice when nothing changed."""

    before: LedgerEntry
    after: LedgerEntry

    @property
    def happened(self) -> bool:
        """Whether anything changed."""
        return self.before is not self.after


@dataclass(frozen=True, slots=True)
class _Write:
    change_id: str
    condition: Mapping[str, Any]
    after: LedgerEntry


class Ledger:
    """All messages of all tenants. Every method raises Unavailable (store_unavailable) when MongoDB does not answer.
    Those that write raise UnreadableEvent for a value that MongoDB cannot store.
    """

    def __init__(
        self, database: Database, *, owner: str, retention: timedelta, clock: DatabaseClock | None = None
    ) -> None:
        self._messages = database.get_collection("messages", write_concern=MAJORITY)
        self._bulk_lanes = database.get_collection("bulk_lanes", write_concern=MAJORITY)
        self._tenants = database.get_collection("tenants", write_concern=MAJORITY)
        self._owner = owner
        self._retention = retention
        self._clock = clock or DatabaseClock()
        self._accepting: GroupCommit[tuple[LedgerEntry, LedgerEntry | None], LedgerEntry | None] = GroupCommit(
            self._insert
        )
        self._claiming: GroupCommit[tuple[str, str], LedgerEntry | None] = GroupCommit(self._claim)
        self._writing: GroupCommit[_Write, bool] = GroupCommit(self._write)
        self._receiving: GroupCommit[MatchedReceipt, LedgerChange | None] = GroupCommit(self._apply)
        self._recalling: GroupCommit[tuple[str, str], tuple[str, ...]] = GroupCommit(self._recall)

    async def prepare(self) -> None:
        """Create the indexes. It may be repeated."""
        async with operation("prepare"):
            with pymongo.timeout(INDEX_SECONDS):
                await self._messages.create_indexes(list(INDEXES))

    async def set_clock(self) -> None:
        """Read the database's time, which decides what is due, has expired or is claimed."""
        async with operation("hello"):
            await self._clock.synchronise(self._databases_time)

    async def _databases_time(self) -> datetime:
        # Without these options the driver would read the answer of a command with its own defaults.
        hello = await self._messages.database.command("hello", codec_options=self._messages.codec_options)
        now: datetime = hello["localTime"]
        return now

    async def check(self) -> str | None:
        """Why the store cannot be used, for a readiness probe; None when it can."""
        try:
            async with operation("ping"):
                await self._messages.database.command("ping")
        except Unavailable as error:
            return error.reason
        return None

    async def accept(self, entry: LedgerEntry, claim: LedgerEntry | None = None) -> LedgerEntry | None:
        """Record a new entry; with `claim`, as one that is already claimed (see `entries.claimed`). Returns None when
        it is new, else the entry that already has its id.
        """
        return await self._accepting.submit((entry, claim))

    async def _insert(
        self, accepted: list[tuple[LedgerEntry, LedgerEntry | None]]
    ) -> list[LedgerEntry | Exception | None]:
        """An entry that can never be stored fails alone. The others are new; if they were tried again they would be
        taken for repeated.
        """
        documents = [self._new_document(entry, claim) for entry, claim in accepted]
        async with _batch("accept", len(accepted)):
            try:
                await self._messages.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                failed = failures_of(error)
            else:
                return [None] * len(accepted)
            known = await self._by_id([accepted[n][0].id for n in failed.taken])
        found = [known.get(entry.id) if n in failed.taken else None for n, (entry, _) in enumerate(accepted)]
        return [unstorable() if n in failed.unstorable else one for n, one in enumerate(found)]

    def _new_document(self, entry: LedgerEntry, claim: LedgerEntry | None) -> Document:
        document = to_document(entry, self._retention)
        if claim is not None:
            document.update(claim_fields(claim), owner=self._owner, claimed_at=self._clock())
        return document

    async def find(self, tenant_id: str, message_id: str) -> LedgerEntry | None:
        """The entry with this id, or None."""
        async with operation("find"):
            return (await self._by_id([entry_id(tenant_id, message_id)])).get(entry_id(tenant_id, message_id))

    async def _by_id(self, ids: Sequence[str]) -> dict[str, LedgerEntry]:
        cursor = self._messages.find({"_id": {"$in": list(ids)}})
        return {document["_id"]: from_document(document) async for document in cursor}

    async def claim(self, id_: str, claim_id: str) -> LedgerEntry | None:
        """Claim an entry for sending. Use a new `claim_id`, or the same one again when the answer to this call was
        lost.

        Returns the entry as it is now. The claim has succeeded if it has this `claim_id` and is submitting. Returns
        None when there is no such entry.
        """
        return await self._claiming.submit((id_, claim_id))

    async def _claim(self, wanted: list[tuple[str, str]]) -> list[LedgerEntry | None]:
        updates = [
            UpdateOne(
                {"_id": id_, "status": {"$in": _CLAIMABLE}},
                {
                    "$set": {
                        "status": Status.SUBMITTING.value,
                        "claim_id": claim_id,
                        "owner": self._owner,
                    },
                    "$inc": {"attempt": 1, "sequence": 1},
                    "$currentDate": {"claimed_at": True, "updated_at": True},
                },
            )
            for id_, claim_id in wanted
        ]
        async with _batch("claim", len(wanted)):
            await self._messages.bulk_write(updates, ordered=False)
            entries = await self._by_id([id_ for id_, _ in wanted])
        return [entries.get(id_) for id_, _ in wanted]

    async def finish(self, claimed: LedgerEntry, after: LedgerEntry, change_id: str) -> bool:
        """Record the outcome of sending a claimed entry. Returns False when the entry has changed meanwhile, as by a
        receipt that was faster.

        It may be repeated with the same `change_id` when the store was away.
        """
        condition = {"_id": claimed.id, "sequence": claimed.sequence, "claim_id": claimed.claim_id}
        return await self._writing.submit(_Write(change_id, condition, after))

    async def note_carrier_id(self, claimed: LedgerEntry, provider_msg_id: str, segments: int | None) -> None:
        """Record the carrier's id of a message whose receipt was faster than the carrier's answer."""
        async with operation("finish"):
            await self._messages.update_one(
                {"_id": claimed.id, "provider_msg_id": None},
                {"$set": {"provider_msg_id": provider_msg_id, "segments": segments or claimed.segments}},
            )

    async def change(self, before: LedgerEntry, after: LedgerEntry) -> bool:
        """Record a change, unless somebody has changed the entry since it was read. Returns whether it was recorded."""
        condition = {"_id": before.id, "sequence": before.sequence}
        return await self._writing.submit(_Write(uuid.uuid4().hex, condition, after))

    async def abandon(self, claimed: LedgerEntry, after: LedgerEntry) -> bool:
        """Record the end of a claim whose process is dead, once its lease is over. Returns whether it was recorded."""
        async with operation("abandon"):
            result = await self._messages.update_one(
                {
                    "_id": claimed.id,
                    "sequence": claimed.sequence,
                    "claim_id": claimed.claim_id,
                    "$expr": {"$lt": ["$claimed_at", {"$subtract": ["$$NOW", int(LEASE.total_seconds() * 1_000)]}]},
                },
                _recording(after, None),
            )
        return result.matched_count == 1

    async def _write(self, writes: list[_Write]) -> list[bool | Exception]:
        """A change that can never be stored fails alone. The others have taken effect: if a receipt were tried again,
        it would count as repeated, and its status would not be published.
        """
        updates = [UpdateOne(write.condition, _recording(write.after, write.change_id)) for write in writes]
        async with _batch("write", len(writes)):
            refused: frozenset[int] = frozenset()
            try:
                result = await self._messages.bulk_write(updates, ordered=False)
                if result.matched_count == len(writes):
                    return [True] * len(writes)
            except BulkWriteError as error:
                refused = places_unstorable(error)
            done = await self._took_effect(writes)
        return [unstorable() if n in refused else one for n, one in enumerate(done)]

    async def _took_effect(self, writes: list[_Write]) -> list[bool]:
        """Which of these writes are in their entry's history, from this try or an earlier one."""
        ids = [write.condition["_id"] for write in writes]
        cursor = self._messages.find({"_id": {"$in": ids}}, {"history.change": 1})
        seen = {item.get("change") async for document in cursor for item in document["history"]}
        return [write.change_id in seen for write in writes]

    async def apply(self, receipt: MatchedReceipt) -> LedgerChange | None:
        """Advance the message of a receipt. Returns None when there is no message that its sender may speak for."""
        return await self._receiving.submit(receipt)

    async def _apply(self, receipts: list[MatchedReceipt]) -> list[LedgerChange | Exception | None]:
        results: list[LedgerChange | Exception | None] = [None] * len(receipts)
        left = list(range(len(receipts)))
        while left:
            entries = await self._messages_of([receipts[n] for n in left])
            present: dict[str, LedgerEntry] = {}
            writes: dict[str, _Write] = {}
            touched: dict[str, list[int]] = {}
            for n, entry in zip(left, entries, strict=True):
                results[n] = None
                if entry is None:
                    continue
                before = present.get(entry.id, entry)
                after = advance(before, receipts[n].receipt, self._clock()) or before
                results[n] = LedgerChange(before, after)
                if after is not before:
                    present[entry.id] = after
                    touched.setdefault(entry.id, []).append(n)
                    writes[entry.id] = _Write(uuid.uuid4().hex, {"_id": entry.id, "sequence": entry.sequence}, after)
            left = []
            if writes:
                order = list(writes)
                done = await self._write([writes[id_] for id_ in order])
                for id_, ok in zip(order, done, strict=True):
                    if isinstance(ok, Exception):
                        places = touched[id_]
                        for n in places:
                            results[n] = ok if len(places) == 1 else await self._apply_alone(receipts[n])
                left = [n for id_, ok in zip(order, done, strict=True) if ok is False for n in touched[id_]]
        return results

    async def _apply_alone(self, receipt: MatchedReceipt) -> LedgerChange | Exception | None:
        """Apply one of several receipts whose common write was refused. It may be the fault of another of them."""
        try:
            return (await self._apply([receipt]))[0]
        except Exception as error:  # noqa: BLE001  # the receipts beside it have taken effect and must not be repeated
            return error

    async def _messages_of(self, receipts: list[MatchedReceipt]) -> list[LedgerEntry | None]:
        references = [r.reference for r in receipts if r.reference is not None]
        async with _batch("receipts", len(receipts)):
            by_reference = await self._by_id(references) if references else {}
            unnamed = [r.receipt.provider_msg_id for r in receipts if r.reference not in by_reference]
            by_carrier: dict[str, list[LedgerEntry]] = {}
            if unnamed:
                by_carriers_id = {"provider_msg_id": {"$in": unnamed, "$type": "string"}, "direction": "OUT"}
                async for document in self._messages.find(by_carriers_id):
                    by_carrier.setdefault(document["provider_msg_id"], []).append(from_document(document))
        found: list[LedgerEntry | None] = []
        for r in receipts:
            named = by_reference.get(r.reference or "")
            candidates = [named] if named is not None else by_carrier.get(r.receipt.provider_msg_id, [])
            found.append(next((entry for entry in candidates if r.allowed(entry)), None))
        return found

    async def written_to(self, tenant_id: str, number: str) -> tuple[str, ...]:
        """The DIDs of the tenant that a number has written to, each once, the latest first."""
        return await self._recalling.submit((tenant_id, number))

    async def _recall(self, wanted: list[tuple[str, str]]) -> list[tuple[str, ...]]:
        by_tenant: dict[str, set[str]] = {}
        for tenant_id, number in wanted:
            by_tenant.setdefault(tenant_id, set()).add(number)
        texts = [{"tenant_id": tenant_id, "sender": {"$in": list(found)}} for tenant_id, found in by_tenant.items()]
        pipeline: list[Document] = [
            {"$match": {"direction": "IN", "$or": texts}},
            {"$group": {"_id": ["$tenant_id", "$sender", "$did"], "at": {"$max": "$created_at"}}},
            {"$sort": {"at": DESCENDING}},
        ]
        dids: dict[tuple[str, str], list[str]] = {}
        async with _batch("recall", len(wanted)):
            async for document in self._messages.aggregate(pipeline):
                tenant_id, number, did = document["_id"]
                dids.setdefault((tenant_id, number), []).append(did)
        return [tuple(dids.get(conversation, ())) for conversation in wanted]

    async def did_of(self, tenant_id: str, numbers: Collection[str], conversation_id: str) -> str | None:
        """The DID that one of these numbers wrote to last in the conversation with this recorded id."""
        texts = {"direction": "IN", "tenant_id": tenant_id, "sender": {"$in": list(numbers)}, "echo.1": conversation_id}
        async with operation("conversation"):
            found = await self._messages.find_one(texts, {"did": 1}, sort=[("created_at", DESCENDING)])
        return None if found is None else found["did"]

    async def take_due(self, limit: int) -> list[LedgerEntry]:
        """Entries that are due. Each is given to one caller. It is due again after a lease, unless a change of it is
        recorded.
        """
        taken: list[LedgerEntry] = []
        try:
            async with operation("due"):
                while len(taken) < limit:
                    document = await self._messages.find_one_and_update(
                        {"due_at": {"$lte": self._clock(), "$type": "date"}},
                        {"$set": {"due_at": self._clock() + LEASE}},
                        sort=[("due_at", ASCENDING)],
                        return_document=ReturnDocument.AFTER,
                    )
                    if not document:
                        break
                    taken.append(from_document(document))
        except Unavailable:
            if not taken:  # those that were taken are worked on: nobody else would before their lease is over
                raise
        return taken

    async def postpone(self, entry: LedgerEntry, until: datetime | None, *, leased: bool = False) -> None:
        """Make the entry due again at `until`, or never with None, unless it has changed. When it is `leased`, by
        `take_due`, what somebody else has said of that since then stands.
        """
        condition = {"_id": entry.id, "sequence": entry.sequence}
        if leased:
            condition["due_at"] = entry.due_at
        async with operation("due"):
            await self._messages.update_one(condition, {"$set": {"due_at": until}})

    async def remember_bulk_lane(self, config_id: str) -> None:
        """Record that a configuration has a bulk lane, so that every dispatcher reads it, also after a restart."""
        async with operation("lanes"):
            await self._bulk_lanes.update_one(
                {"_id": config_id}, {"$setOnInsert": {"since": self._clock()}}, upsert=True
            )

    async def remember_tenants(self, tenant_ids: Collection[str]) -> None:
        """Record that these tenants have a queue of requests. It is read even after the tenant was deleted."""
        if tenant_ids:
            async with operation("tenants"):
                notes = [
                    UpdateOne({"_id": id_}, {"$setOnInsert": {"since": self._clock()}}, upsert=True)
                    for id_ in tenant_ids
                ]
                await self._tenants.bulk_write(notes, ordered=False)

    async def tenants(self) -> list[str]:
        """All tenants that have ever had a queue."""
        async with operation("tenants"):
            return [document["_id"] async for document in self._tenants.find({})]

    async def remember_pbxs(self, pbxs: Mapping[str, Collection[str]]) -> None:
        """Record which further PBXs may send requests of these tenants and get their statuses."""
        if pbxs:
            async with operation("tenants"):
                notes = [
                    UpdateOne({"_id": id_}, {"$addToSet": {"pbxs": {"$each": sorted(theirs)}}}, upsert=True)
                    for id_, theirs in pbxs.items()
                ]
                await self._tenants.bulk_write(notes, ordered=False)

    async def pbxs(self) -> dict[str, frozenset[str]]:
        """All PBXs that each tenant has ever had. Tenants whose PBXs were never recorded are missing."""
        async with operation("tenants"):
            found = self._tenants.find({"pbxs": {"$exists": True}})
            return {document["_id"]: frozenset(document["pbxs"]) async for document in found}

    async def bulk_lanes(self) -> list[str]:
        """The configurations that have a bulk lane."""
        async with operation("lanes"):
            return [document["_id"] async for document in self._bulk_lanes.find({})]

    async def possible_carrier_ids(self, entry: LedgerEntry, carrier_ids: Collection[str]) -> frozenset[str]:
        """Which of these carrier's ids may be the id of an unknown entry: those that no message has yet.

        There is none when another message between the same parties is unknown or being sent, too: then an id could
        belong to either.
        """
        rival = {"_id": {"$ne": entry.id}, "sender": entry.sender, "to": list(entry.to)}
        rivals = (
            {**rival, "status": Status.UNKNOWN.value},
            {**rival, "status": Status.SUBMITTING.value, "tenant_id": entry.tenant_id, "numbers": entry.to[0]},
        )
        async with operation("reconcile"):
            for one in rivals:
                if await self._messages.find_one(one, {"_id": True}) is not None:
                    return frozenset()
            taken = self._messages.find(
                {"provider_msg_id": {"$in": list(carrier_ids), "$type": "string"}}, {"provider_msg_id": True}
            )
            return frozenset(carrier_ids) - {document["provider_msg_id"] async for document in taken}

    async def count_unknown(self) -> int:
        """How many messages have an unknown outcome."""
        async with operation("count"):
            return int(await self._messages.count_documents({"status": Status.UNKNOWN.value}))


def _recording(after: LedgerEntry, change_id: str | None) -> Document:
    """The update that records a change and adds it to the timeline. Only the newest lines of the timeline are kept."""
    line = {"$each": [history_item(after, change_id)], "$slice": -_TIMELINE}
    return {"$set": changing_fields(after), "$push": {"history": line}}


@asynccontextmanager
async def _batch(name: str, size: int) -> AsyncIterator[None]:
    """An operation on `size` messages at once."""
    metrics.ledger_batch_size.observe(size)
    async with operation(name):
        yield
