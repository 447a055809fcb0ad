"""Pools of numbers: the DIDs of a trunk, as ranges that are quick to search and to compare."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, NamedTuple, Self

from sms_common.input.pasted import entries
from sms_common.phone.notation import SEPARATORS, InvalidNumber, mask
from sms_common.phone.numbers import is_short_code, normalise
from sms_common.phone.plans import E164_DIGITS, is_assigned

# One North American area code. A larger range has a mistyped digit, and would claim other people's numbers.
_LARGEST_RANGE: Final = 10_000_000
# Signs between the two ends of a range that no number holds.
_APART: Final = re.compile(
    r"\s+[-\u2010-\u2015\u2212]\s+|\s*[\u2012-\u2015]\s*|\s+(?:to|thru|through|until|bis|al?|\u00e0|hasta)\s+"
    r"|\s*(?:\.{2,}|\u2026|[~\u2053\u301c\uff5e]|-+>|\u2192)\s*",
    re.IGNORECASE,
)
# Hyphens and minus signs of other keyboards. They may also be part of a number.
_HYPHENS: Final = re.compile("[\u2010\u2011\u2043\u2212\u30fc\ufe58\ufe63\uff0d]")
_LETTER: Final = re.compile(r"[^\W\d_]")
# How many last digits may stand for the end of a range; more are a number.
_TAIL: Final = re.compile(r"[0-9]{1,6}")
# With so many dashes the last one may be part of the number: +49-30-1234-5678.
_GROUPS_APART_BY_DASHES: Final = re.compile(r"-[0-9]+-[0-9]{3,}\Z")
_Reader = Callable[[str], str]
_NO_SHORT_CODE_RANGE: Final = "short codes are listed one by one."


class NumberRange(NamedTuple):
    """Consecutive numbers, both ends included, as integers. Below 7 digits they are short codes."""

    first: int
    last: int

    def __str__(self) -> str:
        """`+12025550100-+12025550199`, or one number."""
        if self.first == self.last:
            return _written(self.first)
        return f"{_written(self.first)}-{_written(self.last)}"


@dataclass(frozen=True)
class NumberPool:
    """A set of numbers: ranges in ascending order that do not overlap."""

    spans: tuple[NumberRange, ...] = ()

    @classmethod
    def parse(cls, text: str, country: str, *, foreign_without_plus: bool = False) -> Self:
        """Read `+12025550100-+12025550199;+14045550121`. Line ends, tabs, semicolons and commas separate entries.

        Numbers may have any form that `normalise` accepts, with `country` for national ones. The end of a range may be
        only its last digits (`2025550150-59`). Entries may overlap; the pool holds each number once. Raises ValueError
        with a sentence that names the entry by its place.
        """
        ranges: list[NumberRange] = []
        for place, entry in enumerate(entries(text), 1):
            try:
                ranges.append(read_range(entry, country, foreign_without_plus=foreign_without_plus))
            except ValueError as error:
                raise ValueError(f"Entry {place} of the numbers: {error}") from None
        return cls(tuple(_merged(ranges)))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(span.first for span in self.spans)

    def __contains__(self, number: str) -> bool:
        """Whether an E.164 number or a short code is in the pool; False for anything else."""
        key = _key(number)
        if key is None:
            return False
        place = bisect_right(self._starts, key) - 1
        return place >= 0 and key <= self.spans[place].last

    def __iter__(self) -> Iterator[NumberRange]:
        """The ranges in ascending order."""
        return iter(self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __str__(self) -> str:
        """The text from which `parse` makes an equal pool, for any country."""
        return ";".join(str(span) for span in self.spans)

    def overlap(self, other: "NumberPool") -> str | None:
        """The first numbers that are in both pools, as text, or None."""
        mine, theirs = 0, 0
        while mine < len(self.spans) and theirs < len(other.spans):
            a, b = self.spans[mine], other.spans[theirs]
            common = NumberRange(max(a.first, b.first), min(a.last, b.last))
            if common.first <= common.last:
                return str(common)
            if a.last < b.last:
                mine += 1
            else:
                theirs += 1
        return None


def _written(number: int) -> str:
    text = str(number)
    return text if is_short_code(text) else "+" + text


def _key(number: str) -> int | None:
    plain = number.removeprefix("+")
    if not plain.isascii() or not plain.isdigit() or plain[0] == "0" or len(plain) >= E164_DIGITS.stop:
        return None
    if is_short_code(plain) and plain != number:
        return None
    return int(plain)


def read_range(entry: str, country: str, *, foreign_without_plus: bool = False) -> NumberRange:
    """Read one number or one range, as `NumberPool.parse` does for each entry. Raises ValueError with a sentence."""
    return _read_entry(entry, partial(normalise, country=country, foreign_without_plus=foreign_without_plus))


def _read_entry(entry: str, read: _Reader) -> NumberRange:
    """Read one number or one range. A dash is that of a range when both sides are numbers, or when the right side is
    the last digits of a higher number. Otherwise it is part of a number.
    """
    if entry.startswith("-") or entry.endswith("-"):
        raise ValueError("a range needs a number on both sides of its dash.")
    ends = _APART.split(entry)
    if len(ends) == 2:  # noqa: PLR2004 - the two ends of a range
        return _range(ends[0], ends[1], read)
    entry = _HYPHENS.sub("-", entry)
    sides = [] if _LETTER.search(entry) else _sides(entry)
    for left, right in sides:
        if _are_ends(left, right, read):
            return _range(left, right, read)
    return _one_dash_or_more(entry, sides, read) if sides else _single(entry, read)


def _sides(entry: str) -> list[tuple[str, str]]:
    """Both sides of each hyphen, the middle one first."""
    groups = entry.split("-")
    sides = [("-".join(groups[:place]), "-".join(groups[place:])) for place in range(1, len(groups))]
    return sorted(sides, key=lambda side: abs(len(side[0]) - len(side[1])))


def _are_ends(left: str, right: str, read: _Reader) -> bool:
    """Whether both sides are phone numbers of one length."""
    first = _full_number(left, read)
    last = first and _full_number(right, read)
    return first is not None and last is not None and len(first) == len(last)


def _one_dash_or_more(entry: str, sides: list[tuple[str, str]], read: _Reader) -> NumberRange:
    """An entry with a dash that is not between two whole numbers."""
    left, right = sides[0]
    if is_short_code(left) and is_short_code(right) and len(left) == len(right):
        raise ValueError(f"a number with a dash in its middle is written without the dash, and {_NO_SHORT_CODE_RANGE}")
    before, _, after = entry.rpartition("-")
    first = _full_number(before, read)
    last = first and _abbreviated(first, after)
    whole = _full_number(entry, read)
    if whole is None:
        if first and last:
            return _range(first, last, read)
        return _range(left, right, read) if len(sides) % 2 else _single(entry, read)
    if last and not (_GROUPS_APART_BY_DASHES.search(entry) and is_assigned(whole)):
        raise ValueError(f"{mask(entry)} may be a range or one number; write both ends in full, or no dash.")
    return _single(entry, read)


def _full_number(text: str, read: _Reader) -> str | None:
    """`text` as an E.164 number, or None."""
    try:
        number = read(text)
    except InvalidNumber:
        return None
    return None if is_short_code(number) else number


def _abbreviated(first: str, last: str) -> str | None:
    """The end of the range from `first` whose last digits are `last`, or None if that is not a higher number."""
    tail = SEPARATORS.sub("", last)
    if not _TAIL.fullmatch(tail):
        return None
    whole = first[: -len(tail)] + tail
    return whole if whole > first else None


def _single(text: str, read: _Reader) -> NumberRange:
    key = _key(read(text))
    if key is None:
        raise ValueError("a short code in a pool cannot begin with 0.")
    return NumberRange(key, key)


def _range(first: str, last: str, read: _Reader) -> NumberRange:
    low = read(first)
    high = _end(low, last, read)
    if len(low) != len(high):
        raise ValueError(f"both ends of a range need the same number of digits; {mask(low)} and {mask(high)} differ.")
    if is_short_code(low):
        raise ValueError(_NO_SHORT_CODE_RANGE)
    start, end = _single(low, read).first, _single(high, read).last
    if end < start:
        raise ValueError(f"the range {mask(low)} to {mask(high)} runs backwards; write the lower number first.")
    if end - start >= _LARGEST_RANGE:
        raise ValueError(
            f"the range {mask(low)} to {mask(high)} holds over {_LARGEST_RANGE} numbers; is a digit wrong?"
        )
    return NumberRange(start, end)


def _end(low: str, last: str, read: _Reader) -> str:
    """The upper end of a range. Raises InvalidNumber."""
    whole = None if is_short_code(low) else _abbreviated(low, last)
    if whole is not None:
        return whole
    tail = SEPARATORS.sub("", last)
    return tail if _TAIL.fullmatch(tail) else read(last)


def _merged(ranges: list[NumberRange]) -> Iterator[NumberRange]:
    """The ranges in ascending order. Those that overlap are merged; adjacent ones stay separate, as written."""
    current: NumberRange | None = None
    for span in sorted(ranges):
        if current is None or span.first > current.last:
            if current is not None:
                yield current
            current = span
        else:
            current = NumberRange(current.first, max(current.last, span.last))
    if current is not None:
        yield current
