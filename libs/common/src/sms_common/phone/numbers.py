"""Reads one number: E.164, short code or alphanumeric sender. Every service reads numbers with this module."""

import re
from functools import lru_cache
from typing import Final

from sms_common.input.pasted import trimmed
from sms_common.phone.notation import InvalidNumber, mask, plain_digits
from sms_common.phone.plans import E164_DIGITS, in_todays_form, international, without_plus

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,6}")
# Bandwidth, "Create Message": an alphanumeric sender id has up to 11 characters, at least one of them a letter.
_ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 _+&-]{1,11}")
_NOT_ROUTABLE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_TOKEN: Final = 32
_LONGEST_FROM_CARRIER: Final = 256


def is_short_code(number: str) -> bool:
    """Whether `number` is a short code: three to six digits and nothing else."""
    return _SHORT_CODE.fullmatch(number) is not None


def is_alphanumeric_sender(sender: str) -> bool:
    """Whether `sender` is a name to send as: up to 11 letters, digits, spaces, - + _ &, one of them a letter."""
    return _ALPHANUMERIC.fullmatch(sender) is not None


def normalise(number: str, country: str, *, foreign_without_plus: bool = False) -> str:
    """Return `number` in E.164 (plus and 7 to 15 digits), or the bare digits of a short code.

    Separators, quotes, `tel:` and `sip:` addresses and the `.0` of a sheet are accepted. Digits without a plus are a
    number of `country` (ISO 3166-1 alpha-2), with or without its calling code, or an international number after 00 or
    after the country's own international prefix. They are never a number of another country, unless
    `foreign_without_plus` allows that. Three to six digits are a short code, with or without a plus. A number need not
    be assigned. Old forms become current ones: `+521` and ten digits is Mexico's `+52`.

    Raises InvalidNumber with a sentence that says what is wrong and never holds the full number.
    """
    return _normalise(number, country.upper(), foreign_without_plus=foreign_without_plus)


def normalise_sender(sender: str, country: str, *, foreign_without_plus: bool = False) -> str:
    """Return a sender in the form used in messages: a number as `normalise` gives it, or a trimmed alphanumeric sender.

    Raises InvalidNumber for anything else.
    """
    name = trimmed(sender)
    if is_alphanumeric_sender(name):
        return name
    return normalise(name, country, foreign_without_plus=foreign_without_plus)


def from_carrier(text: str) -> str:
    """Return a carrier's number in the form in which the gateway stores numbers. Never raises.

    Digits are E.164, with or without a plus or a leading 00: `12025550143` becomes `+12025550143`. The old form of a
    Mexican mobile number (`+521` and ten digits) becomes the current one. Three to six digits are a short code. Another
    sender (a name, an e-mail address) and unusable text stay unchanged, without invisible characters at their ends. No
    value becomes an empty text. What `normalise` returns comes back unchanged.
    """
    return _from_carrier(trimmed(text[:_LONGEST_FROM_CARRIER]))


def digits(number: str) -> str:
    """Return `number` as one word of a routing key: without its plus, and with `_` for characters that are not allowed.

    An alphanumeric sender stays readable: `My Shop` becomes `My_Shop`. Never empty, at most 32 characters.
    """
    return _NOT_ROUTABLE.sub("_", number.removeprefix("+"))[:_LONGEST_TOKEN] or "_"


@lru_cache(maxsize=4096)
def _normalise(number: str, country: str, *, foreign_without_plus: bool) -> str:
    text = number if _E164.fullmatch(number) else plain_digits(number)
    bare = text.removeprefix("+")
    if is_short_code(bare):
        return bare
    if len(bare) < E164_DIGITS.start:
        raise InvalidNumber(f"{mask(text)} is too short for a phone number.")
    return international(text) if text != bare else without_plus(text, country, foreign=foreign_without_plus)


@lru_cache(maxsize=4096)
def _from_carrier(text: str) -> str:
    try:
        plain = plain_digits(text)
    except InvalidNumber:
        return text
    bare = plain.removeprefix("+")
    if is_short_code(bare):
        return bare
    bare = bare.removeprefix("00") if bare == plain else bare
    if len(bare) not in E164_DIGITS or bare[0] == "0":
        return text
    try:
        return international("+" + bare)
    except InvalidNumber:
        return in_todays_form("+" + bare)  # in no plan, but it still tells one sender from another
