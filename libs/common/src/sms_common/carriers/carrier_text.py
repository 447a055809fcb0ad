"""Makes a carrier's own words safe to show and to log: short, on one line, without numbers or the message's text."""

from collections.abc import Iterable

from sms_common.phone import mask
from sms_common.telemetry import redact_text

MAX_WORDS = 300
_SHORTEST_PRIVATE = 4


def shown(words: object, *, private: Iterable[str] = ()) -> str | None:
    """Return `words` as one line of at most MAX_WORDS characters, or None for what is no text or is empty.

    Numbers are masked and `private` strings removed. Very short `private` strings stay, since they occur in ordinary
    words.
    """
    if not isinstance(words, str):
        return None
    for secret in sorted(private, key=len, reverse=True):
        if len(secret) >= _SHORTEST_PRIVATE:
            words = words.replace(secret, mask(secret))
    line = redact_text(" ".join("".join(letter if letter.isprintable() else " " for letter in words).split()))
    return (line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…") or None
