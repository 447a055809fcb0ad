"""The gateway without containers: RabbitMQ, MongoDB, the three services and the simulator as processes of this user."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from sms_common.broker_rights import rights_of
from sms_native.engines.mongodb import MongoNode
from sms_native.engines.rabbitmq import RabbitNode
from sms_native.gateway.services import AmqpUrls, ServiceProcess, broker_accounts, plan
from sms_native.gateway.stack import Stack
from sms_native.machine.ports import LOOPBACK, is_free
from sms_native.machine.processes import NativeError, Process, StateFile
from sms_native.machine.terminal import Terminal
from sms_native.settings import NativeSettings

_SERVICES = ("config", "simulator", "ingress", "dispatcher")
_SERVICE_PORTS = ("CONFIG_PORT", "SIMULATOR_PORT", "INGRESS_PORT", "INGRESS_HEALTH_PORT", "DISPATCHER_PORT")
_UP = "up"
_DRAIN = 120
"""Seconds that `down` gives a `make up` in another terminal."""


@dataclass(frozen=True, slots=True)
class _Nodes:
    amqp_url: str
    """With the administrator's account, or the given account of a RabbitMQ that runs elsewhere."""
    amqp_url_of: AmqpUrls
    management_url: str | None
    mongo_url: str


@asynccontextmanager
async def running(settings: NativeSettings, env: Mapping[str, str], terminal: Terminal) -> AsyncIterator[Stack]:
    """Start everything, and stop it in reverse order at the end; data stay under the run directory.

    Raises NativeError if it runs already, a port is taken, or a part does not start.
    """
    records = _records(settings)
    _refuse_second(records)
    for name in _SERVICE_PORTS:
        if not is_free(int(env[name])):
            raise NativeError(f"port {env[name]} is in use by another program; set another {name} in .env")
    async with AsyncExitStack() as started:
        started.callback(records.remove)
        records.write(**{_UP: Process.running_now().record()})
        nodes = await _start_nodes(settings, env, terminal, started)
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await _start_services(env, nodes, terminal, started, ended, records)
        yield Stack(
            env=env,
            amqp_url=nodes.amqp_url,
            management_url=nodes.management_url,
            config_url=f"http://{LOOPBACK}:{env['CONFIG_PORT']}",
            ingress_url=f"http://{LOOPBACK}:{env['INGRESS_PORT']}",
            dispatcher_url=f"http://{LOOPBACK}:{env['DISPATCHER_PORT']}",
            simulator_url=f"http://{LOOPBACK}:{env['SIMULATOR_PORT']}",
            ended=ended,
        )
        terminal.say("stopping")


def stop(settings: NativeSettings, env: Mapping[str, str]) -> list[str]:
    """Stop everything that runs here, also after a killed command; return the names of the parts that ran."""
    records = _records(settings)
    stopped: list[str] = []
    recorded = records.read()
    for name in (_UP, *reversed(_SERVICES)):
        process = Process.from_record(recorded.get(name))
        if process is not None and process.alive:
            process.stop(_DRAIN)
            stopped.append("make up" if name == _UP else name)
    for name, node in _nodes(settings, env).items():
        if node.running:
            node.stop()
            stopped.append(name)
    records.remove()
    return stopped


def what_runs(settings: NativeSettings, env: Mapping[str, str]) -> dict[str, str | None]:
    """Return the address of each part that runs, None for each that does not."""
    recorded = _records(settings).read()
    ports = dict(zip(_SERVICES, ("CONFIG_PORT", "SIMULATOR_PORT", "INGRESS_PORT", "DISPATCHER_PORT"), strict=True))
    states: dict[str, str | None] = {
        name: f"{LOOPBACK}:{node.port}" if node.running else None for name, node in _nodes(settings, env).items()
    }
    for name in _SERVICES:
        process = Process.from_record(recorded.get(name))
        alive = process is not None and process.alive
        states[name] = f"http://{LOOPBACK}:{env[ports[name]]}" if alive else None
    return states


def _records(settings: NativeSettings) -> StateFile:
    settings.run_directory.mkdir(parents=True, exist_ok=True)
    return StateFile(settings.run_directory / "services.json")


def _refuse_second(records: StateFile) -> None:
    for name, record in records.read().items():
        process = Process.from_record(record)
        if process is not None and process.alive:
            raise NativeError(f"it runs already ({name} is process {process.pid}); `make down` stops it")


