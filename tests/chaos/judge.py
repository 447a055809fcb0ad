"""Compares the four sets: published, confirmed, arrived at the carrier, and final in the ledger and at the PBX."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.pbx import Books

FINAL = frozenset({"delivered", "failed", "rejected", "expired", "canceled", "undetermined"})
_PENDING = frozenset({"submitting", "unknown"})


@dataclass(slots=True)
class Verdict:
    """What became of the messages of one run. All sets hold message ids."""

    confirmed: int = 0
    arrived: int = 0
    lost: set[str] = field(default_factory=set)
    """confirmed, and in the end neither final nor known to be unknown"""
    untold: set[str] = field(default_factory=set)
    """final in the ledger, and the PBX was never told"""
    twice: dict[str, int] = field(default_factory=dict)
    """arrived more than once, and how often"""
    unflagged: set[str] = field(default_factory=set)
    """arrived more than once without being flagged as a possible duplicate"""
    unknown: set[str] = field(default_factory=set)
    """unknown in the end"""
    forgotten: set[str] = field(default_factory=set)
    """unknown in the end although they arrived and a receipt was posted for them"""
    invented: set[str] = field(default_factory=set)
    """said to be delivered, and never arrived"""

    @property
    def duplicates(self) -> int:
        """Arrivals above one each."""
        return sum(count - 1 for count in self.twice.values())


def judge(books: Books, arrivals: Mapping[str, int], ledger: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """The verdict on every message that was confirmed, or arrived without having been."""
    verdict = Verdict(len(books.confirmed), len(arrivals))
    for message_id in books.confirmed:
        entry = ledger.get(message_id)
        status = entry["status"] if entry else None
        if status in _PENDING:
            verdict.unknown.add(message_id)
            if arrivals.get(message_id):
                verdict.forgotten.add(message_id)
        elif status not in FINAL:
            verdict.lost.add(message_id)
        elif message_id not in books.finals:
            verdict.untold.add(message_id)
        if status == "delivered" and not arrivals.get(message_id):
            verdict.invented.add(message_id)
    verdict.twice = {message_id: count for message_id, count in arrivals.items() if count > 1}
    verdict.unflagged = {message_id for message_id in verdict.twice if not _flagged(books, message_id)}
    return verdict


def unsettled(books: Books, ledger: Mapping[str, Mapping[str, Any]]) -> int:
    """How many confirmed messages are neither final nor known to be unknown, in the ledger and at the PBX."""
    return sum(
        message_id not in books.finals and (message_id not in ledger or ledger[message_id]["status"] != "unknown")
        for message_id in books.confirmed
    )


def _flagged(books: Books, message_id: str) -> bool:
    return any(event.get("possible_duplicate") for event in books.statuses.get(message_id, ()))
