"""OAuth2 client credentials (RFC 6749, 4.4) at Bandwidth: one cached token for each client, renewed before it ends.

A client has one renewal in flight at most, however many senders wait for it. After a failed one there is a back-off.
"""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import aiohttp
import yarl

from sms_common.backoff import BackoffPolicy
from sms_common.carriers.bandwidth.answers import json_object, retry_after
from sms_common.carriers.exchange import Answer, NoAnswerError, post
from sms_common.errors import Code, Misconfigured, TemporaryFailure, Throttled
from sms_common.telemetry import metrics

# Bandwidth's own two clients renew a token this many seconds before it ends.
RENEW_AHEAD = 60.0
# Bandwidth documents no lifetime. Its command line client assumes an hour if the answer names none.
ASSUMED_LIFETIME = 3600.0
# After a failed call for a token the next one waits 1, 2, 4 ... seconds, 30 at most.
# No jitter: all senders of a client share one renewal, so there is nothing to spread.
_AFTER_FAILURES = BackoffPolicy(1.0, 30.0, jitter=0.0)
# The endpoint may ask for a longer wait, up to this: without a token nothing can be sent.
MAX_WISH = 300.0
_MAX_TOKEN = 16 * 1024
_GRANT = b"grant_type=client_credentials"


@dataclass(frozen=True, slots=True, repr=False)
class OAuthClient:
    """An OAuth2 client id and its secret. Equal pairs share a token. A changed secret makes another client."""

    id: str
    secret: str


@dataclass(slots=True)
class _Entry:
    """The state of one client. Times are those of the monotonic clock, in seconds."""

    token: str = ""
    renew_at: float = 0.0
    expires_at: float = 0.0
    failure: TemporaryFailure | None = None
    failures: int = 0
    retry_at: float = 0.0
    renewal: asyncio.Task[None] | None = None


