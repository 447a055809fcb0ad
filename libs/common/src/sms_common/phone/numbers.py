"""What one number is: E.164, short code or alphanumeric sender, and its masked form."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    is_valid_number_for_region,
    parse,
)

from sms_common.pasted import trimmed

# ITU-T E.164: at most 15 digits. Below 7 digits a number could not be told from a short code.
E164_DIGITS: Final = range(7, 16)
_LONGEST_INPUT: Final = 64
_LONGEST_FROM_CARRIER: Final = 256

# What people and address books put between digits, invisible direction marks included.
FILLING: Final = re.compile(r"[\s()\[\]./\-\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2069\u2212\ufeff]+")
_NUMBER: Final = re.compile(r"\+?\d+")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,6}")
_OLD_MEXICAN_MOBILE: Final = re.compile(r"\+521([0-9]{10})\Z")
# Bandwidth, "Create Message": an alphanumeric sender id has up to 11 characters, at least one of them a letter.
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 _+&-]{1,11}")
_NOT_ROUTABLE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_TOKEN: Final = 32

_WHY_IMPOSSIBLE: Final = {
    ValidationResult.INVALID_COUNTRY_CODE: "begins with a country code that does not exist",
    ValidationResult.TOO_SHORT: "is too short for a phone number",
    ValidationResult.TOO_LONG: "is too long for a phone number",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_LENGTH: "has a length that no number of its country has",
}


class InvalidNumber(ValueError):
    """Not a phone number. The text is a sentence for a person and never holds the full number."""


def is_country(country: str) -> bool:
    """Whether `country` is an upper case ISO 3166-1 alpha-2 code that has a numbering plan."""
    return country in SUPPORTED_REGIONS


def is_short_code(number: str) -> bool:
    """Whether `number` is a short code: three to six digits and nothing else."""
    return _SHORT_CODE.fullmatch(number) is not None


def is_alphanumeric_sender(sender: str) -> bool:
    """Whether `sender` is a name to send as: up to 11 letters, digits, spaces, - + _ &, one of them a letter."""
    return _ALPHANUMERIC.fullmatch(sender) is not None


def normalise(number: str, country: str) -> str:
    """Return `number` in E.164 (plus and 7 to 15 digits), or the bare digits of a short code.

    Spaces, dashes, dots, slashes, brackets, `tel:` and a leading 00 are forgiven. Digits without a plus are read as a
    national number of `country` (ISO 3166-1 alpha-2) and, when that is impossible, as an international one. Three to six
    digits are a short code, with or without a plus. A number need not be assigned, only have a possible length.
    Raises InvalidNumber.
    """
    if len(number) > _LONGEST_INPUT:
        raise InvalidNumber("That is too long for a phone number.")
    return _normalise(number, country.upper())


def normalise_sender(sender: str, country: str) -> str:
    """Return a sender as messages carry it: as `normalise` does, or an alphanumeric one as it is.

    Raises InvalidNumber for what is neither.
    """
    return sender if is_alphanumeric_sender(sender) else normalise(sender, country)


def from_carrier(text: str) -> str:
    """Return a number as a carrier wrote it, in the form in which the gateway keeps numbers. Never raises.

    Digits are E.164, with or without their plus or a leading 00: `12025550143` becomes `+12025550143`, and the old form
    of a Mexican mobile number (`+521` and ten digits) its new one. Three to six digits are a short code. Whatever else
    writes (a name, an e-mail address) and what cannot be used stays as it is, without what is invisible at its ends;
    nothing at all becomes an empty text. What `normalise` returns comes back unchanged.
    """
    return _from_carrier(trimmed(text[:_LONGEST_FROM_CARRIER]))


def digits(number: str) -> str:
    """Return `number` as one word of a routing key: without its plus, and with `_` for whatever a word cannot hold.

    An alphanumeric sender stays readable: `My Shop` becomes `My_Shop`. Never empty, at most 32 characters.
    """
    return _NOT_ROUTABLE.sub("_", number.removeprefix("+"))[:_LONGEST_TOKEN] or "_"


def mask(number: str) -> str:
    """Return `number` for logs and error texts: `+14045550121` becomes `+1404***0121`.

    At least three digits are always hidden. What is not a number becomes `***`. The result is ASCII.
    """
    compact = FILLING.sub("", number)
    if not compact.isascii() or not _NUMBER.fullmatch(compact):
        return "***"
    plus, plain = ("+", compact[1:]) if compact[0] == "+" else ("", compact)
    head, tail = _visible(len(plain))
    return f"{plus}{plain[:head]}***{plain[len(plain) - tail :]}"


def _visible(length: int) -> tuple[int, int]:
    """How many digits may be read at the start (country and area) and at the end of a number of `length` digits."""
    if length >= 10:  # noqa: PLR2004 - a full international or North American number
        return 4, min(4, length - 7)
    if length >= 7:  # noqa: PLR2004 - the shortest E.164 number
        return 2, 2
    return 0, 2 if length >= 5 else 0  # noqa: PLR2004 - a short code


@lru_cache(maxsize=4096)
def _from_carrier(text: str) -> str:
    try:
        plain = _without_filling(text)
    except InvalidNumber:
        return text
    bare = plain.removeprefix("+")
    if _SHORT_CODE.fullmatch(bare):
        return bare
    bare = bare.removeprefix("00") if bare == plain else bare
    if len(bare) not in E164_DIGITS or bare[0] == "0":
        return text
    try:
        return _to_e164(_in_its_new_form("+" + bare), "")
    except InvalidNumber:
        return "+" + bare  # no plan knows it, but the carrier wrote it, and it tells one sender from another


def _in_its_new_form(e164: str) -> str:
    """A number of the form that its country has given up as it is written today: Mexico's mobile 1, since 2019."""
    return _OLD_MEXICAN_MOBILE.sub(r"+52\1", e164)


