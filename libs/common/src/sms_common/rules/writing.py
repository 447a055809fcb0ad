"""Masks in the form in which they are stored: what a person in a tenant's country writes, in international form. Also:
which numbers a mask stands for. An entry that can match nobody is refused with a sentence that says how to write it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Final

from phonenumbers import PhoneNumber, country_code_for_region, is_valid_number

from sms_common.input.pasted import UncleanText, entries, one_line, plain_text, trimmed
from sms_common.phone import E164_DIGITS, InvalidNumber, NumberRange, normalise
from sms_common.phone.notation import more_than_a_number, plain_digits
from sms_common.phone.pools import read_range
from sms_common.rules.masks import (
    LONGEST_NAME,
    SHORT_CODE,
    NumberMask,
    bare,
    between,
    has_range_dash,
    may_be_sender_name,
)
from sms_common.rules.mistakes import (
    AS_STARS,
    HOW_TO_WRITE,
    InvalidMask,
    entry_errors,
    is_placeholder,
    quoted,
    stands_for_digits,
    stored_entries,
    without_separators,
)
from sms_common.rules.patterns import international_pattern

# A pattern that stands for more separate ranges than this is a mistake and no DID mask.
_MOST_RUNS: Final = 1000
_CODE: Final = re.compile(r"[0-9]{3,6}")
_DASH: Final = re.compile(r"[-\u2010-\u2015\u2212]")
_RUN_OF_SIGNS: Final = re.compile(r"[.\-]{2}")
_ADDRESS: Final = re.compile(r"[^\s@*<>:\"]+@[^\s@*<>:]+\.[^\s@*<>:.]+")
# As mail programs write an address: with a name before it, or as a link.
_MAILBOX: Final = re.compile(r"[^<>]*<\s*(?:mailto:)?([^<>]+?)\s*>|mailto:([^<>?]+)(?:\?.*)?", re.IGNORECASE)
_LONE_QUOTE: Final = re.compile('["\u201c-\u201f]')
_NORTH_AMERICA: Final = 1
# How many digits whole groups of a North American number have: people write such beginnings of a number.
_LEADING_GROUPS: Final = re.compile(r"1?([2-9][0-9]{2})|([2-9][0-9]{2})([2-9][0-9]{2})")
_SHORT_CODE_WORD: Final = "short code "


def international(text: str, country: str) -> str:
    """The same mask with every number, range and pattern in E.164, read with `country` (ISO 3166-1 alpha-2).

    `;`, `,`, tabs and line ends separate entries. Short codes and names stay unchanged. Raises InvalidMask with the
    place of the first entry that can match nobody.
    """
    return stored_entries(text, lambda entry: _entry(entry, country))


def current(text: str, country: str) -> str:
    """A mask that a former version stored, in the current form: national patterns become international.

    Never raises: an entry that can match nobody stays unchanged.
    """
    return ";".join(_read(entry, country) or entry for entry in entries(text))


def _read(entry: str, country: str) -> str | None:
    try:
        return _entry(entry, country)
    except InvalidMask:
        return None


def unmatchable_entries(text: str) -> list[str]:
    """A sentence for each entry of a stored mask that can match nobody."""
    return entry_errors(text, lambda entry: _entry(entry, ""))


@lru_cache(maxsize=4096)
def _entry(entry: str, country: str) -> str:
    if len(entry) > LONGEST_NAME:
        raise InvalidMask(f"{quoted(entry)} is longer than any number or name; {HOW_TO_WRITE}.")
    text = plain_text(entry)
    if word := SHORT_CODE.match(text):
        return _SHORT_CODE_WORD + _short_codes(text[word.end() :])
    if "*" in text:
        return _address(entry) if "@" in text else international_pattern(text, country)
    ends = _ends(text, country)
    if ends is not None:
        return _range(text, ends, country)
    return _single(entry, text, country)


def _single(entry: str, text: str, country: str) -> str:
    is_number = _digits(text) is not None
    if not _is_number(text, country) or _RUN_OF_SIGNS.search(text):
        span = _of_pool(text, country)
        if span is not None:
            return span
    if is_number:
        number = _number(text, country)
        return _as_in_a_pool(text, country) if number.startswith("+") else number
    return _address(entry) if "@" in text else _name(entry)


def _of_pool(text: str, country: str) -> str | None:
    """A range in another form that pools of numbers accept, such as `2025550150-59`, or None."""
    try:
        span = read_range(text, country)
    except ValueError:
        return None
    return str(span) if span.first < span.last else None


def _as_in_a_pool(text: str, country: str) -> str:
    """A number, or a range with a dash as in a pool. Raises InvalidMask when it may be either."""
    try:
        return str(read_range(text, country))
    except ValueError as error:
        raise InvalidMask(f"{str(error)[0].upper()}{str(error)[1:]}") from None


def _short_codes(text: str) -> str:
    """A short code or a range of them, marked as such by the person who wrote it. Raises InvalidMask."""
    ends = [without_separators(end) for end in between(text) or (text,)]
    if not all(is_code(end) for end in ends) or len(ends[0]) != len(ends[-1]) or int(ends[0]) > int(ends[-1]):
        raise InvalidMask(f"{quoted(text)} is no short code: these have 3 to 6 digits.")
    return "-".join(ends)


def _address(entry: str) -> str:
    mailbox = _MAILBOX.fullmatch(entry)
    entry = trimmed(mailbox[1] or mailbox[2]) if mailbox else entry
    if not _ADDRESS.fullmatch(entry) or not may_be_sender_name(entry):
        raise InvalidMask(f"{quoted(entry)} is no e-mail address; write it whole, such as user@example.com.")
    return entry


def _name(entry: str) -> str:
    if is_placeholder(entry):
        raise InvalidMask(
            f"{quoted(entry)} is the name of no sender; write numbers or names, or leave the field empty."
        )
    if _LONE_QUOTE.match(entry) or _LONE_QUOTE.search(entry[-1:]):
        raise InvalidMask(
            f"{quoted(entry)} has a quotation mark at one end only; write names without it, and without a comma."
        )
    more = more_than_a_number(plain_text(entry)) if _has_a_number(entry) else None
    if more is not None:
        raise InvalidMask(f"{quoted(entry)}: {more}")
    if stands_for_digits(entry):
        raise InvalidMask(f"{quoted(entry)} can match no number; {AS_STARS}.")
    try:
        name = one_line(entry)
    except UncleanText as unclean:
        raise InvalidMask(f"{quoted(entry)} {unclean}.") from None
    if not may_be_sender_name(name):
        raise InvalidMask(
            f"{quoted(entry)} is neither a number, a range, a pattern nor the name of a sender; {HOW_TO_WRITE}."
        )
    return name


def _has_a_number(entry: str) -> bool:
    return sum(sign.isdigit() for sign in entry) >= E164_DIGITS.start


def _number(text: str, country: str) -> str:
    plain = _digits(text) or ""
    if _RUN_OF_SIGNS.search(text):
        raise InvalidMask(f"{quoted(text)} can match no number; {AS_STARS}.")
    if plain.startswith("+") and is_code(plain[1:]):
        raise InvalidMask(
            f"{quoted(text)} is only the beginning of a number; write * for one digit, one for each that is missing. "
            f"A short code has no plus."
        )
    if is_code(plain):
        return _short_code(plain, country)
    try:
        return normalise(text, country)
    except InvalidNumber as invalid:
        raise InvalidMask(f"{invalid} For a part of a number, {AS_STARS}.") from None


def _short_code(code: str, country: str) -> str:
    """Three to six digits, unless they may be the beginning of a longer number. Raises InvalidMask."""
    whole = _begins_numbers(code, country)
    if whole is None:
        return code
    raise InvalidMask(
        f"{code} may be a short code or the beginning of numbers: write {_SHORT_CODE_WORD}{code}, or write * for one "
        f"digit, one for each that is missing{whole}."
    )


def _begins_numbers(code: str, country: str) -> str | None:
    """An example when digits may be the beginning of a number in a country, such as `, as in 202555****`.

    In any country such digits begin with 0. In North America they are an area code, with or without a 1 before it or
    the next three digits after it. None: they can only be a short code.
    """
    if code.startswith("0"):
        return ""
    if not country or country_code_for_region(country.upper()) != _NORTH_AMERICA:
        return None
    groups = _LEADING_GROUPS.fullmatch(code)
    if groups is None:
        return None
    area, exchange = groups[1] or groups[2], groups[3] or "234"
    if not is_valid_number(PhoneNumber(country_code=_NORTH_AMERICA, national_number=int(f"{area}{exchange}5678"))):
        return None
    missing = 10 + code.startswith("1") - len(code)
    return f", as in {code}{'*' * missing}"


def _ends(text: str, country: str) -> tuple[str, str] | None:
    """The two ends of a range, or None. A dash may also be part of a number: `98765-43210` in India."""
    if _RUN_OF_SIGNS.search(text):
        return None  # it is what stands around these, if it is a range
    ends = between(text) or _halves(text)
    if ends is None or None in (_digits(ends[0]), _digits(ends[1])):
        return None
    if not _is_number(text, country) or all(_is_number(end, country) for end in ends):
        return ends
    first, last = (_digits(end) or "" for end in ends)
    if has_range_dash(text) and len(first) == len(last):
        return ends
    if is_code(first) and is_code(last) and len(first) == len(last):
        raise InvalidMask(
            f"{quoted(text)} may be one number or a range: write the number without its dash, or the range with a "
            f"blank on both sides of it."
        )
    return None


def _halves(text: str) -> tuple[str, str] | None:
    """The two halves of a text with three or more dashes, an odd number, around the one in the middle."""
    groups = _DASH.split(text)
    half, odd = divmod(len(groups), 2)
    ends = "-".join(groups[:half]), "-".join(groups[half:])
    return None if odd or half == 1 or any(is_code(without_separators(end)) for end in ends) else ends


def _range(text: str, ends: tuple[str, str], country: str) -> str:
    first, last = (_end(end, country) for end in ends)
    if first is None or last is None or len(first) != len(last):
        if span := _of_pool(text, country):
            return span
        raise InvalidMask(
            f"Both ends of the range {quoted(text)} must be whole numbers with their area code, or short codes, with "
            f"the same number of digits."
        )
    if int(first) > int(last):
        raise InvalidMask(f"The range {quoted(text)} ends before it begins; write the lower number first.")
    if not is_code(first):
        return f"{first}-{last}"
    _short_code(first, country)
    # So that it is read again in the same way: both together may have as many digits as a phone number.
    return f"{_SHORT_CODE_WORD if _is_number(first + last, country) else ''}{first}-{last}"


def _end(text: str, country: str) -> str | None:
    plain = _digits(text)
    if plain is None or is_code(plain):
        return plain
    try:
        return normalise(text, country)
    except InvalidNumber:
        return None


def _digits(text: str) -> str | None:
    """The digits of a number in any notation, with its plus if it has one; None for anything else."""
    try:
        return plain_digits(text)
    except InvalidNumber:
        return None


def is_code(text: str) -> bool:
    """Whether a text is three to six digits, like a short code."""
    return _CODE.fullmatch(text) is not None


def _is_number(text: str, country: str) -> bool:
    """Whether a text is a whole phone number and no short code."""
    try:
        return normalise(text, country).startswith("+")
    except InvalidNumber:
        return False


def ranges(text: str) -> Iterator[NumberRange]:
    """The numbers that a mask stands for, as ranges. Raises InvalidMask for a name and for too wide a pattern."""
    for entry in entries(text):
        word = SHORT_CODE.match(entry)
        plain = entry[word.end() :] if word else entry
        if "*" in plain:
            yield from _runs(plain)
        else:
            first, last = NumberMask.parse(plain).bounds() or (_bare_digits(plain), _bare_digits(plain))
            yield NumberRange(int(first), int(last))


def _bare_digits(entry: str) -> str:
    plain = bare(entry)
    if not plain.isascii() or not plain.isdigit():
        raise InvalidMask(f"{quoted(entry)} is no number.")
    return plain


def _runs(entry: str) -> Iterator[NumberRange]:
    """A pattern as ranges. Stars at its end make one range; each star before them makes ten."""
    plain = without_separators(entry).removeprefix("+")
    head = plain.rstrip("*")
    tail = len(plain) - len(head)
    stars = head.count("*")
    if not head or 10**stars > _MOST_RUNS:
        raise InvalidMask(f"The pattern {quoted(entry)} stands for too many numbers; write ranges.")
    for digits in product("0123456789", repeat=stars):
        filled = iter(digits)
        start = "".join(next(filled) if sign == "*" else sign for sign in head)
        yield NumberRange(int(start + "0" * tail), int(start + "9" * tail))
