"""Masks over numbers as PortSIP writes them: a list by `;` of numbers, ranges `a-b` of equal length, and patterns in
which `*`
stands for exactly one digit. Plus, 00 and filling are forgiven on both sides of a comparison.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Self

_FILLING = re.compile(r"[\s().\-/]")
_PATTERN = re.compile(r"^[0-9*]{1,20}$")
_DIGITS = re.compile(r"^[0-9]{1,20}$")
_NAME = re.compile(r"^[A-Za-z0-9 +_&-]{1,11}$")
_APART = re.compile(r"\s+-\s+")


class InvalidMask(ValueError):  # as InvalidNumber
    """A mask that cannot be understood; its text says why, for the person who wrote it."""


class Specificity(IntEnum):
    """How closely a mask names what it matched; the higher wins."""

    ANYONE = 0
    PATTERN = 1
    RANGE = 2
    EXACT = 3


@dataclass(frozen=True, slots=True)
class Match:
    """What part of a mask matched: `size` numbers are in it, and the number is the `offset`-th of them (from 0)."""

    specificity: Specificity
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Exact:
    value: str

    def match(self, number: str) -> Match | None:
        return Match(Specificity.EXACT, 1, 0) if number == self.value else None


@dataclass(frozen=True, slots=True)
class _Range:
    first: int
    last: int
    length: int

    def match(self, number: str) -> Match | None:
        if len(number) != self.length or not _DIGITS.match(number):
            return None
        value = int(number)
        if not self.first <= value <= self.last:
            return None
        return Match(Specificity.RANGE, self.last - self.first + 1, value - self.first)


@dataclass(frozen=True, slots=True)
class _Pattern:
    form: re.Pattern[str]
    stars: int

    def match(self, number: str) -> Match | None:
        return Match(Specificity.PATTERN, 10**self.stars, 0) if self.form.match(number) else None


@dataclass(frozen=True, slots=True)
class NumberMask:
    """A parsed mask. An empty one matches anyone."""

    parts: tuple[_Exact | _Range | _Pattern, ...]
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a mask. Raises InvalidMask."""
        entries = [entry.strip() for entry in text.split(";")]
        return cls(tuple(_part(entry) for entry in entries if entry), ";".join(entry for entry in entries if entry))

    def match(self, number: str) -> Match | None:
        """The closest part that `number` (in any form a person writes) matches, or None."""
        if not self.parts:
            return Match(Specificity.ANYONE, 0, 0)
        plain = bare(number)
        best: Match | None = None
        for part in self.parts:
            found = part.match(plain)
            if found and (best is None or (found.specificity, -found.size) > (best.specificity, -best.size)):
                best = found
        return best

    def bounds(self) -> tuple[str, str] | None:
        """Both ends, in digits, of the mask's one range, or None if it is no single range."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], _Range):
            return str(part.first).zfill(part.length), str(part.last).zfill(part.length)
        return None

    def single_range(self) -> tuple[int, int] | None:
        """How many numbers the mask's one range holds and its first number, or None if it is no single range."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], _Range):
            return part.last - part.first + 1, part.first
        return None


@lru_cache(maxsize=4096)
def bare(number: str) -> str:
    """A number without plus, leading 00 and filling; a name as it is, in lower case."""
    plain = _FILLING.sub("", number.strip())
    digits = plain.removeprefix("+")
    if _DIGITS.match(digits):
        return digits.removeprefix("00") if plain == digits and digits.startswith("00") and len(digits) > 4 else digits  # noqa: PLR2004  # 00 alone is an extension
    return number.strip().lower()


def _part(entry: str) -> _Exact | _Range | _Pattern:
    if "*" in entry:
        return _pattern(entry)
    part = _range(entry)
    if part is not None:
        return part
    value = bare(entry)
    if not _DIGITS.match(value) and not _NAME.match(entry):
        raise InvalidMask(f"{entry!r} is neither a number, a range nor a pattern with * for single digits.")
    return _Exact(value)


def _pattern(entry: str) -> _Pattern:
    plain = _FILLING.sub("", entry).removeprefix("+")
    if not _PATTERN.match(plain):
        raise InvalidMask(f"{entry!r} holds more than digits and * (which stands for one digit).")
    return _Pattern(re.compile("^" + plain.replace("*", "[0-9]") + "$"), plain.count("*"))


def _range(entry: str) -> _Range | None:
    """None for anything but two numbers around one hyphen. Several hyphens are filling unless one stands apart, and
    so is one
    between parts of unequal length in a number that is written with blanks or brackets.
    """
    ends = _APART.split(entry)
    if len(ends) == 1:
        ends = entry.split("-")
    numbers = [bare(end) for end in ends]
    if len(numbers) != 2 or not all(_DIGITS.match(number) for number in numbers):  # noqa: PLR2004  # two ends
        return None
    first, last = numbers
    if len(first) != len(last):
        if not _APART.search(entry) and _FILLING.search(entry.replace("-", "")):
            return None
        raise InvalidMask(f"Both ends of the range {entry} must have the same number of digits.")
    if int(first) > int(last):
        raise InvalidMask(f"The range {entry} ends before it begins.")
    return _Range(int(first), int(last), len(first))
