"""Extensions: the form in which they are compared, and the masks over them in outbound rules."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from phonenumbers import NumberParseException, is_valid_number, parse

from sms_common.input.pasted import is_invisible, plain_text
from sms_common.phone import SEPARATORS, InvalidNumber, normalise
from sms_common.rules.masks import NumberMask, bare, between
from sms_common.rules.mistakes import InvalidMask, entry_errors, is_placeholder, quoted, stored_entries

EXTENSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_DIGITS: Final = re.compile(r"\+?[0-9]{1,20}")
_PLAIN: Final = re.compile(r"[1-9][0-9]*|[a-zA-Z]+")
_DIGITS_AND_DASH: Final = re.compile(r"[0-9]+\s*[-\u2010-\u2015\u2212]\s*[0-9]+")
_PATTERN: Final = re.compile(r"[0-9*]{2,20}")
_SIGNS: Final = re.compile(r"[0-9*]+")
# A pattern of another system: it begins with a digit or has no other signs. A name may hold such letters too.
_SHEET_OR_PATTERN: Final = re.compile(
    r"[0-9]+(?:\.0*|(?:\.[0-9]+)?e\+[0-9]+|\.[0-9]+e[0-9]+|[xnz][0-9xnz]*)|[xnz]{2,}[0-9]*", re.IGNORECASE
)
_HOW: Final = "write * for one digit, as in 1**, 100-199 for a range, and ; between extensions"
_LONGEST: Final = 254
# From this length on, digits are a phone number, which people write with separators.
_A_NUMBER: Final = 7


@lru_cache(maxsize=4096)
def extension_form(text: str) -> str:
    """The form in which extensions are compared: lower case, nothing invisible, phone numbers as bare digits.

    Leading zeros count, except the 00 of an international number.
    """
    if _PLAIN.fullmatch(text):
        return text.lower()  # as nearly all are
    word = "".join(sign for sign in plain_text(text) if not is_invisible(sign))
    digits = SEPARATORS.sub("", word).removeprefix("+")
    if digits.isdecimal() and (len(digits) >= _A_NUMBER or digits == word.removeprefix("+")):
        return bare(word)
    return unicodedata.normalize("NFC", word.casefold())


def extension_mask(text: str, country: str = "") -> str:
    """A list of extensions, ranges and patterns in the form in which it is stored, separated by `;`.

    An entry with gaps is read as a phone number of `country` (ISO 3166-1 alpha-2), if it is one.

    Raises InvalidMask with the place of the first entry that cannot be an extension.
    """
    return stored_entries(text, lambda entry: _entry(entry, country))


def single_extension(text: str) -> str:
    """One extension in the form of an entry. Raises InvalidMask for a range, a pattern or a sheet's `101.0`."""
    plain = plain_text(text)
    if "*" in plain or _range_of(plain) or _SHEET_OR_PATTERN.fullmatch(plain):
        raise InvalidMask("must be one extension, such as 101; outbound rules have ranges and patterns.")
    return text


def unmatchable_entries(text: str) -> list[str]:
    """A sentence for each entry of a stored mask that cannot be an extension."""
    return entry_errors(text, lambda entry: _entry(entry, ""))


def _entry(entry: str, country: str) -> str:
    if len(entry) > _LONGEST:
        raise InvalidMask(f"{quoted(entry)} is longer than any extension: {_HOW}.")
    text = plain_text(entry)
    if "*" in text:
        if not _PATTERN.fullmatch(text):
            fault = "holds more than digits and *" if not _SIGNS.fullmatch(text) else "is no pattern for extensions"
            raise InvalidMask(f"{quoted(entry)} {fault}: {_HOW}. Empty is every extension.")
        return text
    if _range_of(text):
        return _range(text)
    form = extension_form(text)
    if _DIGITS.fullmatch(text) or _is_a_number(text, form, country):
        return form
    if is_placeholder(text):
        raise InvalidMask(f"{quoted(entry)} is no extension: {_HOW}. Empty is every extension.")
    if not EXTENSION.fullmatch(text) or _SHEET_OR_PATTERN.fullmatch(text) or not any(sign.isalpha() for sign in text):
        raise InvalidMask(f"{quoted(entry)} is no extension: {_HOW}.")
    return text


def _is_a_number(text: str, form: str, country: str) -> bool:
    """Whether a text is a phone number. Digits with gaps may be several extensions, unless the number is assigned or
    has a plus.
    """
    if not form.isdecimal() or len(form) < _A_NUMBER:
        return False
    if form == text or text.startswith(("+", "00")):
        return True
    try:
        return is_valid_number(parse(normalise(text, country)))
    except (InvalidNumber, NumberParseException):
        return False


def _range_of(text: str) -> tuple[str, str] | None:
    ends = between(text)
    if ends is None:
        return None
    first, last = (extension_form(end) for end in ends)
    is_one_number = len(first) != len(last) and not _DIGITS_AND_DASH.fullmatch(text)
    return (first, last) if first.isdecimal() and last.isdecimal() and not is_one_number else None


def _range(text: str) -> str:
    first, last = _range_of(text) or ("", "")
    mask = f"{first}-{last}"
    NumberMask.parse(mask)
    return mask
