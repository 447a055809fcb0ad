"""Cleans what people paste from sheets, chats and consoles, or refuses it and says where it is wrong. No I/O.

Invisible characters (Unicode's control, format and separator classes, fillers and blanks of other scripts) are removed
from the ends of a text. Inside they are refused: the value looks right, but could never work.
"""

import re
import unicodedata
from typing import Final

# For Unicode these are letters, symbols or marks, but they are invisible: Hangul fillers, the Braille blank, the
# grapheme joiner, Khmer inherent vowels, Mongolian and general variation selectors.
_BLANK_LETTERS: Final = (
    "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_BLANK_LETTER: Final = re.compile(f"[{_BLANK_LETTERS}]")
# Control, format and surrogate characters, line and paragraph separators; white space is checked separately.
_UNSEEN_CLASSES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# These are parts of an emoji: the joiner, and the mark "show this as a picture".
_OF_EMOJI: Final = frozenset("\u200d\ufe0f")
_EMOJI_CLASSES: Final = frozenset({"So", "Sk"})
# What separates the entries of a list, whatever program it was copied from; U+0085, U+2028 and U+2029 end lines too.
_BETWEEN_ENTRIES: Final = re.compile("[;,\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\u037e\u060c\u061b\u3001\uff0c\uff1b]")
_PRINTABLE: Final = range(0x21, 0x7F)
# What programs put around the content of a cell: quotation marks, a formula (="..."), or the apostrophe that makes a
# text of digits.
_QUOTED: Final = re.compile(
    "=?\"([^\"]*)\"|'([^']*)'|`([^`]*)`|[\u201c\u201e\u201f]([^\u201c-\u201f]*)[\u201c\u201d]"
    "|[\u2018\u201a]([^\u2018-\u201b]*)[\u2018\u2019]|\u00ab([^\u00ab\u00bb]*)\u00bb|\u2039([^\u2039\u203a]*)\u203a"
    "|['\u2019](?=[0-9+*(])(.*)"
)


class UncleanText(ValueError):
    """A text holds a character that is not allowed. The message says which and where, and never holds the text."""


def is_invisible(character: str) -> bool:
    """Whether a person cannot see `character`. Every kind of white space counts."""
    return (
        character.isspace()
        or unicodedata.category(character) in _UNSEEN_CLASSES
        or _BLANK_LETTER.match(character) is not None
    )


def trimmed(text: str) -> str:
    """`text` without anything invisible at its ends."""
    start, end = 0, len(text)
    while start < end and is_invisible(text[start]):
        start += 1
    while end > start and is_invisible(text[end - 1]) and not _ends_emoji(text, end - 1, start):
        end -= 1
    return text[start:end]


def one_line(text: str) -> str:
    """A text for one line, such as a name: trimmed, in Unicode's composed form (NFC), every blank a plain space.

    Raises UncleanText for an invisible character inside, except those of an emoji.
    """
    line = unicodedata.normalize("NFC", trimmed(text))
    for place, character in enumerate(line):
        if character == " " or not is_invisible(character) or unicodedata.category(character) == "Zs":
            continue
        if character in _OF_EMOJI and place > 0 and _is_of_emoji(line[place - 1]):
            continue
        raise UncleanText(f"holds an invisible character ({named(character)}) at place {place + 1}")
    return "".join(" " if unicodedata.category(character) == "Zs" else character for character in line)


def printable_ascii(text: str, *, blanks: bool = False) -> str:
    """A secret or an id: trimmed, and printable ASCII only. `blanks` allows spaces inside.

    Raises UncleanText with the place of the first character that is not.
    """
    word = trimmed(text)
    for place, character in enumerate(word, 1):
        if ord(character) in _PRINTABLE or (blanks and character == " "):
            continue
        what = "an invisible character" if is_invisible(character) else "a character outside ASCII"
        if character == " ":
            what = "a blank"
        raise UncleanText(f"holds {what} ({named(character)}) at place {place}")
    return word


def entries(text: str) -> list[str]:
    """The entries of a pasted list, in their order. Line ends, tabs, semicolons and commas separate them. Each is
    trimmed, and quotation marks from a sheet are removed.
    """
    parts = (_unquoted(trimmed(part)) for part in _BETWEEN_ENTRIES.split(text))
    return [part for part in parts if part]


def plain_text(text: str) -> str:
    """`text` with full-width signs and digits of other scripts as ASCII ones.

    A raised 2, a circled 1 or a half is no digit and stays.
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(map(_plain_sign, text)))


def _plain_sign(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.digit(sign))
    plain = unicodedata.normalize("NFKC", sign)
    return sign if any(character.isdecimal() for character in plain) else plain


def _unquoted(entry: str) -> str:
    quoted = _QUOTED.fullmatch(entry)
    while quoted is not None:
        entry = trimmed(next(filter(None, quoted.groups()), ""))
        quoted = _QUOTED.fullmatch(entry)
    return entry


def visible(name: str) -> str:
    """A name that was stored before names were checked, as it would be stored now: one line, all of it visible."""
    try:
        return one_line(name)
    except UncleanText:
        return one_line(_seen(name))


def alike(name: str) -> str:
    """A form in which names that look alike are equal: case, blanks and invisible characters do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _seen(name)).casefold())
    return " ".join(folded.split())


def _seen(name: str) -> str:
    return "".join(" " if one.isspace() else one for one in name if one.isspace() or not is_invisible(one))


def named(character: str) -> str:
    """A character by its code and name, such as `U+200B ZERO WIDTH SPACE`, since it cannot be shown."""
    name = unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name}"


def _ends_emoji(text: str, place: int, start: int) -> bool:
    return text[place] == "\ufe0f" and place > start and _is_of_emoji(text[place - 1])


def _is_of_emoji(character: str) -> bool:
    return character in _OF_EMOJI or unicodedata.category(character) in _EMOJI_CLASSES
