"""Ingress as a carrier sees it, and what it publishes to."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from pydantic import SecretStr

from sms_common.broker import Outgoing
from sms_common.configuration import CallbackCredentials, IngressSnapshot, WebhookEndpoint, WebhookToken, token_digest

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
EARLIER = datetime(2026, 11, 24, 12, 59, 59, tzinfo=UTC)

OPEN = "tok-open-4f2c9e71"
GUARDED = "tok-guarded-8a1b3c5d"
ROTATED = "tok-rotated-0d9e8f7a"
EXPIRED = "tok-expired-77aa66bb"
USER, PASSWORD = "gäteway", "pä:ss wörd"


def _endpoint(config_id: str, *tokens: WebhookToken, callback: CallbackCredentials | None = None) -> WebhookEndpoint:
    return WebhookEndpoint(
        config_id=config_id, tenant_id="tenant-1", carrier="bandwidth", tokens=tokens, callback=callback
    )


SNAPSHOT = IngressSnapshot(
    version="1",
    endpoints=(
        _endpoint("open", WebhookToken(sha256=token_digest(OPEN))),
        _endpoint(
            "guarded",
            WebhookToken(sha256=token_digest(GUARDED)),
            callback=CallbackCredentials(username=USER, password=SecretStr(PASSWORD)),
        ),
        _endpoint(
            "rotated",
            WebhookToken(sha256=token_digest(ROTATED)),
            WebhookToken(sha256=token_digest(EXPIRED), valid_until=NOW),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Ingress:
    """Ingress as a carrier sees it."""

    port: int
    http: aiohttp.ClientSession
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.http.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def post(self, body: object, token: str = OPEN, **options: Any) -> Answer:
        return await self.request("POST", f"/webhooks/bandwidth/{token}", data=body, **options)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections.append(writer)
        return reader, writer

    async def raw(self, *pieces: bytes) -> bytes:
        """Everything that comes back on a connection of its own until the server closes it."""
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
        return await asyncio.wait_for(reader.read(), 10)


class Gate:
    """A publisher that confirms only when the test says so."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.confirmed: list[Outgoing] = []
        self.done = asyncio.Event()

    async def publish(self, message: Outgoing) -> None:
        self.called.set()
        await self.open.wait()
        self.confirmed.append(message)
        self.done.set()


@dataclass
class World:
    """The configuration and the time of ingress: tests change them before they send."""

    snapshot: IngressSnapshot | None = SNAPSHOT
    now: datetime = NOW


Serve = Callable[..., AbstractAsyncContextManager[Ingress]]
