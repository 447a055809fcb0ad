"""Checks addresses that operators write into settings: of HTTP services, RabbitMQ and MongoDB. Pure, except that it
reads the files with certificates.

An error is one sentence that says what to do. It never holds any part of the address, which may be a password.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sms_common.input.pasted import UncleanText, is_invisible, named, trimmed

_BASE: Final = "must be the base of a URL, such as https://sms.example.com"
_ESCAPE: Final = "write the characters / ? # @ : % of user and password percent-encoded, such as %2F for /"
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(?::(\d+))?")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# aiormq interprets a lone % itself, and no parser of URLs accepts brackets and backslashes.
_UNREAD_AMQP: Final = re.compile(r"[\[\]\\]")
# Only the value of an option may hold an @. When its name does, the ? belongs to a password.
_OPTIONS: Final = re.compile(r"[A-Za-z_]+=[^&/?]*(?:&[A-Za-z_]+=[^&/?]*)*")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_MAX_PORT: Final = 65_535
# The ports that carriers call: Bandwidth's guides name these, and other ports are often blocked.
_CARRIERS_PORTS: Final = frozenset({80, 443, *range(1024, _MAX_PORT + 1)})
_WHOLE_NUMBERS: Final = ("heartbeat", "timeout", "channel_max")


def host(text: str) -> str:
    """A name or address to listen on, without scheme and port. Raises ValueError."""
    word = trimmed(text)
    bare = word.removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[\w.-]+", bare) and not _is_ipv6(bare):
        raise ValueError("must be an address or a name alone, such as 127.0.0.1 or 0.0.0.0, without http:// and port")
    return bare


def is_loopback(name: str) -> bool:
    """Whether a host is the machine itself."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def http_base(text: str) -> str:
    """The base of a URL, without a slash at its end. Raises ValueError."""
    scheme, rest = _scheme(text, {"http": "http://", "https": "https://"}, _BASE)
    if "://" in rest:
        raise ValueError(f"{_BASE}: it has :// twice")
    if any(mark in rest for mark in "?#"):
        raise ValueError(f"{_BASE}: without ? and #")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise ValueError(f"{_BASE}: without user and password")
    if authority.casefold() in {"http", "https", "http:", "https:"}:
        raise ValueError(f"{_BASE}: it names the scheme twice")
    _check_host(authority, _BASE)
    path = f"{slash}{path}".rstrip("/")
    hidden = any(is_invisible(character) for character in unquote(path))
    if not _PATH.fullmatch(path) or ".." in path or hidden or _BROKEN_ESCAPE.search(path):
        raise ValueError(f"{_BASE}: its path cannot be used")
    return f"{scheme}://{authority}{path}"


def public_base(text: str) -> str:
    """The base of the webhooks' addresses, which carriers call. Raises ValueError."""
    base = http_base(text)
    parts = urlsplit(base)
    if "webhooks" in parts.path.casefold().split("/"):
        raise ValueError("leave /webhooks/... away: the gateway adds it")
    # A simulator on the same machine calls any port.
    if (parts.port or 443) not in _CARRIERS_PORTS and not is_loopback(parts.hostname or ""):
        raise ValueError("carriers call the ports 80, 443 and 1024 and above only")
    return base


def root(text: str) -> str:
    """The address of a site without a path. Raises ValueError."""
    base = http_base(text)
    if urlsplit(base).path:
        raise ValueError("the portal works at the root of its name only: leave the path away, or give it a name")
    return base


def amqp_url(text: str) -> str:
    """The address of RabbitMQ. Raises ValueError."""
    example = "must be like amqp://user:password@host:5672/vhost"
    scheme, rest = _scheme(text, {"amqp": "amqp://", "amqps": "amqps://"}, example)
    parts = _parts(rest, example, _UNREAD_AMQP)
    _check_host(parts.authority, example)
    for name in _WHOLE_NUMBERS:
        if not re.fullmatch(r"[0-9]*", parts.options.get(name, "")):
            raise ValueError(f"its option {name} must be a whole number")
    _check_certificates(parts.options, authorities=("cafile",), own=("certfile", "keyfile"))
    return f"{scheme}://{rest}"


