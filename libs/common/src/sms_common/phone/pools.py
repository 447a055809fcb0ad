"""Pools of numbers: the DIDs that came with a trunk, as ranges that are cheap to search and to compare."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, Self

from sms_common.phone.numbers import E164_DIGITS, FILLING, InvalidNumber, is_short_code, mask, normalise

# One North American area code. A larger range is a mistyped digit, and would claim other people's numbers.
_LARGEST_RANGE: Final = 10_000_000
_SPACED_DASH: Final = re.compile(r"\s+[-\u2013\u2014]\s+|\s*[\u2013\u2014]\s*")
_NO_SHORT_CODE_RANGE: Final = "short codes are listed one by one."


class NumberRange(NamedTuple):
    """Consecutive numbers, both ends included, as integers; below 7 digits they are short codes."""

    first: int
    last: int

    def __str__(self) -> str:
        """`+12025550100-+12025550199`, or one number."""
        if self.first == self.last:
            return _written(self.first)
        return f"{_written(self.first)}-{_written(self.last)}"


@dataclass(frozen=True)
class NumberPool:
    """A set of numbers: ranges in ascending order that share no number."""

    spans: tuple[NumberRange, ...] = ()

    @classmethod
    def parse(cls, text: str, country: str) -> Self:
        """Read `+12025550100-+12025550199;+14045550121`: entries apart by `;`, `,` or a line break.

        Each number is forgiven what `normalise` forgives, with `country` for national ones. Entries may overlap; the
        pool holds each number once. Raises ValueError with a sentence that names the entry by its place.
        """
        entries = [entry for entry in re.split(r"[;,\r\n]", text) if entry.strip()]
        ranges: list[NumberRange] = []
        for place, entry in enumerate(entries, 1):
            try:
                ranges.append(_read_entry(entry.strip(), country))
            except ValueError as error:
                raise ValueError(f"Entry {place} of the numbers: {error}") from None
        return cls(tuple(_merged(ranges)))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(span.first for span in self.spans)

    def __contains__(self, number: str) -> bool:
        """Whether an E.164 number or a short code is in the pool; anything else is in no pool."""
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
        """The text that `parse` reads back into an equal pool, whatever the country."""
        return ";".join(str(span) for span in self.spans)

    def overlap(self, other: "NumberPool") -> str | None:
        """The first numbers that both pools hold, as text, or None."""
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


def _read_entry(entry: str, country: str) -> NumberRange:
    """Read one number or one range. A dash is the range's when both its sides are numbers, else part of a number."""
    if entry.startswith("-") or entry.endswith("-"):
        raise ValueError("a range needs a number on both sides of its dash.")
    ends = _SPACED_DASH.split(entry)
    if len(ends) == 2:  # noqa: PLR2004 - the two ends of a range
        return _range(ends[0], ends[1], country)
    groups = entry.split("-")
    half, odd = divmod(len(groups), 2)
    if odd:
        return _single(entry, country)
    left, right = "-".join(groups[:half]), "-".join(groups[half:])
    whole = _is_number(entry, country)
    if whole and is_short_code(left) and is_short_code(right) and len(left) == len(right):
        raise ValueError(f"a number with a dash in its middle is written without the dash, and {_NO_SHORT_CODE_RANGE}")
    if whole and not (_is_full_number(left, country) and _is_full_number(right, country)):
        return _single(entry, country)
    return _range(left, right, country)


def _is_full_number(text: str, country: str) -> bool:
    return _is_number(text, country) and not is_short_code(normalise(text, country))


def _is_number(text: str, country: str) -> bool:
    try:
        normalise(text, country)
    except InvalidNumber:
        return False
    return True


def _single(text: str, country: str) -> NumberRange:
    number = normalise(text, country)
    key = _key(number)
    if key is None:
        raise ValueError("a short code in a pool cannot begin with 0.")
    return NumberRange(key, key)


def _range(first: str, last: str, country: str) -> NumberRange:
    low, high = normalise(first, country), FILLING.sub("", last)
    with suppress(InvalidNumber):
        high = normalise(last, country)
    if len(low) != len(high):
        raise ValueError(f"both ends of a range need the same number of digits; {mask(low)} and {mask(high)} differ.")
    if is_short_code(low):
        raise ValueError(_NO_SHORT_CODE_RANGE)
    start, end = _single(low, country).first, _single(high, country).last
    if end < start:
        raise ValueError(f"the range {mask(low)} to {mask(high)} runs backwards; write the lower number first.")
    if end - start >= _LARGEST_RANGE:
        raise ValueError(
            f"the range {mask(low)} to {mask(high)} holds over {_LARGEST_RANGE} numbers; is a digit wrong?"
        )
    return NumberRange(start, end)


def _merged(ranges: list[NumberRange]) -> Iterator[NumberRange]:
    """The ranges in ascending order, those that share a number made one; neighbours stay apart, as written."""
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
