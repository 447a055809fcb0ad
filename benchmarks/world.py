"""The broker, the database, the bare carrier and the gateway's processes that a measurement needs."""

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aio_pika
import aiohttp
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiohttp import web

from benchmarks.engines import Engines
from benchmarks.installation import Installation, snapshot_routes
from sms_native.engines.mongodb import MongoNode, drop_database
from sms_native.engines.rabbitmq import RabbitNode
from sms_native.gateway.services import simulated_carrier
from sms_native.machine.ports import LOOPBACK, free_port
from sms_native.machine.processes import StateFile
from sms_native.settings import inherited

PATIENCE = 240.0
"""Seconds after which a measurement that does not end has failed."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PREFIXES = ("CONFIG_", "INGRESS_", "DISPATCHER_", "SIMULATOR_", "AMQP_", "MONGO_", "RABBITMQ_")


class NotMeasured(Exception):
    """A measurement could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the carrier saw: how many messages, and when (monotonic, seconds) the first and the last."""

    count: int
    first: float
    last: float

    @property
    def rate(self) -> float:
        """Messages a second between the first and the last."""
        return (self.count - 1) / (self.last - self.first) if self.last > self.first else 0.0


class Program:
    """One running process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path) -> None:
        self.name = name
        self.address = ""
        self.output = output
        self._process = process

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """How long it has computed so far."""
        return cpu_seconds(self.pid)

    @property
    def resident_mebibytes(self) -> float:
        """The memory it holds now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    async def until_ready(self, http: aiohttp.ClientSession, url: str) -> None:
        """Return when `url` is answered with 2xx. Raises NotMeasured when the process ends instead."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if self._process.returncode is not None:
                    raise NotMeasured(f"{self.name} ended: {self.output.read_text()[-2000:]}")
                try:
                    async with http.get(url) as answer:
                        if answer.ok:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await self._process.wait()


def cpu_seconds(pid: int) -> float:
    """How long a process has computed so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class World:
    """RabbitMQ and MongoDB of our own, for all measurements of one run."""

    def __init__(self, directory: Path, rabbit: RabbitNode, mongo: MongoNode) -> None:
        self.directory = directory
        self.rabbit = rabbit
        self.mongo = mongo

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Start both; they are gone afterwards."""
        async with Engines.running("benchmarks", fast_counts=False) as engines:
            yield cls(engines.directory, engines.rabbit, engines.mongo)

    def engines(self) -> dict[str, int]:
        """The process numbers of broker and database."""
        places = {"RabbitMQ": "rabbitmq", "MongoDB": "mongodb"}
        return {
            name: StateFile(self.directory / place / "node.json").read()["server"]["pid"]
            for name, place in places.items()
        }

    @asynccontextmanager
    async def corner(self, configs: int = 1) -> AsyncIterator["Corner"]:
        """A fresh virtual host and database with an installation of so many configurations, and a carrier."""
        name = f"bench_{secrets.token_hex(4)}"
        management = self.rabbit.management
        await asyncio.to_thread(management.create_vhost, name)
        await asyncio.to_thread(management.create_user, name, name, name)
        async with AsyncExitStack() as stack:
            stack.callback(drop_database, self.mongo.url, name)
            stack.callback(management.delete_user, name)
            stack.callback(management.delete_vhost, name)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            corner = Corner(self, name, Installation(configs), http)
            stack.push_async_callback(corner.close)
            await corner.open()
            yield corner


