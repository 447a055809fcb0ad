"""Why MongoDB cannot be used, in words for an operator: from what its driver says, without knowing the driver. Pure."""

import re
from collections.abc import Iterable
from typing import Final

_AUTHENTICATION_FAILED: Final = frozenset({18, 8000})
_UNAUTHORIZED: Final = 13
# It goes on as it always did: options of newer drivers, and a compression that is not installed, as some addresses that
# are offered for copying ask for.
_HARMLESS: Final = ("Unknown option", "Wire protocol compression")
# What the driver says, and what it means; the first that fits.
_MEANINGS: Final = (
    (
        r"replica set named|No replica set members|replicaset name",
        "what answers there has another replica set name than replicaSet in the address says, or is no replica set",
    ),
    (
        r"Authentication failed|authentication fail",
        "log-in refused (authSource?): check user, password and authSource in the address",
    ),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify", "its certificate is not trusted: check tlsCAFile and the name"),
    (r"\bSSL\b|\bTLS\b|_ssl\.c", "it does not speak TLS as the address says: check tls in the address"),
    (r"\bSRV\b|DNS|resolution lifetime|NXDOMAIN", "the DNS does not know the name after mongodb+srv://"),
    (
        r"Name or service not known|nodename nor servname|name resolution|No address associated|getaddrinfo",
        "its host name is not known",
    ),
    (r"Connection refused|ECONNREFUSED", "nothing listens there"),
    (r"timed out|timeout", "it does not answer"),
)


def why_unusable(kind: str, code: int | None, said: str) -> str:
    """The end of a sentence about an error of the driver: its class, its code if it has one, and its own words, of
    which nothing is repeated.
    """
    if code in _AUTHENTICATION_FAILED:
        return f"{_MEANINGS[1][1]} ({kind})"
    if code == _UNAUTHORIZED:
        return f"the user of the address has no rights on the database ({kind})"
    meaning = next((words for pattern, words in _MEANINGS if re.search(pattern, said)), None)
    return kind if meaning is None else f"{meaning} ({kind})"


def told_of_options(heard: Iterable[Warning | str]) -> list[str]:
    """What the driver warned of while it read an address, without what changes nothing."""
    told = [str(one) for one in heard if isinstance(one, UserWarning)]
    return [said for said in told if not said.startswith(_HARMLESS)]
