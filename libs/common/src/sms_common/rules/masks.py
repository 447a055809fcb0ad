"""Masks over numbers as in PortSIP: a list, separated by `;`, of numbers, ranges `a-b` of equal length, and patterns in
which `*` stands for exactly one digit. Plus, 00 and separators do not matter in a comparison.

A former version may have stored what is read here, so every entry that can be compared is accepted. For new entries,
`writing` refuses those that can match nothing.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, Self

from sms_common.input.pasted import entries, plain_text, trimmed
from sms_common.rules.mistakes import HOW_TO_WRITE, InvalidMask, quoted, without_separators

_PATTERN = re.compile(r"^[0-9*]{1,20}$")
_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_FORMER_NAME = re.compile(r"^[A-Za-z0-9 +_&-]{1,11}$")
# Hyphens as keyboards and word processors write them. Between two blanks, or as a longer dash, they mean a range.
_APART: Final = re.compile(r"\s+[-\u2010-\u2015\u2212]\s+|\s*[\u2012-\u2015]\s*")
_HYPHEN: Final = re.compile(r"[-\u2010-\u2015\u2212]")
# An e-mail address has up to 254 characters (RFC 5321, 4.5.3.1.3), and no sender name is longer.
LONGEST_NAME: Final = 254
SHORT_CODE: Final = re.compile(r"(?:short[ -]?)?codes?[ :#]+(?=[0-9])", re.IGNORECASE)


class Specificity(IntEnum):
    """How specific the matching part of a mask is. The higher wins."""

    ANYONE = 0
    PATTERN = 1
    RANGE = 2
    EXACT = 3


@dataclass(frozen=True, slots=True)
class Match:
    """The part of a mask that matched. It holds `size` numbers; the number is the `offset`-th of them (from 0)."""

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
    """A parsed mask. An empty mask matches every number."""

    parts: tuple[_Exact | _Range | _Pattern, ...]
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a mask. Raises InvalidMask."""
        written = entries(text)
        return cls(tuple(_part(entry) for entry in written), ";".join(written))

    def match(self, number: str) -> Match | None:
        """The most specific part that `number`, in any form, matches, or None."""
        return self.match_bare(bare(number))

    def match_bare(self, plain: str) -> Match | None:
        """Like `match`, for a number that `bare` has returned."""
        if not self.parts:
            return Match(Specificity.ANYONE, 0, 0)
        best: Match | None = None
        for part in self.parts:
            found = part.match(plain)
            if found and (best is None or (found.specificity, -found.size) > (best.specificity, -best.size)):
                best = found
        return best

    def bounds(self) -> tuple[str, str] | None:
        """Both ends of the range, in digits, or None if the mask is not a single range."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], _Range):
            return str(part.first).zfill(part.length), str(part.last).zfill(part.length)
        return None

    def single_range(self) -> tuple[int, int] | None:
        """How many numbers the range has and its first number, or None if the mask is not a single range."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], _Range):
            return part.last - part.first + 1, part.first
        return None


@lru_cache(maxsize=4096)
def bare(number: str) -> str:
    """A number without plus, leading 00 and separators; a name in lower case."""
    if number.startswith("+") and _DIGITS.match(number[1:]):
        return number[1:]  # the usual form
    plain = without_separators(number)
    digits = plain.removeprefix("+")
    if _DIGITS.match(digits):
        return digits.removeprefix("00") if plain == digits and digits.startswith("00") and len(digits) > 4 else digits  # noqa: PLR2004  # 00 alone is an extension
    return trimmed(plain_text(number)).casefold()


def between(text: str) -> tuple[str, str] | None:
    """The two texts around the dash of a range: the only dash, or the only one set apart. None: there is none."""
    ends = _APART.split(text)
    if len(ends) == 1:
        ends = _HYPHEN.split(text)
    return (ends[0], ends[1]) if len(ends) == 2 else None  # noqa: PLR2004  # two ends


def may_be_sender_name(entry: str) -> bool:
    """Whether an entry can be a sender's name or e-mail address, judging by its length and letters."""
    return len(entry) <= LONGEST_NAME and any(sign.isalpha() for sign in entry)


def has_range_dash(text: str) -> bool:
    """Whether a text holds the dash of a range and not of a number: between blanks, or a long one."""
    return _APART.search(text) is not None


def is_comparable(entry: str) -> bool:
    """Whether an entry is allowed in a mask."""
    try:
        _part(entry)
    except InvalidMask:
        return False
    return True


def _part(entry: str) -> _Exact | _Range | _Pattern:
    entry = SHORT_CODE.sub("", entry, count=1) if SHORT_CODE.match(entry) else entry
    if "*" in plain_text(entry):
        return _pattern(entry)
    part = _range(entry)
    if part is not None:
        return part
    value = bare(entry)
    if not _DIGITS.match(value) and not _FORMER_NAME.match(entry) and not may_be_sender_name(entry):
        raise InvalidMask(f"{quoted(entry)} is neither a number, a range nor a pattern; {HOW_TO_WRITE}.")
    return _Exact(value)


def _pattern(entry: str) -> _Pattern:
    plain = without_separators(entry).removeprefix("+")
    if not _PATTERN.match(plain):
        raise InvalidMask(f"{quoted(entry)} holds more than digits and * (which stands for one digit); {HOW_TO_WRITE}.")
    return _Pattern(re.compile("^" + plain.replace("*", "[0-9]") + "$"), plain.count("*"))


def _range(entry: str) -> _Range | None:
    """A range: two numbers around one hyphen; None for anything else. Several hyphens are separators inside a number,
    unless one is set apart. So is one hyphen between parts of unequal length, in a number with blanks or brackets.
    """
    numbers = [bare(end) for end in between(entry) or ()]
    if not numbers or not all(_DIGITS.match(number) for number in numbers):
        return None
    first, last = numbers
    if len(first) != len(last):
        if not has_range_dash(entry) and without_separators(entry) != _HYPHEN.sub("", plain_text(entry)):
            return None
        raise InvalidMask(f"Both ends of the range {quoted(entry)} must have the same number of digits.")
    if int(first) > int(last):
        raise InvalidMask(f"The range {quoted(entry)} ends before it begins.")
    return _Range(int(first), int(last), len(first))
