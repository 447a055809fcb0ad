"""The four processes of the gateway as an operator runs them, on a virtual host and databases of their own."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sms_common.broker_rights import Rights, rights_of
from sms_native.engines.mongodb import drop_database
from sms_native.gateway.environment import SECRETS
from sms_native.gateway.services import ServiceProcess, broker_accounts, plan
from sms_native.machine.ports import LOOPBACK, free_port
from tests.e2e.amqp import PATIENCE, Client, Inbox
from tests.eventually import eventually_told
from tests.stack import Broker

SERVICES = ("config", "simulator", "ingress", "dispatcher")
_PORTS = ("CONFIG_PORT", "SIMULATOR_PORT", "INGRESS_PORT", "INGRESS_HEALTH_PORT", "DISPATCHER_PORT")
_QUICK = {
    "INGRESS_DEADLINE_SECONDS": "3",
    "SIMULATOR_WEBHOOK_RETRY_DELAYS": "[0.2, 0.5, 1]",
    "SIMULATOR_LATE_DELAY": "0.5",
    "SIMULATOR_RECEIPT_WINDOW": "0.3",
}


class Gateway:
    """Runs the services, keeps every line they print, and reaches each of them the way its users do.

    `secrets` gathers what nobody may see, `private` what no line may hold besides: texts and phone numbers (these as
    digits, without country code).
    """

    def __init__(self, env: Mapping[str, str], broker: Broker, vhost: str, mongo_url: str) -> None:
        self.env = env
        self.lines: list[tuple[str, str]] = []
        self.secrets: set[str] = {value.rpartition(":")[2] for name, value in env.items() if name in SECRETS}
        self.private: set[str] = set()
        self.mongo_url = mongo_url
        self.dead: Inbox
        self.unrouted: Inbox
        self.client: Client
        self.http: aiohttp.ClientSession
        self.seconds_to_ready = 0.0
        self._broker = broker
        self._vhost = vhost
        self._accounts = {f"{vhost}_{user}": password for user, password in self.broker_users(env).items()}
        self._services = {service.name: service for service in plan(env, self.amqp_url, mongo_url)}
        self._running: dict[str, ServiceProcess] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls, broker: Broker, mongo_url: str, **changes: str) -> AsyncIterator[Self]:
        """Start all four at once, in no order; with `changes` to their environment."""
        made = {secret: make() for secret, make in SECRETS.items()}
        async with cls.told(broker, mongo_url, made | changes) as gateway:
            yield gateway

    @classmethod
    @asynccontextmanager
    async def told(cls, broker: Broker, mongo_url: str, given: Mapping[str, str]) -> AsyncIterator[Self]:
        """The same, with the secrets that are `given` and no others."""
        name = f"e2e_{secrets.token_hex(5)}"
        databases = {"CONFIG_MONGO_DATABASE": f"{name}_config", "DISPATCHER_MONGO_DATABASE": f"{name}_dispatcher"}
        levels = {f"{service.upper()}_LOG_LEVEL": "debug" for service in SERVICES}
        ports = {port: str(free_port()) for port in _PORTS}
        gateway = cls({**ports, **databases, **levels, **_QUICK, **given}, broker, name, mongo_url)
        broker.management.create_vhost(name)
        async with AsyncExitStack() as started:
            started.callback(broker.management.delete_vhost, name)
            for database in databases.values():
                started.callback(drop_database, mongo_url, database)
            gateway.http = await started.enter_async_context(aiohttp.ClientSession())
            gateway.let_in()
            for account in gateway._accounts:
                started.callback(broker.management.delete_user, account)
            started.push_async_callback(gateway._stop_all)
            await gateway.prepare()
            began = time.monotonic()
            await gateway.start(*(service for service in SERVICES if service not in gateway._running))
            gateway.seconds_to_ready = time.monotonic() - began
            broker.management.create_user(f"{name}_pbx", name, name)
            started.callback(broker.management.delete_user, f"{name}_pbx")
            gateway.client = await started.enter_async_context(Client.connected(gateway.pbx_url))
            gateway.dead = await started.enter_async_context(gateway.client.reading("sms.dead"))
            gateway.unrouted = await started.enter_async_context(gateway.client.reading("sms.unrouted"))
            yield gateway

    async def prepare(self) -> None:
        """What is there before the services start; by default nothing."""

    # --- its processes

    async def start(self, *names: str, **changes: str) -> None:
        """Start services, with `changes` to their environment for this time, and wait until they are ready."""
        await self.begin(*names, **changes)
        await self.ready(*names)

    async def begin(self, *names: str, **changes: str) -> None:
        """Start services without waiting for them."""
        for name in names:
            service = self._services[name]
            service = replace(service, environment={**service.environment, **changes})
            self._running[name] = await ServiceProcess.start(service, self._note)

    async def ready(self, *names: str) -> None:
        """Return when these services say that they are ready."""
        await asyncio.gather(*(self._running[name].ready(self.http, PATIENCE) for name in names))

    async def start_another(self, name: str, another: str) -> None:
        """Start one more process of a service, under the name `another`, and wait until it is ready."""
        service, port = self._services[name], str(free_port())
        setting = f"{name.upper()}_PORT"
        self._services[another] = replace(
            service,
            name=another,
            ready_url=service.ready_url.replace(self.env[setting], port),
            environment={**service.environment, setting: port},
        )
        await self.start(another)

    async def stop(self, name: str) -> tuple[int, float]:
        """SIGTERM; returns the exit status and the seconds it took to drain."""
        began = time.monotonic()
        status = await self._running.pop(name).stop()
        return status, time.monotonic() - began

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._running.pop(name)
        process.kill()
        await process.wait()

    async def restart(self, name: str, **changes: str) -> None:
        """Stop a service and start it again."""
        await self.stop(name)
        await self.start(name, **changes)

    def resident_mebibytes(self, name: str) -> float:
        """How much memory a service holds now."""
        status = Path(f"/proc/{self._running[name].process.pid}/status").read_text()
        kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kibibytes) / 1024

    def _note(self, service: str, line: str) -> None:
        self.lines.append((service, line))

    async def _stop_all(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self._running)))

    # --- its broker

    def broker_users(self, env: Mapping[str, str]) -> Mapping[str, str]:
        """The passwords of the gateway's users of RabbitMQ, by their names."""
        return broker_accounts(env)

    @property
    def pbx_url(self) -> str:
        """The AMQP URL of a trusted PBX, which may do everything; its account is not one of the services."""
        return f"amqp://{self._vhost}_pbx:{self._vhost}@{self._broker.address}/{self._vhost}"

    def amqp_url(self, user: str) -> str:
        """The AMQP URL of one of the gateway's users, such as `sms-ingress` or `pbx-main`, with its own rights only."""
        account = f"{self._vhost}_{user}"
        return f"amqp://{account}:{self._accounts[account]}@{self._broker.address}/{self._vhost}"

    def shut_out(self) -> None:
        """Take RabbitMQ away from the services: they are cut off and not let in again."""
        for account in self._accounts:
            self._let_in(account, secrets.token_hex(16))
            self._broker.management.close_connections(account)

    def let_in(self) -> None:
        """Give RabbitMQ back to the services."""
        for account, password in self._accounts.items():
            self._let_in(account, password)

    def rights(self, user: str) -> Rights:
        """What a user of the gateway's may do."""
        return rights_of(user)

    def _let_in(self, account: str, password: str) -> None:
        rights = self.rights(account.removeprefix(f"{self._vhost}_"))
        self._broker.management.create_user(account, password, self._vhost, rights)

    def depths(self) -> dict[str, int]:
        """Messages in each queue, ready or not; up to 0.3 s old."""
        return {name: state.messages for name, state in self._broker.management.queues(self._vhost).items()}

    # --- its HTTP interfaces

    def url(self, name: str) -> str:
        """Base address of a service; of ingress the public one."""
        return f"http://{LOOPBACK}:{self.env[f'{name.upper()}_PORT']}"

    async def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the config service's REST API as its administrator."""
        key = self.env["CONFIG_BOOTSTRAP_API_KEY"]
        return await self._call(method, f"{self.url('config')}/api/v1{path}", key, body)

    async def messages(self, path: str) -> Any:
        """Call the dispatcher's read API."""
        token = self.env["DISPATCHER_API_TOKEN"]
        return await self._call("GET", f"{self.url('dispatcher')}/api/v1/messages{path}", token)

    async def simulator(self, method: str, path: str, body: object = None) -> Any:
        """Call the simulator's control API."""
        token = self.env["SIMULATOR_CONTROL_TOKEN"]
        return await self._call(method, f"{self.url('simulator')}/_simulator{path}", token, body)

    async def until_arrived(self, count: int, **where: str) -> None:
        """Return once Bandwidth has accepted `count` messages that match."""
        await self._wait(arrivals=count, where=where)

    async def until_webhooks(self, count: int, **where: str | int) -> None:
        """Return once Bandwidth has posted `count` webhook requests that match and has seen their answers."""
        await self._wait(webhooks=count, where=where)

    async def _wait(self, **wanted: Any) -> None:
        await self.simulator("POST", "/wait", {**wanted, "timeout": PATIENCE})

    async def metrics(self, name: str) -> str:
        """The page that Prometheus reads."""
        port = self.env["INGRESS_HEALTH_PORT" if name == "ingress" else f"{name.upper()}_PORT"]
        async with self.http.get(f"http://{LOOPBACK}:{port}/metrics") as answer:
            return await answer.text()

    async def counted(self, service: str, metric: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 when there are none yet."""
        families = text_string_to_metric_families(await self.metrics(service))
        samples = (sample for family in families for sample in family.samples if sample.name == metric)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    async def until_counted(self, at_least: float, service: str, metric: str, **labels: str) -> None:
        """Return once a metric has got that far. Metrics are asked for: they announce nothing."""
        await eventually_told(
            lambda: self.counted(service, metric, **labels), lambda count: count >= at_least, PATIENCE
        )

    async def _call(self, method: str, url: str, token: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {url}: {answer.status} {text[:500]}"
            return await answer.json() if text else None

    # --- what must stay private

    def keep_private(
        self, *, secrets: Iterable[str] = (), texts: Iterable[str] = (), numbers: Iterable[str] = ()
    ) -> None:
        """From now on, and for what was printed before, these are in no line."""
        self.secrets.update(secrets)
        self.private.update(texts)
        self.private.update(number.removeprefix("+")[-10:] for number in numbers)

    def leaks(self) -> list[str]:
        """Every line printed so far that holds something private."""
        hidden = self.secrets | self.private
        return [f"{name}: {line}" for name, line in self.lines if any(text in line for text in hidden)]
