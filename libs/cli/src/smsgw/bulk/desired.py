"""Objects as a file wants them, in the API's form, so that an equal stored value is not seen as a change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sms_common.phone import NumberPool, normalise, normalise_sender
from smsgw.bulk.kinds import Key, ObjectKind


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """One object as the file wants it. `variables` are the environment variables of its secrets; `line` is its line."""

    kind: ObjectKind
    key: Key
    fields: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None


class NumberReader(NamedTuple):
    """How a tenant's numbers are read. What is not a number is returned unchanged, and the API says what is wrong."""

    country: str = "US"
    foreign_without_plus: bool = False

    def number(self, written: str) -> str:
        """One number in international form."""
        return in_form(lambda: normalise(written, self.country, **self._how), written)

    def sender(self, written: str) -> str:
        """A number in international form, or a name."""
        return in_form(lambda: normalise_sender(written, self.country, **self._how), written)

    def pool(self, written: str) -> str:
        """Numbers and ranges in the form of stored pools."""
        return in_form(lambda: str(NumberPool.parse(written, self.country, **self._how)), written)

    @property
    def _how(self) -> dict[str, bool]:
        return {"foreign_without_plus": self.foreign_without_plus}


def in_form(read: Callable[[], str], written: str) -> str:
    """Return numbers in their stored form. What is not a number is left to the API, which says what is wrong."""
    try:
        return read()
    except ValueError:
        return written