@lru_cache(maxsize=4096)
def _normalise(number: str, country: str) -> str:
    text = _without_filling(number)
    bare = text.removeprefix("+")
    if is_short_code(bare):
        return bare
    failure: InvalidNumber | None = None
    for candidate in _readings(text, country):
        try:
            return _to_e164(candidate, country)
        except InvalidNumber as error:
            failure = failure or error
    raise failure or InvalidNumber("That is no phone number.")


def _without_filling(number: str) -> str:
    text = number.strip()
    if text[:4].lower() == "tel:":
        text = text[4:]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # full-width digits and plus
    text = FILLING.sub("", text)
    if text in {"", "+"}:
        raise InvalidNumber("An empty text is no phone number.")
    if not _NUMBER.fullmatch(text):
        raise InvalidNumber("A phone number holds digits and a leading plus only; this one holds something else.")
    return text if text.isascii() else re.sub(r"\d", lambda digit: str(int(digit[0])), text)


def _readings(text: str, country: str) -> Iterator[str]:
    """Every way to read `text`, likeliest first; a reading without a plus is a national number."""
    if text.startswith("+"):
        yield text
    elif text.startswith("00"):
        yield "+" + text[2:]
        yield text  # Australia's 0011 and the like
    elif _is_assigned("+" + text, country):
        yield "+" + text  # 4915123456789 in Germany: as a national number it would lack its trunk zero
    else:
        yield text
        yield "+" + text


def _is_assigned(text: str, country: str) -> bool:
    """Whether `text`, with its plus, is a number that the plan of `country` assigns."""
    try:
        return is_valid_number_for_region(parse(text), country)
    except NumberParseException:
        return False


def _to_e164(text: str, country: str) -> str:
    national = not text.startswith("+")
    if national and not is_country(country):
        raise InvalidNumber("A number without a country code needs the tenant's country, which is not known.")
    try:
        parsed = parse(text, country if national else None)
    except NumberParseException as error:
        raise InvalidNumber(f"{mask(text)} {_parse_failure(error)}.") from None
    why = is_possible_number_with_reason(parsed)
    if why != ValidationResult.IS_POSSIBLE:
        raise InvalidNumber(f"{mask(text)} {_WHY_IMPOSSIBLE[why]}.")
    e164 = _formatted(parsed)
    # A doubtful trunk zero can go at a second reading only, and what leaves here must not change when it comes back.
    return e164 if e164 == text else _to_e164(e164, country)


def _parse_failure(error: NumberParseException) -> str:
    if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return _WHY_IMPOSSIBLE[ValidationResult.INVALID_COUNTRY_CODE]
    if error.error_type == NumberParseException.TOO_LONG:
        return _WHY_IMPOSSIBLE[ValidationResult.TOO_LONG]
    return _WHY_IMPOSSIBLE[ValidationResult.TOO_SHORT]


def _formatted(parsed: PhoneNumber) -> str:
    e164 = format_number(parsed, PhoneNumberFormat.E164)
    length = len(e164) - 1
    if length not in E164_DIGITS:
        why = ValidationResult.TOO_SHORT if length < E164_DIGITS.start else ValidationResult.TOO_LONG
        raise InvalidNumber(f"{mask(e164)} {_WHY_IMPOSSIBLE[why]}.")
    return e164
