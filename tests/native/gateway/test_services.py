"""One service as a process: ready, stopped, killed."""

import os
from collections import defaultdict

import aiohttp
import pytest

from sms_native.gateway.services import ServicePlan, ServiceProcess
from sms_native.machine.ports import free_port
from sms_native.machine.processes import NativeError
from tests.eventually import eventually

pytestmark = pytest.mark.loopback

_SERVER = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
def drain(*_):
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
print("x" * 200_000 + "\\nlistening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
_DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def lines():
    return defaultdict(list)


@pytest.fixture
def start(tmp_path, lines):
    def prepare(code: str):
        (tmp_path / "fake_service.py").write_text(code)
        port = free_port()
        environment = {**os.environ, "PORT": str(port), "PYTHONPATH": str(tmp_path)}
        service = ServicePlan("fake", "fake_service", f"http://127.0.0.1:{port}/readyz", environment)
        return ServiceProcess.start(service, lambda name, line: lines[name].append(line))

    return prepare


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_service_is_ready_when_it_says_so_and_drains_when_stopped(start, http, lines):
    running = await start(_SERVER)
    await running.ready(http)
    assert running.process.alive
    assert await running.stop() == 0
    assert not running.process.alive
    assert lines["fake"][-2:] == ["listening", "drained"]


async def test_a_line_of_any_length_is_passed_on_whole_or_in_pieces(start, http, lines):
    running = await start(_SERVER)
    await running.ready(http)
    await running.stop()
    assert "".join(lines["fake"]) == "x" * 200_000 + "listeningdrained"


async def test_a_service_that_ends_while_starting_is_named_with_its_status(start, http):
    running = await start("import sys; sys.exit(3)")
    with pytest.raises(NativeError, match=r"fake ended with status 3"):
        await running.ready(http)
    await running.wait()


async def test_a_service_that_never_gets_ready_is_named(start, http):
    running = await start("import signal; signal.pause()")
    with pytest.raises(NativeError, match=r"fake is not ready after 0 s"):
        await running.ready(http, seconds=0.3)
    running.kill()
    await running.wait()


async def test_a_service_that_does_not_drain_is_killed(start, lines):
    running = await start(_DEAF)
    await eventually(lambda: list(lines["fake"]), bool)
    assert await running.stop(seconds=0.2) == -9
