"""Tests a webhook as the carrier would use it: name, connection, certificate, who answers, credentials, and how fast.

The address is always our own public one. The body is one that ingress answers and does not keep, so no text comes in.
Redirects are not followed, and bodies of answers are not read.
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs, web
from pydantic import SecretStr
from yarl import URL

from sms_common.carriers.protocol import KEPT_FOR, OTHER_SCHEME, RESULT_HEADER, TEST_BODY
from sms_config.operations.replay_refusals import ReplayRefused
from sms_config.schemas.views import StepView

# The least that a carrier waits for an answer. A slow answer gets a remark before that.
TIMEOUT_SECONDS = 10.0
_DNS_SECONDS = 5.0
_SLOW_SECONDS = 5.0
_EXPIRES_SOON_DAYS = 14
_NOT_A_TOKEN = "no-such-webhook"  # noqa: S105  # an address that nobody has
_USER_AGENT = "sms-gateway-test"


class StepCode(StrEnum):
    """What a step found. Most mean that the step failed; some are only remarks."""

    NAME_UNKNOWN = "name_unknown"
    PRIVATE_ADDRESS = "private_address"
    NO_CONNECTION = "no_connection"
    NO_TLS = "no_tls"
    NOT_ENCRYPTED = "not_encrypted"
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_ENDS = "certificate_ends"
    NOT_INGRESS = "not_ingress"
    UNKNOWN_WEBHOOK = "unknown_webhook"
    NO_CALLBACK = "no_callback"
    NOT_ASKED = "not_asked"
    ASKED_BY_ANOTHER = "asked_by_another"
    NO_CHALLENGE = "no_challenge"
    AUTHORIZATION_REMOVED = "authorization_removed"
    AUTHORIZATION_REPLACED = "authorization_replaced"
    WEBHOOK_UNAUTHORIZED = "webhook_unauthorized"
    WEBHOOK_NOT_TAKEN = "webhook_not_taken"
    REDIRECTED = "redirected"
    UNEXPECTED_ANSWER = "unexpected_answer"
    NO_ANSWER = "no_answer"
    SLOW = "slow"


_OLDER = "ingress has an older configuration; try again in half a minute"
SENTENCES: Mapping[StepCode, str] = {
    StepCode.NAME_UNKNOWN: "The name {host} has no address. Add it to DNS, or correct CONFIG_PUBLIC_URL.",
    StepCode.PRIVATE_ADDRESS: "{host} leads to {addresses}, which no carrier can reach from outside. That is right "
    "only with a simulator, or where names differ inside and outside.",
    StepCode.NO_CONNECTION: "{host}:{port} takes no connection ({cause}). Start ingress and its proxy, and open the "
    "firewall. If it can be reached from elsewhere, only this machine's way to its own public address fails.",
    StepCode.NO_TLS: "{host}:{port} does not speak TLS as a carrier does. Let the proxy there serve HTTPS by TLS 1.2 "
    "or newer.",
    StepCode.NOT_ENCRYPTED: "HTTP is not encrypted: texts and credentials can be read on the way. Put a proxy with "
    "HTTPS in front.",
    StepCode.CERTIFICATE_REFUSED: "A carrier does not trust the certificate: {cause}. Serve the full chain, with all "
    "intermediate certificates, from a public authority, for this very name.",
    StepCode.CERTIFICATE_ENDS: "The chain is whole and trusted, and ends on {until}, in {days} days. Renew it now.",
    StepCode.NOT_INGRESS: "An address that does not exist is answered {status} instead of 404, so it is not ingress "
    "that answers. Let the proxy pass /webhooks/ on to ingress unchanged.",
    StepCode.UNKNOWN_WEBHOOK: "Ingress does not know this address. If it was made just now, try again in half a "
    "minute. Else a proxy changes the path (let it pass /webhooks/ on unchanged), or ingress is not ready (/readyz) or "
    "belongs to another installation.",
    StepCode.NO_CALLBACK: "No user and password are asked for; the secret address alone protects it. Set callback "
    "credentials.",
    StepCode.NOT_ASKED: f"No credentials are asked for although some are configured: {_OLDER}.",
    StepCode.ASKED_BY_ANOTHER: "Credentials are asked for that are not configured here: a proxy asks for them, or "
    f"{_OLDER}.",
    StepCode.NO_CHALLENGE: "It answers 401 without WWW-Authenticate, so the carrier never sends its credentials. A "
    "proxy takes that header away.",
    StepCode.AUTHORIZATION_REMOVED: "The user and password do not arrive: a proxy takes the Authorization header "
    "away. Let it pass that header on to ingress.",
    StepCode.AUTHORIZATION_REPLACED: "Another Authorization header arrives than was sent: a proxy replaces it. Let it "
    "pass the carrier's own header on to ingress.",
    StepCode.WEBHOOK_UNAUTHORIZED: "The configured user and password are refused: a proxy puts others in their place, "
    f"or {_OLDER}.",
    StepCode.WEBHOOK_NOT_TAKEN: "It answers {status}, and a carrier would repeat. See why ingress or its proxy is not "
    "ready (/readyz).",
    StepCode.REDIRECTED: "It answers {status}, a redirect, which carriers do not follow. Enter the final address as "
    "CONFIG_PUBLIC_URL.",
    StepCode.UNEXPECTED_ANSWER: "It answers {status}. Something in front of ingress interferes.",
    StepCode.NO_ANSWER: "No answer came within 10 s ({cause}); carriers give up then. Look at the proxy and at "
    "ingress.",
    StepCode.SLOW: "It is taken, after {seconds:.1f} s: carriers give up at 10 s. Look at the proxy and at ingress.",
}


# What it means when ingress refuses the right credentials, by the result that ingress reports.
_REFUSALS: Mapping[str, StepCode] = {
    "challenged": StepCode.AUTHORIZATION_REMOVED,
    OTHER_SCHEME: StepCode.AUTHORIZATION_REPLACED,
}


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A webhook to call. Its address is `base`/`token`; `username` and `password` are set if it asks for them."""

    base: str
    token: SecretStr = field(repr=False)
    username: str | None = None
    password: SecretStr | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    asks_basic: bool
    seconds: float
    result: str | None
    """The result that ingress reports; None when something else answered."""
    kept_for: str | None
    """The code for which ingress parked the body; None when it did not."""


