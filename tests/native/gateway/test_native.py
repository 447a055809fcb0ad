"""The gateway without containers: started together, stopped in reverse order."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sms_native.gateway import native
from sms_native.gateway.environment import load
from sms_native.machine.ports import free_port
from sms_native.machine.processes import NativeError, Process, StateFile
from sms_native.machine.terminal import Terminal
from sms_native.settings import NativeSettings

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parents[3]
PORTS = ("CONFIG_PORT", "INGRESS_PORT", "INGRESS_HEALTH_PORT", "DISPATCHER_PORT", "SIMULATOR_PORT")
_SERVICE = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        os._exit(7)
    def log_message(self, *_):
        pass
def drain(*_):
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
http.server.HTTPServer(("127.0.0.1", int(os.environ["{port}"])), Handler).serve_forever()
"""
_MODULES = {
    "sms_config": "CONFIG_PORT",
    "carrier_simulator": "SIMULATOR_PORT",
    "sms_ingress": "INGRESS_HEALTH_PORT",
    "sms_dispatcher": "DISPATCHER_PORT",
}


class _Lines:
    """A terminal that is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.terminal = Terminal(path.open("w"), colour=False)

    def of(self, word: str) -> list[str]:
        return [line.split("|")[0].strip() for line in self._path.read_text().splitlines() if line.endswith(word)]


@pytest.fixture
def lines(tmp_path):
    lines = _Lines(tmp_path / "terminal")
    yield lines
    lines.terminal._out.close()


@pytest.fixture
def settings(tmp_path):
    return NativeSettings(
        run_directory=tmp_path / "run",
        cache_directory=tmp_path / "cache",
        may_install=False,
        native=True,
        amqp_url="amqp://elsewhere",
        management_url=None,
        mongo_url="mongodb://elsewhere",
    )


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Stand in for the real services, in the processes that are started only."""
    for module, port in _MODULES.items():
        (tmp_path / "fakes" / module).mkdir(parents=True)
        (tmp_path / "fakes" / module / "__init__.py").touch()
        (tmp_path / "fakes" / module / "__main__.py").write_text(_SERVICE.replace("{port}", port))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    return tmp_path / "fakes"


@pytest.fixture
def env(tmp_path):
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    return load(tmp_path, {name: str(free_port()) for name in PORTS})


@pytest.mark.usefixtures("services")
async def test_everything_is_ready_inside_and_stopped_in_reverse_order_afterwards(settings, env, lines):
    async with native.running(settings, env, lines.terminal) as stack:
        assert not stack.ended.done()
        states = native.what_runs(settings, env)
        assert states == {
            "config": stack.config_url,
            "simulator": stack.simulator_url,
            "ingress": stack.ingress_url,
            "dispatcher": stack.dispatcher_url,
        }
        with pytest.raises(NativeError, match="runs already"):
            async with native.running(settings, env, lines.terminal):
                pass
    assert lines.of("drained") == ["dispatcher", "ingress", "simulator", "config"]
    assert set(native.what_runs(settings, env).values()) == {None}


@pytest.mark.usefixtures("services")
async def test_a_service_that_ends_by_itself_is_named(settings, env, lines):
    async with native.running(settings, env, lines.terminal) as stack:
        _, writer = await asyncio.open_connection("127.0.0.1", int(env["DISPATCHER_PORT"]))
        writer.write(b"POST / HTTP/1.0\r\n\r\n")
        assert await asyncio.wait_for(stack.ended, 10) == (
            "dispatcher ended by itself with status 7; its last lines are above"
        )
        writer.close()
    assert lines.of("drained") == ["ingress", "simulator", "config"]


async def test_when_one_does_not_start_the_others_are_stopped(settings, env, lines, services):
    (services / "sms_dispatcher" / "__main__.py").write_text("import sys; sys.exit('no')")
    with pytest.raises(NativeError, match="dispatcher ended with status 1 while starting"):
        async with native.running(settings, env, lines.terminal):
            pass
    assert "config" in lines.of("drained")
    assert set(native.what_runs(settings, env).values()) == {None}


async def test_a_taken_port_is_named_with_its_setting(settings, env, lines):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", int(env["INGRESS_PORT"]))
    async with server:
        with pytest.raises(NativeError, match=f"{env['INGRESS_PORT']}.*INGRESS_PORT"):
            async with native.running(settings, env, lines.terminal):
                pass


def test_what_a_killed_command_left_behind_is_stopped(settings, env, tmp_path):
    pause = [sys.executable, "-c", "import signal; signal.pause()"]
    left = {name: Process.spawn(pause, dict(os.environ), tmp_path / "log") for name in ("config", "ingress")}
    settings.run_directory.mkdir()
    StateFile(settings.run_directory / "services.json").write(**{n: p.record() for n, p in left.items()})
    assert native.stop(settings, env) == ["ingress", "config"]
    assert not any(process.alive for process in left.values())
    assert native.stop(settings, env) == []
