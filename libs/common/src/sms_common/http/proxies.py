"""Which client a request comes from, behind reverse proxies. Only the headers of listed proxies are trusted.

Anybody can write X-Forwarded-For. Each proxy adds the address that called it, on the right. So the header is read from
the right, as long as the addresses are trusted proxies; the first other address is the client.
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
# The IPv6 network that one customer of a provider usually gets.
_IPV6_CUSTOMER_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """The client. `claimed` is the address that an unlisted proxy gives for its client. It tells clients behind one
    address apart, but it proves nothing, since anybody may claim to be a proxy.
    """

    address: str | None = None
    claimed: str = ""

    @property
    def origin(self) -> str:
        """What to count requests by: the address, or the customer's network for IPv6."""
        address = _address(self.address or "")
        if isinstance(address, IPv6Address):
            return str(ip_network((address, _IPV6_CUSTOMER_BITS), strict=False))
        return self.address or ""


class TrustedProxies:
    """The addresses of the proxies whose headers are trusted."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def client(self, peer: str | None, headers: Headers) -> PeerAddress:
        """The client of a connection from `peer`. When `peer` is not trusted, it is `peer` itself."""
        address = _address(peer or "")
        hops = _entries(headers, FORWARDED_FOR)
        if address is None or not self._trusts(address):
            claimed = _address(hops[-1]) if hops else None
            return PeerAddress(None if peer is None else str(address or peer), str(claimed or ""))
        for hop in reversed(hops):
            before = _address(hop)
            if before is None:  # this hop's caller is unknown
                break
            address = before
            if not self._trusts(address):
                break
        return PeerAddress(str(address))

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def says_https(headers: Headers) -> bool:
    """Whether any proxy on the way says that it was called over TLS.

    Everybody is trusted in this. A lie only has the effect that cookies are not sent without TLS.
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
    """The entries of a header that is a list, even when it was sent as several headers."""
    return [word for line in headers.getall(name, ()) for part in line.split(",") if (word := trimmed(part))]


def _address(text: str) -> Address | None:
    """The address in one entry. Some proxies add a port, and write IPv6 in brackets or with a zone."""
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
