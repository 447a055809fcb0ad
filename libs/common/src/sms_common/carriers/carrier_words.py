"""A carrier's own words made fit to show and to log: short, printable, and without the numbers they may repeat."""

import re
from collections.abc import Iterable

from sms_common.phone import mask

MAX_WORDS = 300
_SHORTEST_PRIVATE = 4

# Five digits are a short code; fewer are a count, a code or a year. Blanks and punctuation may stand between digits.
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){4,}")


def shown(words: object, *, private: Iterable[str] = ()) -> str | None:
    """Return `words` for a person, or None for what is not text or has nothing to show.

    That is one line of at most MAX_WORDS characters, numbers masked and `private` strings taken out, except ones so
    short that they would tear ordinary words apart.
    """
    if not isinstance(words, str):
        return None
    for secret in sorted(private, key=len, reverse=True):
        if len(secret) >= _SHORTEST_PRIVATE:
            words = words.replace(secret, mask(secret))
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    masked = _NUMBER.sub(lambda found: mask(found.group()), line)
    return (masked if len(masked) <= MAX_WORDS else f"{masked[: MAX_WORDS - 1]}…") or None