class Corner:
    """Where one measurement takes place."""

    def __init__(self, world: World, name: str, installation: Installation, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.installation = installation
        self.http = http
        self.amqp_url = f"amqp://{name}:{name}@{world.rabbit.address}/{name}"
        self._name = name
        self._config_url = ""
        self._carrier_url = ""
        self._runner: web.AppRunner | None = None
        self._programs: list[Program] = []
        self._connection: AbstractConnection | None = None

    async def open(self) -> None:
        """Serve the snapshots and start the carrier."""
        app = web.Application()
        app.add_routes(snapshot_routes(self.installation))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        self._config_url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        await self.new_carrier()

    async def close(self) -> None:
        """End all that was started here."""
        if self._connection is not None:
            await self._connection.close()
        for program in self._programs:
            await program.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- processes

    async def new_carrier(self) -> None:
        """Start a carrier that has seen nothing yet; later dispatchers send to it."""
        port = free_port()
        carrier = await self._start("carrier", ["-m", "benchmarks.bare_carrier", str(port)], {})
        self._carrier_url = f"http://{LOOPBACK}:{port}"
        await carrier.until_ready(self.http, f"{self._carrier_url}/seen")

    async def dispatcher(self) -> Program:
        """Start a dispatcher and return when it is ready."""
        port = free_port()
        environment = {
            "DISPATCHER_PORT": str(port),
            "DISPATCHER_AMQP_URL": self.amqp_url,
            "DISPATCHER_MONGO_URL": self.world.mongo.url,
            "DISPATCHER_MONGO_DATABASE": self._name,
            "DISPATCHER_CONFIG_URL": self._config_url,
            "DISPATCHER_CONFIG_TOKEN": "benchmark",
            "DISPATCHER_READ_TOKEN": "benchmark-token-of-the-read-api",
            "DISPATCHER_CARRIER_OPTIONS": json.dumps(simulated_carrier(self._carrier_url)),
            "DISPATCHER_LOG_FORMAT": "json",
        }
        program = await self._start("dispatcher", ["-m", "sms_dispatcher"], environment)
        program.address = f"http://{LOOPBACK}:{port}"
        await program.until_ready(self.http, f"{program.address}/readyz")
        return program

    async def ingress(self) -> tuple[Program, int]:
        """Start ingress and return it with its public port when it is ready."""
        port, health_port = free_port(), free_port()
        environment = {
            "INGRESS_PORT": str(port),
            "INGRESS_HEALTH_PORT": str(health_port),
            "INGRESS_AMQP_URL": self.amqp_url,
            "INGRESS_CONFIG_URL": self._config_url,
            "INGRESS_CONFIG_TOKEN": "benchmark",
            "INGRESS_LEAVE_SECONDS": "0",
            "INGRESS_LOG_FORMAT": "json",
        }
        program = await self._start("ingress", ["-m", "sms_ingress"], environment)
        await program.until_ready(self.http, f"http://{LOOPBACK}:{health_port}/readyz")
        return program, port

    async def bare_ingress(self) -> tuple[Program, int]:
        """Start the bare ingress and return it with its port when it answers."""
        port = free_port()
        program = await self._start("bare ingress", ["-m", "benchmarks.bare_ingress", self.amqp_url, str(port)], {})
        while True:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return program, port

    async def bare_dispatch(self) -> Program:
        """Start the bare dispatcher."""
        arguments = ["-m", "benchmarks.bare_dispatch", self.amqp_url, self._carrier_url]
        return await self._start("bare dispatch", arguments, {})

    async def _start(self, name: str, arguments: list[str], environment: dict[str, str]) -> Program:
        output = self.world.directory / f"{name.replace(' ', '-')}-{secrets.token_hex(3)}.log"
        with output.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                env=inherited(*_PREFIXES) | environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        program = Program(name, process, output)
        self._programs.append(program)
        return program

    # --- the broker

    async def channel(self) -> AbstractChannel:
        """A channel with publisher confirms, on one connection of our own."""
        if self._connection is None:
            self._connection = await aio_pika.connect(self.amqp_url)
        return await self._connection.channel(publisher_confirms=True)

    async def depth(self, queue: str) -> int:
        """How many messages wait in a queue, as the queue itself says."""
        channel = await self.channel()
        try:
            declared = await channel.declare_queue(queue, passive=True)
            return int(declared.declaration_result.message_count or 0)
        finally:
            await channel.close()

    async def until_lanes(self, count: int) -> None:
        """Return once the lanes of so many configurations are declared."""
        async with asyncio.timeout(PATIENCE):
            while True:
                queues = await asyncio.to_thread(self.world.rabbit.management.queues, self._name)
                if sum(name.startswith("sms.lane.") for name in queues) >= count:
                    return
                await asyncio.sleep(0.2)

    async def until_held(self, dispatchers: Sequence["Program"]) -> None:
        """Return once these hold the lanes of all configurations."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if sum([await self._held(dispatcher) for dispatcher in dispatchers]) >= self.installation.configs:
                    return
                await asyncio.sleep(0.2)

    async def _held(self, dispatcher: "Program") -> float:
        async with self.http.get(f"{dispatcher.address}/metrics") as answer:
            return float(re.findall(r"^smsgw_lanes_owned (\S+)$", await answer.text(), re.MULTILINE)[0])

    # --- the carrier

    async def seen(self) -> Seen:
        """What the carrier has seen so far."""
        return Seen(**await self._ask("seen"))

    async def moments(self) -> list[float]:
        """When each message came to the carrier."""
        moments: list[float] = await self._ask("moments")
        return moments

    async def keep_messages(self) -> None:
        """From now on the carrier keeps what it is asked to send."""
        async with self.http.put(f"{self._carrier_url}/kept") as answer:
            answer.raise_for_status()

    async def kept_messages(self) -> list[tuple[float, str, dict[str, Any]]]:
        """The moment, id and request of each message that was kept."""
        return [(moment, identifier, request) for moment, identifier, request in await self._ask("kept")]

    async def until_seen(self, count: int, each: Callable[[Seen], None] = lambda _: None) -> Seen:
        """Return once the carrier has seen so many; `each` gets what it says on the way. Raises NotMeasured."""
        deadline, best, moved = time.monotonic() + PATIENCE, 0, time.monotonic()
        while (seen := await self.seen()).count < count:
            now = time.monotonic()
            if seen.count > best:
                best, moved = seen.count, now
            if now > deadline or now - moved > PATIENCE / 4:
                raise NotMeasured(f"the carrier saw {seen.count} of {count} messages and then no more")
            each(seen)
            await asyncio.sleep(0.05)
        return seen

    async def _ask(self, what: str) -> Any:
        async with self.http.get(f"{self._carrier_url}/{what}") as answer:
            return await answer.json(content_type=None)