class _StepFailed(Exception):  # it ends the steps, it is no error of ours
    """A step failed."""

    def __init__(self, step: str, code: StepCode, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.view = StepView(step=step, ok=False, code=code, says=SENTENCES[code].format(**facts))


def _passed(step: str, says: str) -> StepView:
    return StepView(step=step, ok=True, code=None, says=says)


def _remark(step: str, code: StepCode, **facts: object) -> StepView:
    return StepView(step=step, ok=True, code=code, says=SENTENCES[code].format(**facts))


class WebhookCheck:
    """Calls webhooks. `trust` holds the certificate authorities that are accepted, by default the public ones."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust or ssl.create_default_context()
        self._http: aiohttp.ClientSession | None = None

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Keep an HTTP session while the application runs."""
        connector = aiohttp.TCPConnector(ssl=self._trust, force_close=True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar) as self._http:
            yield
        self._http = None

    async def run(self, target: WebhookTarget) -> list[StepView]:
        """Return the steps up to the first that fails."""
        url, steps = URL(target.base), list[StepView]()
        try:
            steps.append(await _name(url))
            steps += await self._connection(url)
            steps.append(await self._unknown_token(target))
            steps.append(await self._challenge(target))
            steps.append(await self._answer(target))
        except _StepFailed as failed:
            steps.append(failed.view)
        return steps

    async def repost(self, target: WebhookTarget, body: bytes) -> str | None:
        """Post a body that a carrier sent to a webhook again.

        Returns once ingress has accepted it: with the code for which ingress parked it, or None when all of it could be
        used. Raises ReplayRefused.
        """
        try:
            reply = await self._call("answer", target, target, body)
            if reply.status != HTTPStatus.OK:
                raise _refused(reply)
        except _StepFailed as failed:
            raise ReplayRefused(failed.code, failed.view.says) from None
        return reply.kept_for

    async def _connection(self, url: URL) -> list[StepView]:
        """Connect, and check the certificate if there is one."""
        secure = url.scheme == "https"
        where = {"host": url.host, "port": url.port}
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                trust, name = (self._trust, url.host) if secure else (None, None)
                _, writer = await asyncio.open_connection(url.host, url.port, ssl=trust, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            raise _StepFailed("certificate", StepCode.CERTIFICATE_REFUSED, cause=error.verify_message) from None
        except ssl.SSLError:
            raise _StepFailed("certificate", StepCode.NO_TLS, **where) from None
        except OSError as error:  # TimeoutError is one
            raise _StepFailed("connection", StepCode.NO_CONNECTION, **where, cause=type(error).__name__) from None
        try:
            served: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
            certificate = _remark("certificate", StepCode.NOT_ENCRYPTED) if served is None else _certificate(served)
            return [_passed("connection", f"{url.host}:{url.port} takes connections."), certificate]
        finally:
            writer.close()

    async def _unknown_token(self, target: WebhookTarget) -> StepView:
        """Check that ingress answers: it knows no such address and must say 404."""
        reply = await self._post("route", f"{target.base}/{_NOT_A_TOKEN}", None)
        if reply.status != HTTPStatus.NOT_FOUND:
            _raise_unless_usable("route", reply)
            raise _StepFailed("route", StepCode.NOT_INGRESS, status=reply.status)
        return _passed("route", "Ingress answers there.")

    async def _challenge(self, target: WebhookTarget) -> StepView:
        """Call it without credentials, as a carrier that waits to be asked does at first."""
        reply = await self._call("challenge", target, None)
        match target.username is not None, reply.status:
            case True, HTTPStatus.UNAUTHORIZED if reply.asks_basic:
                return _passed("challenge", "Without credentials it answers 401 and asks for them, as it should.")
            case True, HTTPStatus.UNAUTHORIZED:
                raise _StepFailed("challenge", StepCode.NO_CHALLENGE)
            case True, HTTPStatus.OK:
                raise _StepFailed("challenge", StepCode.NOT_ASKED)
            case False, HTTPStatus.OK:
                return _remark("challenge", StepCode.NO_CALLBACK)
            case False, HTTPStatus.UNAUTHORIZED:
                raise _StepFailed("challenge", StepCode.ASKED_BY_ANOTHER)
        raise _StepFailed("challenge", StepCode.UNEXPECTED_ANSWER, status=reply.status)

    async def _answer(self, target: WebhookTarget) -> StepView:
        """Call it with credentials, as the carrier does in the end."""
        reply = await self._call("answer", target, target)
        match reply.status:
            case HTTPStatus.OK if reply.seconds > _SLOW_SECONDS:
                return _remark("answer", StepCode.SLOW, seconds=reply.seconds)
            case HTTPStatus.OK:
                took = f"{reply.seconds * 1000:.0f} ms"
                return _passed("answer", f"It is taken: the address and the credentials are right. Answered in {took}.")
        raise _refused(reply)

    async def _call(
        self, step: str, target: WebhookTarget, credentials: WebhookTarget | None, body: bytes = TEST_BODY
    ) -> _Reply:
        reply = await self._post(step, f"{target.base}/{target.token.get_secret_value()}", credentials, body)
        if reply.status == HTTPStatus.NOT_FOUND:
            raise _StepFailed(step, StepCode.UNKNOWN_WEBHOOK)
        _raise_unless_usable(step, reply)
        return reply

    async def _post(self, step: str, url: str, credentials: WebhookTarget | None, body: bytes = TEST_BODY) -> _Reply:
        assert self._http is not None, "the application runs"
        began, headers = time.monotonic(), _headers(credentials)
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                asks = answer.headers.get(hdrs.WWW_AUTHENTICATE, "").lower().startswith("basic")
                result, kept_for = answer.headers.get(RESULT_HEADER), answer.headers.get(KEPT_FOR)
                return _Reply(answer.status, asks, time.monotonic() - began, result, kept_for)
        except (aiohttp.ClientError, OSError) as error:
            raise _StepFailed(step, StepCode.NO_ANSWER, cause=type(error).__name__) from None


async def _name(url: URL) -> StepView:
    """Look the name up, as this machine sees it."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_DNS_SECONDS):
            found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _StepFailed("name", StepCode.NAME_UNKNOWN, host=url.host) from None
    addresses = sorted({str(entry[4][0]) for entry in found})
    listed = ", ".join(addresses)
    if not any(_is_public(address) for address in addresses):
        return _remark("name", StepCode.PRIVATE_ADDRESS, host=url.host, addresses=listed)
    return _passed("name", f"{url.host} leads to {listed}.")


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global


def _certificate(tls: ssl.SSLObject) -> StepView:
    served = tls.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(served["notAfter"])), UTC)
    days = (ends - datetime.now(UTC)).days
    if days < _EXPIRES_SOON_DAYS:
        return _remark("certificate", StepCode.CERTIFICATE_ENDS, until=f"{ends:%Y-%m-%d}", days=days)
    return _passed("certificate", f"The chain is whole and trusted, until {ends:%Y-%m-%d} ({days} days).")


def _headers(credentials: WebhookTarget | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": _USER_AGENT}
    if credentials is not None and credentials.username is not None and credentials.password is not None:
        given = f"{credentials.username}:{credentials.password.get_secret_value()}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(given).decode()}"
    return headers


def _refused(reply: _Reply) -> _StepFailed:
    """Return what an answer other than 200 to the right credentials means."""
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return _StepFailed("answer", _REFUSALS.get(reply.result or "", StepCode.WEBHOOK_UNAUTHORIZED))
    return _StepFailed("answer", StepCode.UNEXPECTED_ANSWER, status=reply.status)


def _raise_unless_usable(step: str, reply: _Reply) -> None:
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _StepFailed(step, StepCode.WEBHOOK_NOT_TAKEN, status=reply.status)
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        raise _StepFailed(step, StepCode.REDIRECTED, status=reply.status)
