import asyncio
import json
import resource
import signal
import subprocess
import sys
import textwrap
from typing import Literal

import aiohttp
import pytest
import structlog
from aiohttp import web
from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sms_common.service.process import (
    DRAIN_DEADLINE_SECONDS,
    Health,
    add_health_routes,
    load_settings,
    log_settings,
    serve,
)
from sms_common.telemetry import configure

# health


async def fine():
    return None


async def never():
    await asyncio.Event().wait()


def broken():
    raise RuntimeError("canary-secret")


async def test_checks_say_none_or_what_is_wrong():
    health = Health()
    health.add("broker", lambda: None)
    health.add("store", fine)
    health.add("configuration", lambda: "No configuration has been fetched yet.")
    assert await health.problems() == {
        "broker": None,
        "store": None,
        "configuration": "No configuration has been fetched yet.",
    }


async def test_check_that_raises_is_a_problem_without_its_text():
    health = Health()
    health.add("store", broken)
    assert await health.problems() == {"store": "The check failed: RuntimeError."}


async def test_check_that_hangs_is_a_problem_and_holds_up_no_other():
    health = Health()
    health.add("store", never)
    health.add("broker", lambda: "Away from amqp://user:canary@rabbit/.")
    assert await health.problems() == {"store": "No answer within 2 s.", "broker": "Away from amqp://***@rabbit/."}


async def test_process_that_stops_is_not_ready():
    stop = asyncio.Event()
    health = Health(stop)
    assert await health.problems() == {"process": None}
    stop.set()
    assert await health.problems() == {"process": "The process is stopping."}


async def test_two_checks_cannot_have_one_name():
    health = Health()
    health.add("broker", fine)
    with pytest.raises(ValueError, match="broker"):
        health.add("broker", fine)


def app_with(health):
    app = web.Application()
    add_health_routes(app, health)
    return app


