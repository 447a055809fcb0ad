"""Why a rule won or lost: the parts of an explanation."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's part in a decision. `reason` is a sentence for a person."""

    rule_id: str
    name: str
    won: bool
    reason: str


_MOST_SHOWN: Final = 120


def shortened(written: str) -> str:
    """A rule's condition for a sentence: `101;102` as `101, 102`, cut when it is long."""
    text = written.replace(";", ", ")
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN].rsplit(", ", 1)[0] + " and more"
