"""A service's own copy of the configuration: fetched over HTTP and kept in memory, also while no newer one can be had.

It knows nothing of the broker: the service calls `changed()` when a change is announced.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

import aiohttp
import structlog
from pydantic import SecretStr, ValidationError

from sms_common.backoff import BackoffPolicy, spread
from sms_common.concurrency import is_set_within
from sms_common.configuration import DispatcherSnapshot, IngressSnapshot
from sms_common.errors import Code, Unavailable
from sms_common.garbage_collection import no_collection
from sms_common.telemetry import metrics

S = TypeVar("S", IngressSnapshot, DispatcherSnapshot)
Listener = Callable[[S], Awaitable[None]]
Wait = Callable[[asyncio.Event, float], Awaitable[None]]

MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024
# Reading more JSON than this, and building its look-up tables, would delay other work by tens of milliseconds.
PARSE_ASIDE_BYTES = 256 * 1024

# A change nobody announced is seen within 30 s: the longest pause and the slowest fetch together.
_PAUSE, _PAUSE_JITTER = 17.0, 2.0 / 17.0
_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3, sock_read=5)
# Announcements that arrive in a burst (an import, say) cost one fetch in each such span.
_GAP = 0.2
_BACKOFF = BackoffPolicy(0.4, 5.0)
# A failure that goes on is logged once in this many seconds.
_REMIND_AFTER = 60.0

_PATHS: dict[type, str] = {
    IngressSnapshot: "/internal/v1/snapshot/ingress",
    DispatcherSnapshot: "/internal/v1/snapshot/dispatcher",
}

_log = structlog.get_logger(__name__)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when `event` is set, or after `seconds`."""
    await is_set_within(seconds, event)


