"""Patterns over phone numbers, where `*` stands for exactly one digit: their international form, and whether any number
fits them. Pure.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Final

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)

from sms_common.phone import E164_DIGITS, InvalidNumber, is_country, normalise
from sms_common.rules.mistakes import AS_STARS, HOW_TO_WRITE, InvalidMask, quoted, without_separators

_FORM: Final = re.compile(r"\+?[0-9*]+")
_LIKE_A_REGULAR_EXPRESSION: Final = re.compile(r"[^.]*\.\*\s*")
# Digits to replace stars with: the same digit everywhere, then mixtures. Nearly every plan has a number for one of
# them.
_ALIKE: Final = tuple(digit * 15 for digit in "2571098346")
_MIXED: Final = tuple(f"{(n * 618_033_988_749_895) % 10**15:015d}" for n in range(1, 60))
# How many readings have to agree. Each costs a third of a millisecond.
_AGREEING: Final = 3
_LONGEST_COUNTRY_CODE: Final = 3


@lru_cache(maxsize=2048)
def international_pattern(text: str, country: str) -> str:
    """A pattern in the form in which it is stored: `(202) 555-****` of a US tenant becomes `+1202555****`.

    It is read like the numbers that it stands for, with `country` (ISO 3166-1 alpha-2) for national ones. Raises
    InvalidMask for a text that is no pattern, that fits no number, or that can be read in two ways.
    """
    plain = without_separators(text)
    if not _FORM.fullmatch(plain) or _LIKE_A_REGULAR_EXPRESSION.fullmatch(text):
        raise InvalidMask(f"{quoted(text)} holds more than digits and *; {HOW_TO_WRITE}.")
    if len(plain.removeprefix("+")) < E164_DIGITS.start:
        raise InvalidMask(_too_short(text))
    readings = dict.fromkeys(_readings(plain, country))
    if not readings and plain.startswith("*"):
        readings = dict.fromkeys(_readings("+" + plain, country))  # nothing says that it is national
    if len(readings) > 1:
        raise InvalidMask(
            f"{quoted(text)} can be read as numbers of two countries; write + and the country code first."
        )
    pattern = next(iter(readings), None)
    if pattern is None or not exists(pattern.removeprefix("+")):
        raise InvalidMask(_no_number(text))
    return pattern


def _too_short(text: str) -> str:
    return f"{quoted(text)} can match no number: each * stands for one digit. For each one that is missing {AS_STARS}."


def _no_number(text: str) -> str:
    return f"{quoted(text)} can match no number: none has this many digits. Count them, and {AS_STARS}."


def _readings(plain: str, country: str) -> Iterator[str]:
    """Every international form of a pattern, with its stars replaced in different ways."""
    found = 0
    for fill in (*_ALIKE, *_MIXED[:_AGREEING]):
        filled = with_digits(plain, fill)
        if filled.startswith("00") and not plain.startswith("00"):
            continue  # the digits made it a foreign number
        try:
            number = normalise(filled, country)
        except InvalidNumber:
            continue
        reading = _aligned(number, filled, plain)
        if reading is not None:
            yield reading
            found += 1
        if found == (1 if plain.startswith("+") else _AGREEING):
            return


def _aligned(number: str, filled: str, plain: str) -> str | None:
    """The part of a pattern that is still in the number that was read from it, after the beginning of the number.

    None when a star stood for something that is not in the number.
    """
    kept = next((place for place in range(len(filled)) if number.endswith(filled[place:])), len(filled))
    if "*" in plain[:kept] or not number.startswith("+"):
        return None
    return number[: len(number) - (len(filled) - kept)] + plain[kept:]


def with_digits(pattern: str, digits: str) -> str:
    """A pattern with digits instead of its stars."""
    supply = iter(digits)
    return (
        "".join(next(supply) if sign == "*" else sign for sign in pattern) if pattern.count("*") <= len(digits) else ""
    )


class Likelihood(IntEnum):
    """How sure it is, by its numbering plan, that a number exists."""

    POSSIBLE = 1  # some numbers of the country have this length
    LIKELY = 2  # mobile numbers have this length, or it is assigned; new ranges are opened every month
    ASSIGNED = 3


@lru_cache(maxsize=4096)
def exists(pattern: str, least: Likelihood = Likelihood.LIKELY) -> bool:
    """Whether a phone number fits a pattern that begins with its country code, without plus.

    A possible length alone says little: in some countries nearly every length is possible.
    """
    if len(pattern) not in E164_DIGITS or not _may_exist(pattern):
        return False
    fills = _fills(least) if "*" in pattern else ("",)
    return any(_likelihood("+" + with_digits(pattern, fill)) >= least for fill in fills)


def _may_exist(pattern: str) -> bool:
    """Whether its country, if it is known, has numbers of that length. A few digits are enough to know."""
    if "*" in pattern[:_LONGEST_COUNTRY_CODE] or "*" not in pattern:
        return True
    return any(_likelihood("+" + with_digits(pattern, fill)) for fill in _fills(Likelihood.POSSIBLE))


def _fills(least: Likelihood) -> tuple[str, ...]:
    """The digits to try. Whether a length is possible, any few of them show."""
    return _ALIKE[:_AGREEING] if least is Likelihood.POSSIBLE else (*_ALIKE, *_MIXED)


def _likelihood(text: str) -> int:
    """How likely a number in E.164 exists; 0: it does not."""
    try:
        number = parse(text)
    except NumberParseException:
        return 0
    if format_number(number, PhoneNumberFormat.E164) != text:
        return 0
    if is_valid_number(number):
        return Likelihood.ASSIGNED
    if not is_possible_number(number):
        return 0
    return Likelihood.LIKELY if _is_as_long_as_mobile_ones(number) else Likelihood.POSSIBLE


def _is_as_long_as_mobile_ones(number: PhoneNumber) -> bool:
    region = COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ("",))[0]
    plan = PhoneMetadata.metadata_for_region(region) if is_country(region) else None
    lengths = plan.mobile.possible_length if plan is not None and plan.mobile is not None else ()
    return len(str(number.national_number)) in lengths
