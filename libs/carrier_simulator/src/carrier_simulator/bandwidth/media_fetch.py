"""Fetches the media of an outbound message before it is sent, as Bandwidth does; returns an error code on failure."""

import asyncio
import ipaddress
from urllib.parse import unquote, urlsplit

import aiohttp

from carrier_simulator.bandwidth.requests.messages import is_toll_free
from carrier_simulator.state import SimulatorState

__all__ = ["BANDWIDTH_HOST", "CONTENT_TYPES", "MAX_FILE", "MAX_TOLL_FREE", "MediaFetcher"]

MAX_FILE = 3_500_000  # bytes, "3.5 MB" (support article 12823216); 3.75 MB in older guides
MAX_TOLL_FREE = 525_000  # bytes of all media of a toll-free message (support article 360034303574)

# The content types of the upload call in the OpenAPI description.
CONTENT_TYPES = frozenset(
    f"{family}/{subtype}"
    for family, subtypes in {
        "application": "gzip javascript json ogg pdf rtf smil x-bzip2 x-gzip x-tar xml zip",
        "audio": "3gpp amr flac mp4 mpeg ogg wav webm",
        "image": "bmp gif heic heif jpeg pjpeg png svg+xml tiff webp x-icon",
        "text": "calendar css csv html javascript plain vcard vnd.wap.wml xml",
        "video": "avi mp4 mpeg ogg quicktime webm x-flv x-ms-wmv",
    }.items()
    for subtype in subtypes.split()
)

BANDWIDTH_HOST = "messaging.bandwidth.com"

UNAVAILABLE = 4410
TOO_LARGE = 4411
BAD_TYPE = 4412

_CONCURRENCY = 16
_TIMEOUT = 10.0  # seconds for one file; Bandwidth's own limit is not published
_CHUNK = 65_536


class _UnusableError(Exception):
    """A file that cannot be sent, with the delivery error code for it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class MediaFetcher:
    """Checks media URLs. The simulator's own media is read from the store; `fetch_media` says which others are fetched.

    No credentials are sent. A URL that is not fetched is assumed to be available and valid.
    """

    def __init__(self, state: SimulatorState) -> None:
        self._state = state
        self._mode = state.settings.fetch_media
        self._gate = asyncio.Semaphore(_CONCURRENCY)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the connections' pool."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT), auto_decompress=False)

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def check(self, account_id: str, sender: str, media: tuple[str, ...]) -> int | None:
        """Return None if all media can be sent, else 4410 (not found), 4411 (too large) or 4412 (wrong type)."""
        if self._mode == "none":
            return None
        try:
            async with self._gate:
                sizes = [await self._size(account_id, url) for url in media]
        except _UnusableError as unusable:
            return unusable.code
        return TOO_LARGE if is_toll_free(sender) and sum(sizes) > MAX_TOLL_FREE else None

    async def _size(self, account_id: str, url: str) -> int:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _UnusableError(UNAVAILABLE)
        if parts.netloc == BANDWIDTH_HOST or f"{parts.scheme}://{parts.netloc}" in (
            self._state.url,
            self._state.public_url,
        ):
            return self._stored_size(account_id, unquote(parts.path))
        if self._mode == "local" and not _is_loopback(parts.hostname):
            return 0
        return await self._fetched_size(url)

    def _stored_size(self, account_id: str, path: str) -> int:
        prefix = f"/api/v2/users/{account_id}/media/"
        item = self._state.media.get(account_id, path.removeprefix(prefix)) if path.startswith(prefix) else None
        if item is None:
            raise _UnusableError(UNAVAILABLE)
        return _accepted(len(item.content), item.content_type)

    async def _fetched_size(self, url: str) -> int:
        assert self._session is not None
        try:
            async with self._session.get(url, allow_redirects=self._mode == "all", max_redirects=3) as response:
                if response.status != 200:  # noqa: PLR2004 - the HTTP status
                    raise _UnusableError(UNAVAILABLE)
                size = 0
                async for chunk in response.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > MAX_FILE:
                        raise _UnusableError(TOO_LARGE)
                return _accepted(size, response.content_type)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _UnusableError(UNAVAILABLE) from error


def _accepted(size: int, content_type: str) -> int:
    if size > MAX_FILE:
        raise _UnusableError(TOO_LARGE)
    if content_type.split(";", maxsplit=1)[0].strip().lower() not in CONTENT_TYPES:
        raise _UnusableError(BAD_TYPE)
    return size


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