def _nodes(settings: NativeSettings, env: Mapping[str, str]) -> dict[str, RabbitNode | MongoNode]:
    """Return the private nodes of this checkout, without those for which the environment names another address."""
    nodes: dict[str, RabbitNode | MongoNode] = {}
    if settings.amqp_url is None:
        nodes["RabbitMQ"] = RabbitNode(
            settings.run_directory / "rabbitmq",
            user=env["RABBITMQ_USER"],
            password=env["RABBITMQ_PASSWORD"],
            port=int(env["AMQP_PORT"]),
            management_port=int(env["RABBITMQ_MANAGEMENT_PORT"]),
        )
    if settings.mongo_url is None:
        nodes["MongoDB"] = MongoNode(
            settings.run_directory / "mongodb",
            cache=settings.cache_directory,
            user="root",
            password=env["MONGO_PASSWORD"],
            port=int(env["MONGO_PORT"]),
        )
    return nodes


async def _start_nodes(
    settings: NativeSettings, env: Mapping[str, str], terminal: Terminal, started: AsyncExitStack
) -> _Nodes:
    """Start both at the same time. Each is added to `started` first, so that it is stopped even if its start fails."""
    nodes = _nodes(settings, env)

    async def start(name: str, node: RabbitNode | MongoNode) -> None:
        begun = time.monotonic()
        await asyncio.to_thread(node.start, may_install=settings.may_install)
        terminal.say(f"{name} is ready on {LOOPBACK}:{node.port} after {time.monotonic() - begun:.1f} s")

    for node in nodes.values():
        started.push_async_callback(asyncio.to_thread, node.stop)
    async with _first_error() as tasks:
        for name, node in nodes.items():
            tasks.create_task(start(name, node))
    rabbit, mongo = nodes.get("RabbitMQ"), nodes.get("MongoDB")
    mongo_url = mongo.url if isinstance(mongo, MongoNode) else settings.mongo_url
    assert mongo_url is not None
    if isinstance(rabbit, RabbitNode):
        await asyncio.to_thread(_make_accounts, rabbit, env)
        accounts = broker_accounts(env)
        own = rabbit
        return _Nodes(rabbit.url(), lambda user: own.url_of(user, accounts[user]), rabbit.management_url, mongo_url)
    amqp_url = settings.amqp_url
    assert amqp_url is not None
    return _Nodes(amqp_url, lambda _: amqp_url, settings.management_url, mongo_url)


def _make_accounts(rabbit: RabbitNode, env: Mapping[str, str]) -> None:
    """Make a user for each service and each PBX, with the password in .env and only its own rights."""
    management = rabbit.management
    for user, password in broker_accounts(env).items():
        management.create_user(user, password, "/", rights_of(user))


async def _start_services(
    env: Mapping[str, str],
    nodes: _Nodes,
    terminal: Terminal,
    started: AsyncExitStack,
    ended: "asyncio.Future[str]",
    records: StateFile,
) -> None:
    """Start config and, once it is ready, the others together. Stores their process numbers in `records`."""
    log_format = "console" if terminal.colour else "json"
    services = plan(env, nodes.amqp_url_of, nodes.mongo_url, log_format=log_format)
    http = await started.enter_async_context(aiohttp.ClientSession())
    stopping = asyncio.Event()
    begun = time.monotonic()

    async def start(index: int) -> ServiceProcess:
        service = await ServiceProcess.start(services[index], terminal.line)
        watching = asyncio.create_task(_watch(service, ended, stopping))
        started.push_async_callback(_end, service, watching)
        records.write(**records.read(), **{service.service.name: service.process.record()})
        return service

    first = await start(0)
    await first.ready(http)
    others = [await start(index) for index in range(1, len(services))]
    started.callback(stopping.set)
    async with _first_error() as tasks:
        for service in others:
            tasks.create_task(service.ready(http))
    terminal.say(f"config, ingress, dispatcher and simulator are ready after {time.monotonic() - begun:.1f} s")


async def _watch(service: ServiceProcess, ended: "asyncio.Future[str]", stopping: asyncio.Event) -> None:
    status = await service.wait()
    if not stopping.is_set() and not ended.done():
        ended.set_result(f"{service.service.name} ended by itself with status {status}; its last lines are above")


async def _end(service: ServiceProcess, watching: "asyncio.Task[None]") -> None:
    await service.stop()
    await watching


@asynccontextmanager
async def _first_error() -> AsyncIterator[asyncio.TaskGroup]:
    """Open a task group that raises the first NativeError itself instead of a group of them."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        ours, others = group.split(NativeError)
        if ours is None or others is not None:
            raise
        raise ours.exceptions[0] from None