def mongo_url(text: str) -> str:
    """The address of MongoDB. Raises ValueError. Only the driver can check its options."""
    example = "must be like mongodb://user:password@host:27017/?replicaSet=rs0&authSource=admin"
    scheme, rest = _scheme(text, {"mongodb": "mongodb://", "mongodb+srv": "mongodb+srv://"}, example)
    parts = _parts(rest, example, _BROKEN_ESCAPE)
    hosts = parts.authority.split(",")
    for one in hosts:
        if not one.casefold().endswith(".sock"):
            _check_host(one, example)
    if scheme == "mongodb+srv" and (len(hosts) > 1 or ":" in hosts[0]):
        raise ValueError("with mongodb+srv:// there is one name, without a port")
    _check_certificates(parts.options, authorities=("tlsCAFile",), own=("tlsCertificateKeyFile",))
    return f"{scheme}://{rest}"


def blamed_option(url: str, said: str) -> str:
    """Which option a driver complains about, as the end of a sentence: the driver's own text may hold the value."""
    names = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
    blamed = next((name for name in names if name.casefold() in said.casefold()), None)
    return "look at its options" if blamed is None else f"look at its option {blamed[:40]}"


def _scheme(text: str, known: Mapping[str, str], example: str) -> tuple[str, str]:
    """The scheme, and what follows it. Raises ValueError."""
    word = trimmed(text)
    if word[:1] in _QUOTES or word[-1:] in _QUOTES:
        raise ValueError(f"{example}: leave the quotes away")
    for place, character in enumerate(word, 1):
        if is_invisible(character):
            what = "a blank" if character == " " else f"an invisible character ({named(character)})"
            raise UncleanText(f"{example}: it holds {what} at place {place}")
    found = _SCHEME.fullmatch(word)
    if found is None or found.group(1).casefold() not in known:
        raise ValueError(f"{example}: begin it with {' or '.join(known.values())}")
    return found.group(1).casefold(), found.group(2)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What follows the scheme, without user and password. `path` has no slash at its beginning."""

    authority: str
    path: str
    options: Mapping[str, str]


def _parts(rest: str, example: str, unread: re.Pattern[str]) -> _Parts:
    """Split what follows the scheme. Raises ValueError, mostly because a password is not percent-encoded. `unread` are
    the characters in user and password that the driver would misread.
    """
    end = next((place for place, character in enumerate(rest) if character in "/?#"), len(rest))
    whole, behind = rest[:end], rest[end:]
    account, at, authority = whole.rpartition("@")
    path, _, query = behind.removeprefix("/").partition("?")
    options = query if at and _OPTIONS.fullmatch(query) else ""
    if "@" in behind.removesuffix(options) or "@" in account or "#" in behind or unread.search(account):
        raise ValueError(f"{example}: {_ESCAPE}")
    return _Parts(authority, path, dict(parse_qsl(query, keep_blank_values=True)))


def _check_host(authority: str, example: str) -> None:
    """Raise ValueError unless this is a host with or without a port."""
    found = _HOST.fullmatch(authority)
    if found is None or not _is_name(found.group(1)):
        raise ValueError(f"{example}: its host or its port cannot be used")
    if found.group(2) is not None and not 0 < int(found.group(2)) <= _MAX_PORT:
        raise ValueError(f"{example}: a port is a number from 1 to {_MAX_PORT}")


def _is_name(text: str) -> bool:
    """Whether this may be a host: an address in brackets, or labels with something in each."""
    labels = text.removesuffix(".").split(".")
    return text.startswith("[") or all(label.strip("-_") and label[0] != "-" and label[-1] != "-" for label in labels)


def _check_certificates(options: Mapping[str, str], *, authorities: tuple[str, ...], own: tuple[str, ...]) -> None:
    """Raise ValueError unless the files that the options name can be read and hold certificates."""
    given = {name.casefold(): path for name, path in options.items()}
    for name in (*authorities, *own):
        if (path := given.get(name.casefold())) is not None:
            _check_readable(name, path)
            if name in authorities:
                _check_authorities(name, path)


def _check_authorities(name: str, path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):  # SSLError is an OSError
        raise ValueError(f"its option {name} names a file that cannot be read or holds no certificate in PEM") from None


def _check_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123  # a path in an option of a URL
            return
    except (OSError, ValueError):
        raise ValueError(f"its option {name} names a file that cannot be read") from None
