"""Ingress as a process: it starts with everything away, says so, and ends when it is told to."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

pytestmark = pytest.mark.loopback

PATIENCE = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**settings: object) -> dict[str, str]:
    nowhere = free_port()
    told: dict[str, object] = {
        "AMQP_URL": f"amqp://guest:canary-password@127.0.0.1:{nowhere}/",
        "CONFIG_URL": f"http://127.0.0.1:{nowhere}",
        "CONFIG_TOKEN": "canary-token",
        "PORT": free_port(),
        "HEALTH_PORT": free_port(),
        "LEAVE_SECONDS": 0,
        "LOG_FORMAT": "json",
        **settings,
    }
    ours = {f"INGRESS_{name}": str(value) for name, value in told.items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("INGRESS_")} | ours


@dataclass
class Running:
    process: asyncio.subprocess.Process
    webhooks: str
    health: str

    async def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit status, and everything it wrote."""
        self.process.send_signal(number)
        output, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        assert self.process.returncode is not None
        return self.process.returncode, output.decode()


@asynccontextmanager
async def started(env: dict[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sms_ingress", env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    running = Running(
        process, f"http://127.0.0.1:{env['INGRESS_PORT']}", f"http://127.0.0.1:{env['INGRESS_HEALTH_PORT']}"
    )
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def answer_of(http: aiohttp.ClientSession, method: str, url: str) -> tuple[int, bytes]:
    """The answer of a server that may still be starting."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.request(method, url, data=b"[]" if method == "POST" else None) as answer:
                    return answer.status, await answer.read()
            await asyncio.sleep(0.05)  # a server that is not there yet announces nothing


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_with_everything_away_it_answers_503_says_why_and_stops_when_told(number):
    async with started(environment()) as ingress, aiohttp.ClientSession() as http:
        webhook, _ = await answer_of(http, "POST", f"{ingress.webhooks}/webhooks/bandwidth/tok")
        alive, _ = await answer_of(http, "GET", f"{ingress.health}/healthz")
        ready, said = await answer_of(http, "GET", f"{ingress.health}/readyz")
        shown, metrics = await answer_of(http, "GET", f"{ingress.health}/metrics")
        status, output = await ingress.end(number)

    assert (webhook, alive, ready, shown) == (503, 200, 503, 200)
    checks = json.loads(said)["checks"]
    assert checks["process"] == "ok"
    assert "not connected" in checks["broker"]
    assert checks["configuration"].startswith("No configuration has been fetched yet.")
    assert b'smsgw_webhook_requests_total{carrier="unknown",result="no_configuration"} 1.0' in metrics
    assert status == 0
    assert [json.loads(line)["event"] for line in output.splitlines()][-1] == "service.stopped"
    assert "canary" not in output


async def test_health_and_metrics_are_not_on_the_public_port():
    async with started(environment()) as ingress, aiohttp.ClientSession() as http:
        answers = [await answer_of(http, "GET", f"{ingress.webhooks}{path}") for path in ("/healthz", "/metrics")]

    assert answers == [(404, b""), (404, b"")]


async def test_after_the_signal_it_goes_on_answering_and_is_not_ready():
    async with started(environment(LEAVE_SECONDS=30)) as ingress, aiohttp.ClientSession() as http:
        await answer_of(http, "POST", f"{ingress.webhooks}/webhooks/bandwidth/tok")
        ingress.process.send_signal(signal.SIGTERM)
        said: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            while said.get("process", "ok") == "ok":
                _, body = await answer_of(http, "GET", f"{ingress.health}/readyz")
                said = json.loads(body)["checks"]
        webhook, _ = await answer_of(http, "POST", f"{ingress.webhooks}/webhooks/bandwidth/tok")
        status, _ = await ingress.end()

    assert said["process"] == "The process is stopping."
    assert webhook == 503
    assert status == 128 + signal.SIGTERM  # the second signal ends it at once


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        pytest.param({"PORT": 70_000}, "INGRESS_PORT", id="port"),
        pytest.param({"DEADLINE_SECONDS": 0}, "INGRESS_DEADLINE_SECONDS", id="deadline"),
        pytest.param({"LOG_FORMAT": "canary"}, "INGRESS_LOG_FORMAT", id="log-format"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named_and_its_value_is_not(settings, variable):
    async with started(environment(**settings)) as ingress:
        output, _ = await asyncio.wait_for(ingress.process.communicate(), PATIENCE)

    assert ingress.process.returncode == 2
    assert variable in output.decode()
    assert "canary" not in output.decode()
