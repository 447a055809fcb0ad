"""A ledger and its history in memory; they pass the same contract tests as those on MongoDB."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sms_common.errors import Code, Unavailable
from sms_common.messages import Status
from sms_dispatcher.ledger.documents import record, to_document
from sms_dispatcher.ledger.entries import CLAIMABLE, EntryKind, LedgerEntry, advance, entry_id
from sms_dispatcher.ledger.history import History, MessageQuery
from sms_dispatcher.ledger.ledger import LEASE, Ledger, LedgerChange, MatchedReceipt


class MemoryLedger(Ledger):
    """`away` makes every call fail as if MongoDB were gone. `clock` is the database's time.

    `lose_answers` holds names of methods whose next call takes effect and fails all the same.
    """

    def __init__(self, clock: Any, retention: Any) -> None:
        self.entries: dict[str, LedgerEntry] = {}
        self.claimed_at: dict[str, datetime] = {}
        self.changes: set[str] = set()
        self.bulk: set[str] = set()
        self.had_queues: set[str] = set()
        self.had_pbxs: dict[str, frozenset[str]] = {}
        self.away = False
        self.recalled = 0
        self.lose_answers: set[str] = set()
        self._clock = clock
        self._keep = retention

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(Code.STORE_UNAVAILABLE, "The store is away.")

    def _done(self, method: str) -> None:
        if method in self.lose_answers:
            self.lose_answers.discard(method)
            raise Unavailable(Code.STORE_UNAVAILABLE, "The answer was lost.")

    async def prepare(self) -> None:
        self._answer()

    async def check(self) -> str | None:
        return "The store is away." if self.away else None

    async def set_clock(self) -> None:
        self._answer()

    async def accept(self, entry: LedgerEntry, claim: LedgerEntry | None = None) -> LedgerEntry | None:
        self._answer()
        known = self.entries.get(entry.id)
        if known is None:
            self.entries[entry.id] = claim or entry
            if claim is not None:
                self.claimed_at[entry.id] = self._clock()
        self._done("accept")
        return known

    async def find(self, tenant_id: str, message_id: str) -> LedgerEntry | None:
        self._answer()
        return self.entries.get(entry_id(tenant_id, message_id))

    async def claim(self, id_: str, claim_id: str) -> LedgerEntry | None:
        self._answer()
        entry = self.entries.get(id_)
        if entry is not None and entry.status in CLAIMABLE:
            entry = self.entries[id_] = replace(
                entry,
                status=Status.SUBMITTING,
                claim_id=claim_id,
                attempt=entry.attempt + 1,
                sequence=entry.sequence + 1,
                updated_at=self._clock(),
            )
            self.claimed_at[id_] = self._clock()
        self._done("claim")
        return entry

    async def finish(self, claimed: LedgerEntry, after: LedgerEntry, change_id: str) -> bool:
        self._answer()
        if change_id in self.changes:
            return True
        present = self.entries[claimed.id]
        if (present.sequence, present.claim_id) != (claimed.sequence, claimed.claim_id):
            return False
        self.changes.add(change_id)
        self.entries[claimed.id] = after
        self._done("finish")
        return True

    async def note_carrier_id(self, claimed: LedgerEntry, provider_msg_id: str, segments: int | None) -> None:
        self._answer()
        present = self.entries[claimed.id]
        if present.provider_msg_id is None:
            self.entries[claimed.id] = replace(present, provider_msg_id=provider_msg_id, segments=segments)

    async def change(self, before: LedgerEntry, after: LedgerEntry) -> bool:
        self._answer()
        if self.entries[before.id].sequence != before.sequence:
            return False
        self.entries[before.id] = after
        self._done("change")
        return True

    async def abandon(self, claimed: LedgerEntry, after: LedgerEntry) -> bool:
        if self.entries[claimed.id].claim_id != claimed.claim_id:
            return False
        return self._clock() - self.claimed_at[claimed.id] > LEASE and await self.change(claimed, after)

    async def apply(self, receipt: MatchedReceipt) -> LedgerChange | None:
        self._answer()
        by_reference = self.entries.get(receipt.reference or "")
        by_carrier = [e for e in self.entries.values() if e.provider_msg_id == receipt.receipt.provider_msg_id]
        candidates = [by_reference] if by_reference else [e for e in by_carrier if e.kind is not EntryKind.INBOUND]
        before = next((entry for entry in candidates if receipt.allowed(entry)), None)
        if before is None:
            return None
        after = advance(before, receipt.receipt, self._clock()) or before
        self.entries[before.id] = after
        self._done("apply")
        return LedgerChange(before, after)

    async def written_to(self, tenant_id: str, number: str) -> tuple[str, ...]:
        self._answer()
        self.recalled += 1
        texts = [
            e
            for e in self.entries.values()
            if (e.kind, e.tenant_id, e.sender) == (EntryKind.INBOUND, tenant_id, number)
        ]
        return tuple(dict.fromkeys(e.to[0] for e in sorted(texts, key=lambda e: e.created_at, reverse=True)))

    async def did_of(self, tenant_id: str, numbers: Collection[str], conversation_id: str) -> str | None:
        self._answer()
        texts = [
            e
            for e in self.entries.values()
            if (e.kind, e.tenant_id, e.echo.conversation_id) == (EntryKind.INBOUND, tenant_id, conversation_id)
            and e.sender in numbers
        ]
        return max(texts, key=lambda e: e.created_at).to[0] if texts else None

    async def take_due(self, limit: int) -> list[LedgerEntry]:
        self._answer()
        now = self._clock()
        due = [e for e in self.entries.values() if e.due_at is not None and e.due_at <= now][:limit]
        taken = [replace(entry, due_at=now + LEASE) for entry in due]
        self.entries.update((entry.id, entry) for entry in taken)
        return taken

    async def postpone(self, entry: LedgerEntry, until: datetime | None, *, leased: bool = False) -> None:
        self._answer()
        present = self.entries[entry.id]
        if present.sequence == entry.sequence and (not leased or present.due_at == entry.due_at):
            self.entries[entry.id] = replace(self.entries[entry.id], due_at=until)

    async def remember_bulk_lane(self, config_id: str) -> None:
        self._answer()
        self.bulk.add(config_id)

    async def possible_carrier_ids(self, entry: LedgerEntry, carrier_ids: Collection[str]) -> frozenset[str]:
        self._answer()
        others = [one for one in self.entries.values() if one.id != entry.id]
        alike = [one for one in others if (one.sender, one.to) == (entry.sender, entry.to)]
        if any(one.status is Status.UNKNOWN for one in alike):
            return frozenset()
        if any(one.status is Status.SUBMITTING and one.tenant_id == entry.tenant_id for one in alike):
            return frozenset()
        return frozenset(carrier_ids) - {one.provider_msg_id for one in self.entries.values()}

    async def remember_tenants(self, tenant_ids: Collection[str]) -> None:
        self._answer()
        self.had_queues |= set(tenant_ids)

    async def tenants(self) -> list[str]:
        self._answer()
        return sorted(self.had_queues)

    async def remember_pbxs(self, pbxs: Mapping[str, Collection[str]]) -> None:
        self._answer()
        for tenant_id, theirs in pbxs.items():
            self.had_queues.add(tenant_id)
            self.had_pbxs[tenant_id] = self.had_pbxs.get(tenant_id, frozenset()) | frozenset(theirs)

    async def pbxs(self) -> dict[str, frozenset[str]]:
        self._answer()
        return dict(self.had_pbxs)

    async def bulk_lanes(self) -> list[str]:
        self._answer()
        return sorted(self.bulk)

    async def count_unknown(self) -> int:
        self._answer()
        return sum(e.status is Status.UNKNOWN for e in self.entries.values())


class MemoryHistory(History):
    """The history of a ledger in memory."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def page(self, query: MessageQuery) -> tuple[int, list[dict[str, Any]], bool]:
        self._ledger._answer()
        found = [e for e in self._ledger.entries.values() if _matches(e, query)]
        found.sort(key=lambda e: (e.created_at, e.id), reverse=query.descending)
        page = found[query.skip : query.skip + query.top]
        return len(found), [record(to_document(e, self._ledger._keep)) for e in page], False

    async def read(self, tenant_id: str, message_id: str) -> dict[str, Any] | None:
        entry = await self._ledger.find(tenant_id, message_id)
        return None if entry is None else record(to_document(entry, self._ledger._keep))


def _matches(entry: LedgerEntry, query: MessageQuery) -> bool:
    direction = "IN" if entry.kind is EntryKind.INBOUND else "OUT"
    parties = (entry.sender, *entry.to)
    return (
        entry.kind is not EntryKind.PARENT
        and entry.tenant_id == query.tenant_id
        and query.direction in {None, direction}
        and query.status in {None, entry.status.value}
        and query.config_id in {None, entry.config_id}
        and (query.number is None or query.number in parties)
        and (query.search is None or query.search in {entry.message_id, entry.parent_id, *parties})
        and (query.since is None or entry.created_at >= query.since)
        and (query.until is None or entry.created_at < query.until)
    )
