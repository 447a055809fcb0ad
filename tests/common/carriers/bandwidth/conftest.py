"""A scripted stand-in for Bandwidth's two endpoints, and a carrier that talks to it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import Account

CREDENTIALS = {
    "account_id": "5500001",
    "application_id": "0f1e2d3c-4b5a-4678-9abc-def012345678",
    "api_token": "canary-client",
    "api_secret": "canary-secret",
}


class FakeTime:
    """A monotonic clock that moves only when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@dataclass
class Call:
    """One request as it came in."""

    path: str
    headers: Any
    raw: bytes

    @property
    def body(self):
        return orjson.loads(self.raw)

    @property
    def authorization(self):
        return self.headers["Authorization"]


@dataclass
class StandIn:
    """Takes messages and hands out tokens. `answers` and `grants` are used up first to last; then all is well.

    An answer is a web.Response or a coroutine function that makes one.
    """

    url: str = ""
    answers: deque[Any] = field(default_factory=deque)
    grants: deque[Any] = field(default_factory=deque)
    messages: list[Call] = field(default_factory=list)
    lists: list[Call] = field(default_factory=list)
    token_calls: list[Call] = field(default_factory=list)

    async def take_message(self, request):
        self.messages.append(Call(request.raw_path, request.headers, await request.read()))
        accepted = web.json_response({"id": f"id-{len(self.messages)}", "segmentCount": 1}, status=202)
        return await self._next(self.answers, accepted)

    async def list_messages(self, request):
        self.lists.append(Call(request.raw_path, request.headers, await request.read()))
        return await self._next(self.answers, web.json_response({"totalCount": 0, "messages": []}))

    async def grant(self, request):
        self.token_calls.append(Call(request.raw_path, request.headers, await request.read()))
        token = {"access_token": f"canary-token-{len(self.token_calls)}", "expires_in": 3600, "token_type": "Bearer"}
        return await self._next(self.grants, web.json_response(token))

    async def _next(self, script, otherwise):
        answer = script.popleft() if script else otherwise
        return await answer() if callable(answer) else answer


@pytest.fixture
def credentials():
    return dict(CREDENTIALS)


@pytest.fixture
def account():
    """Make an account of the given credentials, by default good ones."""

    def make(**changes):
        values = {name: value for name, value in {**CREDENTIALS, **changes}.items() if value is not None}
        return Account("cfg-1", {name: SecretStr(value) for name, value in values.items()})

    return make


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
async def stand_in():
    stand_in = StandIn()
    app = web.Application()
    app.router.add_post("/api/v2/users/{account}/messages", stand_in.take_message)
    app.router.add_get("/api/v2/users/{account}/messages", stand_in.list_messages)
    app.router.add_post("/token", stand_in.grant)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
async def bandwidth(stand_in, http, clock):
    """A carrier for the stand-in; its clock stands still."""
    options = {"messaging_url": f"{stand_in.url}/api/v2", "token_url": f"{stand_in.url}/token"}
    carrier = Bandwidth(http, options, clock=clock)
    yield carrier
    await carrier.close()


@dataclass
class RawServer:
    """A server that does with each connection what `behave(reader, writer)` says."""

    url: str = ""
    connections: int = 0
    behave: Any = None

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            await self.behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def raw_server():
    raw = RawServer()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield raw
    server.close()
