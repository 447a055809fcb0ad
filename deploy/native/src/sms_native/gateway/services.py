"""The services and the simulator as processes of this machine: their environment, start, output and stop."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from sms_common import broker_rights
from sms_native.machine.ports import LOOPBACK
from sms_native.machine.processes import NativeError, Process
from sms_native.settings import inherited

_PREFIXES = ("CONFIG_", "INGRESS_", "DISPATCHER_", "SIMULATOR_")
_LONGEST_LINE = 65_536
_DRAIN = 50
"""Seconds: a dispatcher waits up to 45 s for calls to the carrier."""

AmqpUrls = Callable[[str], str]
"""Gives the address of RabbitMQ for one of its users, with the user's name and password."""

Sink = Callable[[str, str], None]
"""Takes a service's name and a line of its output."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """How to run one service, and the URL that says whether it is ready."""

    name: str
    module: str
    ready_url: str
    environment: Mapping[str, str] = field(repr=False)


def broker_accounts(env: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords of RabbitMQ's users, whose rights depend on their names; `env` is the content of .env."""
    given = {
        broker_rights.INGRESS: env["RABBITMQ_INGRESS_PASSWORD"],
        broker_rights.DISPATCHER: env["RABBITMQ_DISPATCHER_PASSWORD"],
        broker_rights.CONFIG: env["RABBITMQ_CONFIG_PASSWORD"],
        broker_rights.TOOLS: env["RABBITMQ_TOOLS_PASSWORD"],
    }
    return given | broker_rights.pbx_passwords(env["RABBITMQ_PBX_PASSWORDS"])


def plan(env: Mapping[str, str], amqp_urls: AmqpUrls, mongo_url: str, *, log_format: str = "json") -> list[ServicePlan]:
    """Return the four services in the order of their start. `env` is the content of .env; `amqp_urls` returns
    RabbitMQ's address for the user that a service logs in as.

    Each service gets the variables with its own prefix, never those of another. The carrier is the simulator, unless
    DISPATCHER_CARRIER_OPTIONS says otherwise.
    """
    config_url = f"http://{LOOPBACK}:{env['CONFIG_PORT']}"
    simulator_url = f"http://{LOOPBACK}:{env['SIMULATOR_PORT']}"
    carrier = env.get("DISPATCHER_CARRIER_OPTIONS") or json.dumps(simulated_carrier(simulator_url))
    settings = {
        "config": {
            "AMQP_URL": amqp_urls(broker_rights.CONFIG),
            "MONGO_URL": mongo_url,
            "PUBLIC_URL": f"http://{LOOPBACK}:{env['INGRESS_PORT']}",
            "DISPATCHER_URL": f"http://{LOOPBACK}:{env['DISPATCHER_PORT']}",
            "DISPATCHER_READ_TOKEN": env["DISPATCHER_API_TOKEN"],
            "CARRIER_OPTIONS": carrier,
        },
        "simulator": {},
        "ingress": {
            "AMQP_URL": amqp_urls(broker_rights.INGRESS),
            "CONFIG_URL": config_url,
            "CONFIG_TOKEN": env["CONFIG_INGRESS_TOKEN"],
            "LEAVE_SECONDS": "0",  # there is no load balancer that has to notice first
        },
        "dispatcher": {
            "AMQP_URL": amqp_urls(broker_rights.DISPATCHER),
            "MONGO_URL": mongo_url,
            "CONFIG_URL": config_url,
            "CONFIG_TOKEN": env["CONFIG_DISPATCHER_TOKEN"],
            "READ_TOKEN": env["DISPATCHER_API_TOKEN"],
            "CARRIER_OPTIONS": carrier,
        },
    }
    ready = {
        "config": f"{config_url}/readyz",
        "simulator": f"{simulator_url}/healthz",
        "ingress": f"http://{LOOPBACK}:{env['INGRESS_HEALTH_PORT']}/readyz",
        "dispatcher": f"http://{LOOPBACK}:{env['DISPATCHER_PORT']}/readyz",
    }
    modules = {name: f"sms_{name}" for name in settings} | {"simulator": "carrier_simulator"}
    common = {"HOST": LOOPBACK, "LOG_FORMAT": log_format}
    return [
        ServicePlan(name, modules[name], ready[name], _environment(name, env, common | settings[name]))
        for name in settings
    ]


def simulated_carrier(simulator_url: str) -> dict[str, object]:
    """Return the dispatcher's carrier options for a simulated Bandwidth at this address."""
    urls = {"messaging_url": f"{simulator_url}/api/v2", "token_url": f"{simulator_url}/api/v1/oauth2/token"}
    return {"bandwidth": {**urls, "allow_insecure": True}}


def _environment(name: str, env: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    prefix = f"{name.upper()}_"
    own = {key: value for key, value in env.items() if key.startswith(prefix) and value}
    given = inherited(*(other for other in _PREFIXES if other != prefix), "RABBITMQ_", "MONGO_", "AMQP_")
    return {prefix + key: value for key, value in defaults.items()} | own | given


class ServiceProcess:
    """One running service. Its output is passed to a sink, line by line."""

    def __init__(self, service: ServicePlan, child: asyncio.subprocess.Process, sink: Sink) -> None:
        self.service = service
        self.process = Process.running(child.pid)
        self._child = child
        self._output = asyncio.create_task(self._forward(sink))

    @classmethod
    async def start(cls, service: ServicePlan, sink: Sink) -> "ServiceProcess":
        """Start it in its own session, so that a Ctrl-C does not stop it before the services that need it."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            service.module,
            env=service.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(service, child, sink)

    async def ready(self, http: aiohttp.ClientSession, seconds: float = 30) -> None:
        """Return when it is ready. Raises NativeError if it ends or is not ready in time."""
        ended = asyncio.create_task(self._child.wait())
        asking = asyncio.create_task(self._ask(http))
        done, pending = await asyncio.wait({ended, asking}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if ended in done:
            raise NativeError(
                f"{self.service.name} ended with status {ended.result()} while starting; see its lines above"
            )
        if asking not in done:
            raise NativeError(f"{self.service.name} is not ready after {seconds:.0f} s; see its lines above")

    async def wait(self) -> int:
        """Return its exit status when it has ended and its output is complete."""
        status = await self._child.wait()
        await self._output
        return status

    async def stop(self, seconds: float = _DRAIN) -> int:
        """Stop it gracefully, or kill it after `seconds`; return its exit status."""
        with suppress(ProcessLookupError):
            self._child.terminate()
        try:
            async with asyncio.timeout(seconds):
                return await self.wait()
        except TimeoutError:
            self.kill()
            return await self.wait()

    def kill(self) -> None:
        """End it without warning."""
        with suppress(ProcessLookupError):
            self._child.kill()

    async def _ask(self, http: aiohttp.ClientSession) -> None:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(self.service.ready_url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.1)

    async def _forward(self, sink: Sink) -> None:
        output = self._child.stdout
        if output is not None:
            async for line in _lines(output):
                sink(self.service.name, line)


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield lines without their line ends; a very long line is split."""
    rest = b""
    while chunk := await output.read(_LONGEST_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        if len(rest) > _LONGEST_LINE:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")
