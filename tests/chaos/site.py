"""The whole gateway as processes of this machine, with every part that can be killed and every way that can be cut."""

import asyncio
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from pymongo import MongoClient

from benchmarks.engines import Engines
from sms_native.gateway.environment import SECRETS
from sms_native.gateway.services import ServicePlan, ServiceProcess, plan, simulated_carrier
from sms_native.machine.ports import LOOPBACK, free_port
from tests.chaos.network import Network
from tests.chaos.pbx import Pbx

_PORTS = ("CONFIG_PORT", "SIMULATOR_PORT", "INGRESS_PORT", "INGRESS_HEALTH_PORT", "DISPATCHER_PORT")
_READY = 60.0
_LINES = 400
_QUICK = {
    "SIMULATOR_WEBHOOK_RETRY_DELAYS": "[0.2, 0.5, 1]",
    "SIMULATOR_ARRIVALS_LIMIT": "500000",
    "SIMULATOR_ATTEMPTS_LIMIT": "500000",
}
VHOST = "chaos"
_LOOKED_AT = dict.fromkeys(("message_id", "status", "sequence", "provider_msg_id", "attempt"), 1)


@dataclass(frozen=True, slots=True)
class Customer:
    """A tenant with one trunk of 10,000 numbers and one SMS configuration."""

    tenant: str
    config_id: str
    webhook: str
    account_id: str
    application_id: str
    callback: tuple[str, str]
    area: int

    def did(self, line: int) -> str:
        """One of its numbers."""
        return f"+1201{self.area}{line % 10_000:04d}"

    def request(self, number: int, *, senders: int = 100, to: str | None = None, **fields: Any) -> dict[str, Any]:
        """The outbound request of this number, from one of so many senders in turn."""
        return {
            "message_id": f"{self.tenant}-{number:06d}",
            "tenant_id": self.tenant,
            "extension": "101",
            "from": self.did(number % senders),
            "to": to or f"+1312{201 + number % 700}{number // 700 % 4000:04d}",
            "text": f"{number} of {self.tenant}",
            **fields,
        }


