"""Turns what a person, a sheet or a telephone system wrote into plain digits, or into a sentence that says what is
wrong.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from sms_common.input.pasted import named, plain_text, trimmed

# What people, sheets and address books put between digits: blanks, dashes, dots, middle dots, brackets, slashes and
# invisible marks. Numbers, pools, masks and prefixes all use this set.
SEPARATORS: Final = re.compile(
    "["
    r"\s()\[\]./\-"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0"  # invisible
    "\u2010-\u2015\u2043\u2212\u30fc\ufe58\ufe63\uff0d"  # dashes
    "\u00b7\u0387\u2022\u2024\u2027\u2219\u22c5\u30fb\uff0e\uff65"  # dots
    "\u2044\u2215\uff0f\uff08\uff09"  # slashes and brackets of other keyboards
    "]+"
)
_LONGEST: Final = 64
_LONGEST_URI: Final = 512

_NUMBER: Final = re.compile(r"\+?\d+")
# A sheet marks digits as a text with an apostrophe, or writes them as the formula ="…".
_QUOTED: Final = re.compile(
    "=?[\"'`\u00b4\u2018\u2019\u201c-\u201e](.+?)[\"'`\u00b4\u2018\u2019\u201c-\u201e]?", re.DOTALL
)
_SCHEME: Final = re.compile(
    r"(tel|sips?|sms|smsto|mms|callto|phone|mobile|whatsapp|mailto)\s*:\s*(?://)?", re.IGNORECASE
)
_ADDRESS: Final = re.compile(r"[^<>]*<([^<>]+)>[^<>]*")
# RFC 3966 and what telephone systems add: another number to dial when somebody has answered.
_FURTHER_DIGITS: Final = frozenset({"ext", "isub", "postd", "extension"})

_EXPONENT: Final = re.compile(r"\+?\d+(?:[.,]\d+)?[eE]\+?\d{1,3}")
_DECIMAL: Final = re.compile(r"(?P<head>.*\d)[.,](?P<tail>\d+)", re.DOTALL)
_LAST_GROUP: Final = re.compile(r"\d+\Z")
_PLAIN_HEAD: Final = re.compile(r"\+?\d+")
_LONGEST_DOTTED_GROUP: Final = 3
_SURELY_WHOLE: Final = 9
_TWO_NUMBERS: Final = re.compile(r"\d{4,}\s*/\s*\d{1,3}\Z")
_TWO_PLACES: Final = 2
_MOST_PLACES: Final = 6

_EXTENSION: Final = re.compile(
    r"\d[\s.,;]*(?:extension|extn?|ext|x|poste|durchwahl|anexo|interno|ramal|доб|#|,,+|;|w|p)[\s.:=,]*\d{1,7}#?\Z",
    re.IGNORECASE,
)
_SEVERAL: Final = re.compile(r"\d{4}\W*(?:[,;|&]|\b(?:or|and)\b)\W*\d[\d\W]{3}", re.IGNORECASE)
_FEWEST_DIGITS: Final = 3

_EMAIL_SAID: Final = "That is an e-mail address, not a phone number; write the number alone."
_EXTENSION_SAID: Final = "holds an extension, which no text can reach; write the phone number alone."


class InvalidNumber(ValueError):
    """Not a phone number. The text is a sentence for a person and never holds the full number."""


def mask(number: str) -> str:
    """Return `number` for logs and error texts: `+14045550121` becomes `+1404***0121`.

    At least three digits are always hidden. What is not a number becomes `***`. The result is ASCII.
    """
    compact = SEPARATORS.sub("", number)
    if not compact.isascii() or not _NUMBER.fullmatch(compact):
        return "***"
    plus, plain = ("+", compact[1:]) if compact[0] == "+" else ("", compact)
    head, tail = _visible(len(plain))
    return f"{plus}{plain[:head]}***{plain[len(plain) - tail :]}"


def _visible(length: int) -> tuple[int, int]:
    """How many digits stay readable at the start (country and area) and at the end of a number of `length` digits."""
    if length >= 10:  # noqa: PLR2004 - a full international or North American number
        return 4, min(4, length - 7)
    if length >= 7:  # noqa: PLR2004 - the shortest E.164 number
        return 2, 2
    return 0, 2 if length >= 5 else 0  # noqa: PLR2004 - a short code


def plain_digits(written: str) -> str:
    """The digits of a number with its plus, if it has one. Separators, quotes, the form of a URI (`tel:`, `sip:`) and a
    sheet's `.0` are removed. Raises InvalidNumber with a sentence that says what the text is instead.
    """
    text = trimmed(written)
    if len(text) > _LONGEST_URI:
        raise InvalidNumber("That is too long for a phone number.")
    text = _without_decimals(_number_of_uri(_unquoted(plain_text(text))))
    compact = SEPARATORS.sub("", text)
    if len(compact) > _LONGEST:
        raise InvalidNumber("That is too long for a phone number.")
    if not _NUMBER.fullmatch(compact):
        raise InvalidNumber(_what_it_is(text, compact))
    if _TWO_NUMBERS.search(text):
        raise InvalidNumber(f"{mask(compact)} may be two numbers apart by a slash; write one, in full.")
    return compact


def _unquoted(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return trimmed(quoted[1]) if quoted else text


def _number_of_uri(text: str) -> str:
    """The number in `tel:+1-202-555-0140;phone-context=…` (RFC 3966), `sip:+12025550140@host;user=phone` (RFC 3261),
    `sms:…?body=…` (RFC 5724) or `Name <sip:…>`; any other text as it is.
    """
    address = _ADDRESS.fullmatch(text)
    text = trimmed(address[1]) if address else text
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    name, rest = scheme[1].lower(), text[scheme.end() :].partition("?")[0]
    if name == "mailto":
        raise InvalidNumber(_EMAIL_SAID)
    user, at, host = rest.partition("@")
    number, *parameters = unquote(user).split(";")
    if at:
        number = number.partition(":")[0]  # a password
        parameters += host.split(";")[1:]
    return _in_context(number, dict(_parameter(text) for text in parameters))


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()


def _in_context(number: str, parameters: Mapping[str, str]) -> str:
    """A local number after the digits of its context, which are part of the number (RFC 3966)."""
    if not _FURTHER_DIGITS.isdisjoint(parameters):
        raise InvalidNumber(f"That address {_EXTENSION_SAID}")
    context = parameters.get("phone-context", "")
    return context + number if context.startswith("+") and "+" not in number else number


def _without_decimals(text: str) -> str:
    """The text without the `.0` that a sheet adds to a number. Raises InvalidNumber for any other decimals."""
    if _EXPONENT.fullmatch(SEPARATORS.sub("", text.replace(".", ","))):
        raise InvalidNumber("A sheet has rounded that number (it holds an E); write all its digits, as text.")
    decimal = _DECIMAL.fullmatch(text)
    if decimal is None or not _is_decimal(decimal["head"], decimal["tail"]):
        return text
    if decimal["tail"].strip("0"):
        raise InvalidNumber(f"{mask(decimal['head'])} has decimals behind it; a phone number has none.")
    return decimal["head"]


def _is_decimal(head: str, tail: str) -> bool:
    """Whether the digits after the last dot or comma are decimals and not a group of digits. Nobody separates one
    digit, or two digits after a long group, or anything after a whole number.
    """
    group = len(_LAST_GROUP.search(head)[0])  # type: ignore[index]  # head ends in a digit
    whole = _PLAIN_HEAD.fullmatch(head) is not None
    if len(tail) <= _TWO_PLACES:
        return len(tail) == 1 or whole or group > _LONGEST_DOTTED_GROUP
    return whole and group >= _SURELY_WHOLE and len(tail) <= _MOST_PLACES


def _what_it_is(text: str, compact: str) -> str:
    """A sentence on a text that has more than digits. It names no character of the text except the odd one."""
    if compact in {"", "+"}:
        return "An empty text is no phone number."
    if "@" in text:
        return _EMAIL_SAID
    digits = sum(character.isdigit() for character in text)
    more = more_than_a_number(text)
    if more is not None:
        return more
    return _letters(digits) if any(character.isalpha() for character in text) else _what_is_odd(compact)


def more_than_a_number(text: str) -> str | None:
    """A sentence on a text with an extension after its number, or with several numbers; None for any other."""
    if _EXTENSION.search(text) and sum(character.isdigit() for character in text) > _FEWEST_DIGITS:
        return f"That {_EXTENSION_SAID}"
    return "That holds more than one phone number; write one." if _SEVERAL.search(text) else None


def _letters(digits: int) -> str:
    if digits < _FEWEST_DIGITS:
        return "That is a name, not a phone number; a text goes to the digits of a phone number only."
    return "A phone number holds digits and a leading plus only; this one holds letters, of which no number is made."


_ODD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "+": "another plus inside",
        "*": "a dialling code with *",
        "#": "a dialling code with #",
        ",": "a comma",
        ";": "a semicolon",
    }
)


def _what_is_odd(compact: str) -> str:
    odd = next((sign for sign in compact.removeprefix("+") if not sign.isdecimal()), "+")
    what = _ODD.get(odd) or f"a character that is neither ({named(odd)})"
    return f"A phone number holds digits and a leading plus only; this one holds {what}."