class Tokens:
    """The access tokens of all clients at one token endpoint. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        timeout: aiohttp.ClientTimeout,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = yarl.URL(url)
        self._timeout = timeout
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}

    async def get(self, client: OAuthClient, deadline: float) -> str:
        """Return a valid token. In its last RENEW_AHEAD seconds it is still returned while a new one is fetched.

        `deadline` is a time of the clock. Raises Misconfigured when Bandwidth refuses the client, Throttled when it
        asks for less, and TemporaryFailure when no token came in time.
        """
        now = self._clock()
        entry = self._entry(client, now)
        if now < entry.renew_at:
            return entry.token
        if now >= entry.retry_at or entry.renewal is not None:
            renewal = self._renew(client, entry)
            if now >= entry.expires_at:
                await asyncio.wait({renewal}, timeout=max(deadline - now, 0.0))
                if renewal.done() and not renewal.cancelled():
                    renewal.result()
        return self._held(entry)

    def refused(self, client: OAuthClient, token: str) -> None:
        """Forget a token that Bandwidth refused (401), unless it has been replaced meanwhile."""
        entry = self._entry(client, self._clock())
        if entry.token == token:
            entry.token, entry.renew_at, entry.expires_at = "", 0.0, 0.0

    async def close(self) -> None:
        """Cancel the renewals in flight."""
        renewals = [entry.renewal for entry in self._entries.values() if entry.renewal is not None]
        for renewal in renewals:
            renewal.cancel()
        await asyncio.gather(*renewals, return_exceptions=True)

    def _held(self, entry: _Entry) -> str:
        now = self._clock()
        if now < entry.expires_at:
            return entry.token
        failure = entry.failure
        if failure is None:
            raise TemporaryFailure(Code.CARRIER_UNREACHABLE, "Bandwidth's token endpoint did not answer in time.")
        raise type(failure)(
            failure.code,
            failure.reason,
            carrier_code=failure.carrier_code,
            retry_after=max(entry.retry_at - now, 0.0),
        )

    def _entry(self, client: OAuthClient, now: float) -> _Entry:
        key = _digest(client)
        entry = self._entries.get(key)
        if entry is None:
            # A replaced secret is never used again, so expired entries are deleted whenever a new client comes.
            for old in [
                k for k, e in self._entries.items() if e.renewal is None and max(e.expires_at, e.retry_at) <= now
            ]:
                del self._entries[old]
            entry = self._entries[key] = _Entry()
        return entry

    def _renew(self, client: OAuthClient, entry: _Entry) -> "asyncio.Task[None]":
        """Return the renewal in flight for a client; start one if there is none."""
        if entry.renewal is None:
            entry.renewal = asyncio.create_task(self._fetch(client, entry), name="bandwidth-token")
            entry.renewal.add_done_callback(_retrieve)
        return entry.renewal

    async def _fetch(self, client: OAuthClient, entry: _Entry) -> None:
        began = self._clock()
        try:
            answer = await post(self._http, self._url, _headers(client), _GRANT, self._timeout)
            token, lifetime = _granted(answer)
        except NoAnswerError as error:
            reason = f"Bandwidth's token endpoint cannot be reached ({error.cause})."
            self._failed(entry, TemporaryFailure(Code.CARRIER_UNREACHABLE, reason))
        except TemporaryFailure as failure:
            self._failed(entry, failure)
        else:
            entry.token, entry.failure, entry.failures, entry.retry_at = token, None, 0, 0.0
            entry.expires_at = began + lifetime
            entry.renew_at = entry.expires_at - min(RENEW_AHEAD, lifetime / 2)
            metrics.token_refresh_total.labels(result="granted").inc()
        finally:
            entry.renewal = None

    def _failed(self, entry: _Entry, failure: TemporaryFailure) -> None:
        metrics.token_refresh_total.labels(result=failure.code).inc()
        entry.failure = failure
        entry.failures += 1
        pause = _AFTER_FAILURES.delay(entry.failures)
        entry.retry_at = self._clock() + max(pause, min(failure.retry_after or 0.0, MAX_WISH))


def _digest(client: OAuthClient) -> bytes:
    """Return the cache's key. It is a digest, so that no secret is kept. The id's length separates the two parts."""
    digest = hashlib.sha256(f"{len(client.id)}:{client.id}:{client.secret}".encode("utf-8", "surrogatepass"))
    return digest.digest()


def basic(username: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode('utf-8', 'surrogatepass')).decode()}"


def _headers(client: OAuthClient) -> Mapping[str, str]:
    return {
        "Authorization": basic(client.id, client.secret),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }


def _granted(answer: Answer) -> tuple[str, float]:
    """Return the token in an answer and its lifetime in seconds. Raises TemporaryFailure or one of its children."""
    document = json_object(answer.body)
    if answer.status != HTTPStatus.OK:
        raise _refusal(answer, document)
    token = document.get("access_token")
    # A token is put into a header, so it must be visible ASCII.
    if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN or not token.isascii() or not token.isprintable():
        raise TemporaryFailure(Code.CARRIER_ERROR, "Bandwidth's token endpoint answered without a usable token.")
    return token, _lifetime(document.get("expires_in"))


def _lifetime(expires_in: object) -> float:
    """Return a token's lifetime in seconds, at least one, so that the senders that waited for it can use it."""
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else ASSUMED_LIFETIME
    except (ValueError, OverflowError):
        return ASSUMED_LIFETIME
    return seconds if seconds > 1 else 1.0  # also for NaN


def _refusal(answer: Answer, document: dict[str, Any]) -> TemporaryFailure:
    """Return the failure for a refusal. After most 4xx the credentials must be corrected; others pass by themselves."""
    status = answer.status
    reason = f"Bandwidth's token endpoint answered HTTP {status}."
    code = _error(document) or str(status)
    wait = retry_after(answer.headers, datetime.now(UTC))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(Code.CARRIER_BUSY, reason, carrier_code=code, retry_after=wait)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT:
        return Misconfigured(Code.CREDENTIALS_REFUSED, reason, carrier_code=code, retry_after=wait)
    return TemporaryFailure(Code.CARRIER_UNREACHABLE, reason, carrier_code=code, retry_after=wait)


def _error(document: dict[str, Any]) -> str | None:
    """Return the `error` of RFC 6749, 5.2: a short word such as invalid_client."""
    error = document.get("error")
    return error if isinstance(error, str) and error.isidentifier() and len(error) <= 64 else None  # noqa: PLR2004 - longest word shown


def _retrieve(renewal: "asyncio.Task[None]") -> None:
    """Read the exception of a renewal that nobody waits for. The next sender gets the failure from the entry."""
    if not renewal.cancelled():
        renewal.exception()
