"""Masks in the form in which they are kept: what a person writes in a tenant's country, in international form; and
which numbers a mask stands for.
"""

import re
from collections.abc import Iterator
from itertools import product

from sms_common.phone import InvalidNumber, normalise
from sms_common.phone.pools import NumberRange
from sms_common.rules.masks import InvalidMask, NumberMask

_FILLING = re.compile(r"[\s().\-/]")
# A pattern with more separate runs of numbers than this is a mistake rather than a DID mask.
_MOST_RUNS = 1000


def international(text: str, country: str) -> str:
    """The same mask with every number and both ends of every range in E.164, read with `country`.

    What is no phone number (an extension, a short code, a name, a pattern) stays as it was written. Raises InvalidMask.
    """
    return ";".join(_entry(part, country) for part in NumberMask.parse(text).text.split(";") if part)


def _entry(entry: str, country: str) -> str:
    if "*" in entry:
        return entry
    bounds = NumberMask.parse(entry).bounds()
    if bounds is None:
        return _number(entry, country) or entry
    ends = [_number(end, country) for end in bounds]
    if None in ends or len(ends[0] or "") != len(ends[1] or ""):
        return entry
    return f"{ends[0]}-{ends[1]}"


def _number(text: str, country: str) -> str | None:
    try:
        return normalise(text, country)
    except InvalidNumber:
        return None


def ranges(text: str) -> Iterator[NumberRange]:
    """The numbers that a mask stands for, as ranges. Raises InvalidMask for a name, and for a pattern too wide to
    tell.
    """
    for entry in NumberMask.parse(text).text.split(";"):
        if "*" in entry:
            yield from _runs(entry)
        elif entry:
            first, last = NumberMask.parse(entry).bounds() or (_digits(entry), _digits(entry))
            yield NumberRange(int(first), int(last))


def _digits(entry: str) -> str:
    plain = _FILLING.sub("", entry).removeprefix("+")
    if not plain.isascii() or not plain.isdigit():
        raise InvalidMask(f"{entry!r} is no number.")
    return plain.removeprefix("00")


def _runs(entry: str) -> Iterator[NumberRange]:
    """A pattern as ranges: stars at its end are one run of numbers, each star before them ten."""
    plain = _FILLING.sub("", entry).removeprefix("+")
    head = plain.rstrip("*")
    tail = len(plain) - len(head)
    stars = head.count("*")
    if not head or 10**stars > _MOST_RUNS:
        raise InvalidMask(f"The pattern {entry} stands for too many numbers; write ranges.")
    for digits in product("0123456789", repeat=stars):
        filled = iter(digits)
        start = "".join(next(filled) if sign == "*" else sign for sign in head)
        yield NumberRange(int(start + "0" * tail), int(start + "9" * tail))
