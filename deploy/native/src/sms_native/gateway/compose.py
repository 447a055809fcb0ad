"""The gateway in containers: docker-compose.yml with the simulator, on the Docker engine of this machine."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from sms_native.gateway.services import simulated_carrier
from sms_native.gateway.stack import Stack
from sms_native.machine.ports import LOOPBACK
from sms_native.machine.processes import NativeError
from sms_native.machine.terminal import Terminal
from sms_native.settings import inherited

IMAGES = ("python:3.13-slim", "rabbitmq:4.3-management", "mongo:8.3")
"""The base images of docker-compose.yml and deploy/Dockerfile."""
_WAYS = (["docker", "compose"], ["docker-compose"])
_ANSWER = 15
_PULL = 300
_START = 900
_READY = 120
_STOP = 120


def command(root: Path, terminal: Terminal) -> list[str] | None:
    """Return the compose command, or None, after printing why, if containers cannot be used.

    They can be used if there is a compose file, and an engine answers that has the images or can pull them.
    """
    if not (root / "docker-compose.yml").exists() or not _succeeds(["docker", "version"], _ANSWER):
        return None
    compose = next((way for way in _WAYS if _succeeds([*way, "version"], _ANSWER)), None)
    if compose is None:
        terminal.say("a Docker engine answers, but compose is not installed; continuing without containers")
        return None
    for image in IMAGES:
        if not _succeeds(["docker", "image", "inspect", image], _ANSWER):
            terminal.say(f"pulling {image}")
            if not _succeeds(["docker", "pull", "--quiet", image], _PULL):
                terminal.say(f"{image} cannot be pulled; continuing without containers")
                return None
    return compose


def existing(root: Path) -> list[str] | None:
    """Return the compose command if containers of this checkout run, else None."""
    mine = f"label=com.docker.compose.project.working_dir={root}"
    if not _output(["docker", "ps", "--quiet", "--filter", mine]):
        return None
    return next((way for way in _WAYS if _succeeds([*way, "version"], _ANSWER)), None)


@asynccontextmanager
async def running(compose: list[str], root: Path, env: Mapping[str, str], terminal: Terminal) -> AsyncIterator[Stack]:
    """Build and start the containers, show their logs, and stop them at the end; their volumes stay.

    Raises NativeError if they cannot be built or do not become ready.
    """
    project = _Project(compose, root, env)
    begun = time.monotonic()
    try:
        await project.run(_START, "up", "--build", "--detach")
        stack = await _found(project, env)
        terminal.say(f"the containers are ready after {time.monotonic() - begun:.1f} s")
        following = asyncio.create_task(project.follow(terminal, stack.ended))
        try:
            yield stack
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
    finally:
        terminal.say("stopping")
        await project.run(_STOP, "stop")


def stop(compose: list[str], root: Path, env: Mapping[str, str]) -> None:
    """Stop the containers; their volumes stay."""
    asyncio.run(_Project(compose, root, env).run(_STOP, "stop"))


class _Project:
    """Runs compose commands for one checkout, with the simulator as the carrier."""

    def __init__(self, compose: list[str], root: Path, env: Mapping[str, str]) -> None:
        self._command = [*compose, "--profile", "demo"]
        self._root = root
        simulator = json.dumps(simulated_carrier("http://simulator:8090"))
        demo = {"CONFIG_PUBLIC_URL": env.get("CONFIG_PUBLIC_URL") or "http://ingress:8080"}
        demo["DISPATCHER_CARRIER_OPTIONS"] = env.get("DISPATCHER_CARRIER_OPTIONS") or simulator
        self._environment = demo | inherited()

    async def run(self, seconds: float, *arguments: str) -> str:
        """Run a command and return its output. Raises NativeError, with the end of it, when it fails."""
        child = await self._start(*arguments)
        try:
            async with asyncio.timeout(seconds):
                output, _ = await child.communicate()
        except TimeoutError as error:
            raise NativeError(f"`{' '.join(arguments)}` of compose took longer than {seconds:.0f} s") from error
        finally:
            if child.returncode is None:
                child.kill()
        text = output.decode(errors="replace")
        if child.returncode:
            raise NativeError(f"`{' '.join(arguments)}` of compose failed:\n{text[-3000:]}")
        return text

    async def follow(self, terminal: Terminal, ended: "asyncio.Future[str]") -> None:
        """Print what the containers log from now on, until it is cancelled or they have ended."""
        child = await self._start("logs", "--follow", "--tail=0", "--no-color")
        assert child.stdout is not None
        try:
            while line := await child.stdout.readline():
                name, _, text = line.decode(errors="replace").rstrip("\n").partition("|")
                terminal.line(name.strip(), text.strip())
            if not ended.done():
                ended.set_result("the containers have ended")
        finally:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            cwd=self._root,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=1_048_576,
        )


async def _found(project: _Project, env: Mapping[str, str]) -> Stack:
    """Return the published addresses once everything is ready there."""
    dispatcher = (await project.run(_ANSWER, "port", "dispatcher", "8082")).strip().rpartition(":")[2]
    account = f"{env['RABBITMQ_USER']}:{env['RABBITMQ_PASSWORD']}"
    stack = Stack(
        env=env,
        amqp_url=f"amqp://{account}@{LOOPBACK}:{env['AMQP_PORT']}/",
        management_url=f"http://{account}@{LOOPBACK}:{env['RABBITMQ_MANAGEMENT_PORT']}",
        config_url=f"http://{LOOPBACK}:{env['CONFIG_PORT']}",
        ingress_url=f"http://{LOOPBACK}:{env['INGRESS_PORT']}",
        dispatcher_url=f"http://{LOOPBACK}:{dispatcher}",
        simulator_url=f"http://{LOOPBACK}:{env['SIMULATOR_PORT']}",
        ended=asyncio.get_running_loop().create_future(),
    )
    health = [
        f"{stack.config_url}/readyz",
        f"{stack.dispatcher_url}/readyz",
        f"{stack.simulator_url}/healthz",
        f"http://{LOOPBACK}:{env['INGRESS_HEALTH_PORT']}/readyz",
    ]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for url in health:
            await _until_ready(http, url)
    return stack


async def _until_ready(http: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + _READY
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with http.get(url) as answer:
                if answer.ok:
                    return
        if time.monotonic() > deadline:
            raise NativeError(f"{url} is not ready after {_READY} s; `docker compose logs` says more")
        await asyncio.sleep(0.2)


def _succeeds(arguments: list[str], seconds: float) -> bool:
    if shutil.which(arguments[0]) is None:
        return False
    try:
        return subprocess.run(arguments, capture_output=True, timeout=seconds, check=False).returncode == 0  # noqa: S603 - fixed commands
    except subprocess.TimeoutExpired:
        return False


def _output(arguments: list[str]) -> str:
    """Return the output of a command; nothing if it fails or does not exist."""
    if shutil.which(arguments[0]) is None:
        return ""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_ANSWER, check=False)  # noqa: S603 - fixed commands
    except subprocess.TimeoutExpired:
        return ""
    return "" if done.returncode else done.stdout.strip()
