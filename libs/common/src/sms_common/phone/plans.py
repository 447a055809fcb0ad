"""Numbering plans: which number plain digits mean in a country, by the metadata of the library `phonenumbers`.

Digits without a plus are a number of the country, or a number after an international prefix, or an error. One digit too
many must not turn them into somebody else's number abroad.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    country_code_for_region,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    national_significant_number,
    parse,
)

from sms_common.phone.notation import InvalidNumber, mask

# ITU-T E.164: at most 15 digits. Below 7 digits a number could not be told from a short code.
E164_DIGITS: Final = range(7, 16)
# The international prefix of most countries, which everybody knows.
_DOUBLE_ZERO: Final = "00"

# Former forms, which one rule turns into current ones: Mexico's 1 before mobile numbers (since August
# 2019), and Benin's eight digits, which got 01 before them (since November 2024).
_OLD_FORMS: Final = (
    (re.compile(r"\+521(\d{10})"), r"+52\1"),
    (re.compile(r"\+229([2-9]\d{7})"), r"+22901\1"),
)
# Trunk prefixes that ended with the same changes, before a number of ten digits.
_OLD_PREFIXES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({"MX": re.compile(r"(?:01|04[45])(\d{10})")})

_WHY_IMPOSSIBLE: Final = MappingProxyType(
    {
        ValidationResult.INVALID_COUNTRY_CODE: "begins with a country code that does not exist",
        ValidationResult.TOO_SHORT: "is too short for a phone number",
        ValidationResult.TOO_LONG: "is too long for a phone number",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
        ValidationResult.INVALID_LENGTH: "has a length that no number of its country has",
    }
)
_WRITE_PLUS: Final = "write + before a foreign number"


def is_country(country: str) -> bool:
    """Whether `country` is an upper case ISO 3166-1 alpha-2 code that has a numbering plan."""
    return country in SUPPORTED_REGIONS


def is_assigned(e164: str) -> bool:
    """Whether, by its plan, a number in E.164 is in use and not only possible."""
    return is_valid_number(parse(e164))


def international(text: str) -> str:
    """Plus and digits as an E.164 number in its current form. Raises InvalidNumber when no number has that length."""
    text = in_todays_form(text)
    try:
        parsed = parse(text)
    except NumberParseException as error:
        raise InvalidNumber(f"{mask(text)} {_WHY_IMPOSSIBLE[_of_exception(error)]}.") from None
    why = is_possible_number_with_reason(parsed)
    if why != ValidationResult.IS_POSSIBLE:
        raise InvalidNumber(f"{mask(text)} {_WHY_IMPOSSIBLE[why]}.")
    e164 = _formatted(parsed)
    # A doubtful trunk zero may be removed only when it is read again. But a result must not change when it is read
    # again.
    return e164 if e164 == text else international(e164)


def in_todays_form(e164: str) -> str:
    """A number in a former form of its country, in the current form; any other text unchanged."""
    for form, today in _OLD_FORMS:
        if form.fullmatch(e164):
            return form.sub(today, e164)
    return e164


def without_plus(text: str, country: str, *, foreign: bool) -> str:
    """Digits without a plus as an E.164 number: after an international prefix, or a number of `country`.

    With `foreign`, digits that are no number of the country may be a number of another one. Raises InvalidNumber.
    """
    abroad = list(dict.fromkeys(_behind_prefix(text, country)))
    if abroad:
        return _one_of(abroad, text)
    if text.startswith(_DOUBLE_ZERO):
        return international("+" + text.removeprefix(_DOUBLE_ZERO))  # raises what is wrong with it
    if not is_country(country):
        raise InvalidNumber("A number without a country code needs the tenant's country, which is not known.")
    try:
        return _at_home(text, country)
    except InvalidNumber:
        if not foreign:
            raise
        return _in_a_plan("+" + text)


def _behind_prefix(text: str, country: str) -> Iterator[str]:
    """The possible numbers after the country's international prefix, or after 00."""
    for rest in _after_prefix(text, country):
        if rest and rest[0] != "0":
            try:
                yield international("+" + rest)
            except InvalidNumber:
                continue


def _after_prefix(text: str, country: str) -> Iterator[str]:
    plan = _plan(country)
    if plan.preferred and text.startswith(plan.preferred):
        yield text.removeprefix(plan.preferred)
        return
    own = plan.international.match(text) if plan.international else None
    if own:
        yield text[own.end() :]
    if text.startswith(_DOUBLE_ZERO):
        yield text.removeprefix(_DOUBLE_ZERO)


class _Plan(NamedTuple):
    """What is needed from a country's plan. The defaults are those of an unknown country."""

    code: int = 0
    international: re.Pattern[str] | None = None
    preferred: str = ""  # its preferred international prefix, when there are several
    trunk: str = ""
    lengths: tuple[int, ...] = ()  # of national numbers, ascending


@lru_cache(maxsize=256)
def _plan(country: str) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None:
        return _Plan()
    return _Plan(
        country_code_for_region(country),
        re.compile(metadata.international_prefix) if metadata.international_prefix else None,
        re.sub(r"\D", "", metadata.preferred_international_prefix or ""),  # Russia's 8~10 has a tone in it
        metadata.national_prefix or "",
        tuple(sorted(metadata.general_desc.possible_length)) if metadata.general_desc else (),
    )


def _one_of(readings: list[str], text: str) -> str:
    """The only reading, or the only one that is assigned. Raises InvalidNumber when two are equally likely."""
    good = [e164 for e164 in readings if is_valid_number(parse(e164))] or readings
    if len(good) > 1:
        raise InvalidNumber(f"{mask(text)} can be read as two numbers; write + and the country code.")
    return good[0]


