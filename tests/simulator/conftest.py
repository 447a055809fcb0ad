"""A simulator with one account, a web server that takes its webhooks, and a client that calls it."""

import asyncio
import base64
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from carrier_simulator import Clock, SimulatedAccount, Simulator, SimulatorSettings, running

ACCOUNT = "5500001"
OTHER_ACCOUNT = "5500002"
APPLICATION = "0f1e2d3c-4b5a-4678-9abc-def012345678"
OWN = "+12025550143"
OWN_TOO = "+12025550144"
TOLL_FREE = "+18885550177"
HANDSET = "+14045550121"
START = 1783674000.123  # 2026-07-10T09:00:00.123Z, the time of the samples
EVERYTHING = ["message-sending", "message-sent", "message-delivered", "message-failed", "message-read"]


@dataclass
class Received:
    """One webhook request."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def event(self) -> Any:
        return self.body[0] if isinstance(self.body, list) else self.body


@dataclass
class Receiver:
    """The customer's web server. `answers` are used up first to last; afterwards it says 200 to everything."""

    url: str = ""
    answers: deque[Any] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    files: dict[str, web.Response] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> Any:
        entry = Received(request.path, dict(request.headers), await request.read())
        async with self.changed:
            self.received.append(entry)
            self.changed.notify_all()
        answer = self.answers.popleft() if self.answers else 200
        if callable(answer):
            return await answer(request)
        return answer if isinstance(answer, web.Response) else web.Response(status=answer)

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Return the first `count` events once they have come."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)
        return [entry.event for entry in self.received[:count]]


@pytest.fixture
async def receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


def account(
    url: str = "http://127.0.0.1:9", *, application: dict[str, Any] | None = None, **changes: Any
) -> SimulatedAccount:
    """Return the account of the tests; webhooks go to `url`/inbound and `url`/outbound."""
    document = {
        "account_id": ACCOUNT,
        "credentials": [{"client_id": "client", "client_secret": "client-secret"}],
        "users": [{"username": "user", "password": "user-password"}],
        "applications": [
            {
                "application_id": APPLICATION,
                "inbound_url": f"{url}/inbound",
                "outbound_url": f"{url}/outbound",
                "events": EVERYTHING,
                "numbers": [OWN, OWN_TOO, TOLL_FREE],
                **(application or {}),
            }
        ],
        **changes,
    }
    return SimulatedAccount.model_validate(document)


@dataclass
class Api:
    """Calls the simulator over HTTP as a customer does."""

    simulator: Simulator
    session: aiohttp.ClientSession
    authorization: str | None = None

    async def token(self, client_id: str = "client", secret: str = "client-secret") -> Any:
        status, _, body = await self.call(
            "POST",
            self.simulator.token_url,
            authorization=basic(client_id, secret),
            data=b"grant_type=client_credentials",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert status == 200, body
        return body

    async def call(self, method: str, path: str, *, authorization: str | None = "given", **options: Any):
        """Return status, headers and decoded body; without `authorization` a token is fetched once and used."""
        headers = dict(options.pop("headers", {}))
        if authorization == "given":
            if self.authorization is None:
                self.authorization = f"Bearer {(await self.token())['access_token']}"
            authorization = self.authorization
        if authorization is not None:
            headers["Authorization"] = authorization
        url = path if path.startswith("http") else f"{self.simulator.url}{path}"
        async with self.session.request(method, url, headers=headers, **options) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json" and raw
            return response.status, response.headers, orjson.loads(raw) if is_json else raw

    async def send(self, *, account_id: str = ACCOUNT, **fields: Any):
        """Post a message with the usual fields, changed by `fields` (None leaves one out)."""
        body = {"applicationId": APPLICATION, "to": [HANDSET], "from": OWN, "text": "Hello World", **fields}
        document = {name: value for name, value in body.items() if value is not None}
        return await self.call("POST", f"/api/v2/users/{account_id}/messages", json=document)

    async def control(self, method: str, path: str, document: Any = None, **options: Any):
        status, _, body = await self.call(method, f"/_simulator{path}", authorization=None, json=document, **options)
        return status, body


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
async def start(receiver):
    """Return a function that starts a simulator with the account of the tests and returns a client for it."""
    async with AsyncExitStack() as stack:

        async def _start(
            *,
            frozen: bool = False,
            application: dict[str, Any] | None = None,
            changes: dict[str, Any] | None = None,
            more_accounts: tuple[SimulatedAccount, ...] = (),
            **settings: Any,
        ) -> Api:
            quick = {"sent_delay": 0, "final_delay": 0, "late_delay": 0.05, "receipt_window": 0.05, "basic_until": None}
            one = account(receiver.url, application=application, **(changes or {}))
            chosen = SimulatorSettings(accounts=(one, *more_accounts), **{**quick, **settings})
            clock = Clock(frozen_at=START) if frozen else Clock()
            simulator = await stack.enter_async_context(running(chosen, clock=clock))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Api(simulator, session)

        yield _start


@pytest.fixture
async def api(start):
    return await start()


async def upload(api, name: str, content: bytes = b"x" * 68, content_type: str = "image/png", **headers: str):
    path = f"/api/v2/users/{ACCOUNT}/media/{name}"
    return await api.call("PUT", path, data=BytesIO(content), headers={"Content-Type": content_type, **headers})


def types(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]
