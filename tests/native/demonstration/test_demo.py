"""The demonstration on a real gateway: `make smoke` and `make up`."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sms_native.gateway.environment import SECRETS, parse
from sms_native.machine.ports import free_port

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """An empty checkout whose environment chooses ports of its own."""
    directory = tmp_path_factory.mktemp("checkout")
    example = (ROOT / ".env.example").read_text()
    (directory / ".env.example").write_text(example)
    ports = {name: str(free_port()) for name in parse(example) if name.endswith("_PORT")}
    kept = {n: v for n, v in os.environ.items() if n not in {"AMQP_URL", "MONGO_URL", "DISPATCHER_CARRIER_OPTIONS"}}
    return directory, {**kept, **ports, "NATIVE": "1", "SMS_RUN_DIR": ""}


@pytest.fixture(scope="module")
def first(checkout):
    directory, environment = checkout
    return _run(directory, environment, "smoke")


def _run(directory, environment, command):
    return subprocess.run(
        [sys.executable, "-m", "sms_native", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _text_in(directory: Path, output: list[str]) -> list[str]:
    """Do as `make up` says to have a handset write; the numbers that Bandwidth says it was for.

    The shell reads the line; what it would give to curl, which need not be installed, is posted from here.
    """
    line = next(line for line in output if line.startswith("  curl "))
    shell = ["bash", "-c", "curl() { printf '%s\n' \"$@\"; }\n" + line]
    given = subprocess.run(shell, cwd=directory, capture_output=True, text=True, timeout=30, check=True).stdout
    _, _, authorization, _, body, url = given.splitlines()
    headers = dict([authorization.split(": ", 1)])
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [message["to"] for message in json.load(answer)["messages"]]


def _traced(output: str) -> list[str]:
    """The routing keys of the trace, without the id of the configuration."""
    keys = re.findall(r"^ +\d+ ms  (sms\.\S+)", output, re.MULTILINE)
    return [re.sub(r"(sms\.carrier\.bandwidth)\..*", r"\1", key) for key in keys]


def test_both_texts_go_the_whole_way(first):
    assert first.returncode == 0, first.stdout + first.stderr
    keys = _traced(first.stdout)
    assert keys[:2] == ["sms.outbound.demo", "sms.status.demo.accepted"]
    assert {"sms.status.demo.submitted", "sms.status.demo.delivered"} <= set(keys)
    assert keys[-2:] == ["sms.carrier.bandwidth", "sms.inbound.demo.12015550100"]


def test_every_service_ends_in_good_order(first):
    for name in ("dispatcher", "ingress", "simulator", "config"):
        assert re.search(rf"^ *{name} \| .*service\.stopped", first.stdout, re.MULTILINE), name


def test_no_secret_is_printed(first, checkout):
    directory, _ = checkout
    env = parse((directory / ".env").read_text())
    printed = first.stdout + first.stderr
    assert [name for name in SECRETS if env[name] in printed] == []


@pytest.mark.usefixtures("first")
def test_a_second_start_finds_everything_in_place_and_ends_well_on_a_signal(checkout):
    directory, environment = checkout
    command = [sys.executable, "-m", "sms_native", "up"]
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True) as up:
        output = []
        assert up.stdout is not None
        for line in up.stdout:
            output.append(line)
            if "Ctrl-C stops" in line:
                assert _run(directory, environment, "status").returncode == 0
                assert _text_in(directory, output) == ["+12015550100"]
                up.send_signal(signal.SIGINT)
    assert up.returncode == 0, "".join(output)
    assert not any('"method":"POST"' in line and '"status":201' in line for line in output)
    assert "sms.status.demo.delivered" in _traced("".join(output))
    assert _run(directory, environment, "status").returncode == 1