class ConfigClient(Generic[S]):
    """Keeps the newest snapshot of one `kind`; runs inside `async with`.

    While the config service cannot be reached, or sends something unreadable, the last snapshot stays in use. `wait`
    and `monotonic` (seconds) are its clock.
    """

    def __init__(
        self,
        config_url: str,
        token: SecretStr,
        kind: type[S],
        *,
        wait: Wait = wait_for,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = config_url.rstrip("/") + _PATHS[kind]
        self._token = token
        self._kind: type[S] = kind
        self._wait = wait
        self._monotonic = monotonic
        self._snapshot: S | None = None
        self._etag: str | None = None
        self._confirmed_at: float | None = None
        self._failure: str | None = None
        self._told_failure_at = 0.0
        self._nudged = asyncio.Event()
        self._arrived = asyncio.Event()
        self._news = asyncio.Event()
        self._never = asyncio.Event()
        self._listeners: list[Listener[S]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def snapshot(self) -> S | None:
        """The newest snapshot, or None before the first one."""
        return self._snapshot

    async def first(self) -> S:
        """Return the newest snapshot; wait for the first one."""
        await self._arrived.wait()
        assert self._snapshot is not None
        return self._snapshot

    def changed(self) -> None:
        """Fetch now: something changed. All calls during a fetch together lead to one more."""
        self._nudged.set()

    def on_change(self, listener: Listener[S]) -> None:
        """Await `listener(snapshot)` for every new snapshot, one after the other. Register before `async with`.

        While a listener works, only the newest snapshot waits; older ones are skipped. A listener that raises is called
        again later with the newest snapshot, so it may get the same one twice.
        """
        self._listeners.append(listener)

    def check(self) -> str | None:
        """Why the service is not ready, as a sentence, or None when there is a snapshot."""
        if self._snapshot is not None:
            return None
        return f"No configuration has been fetched yet. {self._failure or ''}".rstrip()

    def age(self) -> float:
        """Seconds since the config service last sent or confirmed this snapshot; infinite before the first."""
        return float("inf") if self._confirmed_at is None else self._monotonic() - self._confirmed_at

    async def __aenter__(self) -> Self:
        """Start to fetch. Does not wait for the first snapshot."""
        metrics.config_snapshot_age_seconds.set_function(self.age)
        self._tasks = [asyncio.create_task(self._keep_fresh()), asyncio.create_task(self._keep_told())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop fetching; the snapshot stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        failures = 0
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            while True:
                self._nudged.clear()
                failures = 0 if await self._refresh(http) else failures + 1
                await self._wait(self._never, _GAP)
                pause = _BACKOFF.delay(failures) if failures else spread(_PAUSE, _PAUSE_JITTER)
                await self._wait(self._nudged, pause)

    async def _refresh(self, http: aiohttp.ClientSession) -> bool:
        """Fetch once. Returns whether the snapshot is now known to be the newest."""
        try:
            newer = await self._fetch(http)
        except Unavailable as unavailable:
            self._tell_failure(unavailable.reason, logging.WARNING)
            return False
        except ValueError as error:
            self._tell_failure(
                f"The config service sent a snapshot that cannot be read ({_place(error)}).", logging.ERROR
            )
            return False
        except Exception:  # noqa: BLE001  # see below
            # A bug must not end the loop, or the service would keep an old configuration for ever.
            _log.exception("config.refresh_failed")
            return False
        self._confirmed_at = self._monotonic()
        if self._failure is not None:
            _log.info("config.available_again", snapshot=self._kind.__name__)
            self._failure = None
        if newer is not None:
            self._take(newer)
        return True

    async def _fetch(self, http: aiohttp.ClientSession) -> S | None:
        """Return the snapshot, or None if it is the one we have. Raises Unavailable, or ValueError for a bad body."""
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag
        try:
            # A redirect would send the token to another address.
            async with http.get(self._url, headers=headers, allow_redirects=False) as response:
                if response.status == 304 and self._etag is not None:  # noqa: PLR2004  # Not Modified
                    return None
                if response.status != 200:  # noqa: PLR2004  # OK
                    raise _unavailable(f"The config service answered {response.status}.")
                body = await _read(response)
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            raise _unavailable(f"The config service cannot be reached ({type(error).__name__}).") from error
        snapshot = await self._parse(body)
        self._etag = response.headers.get("ETag")
        return snapshot

    async def _parse(self, body: bytes) -> S:
        if len(body) > PARSE_ASIDE_BYTES:
            return await asyncio.to_thread(_read_snapshot, self._kind, body)
        return _read_snapshot(self._kind, body)

    def _take(self, snapshot: S) -> None:
        previous, self._snapshot = self._snapshot, snapshot
        self._arrived.set()
        if previous is None or previous.version != snapshot.version:
            _log.info("config.snapshot", snapshot=self._kind.__name__, version=snapshot.version)
            self._news.set()

    def _tell_failure(self, reason: str, level: int) -> None:
        now = self._monotonic()
        if reason != self._failure or now - self._told_failure_at >= _REMIND_AFTER:
            self._told_failure_at = now
            _log.log(
                level,
                "config.unavailable",
                reason=reason,
                snapshot=self._kind.__name__,
                kept=self._snapshot is not None,
            )
        self._failure = reason

    async def _keep_told(self) -> None:
        failures = 0
        while True:
            if failures:
                await self._wait(self._news, _BACKOFF.delay(failures))
            else:
                await self._news.wait()
            self._news.clear()
            failures = 0 if await self._tell(await self.first()) else failures + 1

    async def _tell(self, snapshot: S) -> bool:
        for listener in self._listeners:
            try:
                await listener(snapshot)
            except Unavailable as unavailable:
                _log.warning("config.listener_waits", code=unavailable.code, reason=unavailable.reason)
                return False
            except Exception:  # noqa: BLE001  # see below
                # A listener's bug must not end the loop: it still has to get later snapshots.
                _log.exception("config.listener_failed")
                return False
        return True


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(Code.CONFIG_UNAVAILABLE, reason)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_SNAPSHOT_BYTES:
            raise _unavailable(f"The config service sent a snapshot of more than {MAX_SNAPSHOT_BYTES} bytes.")
    return bytes(body)


def _read_snapshot(kind: type[S], body: bytes) -> S:
    """Read a snapshot and build its look-up tables now, so that no message waits for them. Raises ValueError."""
    with no_collection():
        snapshot = kind.model_validate_json(body)
        if isinstance(snapshot, IngressSnapshot):
            snapshot.endpoint("", "", datetime.now(UTC))
        else:
            snapshot.owner_of("+1")
            snapshot.configs_of("")
            snapshot.rules_of("-")
    return snapshot


def _place(error: ValueError) -> str:
    """Where the first mistake is, and its kind. No values: they may be secrets."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['type']}"
