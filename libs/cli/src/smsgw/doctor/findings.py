"""A finding of the doctor: one fact about one part, its level, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is. Only `fail` makes the doctor's exit status 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table. `do` is empty when there is nothing to do."""

    level: Level
    part: str
    said: str
    do: str = ""


def ok(part: str, said: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, part, said)


def warn(part: str, said: str, do: str) -> Finding:
    """It works, but needs attention."""
    return Finding(Level.WARN, part, said, do)


def fail(part: str, said: str, do: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, part, said, do)