def _at_home(text: str, country: str) -> str:
    """A number of the country, with or without its calling code. Raises InvalidNumber."""
    old = _OLD_PREFIXES[country].fullmatch(text) if country in _OLD_PREFIXES else None
    text = old[1] if old else text
    complete = _complete(text, _plan(country).code)
    if complete is not None and is_valid_number(parse(complete)):
        return complete  # 4915123456789 in Germany: as a national number it would lack its trunk zero
    try:
        national = _national(text, country)
    except InvalidNumber:
        if complete is None:
            raise
        return complete
    if complete not in {None, national} and not is_valid_number(parse(national)):
        raise InvalidNumber(f"{mask(text)} can be read with and without its country code; write + before that code.")
    if _is_rather_foreign(text, national, country):
        raise InvalidNumber(_foreign(text))
    return national


def _is_rather_foreign(text: str, national: str, country: str) -> bool:
    """Whether digits that are not assigned in the country are an assigned number abroad.

    It is used only in countries whose numbers have many lengths and a trunk prefix, when that prefix is missing:
    12025550140 in Germany.
    """
    plan = _plan(country)
    if len(plan.lengths) == 1 or (plan.trunk and text.startswith(plan.trunk)):
        return False
    return not is_valid_number(parse(national)) and _foreign_code(text) is not None


def _complete(text: str, code: int) -> str | None:
    """Digits that begin with the calling code, as a number after that code, if the plan has such numbers."""
    try:
        return _in_a_plan("+" + text) if text.startswith(str(code)) else None
    except InvalidNumber:
        return None


def _national(text: str, country: str) -> str:
    try:
        parsed = parse(text, country)
    except NumberParseException as error:
        raise InvalidNumber(_no_number_of(country, text, _of_exception(error))) from None
    if parsed.country_code != _plan(country).code:
        raise InvalidNumber(_no_number_of(country, text, ValidationResult.INVALID_LENGTH))
    why = is_possible_number_with_reason(parsed)
    if why != ValidationResult.IS_POSSIBLE:
        raise InvalidNumber(_no_number_of(country, text, why, parsed))
    if not _begins_as_in_plan(parsed):
        raise InvalidNumber(f"{mask(text)} begins as no {country} number does; {_WRITE_PLUS}.")
    return international(_formatted(parsed))


def _in_a_plan(text: str) -> str:
    """Like `international`, but only for a number that begins like one of its country. Raises InvalidNumber."""
    e164 = international(text)
    if not _begins_as_in_plan(parse(e164)):
        raise InvalidNumber(f"{mask(text)} begins as no number of its country does.")
    return e164


def _begins_as_in_plan(parsed: PhoneNumber) -> bool:
    """Whether one of the regions with this calling code has numbers of that form, assigned or not."""
    number = national_significant_number(parsed)
    return any(form.fullmatch(number) for form in _forms(parsed.country_code))


@lru_cache(maxsize=256)
def _forms(code: int) -> tuple[re.Pattern[str], ...]:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    plans = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
    forms = {plan.general_desc.national_number_pattern for plan in plans if plan is not None and plan.general_desc}
    return tuple(re.compile(form) for form in sorted(form for form in forms if form))


def _no_number_of(country: str, text: str, why: int, parsed: PhoneNumber | None = None) -> str:
    """The sentence for digits that are no number of the country. It says how to write a foreign one."""
    if why == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return f"{mask(text)} lacks its area code."
    off = _digits_off(country, parsed) if parsed is not None else 0
    if abs(off) == 1:
        many = "many" if off > 0 else "few"
        return f"{mask(text)} has a digit too {many} for {_a(country)} number; {_WRITE_PLUS}."
    if _foreign_code(text):
        return _foreign(text)
    if off:
        many = "many" if off > 0 else "few"
        return f"{mask(text)} has {abs(off)} digits too {many} for {_a(country)} number; {_WRITE_PLUS}."
    if why == ValidationResult.TOO_LONG:
        return f"{mask(text)} has too many digits for {_a(country)} number; {_WRITE_PLUS}."
    return f"{mask(text)} has a length that no {country} number has; {_WRITE_PLUS}."


def _foreign(text: str) -> str:
    return f"{mask(text)} seems to be a foreign number without its plus; write +{_foreign_code(text)} and the rest."


def _digits_off(country: str, parsed: PhoneNumber) -> int:
    """How many digits too long a number is for its plan, or (negative) too short; else 0."""
    lengths = _plan(country).lengths
    length = len(national_significant_number(parsed))
    if not lengths or length in range(lengths[0], lengths[-1] + 1):
        return 0
    return length - lengths[-1] if length > lengths[-1] else length - lengths[0]


def _foreign_code(text: str) -> int | None:
    """The calling code of `text` with a plus before it, if that is an assigned number, or None."""
    try:
        parsed = parse(international("+" + text))
    except InvalidNumber:
        return None
    return parsed.country_code if is_valid_number(parsed) else None


def _a(country: str) -> str:
    """A country code with its article: a US number, an MX number."""
    return f"{'an' if country[0] in 'AEFHILMNORSX' else 'a'} {country}"


def _of_exception(error: NumberParseException) -> int:
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return ValidationResult.INVALID_COUNTRY_CODE
    if error.error_type == NumberParseException.TOO_LONG:
        return ValidationResult.TOO_LONG
    return ValidationResult.TOO_SHORT


def _formatted(parsed: PhoneNumber) -> str:
    e164 = format_number(parsed, PhoneNumberFormat.E164)
    length = len(e164) - 1
    if length not in E164_DIGITS:
        why = ValidationResult.TOO_SHORT if length < E164_DIGITS.start else ValidationResult.TOO_LONG
        raise InvalidNumber(f"{mask(e164)} {_WHY_IMPOSSIBLE[why]}.")
    return e164
