"""Checks a file's credentials against those that the gateway's carriers declare. Pure, except `fetch_declared`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from smsgw.access.http_api import ServiceApi
from smsgw.bulk.document import CredentialsEntry

# The prefix of credentials among the fields of a desired or stored object, if their value is in the file or shown.
PREFIX = "credentials."


@dataclass(frozen=True, slots=True)
class DeclaredCarrier:
    """A carrier's name for people, and the names of its credentials. `shown` are those that are not secret."""

    brand: str
    names: tuple[str, ...]
    shown: frozenset[str]


Declared = Mapping[str, DeclaredCarrier]


async def fetch_declared(api: ServiceApi) -> Declared:
    """Ask the gateway for its carriers. Raises Failure."""
    found = await api.call("GET", "/api/v1/carriers")
    return {one["name"]: _declared(one["brand"], one["credentials"]) for one in found["items"]}


def _declared(brand: str, credentials: list[dict[str, object]]) -> DeclaredCarrier:
    names = tuple(str(one["name"]) for one in credentials)
    return DeclaredCarrier(brand, names, frozenset(str(one["name"]) for one in credentials if not one["secret"]))


def carrier_of(declared: Declared, carrier: object, brand: object) -> DeclaredCarrier | None:
    """Return a trunk's carrier, by its `carrier` or else its brand; None if it is unknown."""
    wanted = str(carrier or brand).casefold()
    by_brand = {one.brand.casefold(): one for one in declared.values()}
    return declared.get(wanted) or (None if carrier else by_brand.get(wanted))


def faults(entry: CredentialsEntry, carrier: DeclaredCarrier) -> Iterator[str]:
    """Return what is wrong with the credentials of an entry."""
    known = f"{carrier.brand} has {', '.join(carrier.names)}"
    for name in entry.variables():
        if name not in carrier.names:
            yield f"credentials.{name}_env is not known: {known}"
    for name in entry.literals():
        if name not in carrier.names:
            yield f"credentials.{name} is not known: {known}"
        elif name not in carrier.shown:
            yield f"credentials.{name} is a secret: name its environment variable in {name}_env"
        elif name in entry.variables():
            yield f"credentials.{name} stands beside {name}_env; keep one of them"
