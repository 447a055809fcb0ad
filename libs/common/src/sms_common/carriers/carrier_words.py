"""A carrier's own words made fit to show and to log: short, printable, and without the numbers they may repeat."""

import re
from collections.abc import Iterable

MAX_WORDS = 300

# Five digits are a short code; a group of fewer is a count, a code or a year. Blanks and punctuation may stand between digits.
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){4,}")


def shown(words: object, *, private: Iterable[str] = ()) -> str | None:
    """`words` for a person: at most MAX_WORDS characters on one line, numbers masked, each of the `private` strings left out.

    None for what is not text or has nothing to show.
    """
    if not isinstance(words, str):
        return None
    for secret in sorted(filter(None, private), key=len, reverse=True):
        words = words.replace(secret, mask_number(secret))
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    masked = _NUMBER.sub(lambda found: mask_number(found.group()), line)
    return (masked if len(masked) <= MAX_WORDS else f"{masked[: MAX_WORDS - 1]}…") or None


def mask_number(number: str) -> str:
    """The last two digits of a number behind three stars, enough to tell two apart; only stars for what is no number."""
    digits = "".join(letter for letter in number if letter.isascii() and letter.isdigit())
    return f"***{digits[-2:]}" if _NUMBER.fullmatch(number) else "***"
