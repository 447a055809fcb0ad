"""The numbers an administrator writes: a trunk's pool, its default number, a sender, and how pools may not overlap."""

from collections.abc import Iterable, Iterator

from sms_common.phone import InvalidNumber, NumberPool, NumberRange, normalise, normalise_sender
from sms_config.auth import Caller
from sms_config.problems import FieldError, Invalid, Overlap
from sms_config.records import TrunkRecord

_MAX_NAMED = 5
_MAX_ERRORS = 50


def read_pool(text: str, country: str) -> NumberPool:
    """Return the pool written in `text`. Raises Invalid."""
    try:
        return NumberPool.parse(text, country)
    except ValueError as error:
        raise Invalid.of("dids", str(error)) from None


def read_did(text: str, pool: NumberPool, country: str) -> str:
    """Return the default number in international form. Raises Invalid when it is none, or not in the pool."""
    try:
        number = normalise(text, country)
    except InvalidNumber as error:
        raise Invalid.of("default_did", str(error)) from None
    if number not in pool:
        raise Invalid.of("default_did", "is not one of the numbers in dids")
    return number


def read_sender(text: str, country: str) -> str:
    """Return a sender as messages carry it. Raises Invalid."""
    try:
        return normalise_sender(text.strip(), country)
    except InvalidNumber as error:
        raise Invalid.of(
            "sender_id", f"is neither a number, nor a short code, nor up to 11 letters and digits ({error})"
        ) from None


def check_disjoint(pool: NumberPool, others: Iterable[TrunkRecord], caller: Caller) -> None:
    """Raise Overlap, naming the ranges that meet, when `pool` shares a number with another trunk.

    Whose they are, and which of them are not asked for here, is told only to a caller who may see that tenant.
    """
    errors = [error for trunk in others for error in _collisions(pool, trunk, caller)]
    if errors:
        more = f"; and {len(errors) - _MAX_NAMED} more" if len(errors) > _MAX_NAMED else ""
        raise Overlap("; ".join(error.message for error in errors[:_MAX_NAMED]) + more + ".", errors[:_MAX_ERRORS])


def _collisions(pool: NumberPool, trunk: TrunkRecord, caller: Caller) -> Iterator[FieldError]:
    for mine, theirs in _meetings(pool, NumberPool.parse(trunk.dids, "US")):
        if caller.sees(trunk.tenant_id):
            message = f"{mine} overlaps {theirs} of the trunk {trunk.name} ({trunk.id})"
        else:
            common = NumberRange(max(mine.first, theirs.first), min(mine.last, theirs.last))
            message = f"{common} already belongs to another tenant"
        yield FieldError(field="dids", message=message)


def _meetings(first: NumberPool, second: NumberPool) -> Iterator[tuple[NumberRange, NumberRange]]:
    """Every pair of ranges that share a number; both pools are in ascending order and disjoint within themselves."""
    i = j = 0
    while i < len(first.spans) and j < len(second.spans):
        mine, theirs = first.spans[i], second.spans[j]
        if mine.first <= theirs.last and theirs.first <= mine.last:
            yield mine, theirs
        if mine.last < theirs.last:
            i += 1
        else:
            j += 1
