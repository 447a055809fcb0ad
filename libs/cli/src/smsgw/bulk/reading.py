"""Numbers of a file as the API reads them for a tenant, so that what is stored already is no change. Pure."""

from typing import NamedTuple

from sms_common.phone import NumberPool, normalise, normalise_sender
from smsgw.bulk.wishes import in_form


class NumberReader(NamedTuple):
    """How a tenant's numbers are read. What is no number comes back as it is, since the API says what is wrong."""

    country: str = "US"
    foreign_without_plus: bool = False

    def number(self, written: str) -> str:
        """One number in international form."""
        return in_form(lambda: normalise(written, self.country, **self._how), written)

    def sender(self, written: str) -> str:
        """A number in international form, or a name."""
        return in_form(lambda: normalise_sender(written, self.country, **self._how), written)

    def pool(self, written: str) -> str:
        """Numbers and ranges in the form in which pools are kept."""
        return in_form(lambda: str(NumberPool.parse(written, self.country, **self._how)), written)

    @property
    def _how(self) -> dict[str, bool]:
        return {"foreign_without_plus": self.foreign_without_plus}
