"""Reads the addresses of media files that a carrier will fetch, or refuses them with a sentence. Pure, no I/O."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from sms_common.input.pasted import is_invisible, named, trimmed

MAX_MEDIA_URL: Final = 4096
_SCHEME: Final = re.compile(r"(https?)://", re.IGNORECASE)
_AUTHORITY_ENDS: Final = re.compile(r"[/?#\\]")
_LABEL: Final = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\]")
# RFC 3986: what may stand in a path, a query or a fragment as it is. Brackets may not, and strict readers refuse them.
_KEPT: Final = "/?#:@!$&'()*+,;=-._~%"
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class InvalidMediaUrl(ValueError):
    """Not an address that a carrier can fetch. The message follows the field's name, says why, and never holds the
    address.
    """


def media_url(written: str) -> str:
    """The address as carriers accept it. Invisible characters at its ends are removed, the scheme is in lower case, a
    host of other letters is in ASCII (IDNA), and characters that no URL may hold are percent-encoded. All else stays.

    Raises InvalidMediaUrl.
    """
    text = trimmed(written)
    if not text:
        raise InvalidMediaUrl("is empty")
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise InvalidMediaUrl("must begin with https:// or http://")
    if len(text) > MAX_MEDIA_URL:
        raise InvalidMediaUrl(f"is too long; {MAX_MEDIA_URL} characters are allowed")
    _check_one_line(text)
    rest = text[scheme.end() :]
    end = _AUTHORITY_ENDS.search(rest)
    authority, path = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    url = f"{scheme[1].lower()}://{_authority(authority)}{_encoded(path)}"
    _check_port(url)
    return url


def _check_one_line(text: str) -> None:
    for place, character in enumerate(text, 1):
        if is_invisible(character) and character != " ":
            raise InvalidMediaUrl(f"holds an invisible character ({named(character)}) at place {place}")


def _authority(written: str) -> str:
    """The host with what surrounds it: a user before an @, a port after a colon."""
    user, at, place = written.rpartition("@")
    port = re.search(r":\d*\Z", place)
    host = place if port is None else place[: port.start()]
    return f"{_encoded(user)}{at}{_host(host)}{'' if port is None else port[0]}"


def _host(written: str) -> str:
    if not written:
        raise InvalidMediaUrl("names no host")
    try:
        host = written if written.isascii() else written.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise InvalidMediaUrl("names a host that cannot exist")
    return host


def _encoded(written: str) -> str:
    """Percent-encode `text`. What is encoded already stays; a percent sign that encodes nothing is encoded itself."""
    return quote(_LONE_PERCENT.sub("%25", written), safe=_KEPT)


def _check_port(url: str) -> None:
    try:
        port = urlsplit(url).port
    except ValueError:
        raise InvalidMediaUrl("names a port or host that cannot exist") from None
    if port == 0:
        raise InvalidMediaUrl("names a port that cannot exist")
