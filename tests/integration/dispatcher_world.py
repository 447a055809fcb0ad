"""Everything around dispatcher processes: a simulated Bandwidth, a configuration, the door for webhooks, and a PBX."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from carrier_simulator import MessageOutcome, SimulatedAccount, Simulator, SimulatorSettings, running
from sms_common import topology
from sms_common.broker import Delivery, Outgoing, RabbitBroker
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.configuration import WebhookEndpoint
from sms_common.errors import Unavailable
from sms_common.events import StatusEvent, utc_now
from sms_ingress.reading import read
from sms_native.machine.ports import LOOPBACK, free_port

DID, HANDSET = "+12025550143", "+14045550121"
NOWHERE = "127.0.0.1:1"
PATIENCE = 30.0

_APPLICATION_ID = "93de2206-9669-4e07-948d-329f4b722ee2"
_SECRET = secrets.token_hex(8)
_ENDPOINT = WebhookEndpoint(config_id="cfg", tenant_id="acme", carrier="bandwidth", tokens=())


@dataclass
class Pbx:
    """Reads `pbx.main.status` and remembers what it was told, by message."""

    told: dict[str, list[StatusEvent]] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self, delivery: Delivery) -> None:
        event = StatusEvent.model_validate_json(delivery.body)
        async with self._news:
            self.told.setdefault(event.message_id, []).append(event)
            self._news.notify_all()

    def last(self, message_id: str) -> str | None:
        """The status of the highest sequence, as a reader that obeys the contract sees it."""
        events = self.told.get(message_id, [])
        return max(events, key=lambda event: event.sequence).status.value if events else None

    def finals(self, message_id: str) -> set[str]:
        return {event.event_id for event in self.told.get(message_id, []) if event.final}

    async def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(holds)

    async def until_all(self, message_ids: list[str], status: str = "delivered", seconds: float = PATIENCE) -> None:
        try:
            await self.until(lambda: all(self.last(id_) == status for id_ in message_ids), seconds)
        except TimeoutError:
            raise AssertionError({id_: self.last(id_) for id_ in message_ids if self.last(id_) != status}) from None


class World:
    """What a dispatcher process needs and what it does to it."""

    def __init__(self, simulator: Simulator, broker: RabbitBroker, config_url: str, env: dict[str, str]) -> None:
        self.simulator = simulator
        self.broker = broker
        self.pbx = Pbx()
        self.http: aiohttp.ClientSession
        self._env = env | {
            "DISPATCHER_CONFIG_URL": config_url,
            "DISPATCHER_CONFIG_TOKEN": "config-token",
            "DISPATCHER_READ_TOKEN": "api-token",
            "DISPATCHER_DUE_EVERY": "0.1",
            "DISPATCHER_CARRIER_OPTIONS": json.dumps(
                {"bandwidth": {"messaging_url": simulator.messaging_url, "token_url": simulator.token_url}}
            ),
        }

    @asynccontextmanager
    async def dispatcher(self, **changes: str) -> AsyncIterator["Process"]:
        """A dispatcher process, ready or not; killed at the end of the block unless it has ended."""
        port = free_port()
        env = {**os.environ, **self._env, "DISPATCHER_PORT": str(port), **changes}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sms_dispatcher",
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        process = Process(child, f"http://{LOOPBACK}:{port}", self.http)
        try:
            yield process
        finally:
            await process.kill()

    async def send(self, *message_ids: str, **changes: Any) -> None:
        await asyncio.gather(*(self._send(message_id, changes) for message_id in message_ids))

    async def _send(self, message_id: str, changes: dict[str, Any]) -> None:
        body = {"message_id": message_id, "tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}
        message = Outgoing(
            topology.SMS, topology.outbound_key("acme"), json.dumps(body | changes).encode(), "", message_id
        )
        while True:
            try:
                return await self.broker.publish(message)
            except Unavailable:
                await asyncio.sleep(0.1)

    def arrivals(self) -> dict[str, int]:
        """How often each message arrived at the carrier, by its id."""
        return {tag.partition("/")[2]: count for tag, count in self.simulator.records.by_tag.items()}


class Process:
    """One dispatcher."""

    def __init__(self, child: asyncio.subprocess.Process, url: str, http: aiohttp.ClientSession) -> None:
        self._child = child
        self._http = http
        self._lines: list[str] = []
        self._reading = asyncio.create_task(self._read())
        self.url = url

    async def _read(self) -> None:
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            self._lines.append(line.decode())

    @property
    def output(self) -> str:
        return "".join(self._lines)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self._http.get(self.url + path, headers=headers) as answer:
            return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())

    async def until_ready(self, status: int = 200) -> dict[str, str]:
        """What the probe says about each check, once it answers with `status`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    found, body = await self.get("/readyz")
                except aiohttp.ClientConnectionError:
                    assert self._child.returncode is None, self.output
                else:
                    if found == status:
                        checks: dict[str, str] = body["checks"]
                        return checks
                await asyncio.sleep(0.05)  # a server that is not there yet announces nothing

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        self._child.send_signal(signal.SIGTERM)
        return await self._child.wait()

    async def kill(self) -> None:
        if self._child.returncode is None:
            self._child.kill()
        await self._child.wait()
        await self._reading