@pytest.mark.loopback
async def test_health_routes_answer():
    problem = None
    health = Health()
    health.add("broker", lambda: problem)
    async with serve(app_with(health), "127.0.0.1", 0) as port, aiohttp.ClientSession() as client:
        base = f"http://127.0.0.1:{port}"
        async with client.get(f"{base}/healthz") as answer:
            assert answer.status == 200
        async with client.get(f"{base}/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True, "checks": {"broker": "ok"}})
        problem = "The broker is away."
        async with client.get(f"{base}/readyz") as answer:
            assert answer.status == 503
            assert await answer.json() == {"ready": False, "checks": {"broker": "The broker is away."}}
        async with client.get(f"{base}/healthz") as answer:
            assert answer.status == 200
        async with client.get(f"{base}/metrics") as answer:
            assert answer.content_type == "text/plain"
            assert "process_open_fds" in await answer.text()


@pytest.mark.loopback
async def test_the_metrics_page_says_of_each_part_whether_it_is_ready():
    health = Health()
    health.add("well", lambda: None)
    health.add("ill", lambda: "It is away.")
    async with (
        serve(app_with(health), "127.0.0.1", 0) as port,
        aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        page = await answer.text()
    assert 'smsgw_ready{part="well"} 1.0' in page
    assert 'smsgw_ready{part="ill"} 0.0' in page


# settings


class Upstream(BaseModel):
    url: str
    seconds: float = 1.0


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANARY_")

    port: int = Field(default=8080, ge=0, le=65535)
    amqp_url: str
    api_token: SecretStr
    spare_token: SecretStr | None = None
    mode: Literal["a", "b"] = "a"
    upstreams: dict[str, Upstream] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_both(self):
        if self.port == 1 and self.mode == "b":
            raise ValueError("port 1 and mode b do not go together")
        return self


GOOD = {"CANARY_AMQP_URL": "amqp://user:canary-1@rabbit/", "CANARY_API_TOKEN": "canary-2"}


@pytest.fixture
def environment(monkeypatch):
    def set_all(values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_settings_are_read_from_the_environment(environment):
    environment(GOOD | {"CANARY_PORT": "9"})
    settings = load_settings(Settings)
    assert (settings.port, settings.api_token.get_secret_value()) == (9, "canary-2")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({}, ["CANARY_AMQP_URL: must be set", "CANARY_API_TOKEN: must be set"], id="missing"),
        pytest.param(
            GOOD | {"CANARY_PORT": "canary-3"},
            ["CANARY_PORT: must be a valid integer"],
            id="no number",
        ),
        pytest.param(
            GOOD | {"CANARY_PORT": "70000", "CANARY_MODE": "canary-3"},
            ["CANARY_PORT: must be less than or equal to 65535", "CANARY_MODE: must be 'a' or 'b'"],
            id="out of range",
        ),
        pytest.param(
            GOOD | {"CANARY_UPSTREAMS": '{"one": {"seconds": 2, "canary-3": 1}}'},
            ["CANARY_UPSTREAMS.one.url: must be set"],
            id="nested",
        ),
        pytest.param(
            GOOD | {"CANARY_PORT": "1", "CANARY_MODE": "b"},
            ["port 1 and mode b do not go together"],
            id="together",
        ),
    ],
)
def test_unusable_settings_are_told_by_name_without_values(environment, capsys, values, said):
    environment(values)
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.splitlines() == [f"The settings cannot be used: {line}" for line in said]
    assert "canary-" not in told


def test_settings_variable_with_a_name_of_its_own_is_told_by_that(capsys):
    class Named(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="CANARY_")

        url: str = Field(validation_alias="CANARY_DATABASE")

    with pytest.raises(SystemExit):
        load_settings(Named)
    assert "CANARY_DATABASE: must be set\n" in capsys.readouterr().err


def test_settings_that_are_not_json_are_told_by_name(environment, capsys):
    environment(GOOD | {"CANARY_UPSTREAMS": "{canary-3"})
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "CANARY_UPSTREAMS: must be JSON" in told
    assert "canary-" not in told


def test_settings_are_logged_with_their_secrets_starred(environment, capsys):
    environment(GOOD)
    configure("test", log_format="json")
    log_settings(load_settings(Settings))
    structlog.reset_defaults()
    out = capsys.readouterr().out
    assert "canary-" not in out
    shown = json.loads(out)["settings"]
    assert shown["amqp_url"] == "amqp://***@rabbit/"
    assert (shown["api_token"], shown["spare_token"], shown["port"]) == ("***", None, 8080)


# the process

PROGRAM = """
import asyncio, os, resource, sys, time
from sms_common.service.process import run
from sms_common.telemetry import configure

configure("test", log_format="json")

async def main(stop):
{body}

raise SystemExit(run(main, drain_seconds={drain}))
"""
READY = "print('ready', flush=True)\n"


def start(body, drain=20.0):
    program = PROGRAM.format(body=textwrap.indent(body, "    "), drain=drain)
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def finish(process):
    out, err = process.communicate(timeout=20)
    events = [json.loads(line)["event"] for line in out.splitlines() if line.startswith("{")]
    return process.returncode, events, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signal_sets_stop_and_a_drained_process_ends_with_0(number):
    process = start(READY + "await stop.wait()\nprint('drained', flush=True)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    code, events, out, err = finish(process)
    assert (code, events, err) == (0, ["service.stopping", "service.stopped"], "")
    assert number.name in out
    assert "drained" in out


def test_main_runs_on_uvloop_with_as_many_files_as_the_system_allows():
    body = """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        print(type(asyncio.get_running_loop()).__module__, soft == hard, flush=True)
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        process = start(textwrap.dedent(body))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    code, events, out, _err = finish(process)
    assert (code, events) == (0, ["service.stopped"])
    assert out.startswith("uvloop True\n")


def test_main_that_raises_ends_the_process_with_1_and_its_reason_in_the_log():
    code, events, out, err = finish(start("raise RuntimeError('cannot go on: +14045550121')"))
    assert (code, events, err) == (1, ["service.crashed"], "")
    assert "cannot go on: +1404***0121" in out


def test_main_that_is_cancelled_ends_the_process_with_1():
    code, events, _out, _err = finish(start("raise asyncio.CancelledError"))
    assert (code, events) == (1, ["service.crashed"])


def test_exit_status_of_main_is_kept():
    assert finish(start("raise SystemExit(3)"))[0] == 3


@pytest.mark.parametrize(
    "hang", ["await asyncio.Event().wait()", "time.sleep(60)"], ids=["waiting for ever", "blocking the loop"]
)
def test_process_that_does_not_drain_in_time_is_ended_with_70(hang):
    process = start(READY + hang, drain=0.2)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    code, events, _out, err = finish(process)
    assert code == 70
    assert events[-1] == "service.drain_overran"
    assert "Thread" in err


def test_second_signal_ends_a_draining_process_at_once():
    process = start(READY + "await asyncio.Event().wait()")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert "service.stopping" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    code, events, _out, _err = finish(process)
    assert (code, events) == (128 + signal.SIGINT, ["service.ended_by_second_signal"])


def test_second_signal_ends_a_process_whose_loop_is_blocked():
    code, events, _out, _err = finish(
        start("os.kill(os.getpid(), 15)\ntime.sleep(0.01)\nos.kill(os.getpid(), 15)\ntime.sleep(60)")
    )
    assert (code, events) == (128 + signal.SIGTERM, ["service.ended_by_second_signal"])


def test_drain_deadline_covers_the_longest_drain():
    assert DRAIN_DEADLINE_SECONDS > 25 + 5 + 5 + 5 + 5
