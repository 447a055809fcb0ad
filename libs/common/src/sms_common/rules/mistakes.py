"""Recognises what people write instead of a mask, and says how to write it correctly."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sms_common.input.pasted import entries, plain_text
from sms_common.phone import SEPARATORS, mask

HOW_TO_WRITE: Final = "write * for one digit, a-b for a range, and ; between entries"
AS_STARS: Final = "write * for one digit, as in +1202555****"
_TEL: Final = "tel:"
# Letters that stand for digits in dial plans (Asterisk, PortSIP, paper forms), and the Cyrillic one that looks like X.
_WILD_LETTERS: Final = frozenset("xnz\u0445\u00d7")
_WILD_SIGNS: Final = re.compile(r"[#?%_~$\u2022\u00b7\u00d7]|\.\.")
_OF_REGULAR_EXPRESSIONS: Final = re.compile(r"[\\^|{}\[\]]|\.\*|\*\+")
_TWO_LETTERS: Final = re.compile("[xnz\u0445\u00d7]{2}")
_MOST_SHOWN: Final = 40
# From this length on, digits are a person's number and partly hidden; fewer are the beginning of one.
_A_WHOLE_NUMBER: Final = 10
_IN_A_TEXT: Final = re.compile(r"\+?\d(?:[^\w+]*\d){6,}")
# What a sheet makes of a long number.
_ROUNDED: Final = re.compile(r"\d+(?:[.,]\d+)?e\+\d+|\d+[.,]\d+e\d+", re.IGNORECASE)
# What people and programs write for everybody, for nobody, or for no value.
_PLACEHOLDERS: Final = frozenset(
    (
        "all",
        "any",
        "anyone",
        "anybody",
        "everyone",
        "everybody",
        "none",
        "nobody",
        "null",
        "nil",
        "nan",
        "n/a",
        "undefined",
    )
)
_LONG_AS_A_NUMBER: Final = 7
_LONGEST_SENDER_NAME: Final = 11
_NO_NAME: Final = 4


class InvalidMask(ValueError):  # as InvalidNumber
    """A mask that cannot be understood or can match nothing. Its text says why, for the person who wrote it."""


def stored_entries(text: str, read: Callable[[str], str]) -> str:
    """A list in the form in which it is stored: each entry as `read` returns it, separated by `;`. Raises InvalidMask
    with the place of the first entry that `read` refuses. The place of a single entry is not named.
    """
    written = entries(text)
    kept = []
    for place, entry in enumerate(written, 1):
        try:
            kept.append(read(entry))
        except InvalidMask as invalid:
            raise InvalidMask(f"Entry {place}: {invalid}" if len(written) > 1 else str(invalid)) from None
    return ";".join(kept)


def entry_errors(text: str, read: Callable[[str], object]) -> list[str]:
    """A sentence for each entry of a list that `read` refuses."""
    told = []
    for entry in entries(text):
        try:
            read(entry)
        except InvalidMask as invalid:
            told.append(str(invalid))
    return told


@lru_cache(maxsize=4096)
def without_separators(text: str) -> str:
    """`text` without `tel:` and without separators between digits."""
    plain = plain_text(text).strip()
    if plain[: len(_TEL)].lower() == _TEL:
        plain = plain[len(_TEL) :]
    return SEPARATORS.sub("", plain)


def quoted(entry: str) -> str:
    """An entry as an error quotes it: a whole number is partly hidden, and a long text is cut."""
    if sum(sign.isdigit() for sign in entry) >= _A_WHOLE_NUMBER and "*" not in entry:
        shown = _IN_A_TEXT.sub(lambda number: mask(number[0]), entry)
        entry = mask(entry) if shown == entry else shown
    return entry if len(entry) <= _MOST_SHOWN else entry[:_MOST_SHOWN] + "…"


def is_placeholder(entry: str) -> bool:
    """Whether an entry is a word such as `any` or `none`, which is no name of a sender or an extension."""
    return entry.casefold() in _PLACEHOLDERS


def stands_for_digits(entry: str) -> bool:
    """Whether an entry that is no number and has no `*` is a pattern all the same: `1202555XXXX`, `NXX-NXXX`.

    Such a text could also be a sender's name. A short one that begins with a letter and has a digit is a name (N26).
    """
    plain = plain_text(entry)
    word = SEPARATORS.sub("", plain).casefold().lstrip("+_^")
    digits = sum(sign.isdigit() for sign in word)
    letters = {sign for sign in word if sign.isalpha() or sign in _WILD_LETTERS}
    if digits and (_OF_REGULAR_EXPRESSIONS.search(plain) or _ROUNDED.fullmatch(plain)):
        return True
    if letters <= _WILD_LETTERS:
        return _of_wild_signs(plain, word, digits)
    return digits >= _LONG_AS_A_NUMBER and not (word[0].isalpha() and len(plain) <= _LONGEST_SENDER_NAME)


def _of_wild_signs(plain: str, word: str, digits: int) -> bool:
    """Like `stands_for_digits`, for a text whose letters all stand for digits."""
    if not digits:
        return len(word) >= _NO_NAME
    if _WILD_SIGNS.search(plain) or len(word) >= _LONG_AS_A_NUMBER:
        return True
    return word[0].isdigit() or _TWO_LETTERS.search(word) is not None
