"""Whom a request comes from when reverse proxies stand between: their headers are believed from listed addresses only.

Everybody can write X-Forwarded-For. Each proxy adds, on the right, the address that it was called from; so it is read
from the right, as far as the hops are trusted, and the first that is not is the client.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy

from sms_common.input.pasted import entries, trimmed

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Headers: TypeAlias = "CIMultiDict[str] | CIMultiDictProxy[str]"

FORWARDED_FOR: Final = "X-Forwarded-For"
FORWARDED_PROTO: Final = "X-Forwarded-Proto"
# What one customer of a provider is commonly given: who has one address of it has all.
_IPV6_CUSTOMER_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Who calls. `claimed` is the address in whose name an undeclared proxy, or whoever says to be one, speaks: it
    tells clients of one address apart and proves nothing.
    """

    address: str | None = None
    claimed: str = ""

    @property
    def origin(self) -> str:
        """What to count by: the address, of IPv6 the network of a customer."""
        address = _address(self.address or "")
        if isinstance(address, IPv6Address):
            return str(ip_network((address, _IPV6_CUSTOMER_BITS), strict=False))
        return self.address or ""


class TrustedProxies:
    """The proxies whose word is taken, by their addresses."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def client(self, peer: str | None, headers: Headers) -> PeerAddress:
        """Who calls, for a connection from `peer`. Without a trusted peer that is the peer, whatever it says."""
        address = _address(peer or "")
        hops = _entries(headers, FORWARDED_FOR)
        if address is None or not self._trusts(address):
            claimed = _address(hops[-1]) if hops else None
            return PeerAddress(None if peer is None else str(address or peer), str(claimed or ""))
        for hop in reversed(hops):
            before = _address(hop)
            if before is None:  # what this hop was called from, nobody can say
                break
            address = before
            if not self._trusts(address):
                break
        return PeerAddress(str(address))

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def says_https(headers: Headers) -> bool:
    """Whether any proxy on the way, of one or of several, says that it was called over TLS.

    This is believed from everybody: who lies about it only keeps cookies from being sent without TLS.
    """
    return any(word.lower() == "https" for word in _entries(headers, FORWARDED_PROTO))


def read_networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks such as `10.0.0.0/8`, separated by commas, blanks or line ends. Raises ValueError."""
    return tuple(_network(word) for entry in entries(text) for word in entry.split())


def _network(word: str) -> Network:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        raise ValueError("write the addresses or networks of the proxies, such as 10.0.0.0/8, not names") from None


def _entries(headers: Headers, name: str) -> Sequence[str]:
    """The entries of a header that is a list, also where it was sent as several headers."""
    return [word for line in headers.getall(name, ()) for part in line.split(",") if (word := trimmed(part))]


def _address(text: str) -> Address | None:
    """The address in one entry: proxies also write it with a port, and IPv6 in brackets or with a zone."""
    word = text.strip('"')
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
