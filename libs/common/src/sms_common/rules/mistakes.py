"""What people write where a mask should stand: told from what it looks like, and answered with how to write it."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sms_common.input.pasted import entries, plain_text
from sms_common.phone import FILLING, mask

HOW_TO_WRITE: Final = "write * for one digit, a-b for a range, and ; between entries"
AS_STARS: Final = "write * for one digit, as in +1202555****"
_TEL: Final = "tel:"
# Letters that stand for digits in dial plans (Asterisk, PortSIP, paper forms), the Cyrillic one that looks like X too.
_WILD_LETTERS: Final = frozenset("xnz\u0445\u00d7")
_WILD_SIGNS: Final = re.compile(r"[#?%_~$\u2022\u00b7\u00d7]|\.\.")
_OF_REGULAR_EXPRESSIONS: Final = re.compile(r"[\\^|{}\[\]]|\.\*|\*\+")
_TWO_LETTERS: Final = re.compile("[xnz\u0445\u00d7]{2}")
_MOST_SHOWN: Final = 40
# A number of a person is hidden in part, the beginning of one is not.
_A_WHOLE_NUMBER: Final = 10
_IN_A_TEXT: Final = re.compile(r"\+?\d(?:[^\w+]*\d){6,}")
# What a sheet makes of a long number.
_ROUNDED: Final = re.compile(r"\d+(?:[.,]\d+)?e\+\d+|\d+[.,]\d+e\d+", re.IGNORECASE)
# What people and programs write for everybody, for nobody or for nothing at all.
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
    """A mask that cannot be understood or can match nothing; its text says why, for the person who wrote it."""


def kept_entries(text: str, read: Callable[[str], str]) -> str:
    """A list as it is kept: each entry as `read` has it, apart by `;`. Raises InvalidMask with the place of the first
    entry that `read` refuses; a lone one has no place.
    """
    written = entries(text)
    kept = []
    for place, entry in enumerate(written, 1):
        try:
            kept.append(read(entry))
        except InvalidMask as invalid:
            raise InvalidMask(f"Entry {place}: {invalid}" if len(written) > 1 else str(invalid)) from None
    return ";".join(kept)


def complaints(text: str, read: Callable[[str], object]) -> list[str]:
    """What `read` has against each entry of a list, as sentences; none for the entries that it takes."""
    told = []
    for entry in entries(text):
        try:
            read(entry)
        except InvalidMask as invalid:
            told.append(str(invalid))
    return told


@lru_cache(maxsize=4096)
def unfilled(text: str) -> str:
    """`text` without `tel:` and without what people put between digits."""
    plain = plain_text(text).strip()
    if plain[: len(_TEL)].lower() == _TEL:
        plain = plain[len(_TEL) :]
    return FILLING.sub("", plain)


def quoted(entry: str) -> str:
    """An entry for an error: a whole number is hidden in part, and what is long is cut."""
    if sum(sign.isdigit() for sign in entry) >= _A_WHOLE_NUMBER and "*" not in entry:
        shown = _IN_A_TEXT.sub(lambda number: mask(number[0]), entry)
        entry = mask(entry) if shown == entry else shown
    return entry if len(entry) <= _MOST_SHOWN else entry[:_MOST_SHOWN] + "…"


def is_placeholder(entry: str) -> bool:
    """Whether an entry is a word such as `any` or `none`, which no sender and no extension is called."""
    return entry.casefold() in _PLACEHOLDERS


def stands_for_digits(entry: str) -> bool:
    """Whether an entry that is no number and has no `*` is meant for numbers all the same: `1202555XXXX`, `NXX-NXXX`.

    Such a text is also a possible name of a sender. A short one with a digit that begins with a letter stays one (N26).
    """
    plain = plain_text(entry)
    word = FILLING.sub("", plain).casefold().lstrip("+_^")
    digits = sum(sign.isdigit() for sign in word)
    letters = {sign for sign in word if sign.isalpha() or sign in _WILD_LETTERS}
    if digits and (_OF_REGULAR_EXPRESSIONS.search(plain) or _ROUNDED.fullmatch(plain)):
        return True
    if letters <= _WILD_LETTERS:
        return _of_wild_signs(plain, word, digits)
    return digits >= _LONG_AS_A_NUMBER and not (word[0].isalpha() and len(plain) <= _LONGEST_SENDER_NAME)


def _of_wild_signs(plain: str, word: str, digits: int) -> bool:
    """As `stands_for_digits`, for what has no letters but those that stand for digits."""
    if not digits:
        return len(word) >= _NO_NAME
    if _WILD_SIGNS.search(plain) or len(word) >= _LONG_AS_A_NUMBER:
        return True
    return word[0].isdigit() or _TWO_LETTERS.search(word) is not None
