"""A carrier's own words made fit to show and to log: short, on one line, and without anything of the message."""

from collections.abc import Iterable

from sms_common.phone import mask
from sms_common.telemetry import redact_text

MAX_WORDS = 300
_SHORTEST_PRIVATE = 4


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
    line = redact_text(" ".join("".join(letter if letter.isprintable() else " " for letter in words).split()))
    return (line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…") or None
