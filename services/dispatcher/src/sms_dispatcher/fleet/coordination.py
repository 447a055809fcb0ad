"""What several dispatchers agree on, in MongoDB: who is alive, who owns which shard, and the budgets that they share.

All times are the database's. The clock of a dispatcher decides nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from pymongo import DeleteMany, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from sms_common.mongo.errors import places_taken
from sms_dispatcher.fleet.membership import LiveMembers
from sms_dispatcher.lanes.stalled_lanes import StalledLane
from sms_dispatcher.ledger.database import Database, operation
from sms_dispatcher.ledger.documents import Document

# A member without a heartbeat for so long counts as dead, and others acquire its shards.
MEMBER_TTL = timedelta(seconds=5)
_MILLISECONDS = 1_000.0
_KEEP_DAY_COUNTS = timedelta(days=3)
_KEEP_MEMBERS = timedelta(hours=1)


class Coordination:
    """Every method raises Unavailable (store_unavailable) when MongoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._members = database.get_collection("members")
        self._lanes = database.get_collection("lanes")
        self._budgets = database.get_collection("budgets")
        self._stalled = database.get_collection("standing_lanes")

    async def prepare(self) -> None:
        """Create the indexes. It may be repeated."""
        async with operation("prepare"):
            await self._members.create_index("seen_at", expireAfterSeconds=int(_KEEP_MEMBERS.total_seconds()))
            await self._budgets.create_index("delete_at", expireAfterSeconds=0)
            await self._lanes.create_index("owner")

    # -- who is alive

    async def heartbeat(self, member: str, *, leaving: bool) -> LiveMembers:
        """Record that `member` is alive, and whether it leaves. Returns all that are alive, this one among them."""
        change = {"$currentDate": {"seen_at": True}, "$set": {"leaving": leaving}}
        ttl = int(MEMBER_TTL.total_seconds() * _MILLISECONDS)
        fresh = {"$expr": {"$gt": ["$seen_at", {"$subtract": ["$$NOW", ttl]}]}}
        async with operation("beat"):
            await self._members.update_one({"_id": member}, change, upsert=True)
            there = {document["_id"]: document["leaving"] async for document in self._members.find(fresh)}
        return LiveMembers(frozenset(there), frozenset(name for name, leaves in there.items() if not leaves))

    async def leave(self, member: str) -> None:
        """Record that `member` has ended and owns nothing."""
        async with operation("leave"):
            await self._lanes.delete_many({"owner": member})
            await self._members.delete_one({"_id": member})

    # -- who owns which shard

    async def acquire(self, shards: Iterable[str], member: str, alive: Collection[str]) -> frozenset[str]:
        """Acquire those shards that nobody owns, or somebody who is not `alive`. Returns what `member` owns of them."""
        wanted = list(shards)
        if not wanted:
            return frozenset()
        free = {"$or": [{"owner": member}, {"owner": {"$nin": list(alive)}}]}
        updates = [UpdateOne({"_id": shard, **free}, {"$set": {"owner": member}}, upsert=True) for shard in wanted]
        async with operation("take"):
            try:
                await self._lanes.bulk_write(updates, ordered=False)
            except BulkWriteError as error:
                places_taken(error)  # others own those shards
            owned = self._lanes.find({"_id": {"$in": wanted}, "owner": member}, {"_id": True})
            return frozenset([document["_id"] async for document in owned])

    async def release(self, shards: Iterable[str], member: str) -> None:
        """Release shards that `member` no longer works on."""
        async with operation("release"):
            await self._lanes.delete_many({"_id": {"$in": list(shards)}, "owner": member})

    # -- which lanes are stalled

    async def record_stalled(self, stalled: Sequence[StalledLane], running: Iterable[str]) -> None:
        """Record the lanes that are stalled, and remove those that run."""
        writes: list[UpdateOne | DeleteMany] = [
            UpdateOne({"_id": one.config_id}, _stalled_update(one), upsert=True) for one in stalled
        ]
        if gone := list(running):
            writes.append(DeleteMany({"_id": {"$in": gone}}))
        if writes:
            async with operation("note_standing"):
                await self._stalled.bulk_write(writes, ordered=False)

    async def stalled(self, config_ids: Iterable[str]) -> list[StalledLane]:
        """Those of these lanes that are stalled."""
        async with operation("standing"):
            documents = await self._stalled.find({"_id": {"$in": list(config_ids)}}).to_list(None)
        return [StalledLane(one["_id"], one["why"], one["code"], one["reason"], one["since"]) for one in documents]

    # -- budgets

    async def reserve(self, key: str, slots: int, interval: float) -> float:
        """Reserve the next `slots` slots of a shared budget, `interval` seconds apart. Returns in how many seconds the
        first of them is. Slots that are not used are lost, so that no window ever has more than its share.

        When the limit has changed, slots that were reserved at another interval count as the same number of slots of
        this one. So none of them is given out twice, and a limit that was much too low does not delay for long.
        """
        now = {"$toDouble": {"$toLong": "$$NOW"}}
        gap = interval * _MILLISECONDS
        slots_ahead = {"$divide": [{"$subtract": ["$next", now]}, {"$ifNull": ["$gap", gap]}]}
        ahead = {"$multiply": [{"$max": [{"$ifNull": [slots_ahead, 1]}, 0]}, gap]}
        update: list[Document] = [
            {"$set": {"first": {"$add": [now, ahead]}, "asked": now}},
            {"$set": {"next": {"$add": ["$first", slots * gap]}, "gap": gap}},
        ]
        async with operation("reserve"):
            while True:
                try:
                    after = await self._budgets.find_one_and_update(
                        {"_id": key}, update, upsert=True, return_document=ReturnDocument.AFTER
                    )
                except DuplicateKeyError:  # two dispatchers created this budget at the same time
                    continue
                return float((after["first"] - after["asked"]) / _MILLISECONDS)

    async def count(self, key: str, segments: int, cap: int) -> bool:
        """Count segments against the budget of a day. Returns False, and counts nothing, when they exceed it."""
        delete_at = datetime.now(UTC) + _KEEP_DAY_COUNTS
        change = {"$inc": {"used": segments}, "$setOnInsert": {"delete_at": delete_at}}
        async with operation("count"):
            for _ in range(2):
                try:
                    result = await self._budgets.update_one(
                        {"_id": key, "used": {"$not": {"$gt": cap - segments}}}, change, upsert=segments <= cap
                    )
                except DuplicateKeyError:  # it exists and is used up, or another dispatcher created it just now
                    continue
                return result.matched_count == 1 or result.upserted_id is not None
            return False


def _stalled_update(lane: StalledLane) -> list[Document]:
    """The update that stores why a lane is stalled. `since` stays while the kind of the reason is the same."""
    same = {"$and": [{"$eq": ["$why", lane.why]}, {"$eq": ["$code", lane.code]}]}
    since = {"$cond": [same, {"$ifNull": ["$since", "$$NOW"]}, "$$NOW"]}
    # A carrier's text may begin with a dollar sign, which MongoDB would take for a field.
    words = {name: {"$literal": getattr(lane, name)} for name in ("why", "code", "reason")}
    return [{"$set": {"since": since}}, {"$set": words}]
