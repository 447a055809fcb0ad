"""Checks the public webhook address as a carrier would use it: host name, certificate chain, and ingress behind it."""

import asyncio
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from sms_common.events import utc_now
from smsgw.access.http_api import trust
from smsgw.doctor.findings import Finding, Level, fail, ok, warn

_TAKES_POST_ONLY = 405
_SOON_DAYS = 14
_LOCAL = ("127.", "localhost", "[::1]")
_WRONG_CHAIN = (
    "Serve the full chain, intermediate certificates included, from a public authority; carriers refuse the connection."
)


def addresses(webhooks: Iterable[str | None]) -> list[str]:
    """The addresses to check for these webhook URLs: each public address and carrier once, without the token."""
    return sorted({url.rpartition("/")[0] for url in webhooks if url})


async def findings(http: aiohttp.ClientSession, address: str, ca_file: Path | None) -> list[Finding]:
    """Check one address, such as `https://sms.example.com/webhooks/bandwidth`. A GET must be answered 405."""
    parts = urlsplit(address)
    part = f"webhook {parts.netloc}"
    found: list[Finding] = []
    if parts.scheme == "https":
        certificate = await _certificate(part, parts.hostname or "", parts.port or 443, ca_file)
        if certificate.level is Level.FAIL:
            return [certificate]
        found.append(certificate)
    elif not parts.netloc.startswith(_LOCAL):
        found.append(
            warn(
                part,
                "plain HTTP",
                "Put an HTTPS proxy in front of ingress: without it texts and credentials can be read on the network.",
            )
        )
    return [*found, await _answer(http, part, address)]


async def _answer(http: aiohttp.ClientSession, part: str, address: str) -> Finding:
    try:
        # No configuration has this token; ingress checks the method first.
        async with http.get(f"{address}/smsgw-doctor", allow_redirects=False) as answer:
            status, server = answer.status, answer.headers.get("Server", "")
    except TimeoutError:
        return fail(part, "no answer in time", "Open the firewall; carriers give up after 10 s.")
    except (aiohttp.ClientError, OSError) as error:
        return fail(
            part, f"cannot be reached ({type(error).__name__})", "See the host name's address, the proxy and ingress."
        )
    if status == _TAKES_POST_ONLY:
        return ok(part, "ingress answers")
    said = f"a GET is answered {status}{f' by {server}' if server else ''} instead of 405"
    return fail(part, said, "Something else answers there: pass /webhooks/ on to ingress unchanged.")


async def _certificate(part: str, host: str, port: int, ca_file: Path | None) -> Finding:
    """Check the certificate that is served there, on a separate connection."""
    part = f"{part} certificate"
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(host, port, ssl=trust(ca_file), server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        return fail(part, error.verify_message, _WRONG_CHAIN)
    except (OSError, ssl.SSLError) as error:  # a time-out is an OSError
        return fail(
            part, f"no TLS connection ({type(error).__name__})", "Nothing answers with TLS there; carriers refuse that."
        )
    try:
        served = writer.get_extra_info("ssl_object").getpeercert()
    finally:
        writer.close()
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(served["notAfter"]), UTC)
    days = (until - utc_now()).days
    said = f"valid until {until:%Y-%m-%d}, {days} days"
    if days < _SOON_DAYS:
        return warn(part, said, "Renew it now.")
    if ca_file is not None:
        return warn(part, f"{said}; checked against {ca_file.name}", "A carrier trusts public authorities only.")
    return ok(part, said)
