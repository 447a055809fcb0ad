"""Why a rule won or lost: what an explanation is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's part in a decision. `reason` is a sentence for a person."""

    rule_id: str
    name: str
    won: bool
    reason: str
