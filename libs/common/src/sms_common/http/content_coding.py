"""Whether an HTTP body is compressed or otherwise encoded, by its Content-Encoding header. Pure."""

from collections.abc import Iterable

# The registered content codings (IANA, HTTP Parameters) except "identity". Clients that misunderstand the header write
# a charset or nothing into it.
_CODINGS = frozenset(
    {
        "aes128gcm",
        "br",
        "compress",
        "dcb",
        "dcz",
        "deflate",
        "exi",
        "gzip",
        "pack200-gzip",
        "x-compress",
        "x-gzip",
        "zstd",
    }
)
_PREFIX_OF_UNREGISTERED = "x-"


def is_coded(headers: Iterable[str]) -> bool:
    """Whether one of these Content-Encoding headers names a coding. "identity", a charset and nothing do not count."""
    words = (word.strip().lower() for header in headers for word in header.split(","))
    return any(word in _CODINGS or word.startswith(_PREFIX_OF_UNREGISTERED) for word in words)
