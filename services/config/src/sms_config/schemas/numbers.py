"""Numbers in requests: a trunk's pools, default numbers and senders; and the check that pools do not overlap."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sms_common.phone import (
    InvalidNumber,
    NumberPool,
    NumberRange,
    is_alphanumeric_sender,
    normalise,
    normalise_sender,
)
from sms_common.rules.mistakes import stands_for_digits
from sms_config.access.auth import Caller
from sms_config.model.problems import FieldProblem, Invalid, Overlap
from sms_config.model.records import TenantRecord, TrunkRecord

_MAX_NAMED = 5
_MAX_ERRORS = 50


def read_pool(text: str, tenant: TenantRecord, field: str = "dids") -> NumberPool:
    """Return the pool in `text`, read with the tenant's country. Raises Invalid."""
    try:
        return NumberPool.parse(text, tenant.country, foreign_without_plus=tenant.foreign_without_plus)
    except ValueError as error:
        raise Invalid.of(field, str(error)) from None


def count_numbers(stored: str) -> int:
    """Return how many numbers a stored pool has."""
    return sum(last - first + 1 for first, last in NumberPool.parse(stored, "US"))


def adds_numbers(stored: str, before: str) -> bool:
    """Whether a pool has a number that it did not have before."""
    common = _overlaps(NumberPool.parse(stored, "US"), NumberPool.parse(before, "US"))
    kept = sum(min(mine.last, old.last) - max(mine.first, old.first) + 1 for mine, old in common)
    return count_numbers(stored) > kept


def read_did(text: str, pool: NumberPool, tenant: TenantRecord, field: str = "default_did") -> str:
    """Return the default number in international form. Raises Invalid when it is no number or not in the pool."""
    try:
        number = normalise(text, tenant.country, foreign_without_plus=tenant.foreign_without_plus)
    except InvalidNumber as error:
        raise Invalid.of(field, str(error)) from None
    if number not in pool:
        raise Invalid.of(field, "is not one of the numbers in dids")
    return number


def read_sender(text: str, tenant: TenantRecord) -> str:
    """Return a sender in the form in which messages have it. Raises Invalid."""
    if stands_for_digits(text) and is_alphanumeric_sender(text.strip()):
        raise Invalid.of("sender_id", "is one sender, and letters such as X are not digits of it")
    try:
        return normalise_sender(text, tenant.country, foreign_without_plus=tenant.foreign_without_plus)
    except InvalidNumber as error:
        raise Invalid.of(
            "sender_id", f"is neither a number, nor a short code, nor up to 11 letters and digits ({error})"
        ) from None


def may_show(trunk: TrunkRecord, tenant_id: str, sender: str) -> bool:
    """Whether a tenant may send as `sender` on a trunk.

    The carrier sees one account for a lent trunk, so only this check keeps one borrower from using the numbers of
    another. Names belong to nobody.
    """
    pool = trunk.pool_of(tenant_id)
    if trunk.owner is not None or is_alphanumeric_sender(sender):
        return True
    return pool is not None and sender in NumberPool.parse(pool.dids, "US")


@dataclass(frozen=True, slots=True)
class PoolClaim:
    """A pool in a request, and its field there."""

    tenant_id: str
    pool: NumberPool
    field: str = "dids"


def check_disjoint(claims: Iterable[PoolClaim], trunk_id: str, stored: Iterable[TrunkRecord], caller: Caller) -> None:
    """Raise Overlap, naming the ranges, when the pools claimed for a trunk share a number with another pool.

    Only a caller who may see the other tenant learns whose pool it is, and its whole range.
    """
    wanted = list(claims)
    others = list(_others(stored, trunk_id))
    errors: list[FieldProblem] = []
    for place, claim in enumerate(wanted):
        before = [_Owned(other.pool, other.tenant_id, f"the pool of {other.tenant_id}") for other in wanted[:place]]
        errors += [error for other in (*before, *others) for error in _collisions(claim, other, caller)]
    if errors:
        more = f"; and {len(errors) - _MAX_NAMED} more" if len(errors) > _MAX_NAMED else ""
        raise Overlap("; ".join(error.message for error in errors[:_MAX_NAMED]) + more + ".", errors[:_MAX_ERRORS])


@dataclass(frozen=True, slots=True)
class _Owned:
    pool: NumberPool
    tenant_id: str
    name: str


def _others(stored: Iterable[TrunkRecord], trunk_id: str) -> Iterator[_Owned]:
    for trunk in stored:
        if trunk.id == trunk_id:
            continue
        for pool in trunk.all_pools:
            lent = f", lent to {pool.tenant_id}" if trunk.owner is None else ""
            name = f"the trunk {trunk.name} ({trunk.id}{lent})"
            yield _Owned(NumberPool.parse(pool.dids, "US"), pool.tenant_id, name)


def _collisions(claim: PoolClaim, other: _Owned, caller: Caller) -> Iterator[FieldProblem]:
    for mine, theirs in _overlaps(claim.pool, other.pool):
        if caller.sees(other.tenant_id):
            message = f"{mine} overlaps {theirs} of {other.name}"
        else:
            common = NumberRange(max(mine.first, theirs.first), min(mine.last, theirs.last))
            message = f"{common} already belongs to another tenant"
        yield FieldProblem(field=claim.field, message=message)


def _overlaps(first: NumberPool, second: NumberPool) -> Iterator[tuple[NumberRange, NumberRange]]:
    """Yield every pair of ranges that share a number. Each pool is in ascending order and without overlaps."""
    i = j = 0
    while i < len(first.spans) and j < len(second.spans):
        mine, theirs = first.spans[i], second.spans[j]
        if mine.first <= theirs.last and theirs.first <= mine.last:
            yield mine, theirs
        if mine.last < theirs.last:
            i += 1
        else:
            j += 1
