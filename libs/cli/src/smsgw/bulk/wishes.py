"""What a file wants of one object, in the form in which the API keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smsgw.bulk.kinds import Key, ObjectKind


@dataclass(frozen=True, slots=True)
class Wish:
    """One object as the file wants it. `variables` are the environment variables of its secrets.

    `line` is where it stands in the file.
    """

    kind: ObjectKind
    key: Key
    fields: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None


def in_form(read: Callable[[], str], written: str) -> str:
    """Numbers in the form in which they are stored; what is no number goes to the API, which says what is wrong."""
    try:
        return read()
    except ValueError:
        return written
