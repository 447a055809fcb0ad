"""Prefixes and lengths of numbers in outbound rules, in international form. Those that no number has are refused."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, country_code_for_region

from sms_common.input.pasted import entries, plain_text
from sms_common.phone import E164_DIGITS, is_country
from sms_common.rules.mistakes import InvalidMask, quoted, without_separators
from sms_common.rules.patterns import Likelihood, exists

EVERY_NUMBER: Final = "+"
SHORT_CODE_DIGITS: Final = range(3, 7)
# Most mobile numbers have 11 to 13 digits, so the first try is nearly always enough.
_COMMON_FIRST: Final = (11, 12, 10, 13, 9, 14, 8, 15, 7)
_LONGEST: Final = 64
_FORM: Final = re.compile(r"\+?[0-9]*")
_OF_A_SHEET: Final = re.compile(r"(\+?[0-9]+)\.0+\Z")
# +44 (0)20: a trunk zero, which is not dialled from abroad.
_TRUNK_ZERO: Final = re.compile(r"((?:\+|\b00)\s*[1-9][0-9]{0,2}\s*)\(0\)")
_BETWEEN_GROUPS: Final = re.compile(r"[\s/\-\u2010-\u2015\u2212]+")
# Mexico's mobile numbers lost their 1 in 2019, and normalised numbers have none.
_OLD_MEXICAN_MOBILE: Final = re.compile(r"\A521")
# So few digits can be a country code but no area code, and they have always been read so.
_COUNTRY_CODE_ALONE: Final = 2


def international_prefixes(text: str, country: str) -> str:
    """Prefixes in the form in which they are stored: `+` and the first digits of numbers in E.164, separated by `;`.

    A national prefix is read with `country` (ISO 3166-1 alpha-2). A lone plus, or the international prefix that people
    dial, means every number. Raises InvalidMask with the place of the first prefix with which no number begins.
    """
    written = entries(text)
    kept = []
    for place, entry in enumerate(written, 1):
        try:
            kept.append(_prefix(entry, country))
        except InvalidMask as invalid:
            raise InvalidMask(f"Entry {place}: {invalid}" if len(written) > 1 else str(invalid)) from None
    return ";".join(kept)


def prefix_digits(prefix: str) -> str:
    """The digits to compare with the beginning of a number; empty: every number."""
    plain = without_separators(prefix).removeprefix("+")
    return plain.removeprefix("00")


def impossible_lengths(lengths: Iterable[int], prefixes: str) -> list[int]:
    """The lengths, country code included, that no number has; with prefixes: that no number with one of them has."""
    begins = [prefix_digits(prefix) for prefix in entries(prefixes)] or [""]
    return [length for length in lengths if not any(_has_length(begin, length) for begin in begins)]


def unmatchable_prefixes(prefixes: str) -> list[str]:
    """The stored prefixes with which no number begins."""
    return [prefix for prefix in entries(prefixes) if not _begins_a_number(prefix_digits(prefix))]


def _prefix(text: str, country: str) -> str:
    text = _OF_A_SHEET.sub(r"\1", plain_text(text))
    plain = without_separators(_TRUNK_ZERO.sub(r"\1 ", text[:_LONGEST]))
    if len(text) > _LONGEST or not _FORM.fullmatch(plain) or not plain:
        raise InvalidMask(
            f"{quoted(text)}: a prefix must be digits, with a plus before them or not; it stands for all numbers that "
            f"begin with it, so leave out * and X, and write ; between several."
        )
    _check_is_one(text, country)
    if plain.startswith("+"):
        return _checked(text, plain[1:])
    from_abroad = _dialled_abroad(plain, country)
    if from_abroad is not None:
        return _checked(text, plain[from_abroad:])
    return EVERY_NUMBER + _national_or_not(text, plain, country)


def _check_is_one(text: str, country: str) -> None:
    """Check that an entry is one prefix. Blanks, dashes and slashes are allowed after a country code or a trunk prefix;
    elsewhere they may separate several prefixes, which raises InvalidMask.
    """
    first, *others = (without_separators(group) for group in _BETWEEN_GROUPS.split(text) if without_separators(group))
    if others and not _is_first_group(first, others, country):
        raise InvalidMask(
            f"{quoted(text)} may be one prefix or several; write ; between several, and one without gaps."
        )


def _is_first_group(first: str, others: list[str], country: str) -> bool:
    """Whether people put a gap after these digits: after a calling code, or after an area code with its zero."""
    abroad = 1 if first.startswith("+") else _dialled_abroad(first, country)
    if abroad is not None:
        code = first[abroad:]
        return not code or (code.isdigit() and int(code) in COUNTRY_CODE_TO_REGION_CODE)
    plan = _plan(country)
    if plan is None:
        return False
    trunk = plan.national_prefix or ""
    if first in {str(country_code_for_region(country.upper())), trunk}:
        return True
    return bool(trunk) and first.startswith(trunk) and not any(other.startswith(trunk) for other in others)


def _checked(text: str, digits: str) -> str:
    digits = _OLD_MEXICAN_MOBILE.sub("52", digits)
    if not _begins_a_number(digits) or _OLD_MEXICAN_MOBILE.match(digits):
        raise InvalidMask(
            f"No number begins with {quoted(text)}; write + and the country code first, as in +44 or +1202."
        )
    return EVERY_NUMBER + digits


def _national_or_not(text: str, plain: str, country: str) -> str:
    """Which digits a prefix without a plus stands for. One or two digits are a country code, as they always were."""
    national, own_code = _national(plain, country)
    readings = {reading: None for reading in (national, plain) if reading and _begins_a_number(reading)}
    if own_code or len(readings) < 2:  # noqa: PLR2004  # only one of the two
        return _checked(text, plain if own_code else next(iter(readings), plain)).removeprefix(EVERY_NUMBER)
    choice = " or ".join(EVERY_NUMBER + reading for reading in readings)
    raise InvalidMask(f"{quoted(text)} may be {choice}; write the one that is meant with its +.")


def _national(plain: str, country: str) -> tuple[str | None, bool]:
    """The international form of a national prefix, or None if it cannot be one; and whether it certainly is none, since
    it is a country code.
    """
    plan = _plan(country)
    if plan is None:
        return None, True
    code, trunk = str(country_code_for_region(country.upper())), plan.national_prefix or ""
    if trunk and plain.startswith(trunk) and trunk != code:
        return code + plain[len(trunk) :], False
    if trunk and (plain.startswith(code) or len(plain) <= _COUNTRY_CODE_ALONE):
        return None, _begins_a_number(plain)
    lengths = tuple(len(code) + length for length in plan.general_desc.possible_length) if plan.general_desc else ()
    return (code + plain if _is_assigned(code + plain, lengths) else None), False


def _dialled_abroad(plain: str, country: str) -> int | None:
    """How many digits of it are an international prefix, such as 00 or North America's 011. None: it is no foreign
    number.
    """
    plan = _plan(country)
    found = re.match(plan.international_prefix, plain) if plan is not None and plan.international_prefix else None
    if found is not None:
        return found.end()
    return 2 if plain.startswith("00") else None


def _plan(country: str) -> PhoneMetadata | None:
    return PhoneMetadata.metadata_for_region(country.upper()) if is_country(country.upper()) else None


@lru_cache(maxsize=4096)
def _begins_a_number(digits: str) -> bool:
    return not digits or any(_has_phone_length(digits, length, Likelihood.LIKELY) for length in _COMMON_FIRST)


@lru_cache(maxsize=4096)
def _is_assigned(digits: str, lengths: tuple[int, ...]) -> bool:
    """Whether an assigned number of one of these lengths begins with these digits."""
    return any(_has_phone_length(digits, length, Likelihood.ASSIGNED) for length in lengths)


def _has_length(digits: str, length: int) -> bool:
    if length in SHORT_CODE_DIGITS:
        return len(digits) <= length
    return _has_phone_length(digits, length, Likelihood.POSSIBLE)


def _has_phone_length(digits: str, length: int, least: Likelihood) -> bool:
    if length not in E164_DIGITS or len(digits) > length:
        return False
    return not digits or exists(digits + "*" * (length - len(digits)), least)
