"""Services as processes with nothing behind them: no broker, no database, no configuration."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE = 30
_OURS = ("INGRESS_", "DISPATCHER_", "CONFIG_", "SIMULATOR_", "SMSGW_")
_KEY = "a2V5LW9mLXRoaXJ0eS10d28tYnl0ZXMtZm9yLXRlc3Q="


@dataclass(frozen=True)
class Kind:
    """One service: its module, its smallest environment, and the variables of its ports."""

    module: str
    settings: Mapping[str, str]
    ports: tuple[str, ...]


_AWAY = {"AMQP_URL": "amqp://u:p@127.0.0.1:9/", "MONGO_URL": "mongodb://u:p@127.0.0.1:9/"}


def _named(prefix: str, **settings: str) -> dict[str, str]:
    return {f"{prefix}_{name}": value for name, value in settings.items()}


KINDS: Mapping[str, Kind] = {
    "ingress": Kind(
        "sms_ingress",
        _named("INGRESS", AMQP_URL=_AWAY["AMQP_URL"], CONFIG_TOKEN="token-of-ingress-in-tests", LEAVE_SECONDS="0"),
        ("INGRESS_PORT", "INGRESS_HEALTH_PORT"),
    ),
    "dispatcher": Kind(
        "sms_dispatcher",
        _named(
            "DISPATCHER", **_AWAY, CONFIG_TOKEN="token-of-dispatcher-in-tests", API_TOKEN="api-token-in-these-tests"
        ),
        ("DISPATCHER_PORT",),
    ),
    "config": Kind(
        "sms_config",
        _named(
            "CONFIG",
            **_AWAY,
            PUBLIC_URL="https://sms.example.com",
            INGRESS_TOKEN="token-of-ingress-in-tests",
            DISPATCHER_TOKEN="token-of-dispatcher-in-tests",
            KEY_RING=f"k1:{_KEY}",
        ),
        ("CONFIG_PORT",),
    ),
    "simulator": Kind("carrier_simulator", {}, ("SIMULATOR_PORT",)),
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(name: str, **changes: str) -> dict[str, str]:
    """The whole environment of a service, at its most talkative, on free ports; `changes` are whole names."""
    kind, prefix = KINDS[name], name.upper()
    others = {known: value for known, value in os.environ.items() if not known.startswith(_OURS)}
    ports = {port: str(free_port()) for port in kind.ports}
    return {
        **others,
        f"{prefix}_LOG_FORMAT": "json",
        f"{prefix}_LOG_LEVEL": "debug",
        **kind.settings,
        **ports,
        **changes,
    }


@dataclass
class Running:
    """A process, and the ports that it was told to listen on."""

    process: asyncio.subprocess.Process
    ports: tuple[int, ...]
    output: bytes = b""

    async def stop(self) -> str:
        """End it as an operator does; returns everything that it wrote."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        self.output += out
        return self.output.decode(errors="replace")


@asynccontextmanager
async def running(name: str, **changes: str) -> AsyncIterator[Running]:
    """Run a service until the end of the block; every port of its answers."""
    env = environment(name, **changes)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        KINDS[name].module,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        ports = tuple(int(env[port]) for port in KINDS[name].ports)
        for port in ports:
            await _until_open(port, process)
        yield Running(process, ports)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _until_open(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)
    raise AssertionError((await process.communicate())[0].decode())


async def ended(name: str, **changes: str) -> tuple[int, str, str]:
    """Start a service that is to end by itself; returns its status and what it wrote to its output and error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", KINDS[name].module),
        env=environment(name, **changes),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@dataclass(frozen=True)
class Start:
    """How many files a process may open (None: as many as this one), and what is called with each line it writes."""

    files: int | None = None
    each_line: Callable[[str], None] = lambda _: None


async def logged(name: str, words: str, start: Start | None = None, **changes: str) -> str:
    """The first line with these words that a service writes after its start."""
    start = start or Start()
    limit = () if start.files is None else ("prlimit", f"--nofile={start.files}")
    process = await asyncio.create_subprocess_exec(
        *(*limit, sys.executable, "-m", KINDS[name].module),
        env=environment(name, **changes),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while words not in (line := (await process.stdout.readline()).decode()):
                assert line, f"it ended without {words}"
                start.each_line(line)
            return line
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