class Site:
    """One installation. Services reach broker, database and carrier through networks that can be disturbed; the PBX
    and the judge have ways of their own.
    """

    def __init__(self, engines: Engines, env: dict[str, str], vhost: str) -> None:
        self.rabbit = engines.rabbit
        self.mongo = engines.mongo
        self.env = env
        self.lines: deque[tuple[str, str]] = deque(maxlen=_LINES)
        self.exits: list[tuple[str, int]] = []
        self.to_broker = Network(engines.rabbit.port)
        self.to_store = Network(engines.mongo.port)
        self.to_carrier = Network(int(env["SIMULATOR_PORT"]))
        self.pbx: Pbx
        self.http: aiohttp.ClientSession
        self._vhost = vhost
        self._services = self._plan()
        self._running: dict[str, ServiceProcess] = {}
        self._dispatchers = 0
        self._customers = 0
        self._accounts: dict[str, dict[str, Any]] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls, engines: Engines, **changes: str) -> AsyncIterator[Self]:
        """An installation without customers, ingress and dispatchers yet; with `changes` to the environment."""
        vhost = f"{VHOST}_{secrets.token_hex(4)}"
        databases = {"CONFIG_MONGO_DATABASE": f"{vhost}_c", "DISPATCHER_MONGO_DATABASE": f"{vhost}_d"}
        made = {name: make() for name, make in SECRETS.items()} | {port: str(free_port()) for port in _PORTS}
        site = cls(engines, {**made, **databases, **_QUICK, **changes}, vhost)
        management = engines.rabbit.management
        await asyncio.to_thread(management.create_vhost, vhost)
        await asyncio.to_thread(management.create_user, vhost, vhost, vhost)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(site._forget)
            unlimited = aiohttp.TCPConnector(limit=0)  # a webhook must not wait for another one here
            site.http = await stack.enter_async_context(aiohttp.ClientSession(connector=unlimited))
            for network in (site.to_broker, site.to_store, site.to_carrier):
                await stack.enter_async_context(network)
            stack.push_async_callback(site._stop_all)
            await site.start("config", "simulator")
            site.pbx = await stack.enter_async_context(Pbx(site.amqp_url))
            yield site

    @property
    def amqp_url(self) -> str:
        """The broker's address for a PBX, which no fault lies on."""
        return self._amqp_url(self.rabbit.port)

    # --- processes

    @property
    def dispatchers(self) -> list[str]:
        """The names of the dispatchers that run."""
        return [name for name in self._running if name.startswith("dispatcher")]

    async def start(self, *names: str) -> None:
        """Start services and wait until they are ready."""
        for name in names:
            self._running[name] = await ServiceProcess.start(self._services[name], self._note)
        await asyncio.gather(*(self._running[name].ready(self.http, _READY) for name in names))

    async def add_dispatcher(self, **changes: str) -> str:
        """Start one more dispatcher; its name."""
        self._dispatchers += 1
        name = f"dispatcher{self._dispatchers}"
        service, port = self._services["dispatcher"], str(free_port())
        own = {**service.environment, "DISPATCHER_PORT": port, **changes}
        url = service.ready_url.replace(self.env["DISPATCHER_PORT"], port)
        self._services[name] = replace(service, name=name, ready_url=url, environment=own)
        await self.start(name)
        return name

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._running.pop(name)
        process.kill()
        await process.wait()

    async def stop(self, name: str) -> float:
        """SIGTERM; the seconds it took to end."""
        began = time.monotonic()
        self.exits.append((name, await self._running.pop(name).stop()))
        return time.monotonic() - began

    async def ready(self, name: str) -> int:
        """What a service's readiness probe is answered with; 0 when nobody answers."""
        try:
            async with self.http.get(self._services[name].ready_url, timeout=aiohttp.ClientTimeout(total=9)) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    # --- engines

    async def kill_broker(self) -> None:
        """End RabbitMQ as a power cut would, and start it again."""
        await asyncio.to_thread(self.rabbit.kill)
        await asyncio.to_thread(self.rabbit.start)

    async def kill_store(self) -> None:
        """End MongoDB as a power cut would, and start it again."""
        await asyncio.to_thread(self.mongo.kill)
        await asyncio.to_thread(self.mongo.start)

    async def step_down(self, seconds: int) -> None:
        """Have MongoDB's primary step down; the only node of the set takes over from itself after so many seconds."""
        command = {"replSetStepDown": seconds, "force": True, "secondaryCatchUpPeriodSecs": 0}
        await asyncio.to_thread(self._command, command)

    async def close_connections(self) -> int:
        """Have the broker close every connection of the services; returns how many."""
        return await asyncio.to_thread(self.rabbit.management.close_connections, self._vhost)

    async def queues(self) -> dict[str, tuple[int, int, int]]:
        """Messages ready, unacknowledged and consumers, by queue."""
        found = await asyncio.to_thread(self.rabbit.management.queues, self._vhost)
        return {name: (state.ready, state.unacknowledged, state.consumers) for name, state in found.items()}

    # --- customers

    async def customer(self, **fields: Any) -> Customer:
        """Make one; `fields` are further ones of its SMS configuration, `account_id` may be another's."""
        self._customers += 1
        tenant, area = f"t{self._customers}", 300 + self._customers
        await self.api("POST", "/tenants", {"id": tenant, "name": tenant, "country": "US"})
        numbers = {"dids": f"+1201{area}0000-+1201{area}9999", "default_did": f"+1201{area}0000"}
        trunk = await self.api(
            "POST", "/trunks", {"tenant_id": tenant, "name": "Numbers", "brand": "Bandwidth", **numbers}
        )
        account_id = fields.pop("account_id", f"account-{tenant}")
        rate = fields.pop("carrier_rate", 0)
        credentials = {
            "account_id": account_id,
            "application_id": str(uuid.uuid4()),
            "api_token": f"{account_id}-token",
            "api_secret": f"{account_id}-secret",
        }
        callback = {"username": "bandwidth", "password": secrets.token_hex(8)}
        body = {"name": "Texts", "provider_id": trunk["id"], "credentials": credentials, "callback": callback, **fields}
        config = await self.api("POST", "/sms", body)
        application = {
            "application_id": credentials["application_id"],
            "inbound_url": config["webhook"],
            "outbound_url": config["webhook"],
            "inbound_credentials": callback,
            "outbound_credentials": callback,
            "events": ["message-sending", "message-delivered", "message-failed"],
            "numbers": [f"+1201{area}{line:04d}" for line in range(10_000)],
        }
        client = {"client_id": credentials["api_token"], "client_secret": credentials["api_secret"]}
        account = self._accounts.setdefault(account_id, {"credentials": [client], "applications": [], "rate": rate})
        account["applications"].append(application)
        await self.simulator("PUT", f"/accounts/{account_id}", account)
        return Customer(
            tenant,
            config["id"],
            config["webhook"],
            account_id,
            credentials["application_id"],
            (callback["username"], callback["password"]),
            area,
        )

    # --- interfaces

    async def api(self, method: str, path: str, body: object = None) -> Any:
        """The config service's REST API, as its administrator."""
        base = f"http://{LOOPBACK}:{self.env['CONFIG_PORT']}/api/v1"
        return await self._call(method, base + path, self.env["CONFIG_BOOTSTRAP_API_KEY"], body)

    async def simulator(self, method: str, path: str, body: object = None) -> Any:
        """The simulator's control API."""
        base = f"http://{LOOPBACK}:{self.env['SIMULATOR_PORT']}/_simulator"
        return await self._call(method, base + path, self.env["SIMULATOR_CONTROL_TOKEN"], body)

    async def arrivals(self) -> dict[str, int]:
        """How often each message came to Bandwidth, by message id."""
        counts = await self.simulator("GET", "/arrivals/counts?tags=all")
        return {tag.partition("/")[2]: count for tag, count in counts["tags"].items()}

    def ledger(self) -> dict[str, dict[str, Any]]:
        """Status, sequence, attempts and carrier's id of every outbound message, as the database has them. Blocks."""
        with MongoClient[dict[str, Any]](self._mongo_url(self.mongo.port), serverSelectionTimeoutMS=5000) as client:
            found = client[self.env["DISPATCHER_MONGO_DATABASE"]]["messages"].find({"direction": "OUT"}, _LOOKED_AT)
            return {document["message_id"]: document for document in found}

    async def _call(self, method: str, url: str, token: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {url}: {answer.status} {text[:500]}"
            return json.loads(text) if text else None

    # --- inside

    def _plan(self) -> dict[str, ServicePlan]:
        carrier = simulated_carrier(f"http://{LOOPBACK}:{self.to_carrier.port}")
        env = {"DISPATCHER_CARRIER_OPTIONS": json.dumps(carrier), **self.env}
        amqp_url = self._amqp_url(self.to_broker.port)
        services = plan(env, lambda _: amqp_url, self._mongo_url(self.to_store.port))
        return {service.name: service for service in services}

    def _amqp_url(self, port: int) -> str:
        return f"amqp://{self._vhost}:{self._vhost}@{LOOPBACK}:{port}/{self._vhost}"

    def _mongo_url(self, port: int) -> str:
        """A client that knows the replica set would go round the network, to the address that its member has."""
        account = urlsplit(self.mongo.url).netloc.rpartition("@")[0]
        return f"mongodb://{account}@{LOOPBACK}:{port}/?directConnection=true&authSource=admin"

    def _command(self, command: dict[str, Any]) -> None:
        with MongoClient[dict[str, Any]](self._mongo_url(self.mongo.port), serverSelectionTimeoutMS=5000) as client:
            client.admin.command(command)

    def _note(self, service: str, line: str) -> None:
        self.lines.append((service, line))

    async def _stop_all(self) -> None:
        await asyncio.gather(*(process.stop() for process in self._running.values()))

    async def _forget(self) -> None:
        if self.rabbit.running:
            await asyncio.to_thread(self.rabbit.management.delete_vhost, self._vhost)
            await asyncio.to_thread(self.rabbit.management.delete_user, self._vhost)
        if self.mongo.running:
            await asyncio.to_thread(self._drop)

    def _drop(self) -> None:
        with MongoClient[dict[str, Any]](self._mongo_url(self.mongo.port), serverSelectionTimeoutMS=5000) as client:
            for name in ("CONFIG_MONGO_DATABASE", "DISPATCHER_MONGO_DATABASE"):
                client.drop_database(self.env[name])


async def until(ask: Callable[[], bool], seconds: float) -> bool:
    """Whether `ask` came true within so many seconds; asked every 50 ms."""
    deadline = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True