def snapshot() -> dict[str, Any]:
    return {
        "version": "1",
        "tenants": [{"id": "acme"}],
        "pools": [{"tenant_id": "acme", "trunk_id": "trunk", "numbers": DID}],
        "configs": [
            {
                "id": "cfg",
                "tenant_id": "acme",
                "carrier": "bandwidth",
                "trunk_id": "trunk",
                "default_did": DID,
                "credentials": {
                    "account_id": "5500001",
                    "application_id": _APPLICATION_ID,
                    "api_token": "client",
                    "api_secret": _SECRET,
                },
            }
        ],
    }


@asynccontextmanager
async def world(amqp_url: str, mongo_url: str, database: str) -> AsyncIterator[World]:
    """A world on this broker and store, its queues declared and its PBX reading."""
    async with AsyncExitStack() as stack:
        broker = RabbitBroker(amqp_url, name="test", topology=topology.base())
        await stack.enter_async_context(broker)
        url = await stack.enter_async_context(_web(broker))
        simulator = await stack.enter_async_context(_simulator(f"{url}/webhook"))
        env = {
            "DISPATCHER_AMQP_URL": amqp_url,
            "DISPATCHER_MONGO_URL": mongo_url,
            "DISPATCHER_MONGO_DATABASE": database,
        }
        around = World(simulator, broker, url, env)
        around.http = await stack.enter_async_context(aiohttp.ClientSession())
        await broker.ready()
        await broker.consume(topology.pbx_status_queue("main"), around.pbx.read, prefetch=200)
        yield around


@asynccontextmanager
async def _simulator(webhook_url: str) -> AsyncIterator[Simulator]:
    settings = SimulatorSettings(
        sent_delay=0.01, final_delay=0.02, webhook_retry_delays=(0.2,), webhook_authentication="none"
    )
    application = {
        "application_id": _APPLICATION_ID,
        "outbound_url": webhook_url,
        "inbound_url": webhook_url,
        "numbers": [DID],
    }
    account = {
        "account_id": "5500001",
        "credentials": [{"client_id": "client", "client_secret": _SECRET}],
        "applications": [application],
    }
    async with running(settings) as simulator:
        simulator.put_account(SimulatedAccount.model_validate(account))
        simulator.script(MessageOutcome(), to="*")
        yield simulator


@asynccontextmanager
async def _web(broker: RabbitBroker) -> AsyncIterator[str]:
    """The config service's snapshot and the public door, as far as a dispatcher needs them."""
    carrier = Bandwidth()

    async def give_snapshot(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer config-token"
        return web.json_response(snapshot(), headers={"ETag": '"1"'})

    async def take_webhook(request: web.Request) -> web.Response:
        try:
            for event in read(carrier, await request.read(), _ENDPOINT, utc_now()).messages:
                await broker.publish(event)
        except Unavailable:
            return web.Response(status=503)
        return web.Response()

    app = web.Application()
    app.router.add_get("/internal/v1/snapshot/dispatcher", give_snapshot)
    app.router.add_post("/webhook", take_webhook)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
