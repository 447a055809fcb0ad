import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path):
    """Run a command of the tools in an empty checkout."""
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    environment = {**os.environ, "NATIVE": "1", "SMS_INSTALL": "0"}

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sms_native", *arguments],
            cwd=tmp_path,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_nothing_is_made_where_nothing_was_started(command, tmp_path):
    assert command("down").returncode == 0
    assert command("status").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == [".env.example"]


def test_outside_a_checkout_the_command_says_so(command, tmp_path):
    (tmp_path / ".env.example").unlink()
    done = command("smoke")
    assert done.returncode == 1
    assert ".env.example" in done.stderr


def test_env_is_made_alone_and_an_existing_one_gets_what_it_lacks_and_nothing_else(command, tmp_path):
    done = command("env")
    assert (done.returncode, done.stderr) == (0, "")
    assert "made .env" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".env.example"]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    (tmp_path / ".env").write_text("AMQP_PORT=5672\n")
    again = command("env")
    assert again.returncode == 0
    assert "there is a .env already" in again.stdout
    assert "added RABBITMQ_PASSWORD, RABBITMQ_INGRESS_PASSWORD" in again.stdout
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[:3] == ["AMQP_PORT=5672", "", "# --- added"]
    assert "RABBITMQ_PBX_PASSWORDS" in [line.partition("=")[0] for line in lines]
    assert "it stays as it is" in command("env").stdout
    assert (tmp_path / ".env").read_text().splitlines() == lines


@pytest.mark.parametrize("wanted", ["up", "smoke"])
def test_a_real_gateway_is_not_taken_over_by_the_demonstration(command, tmp_path, wanted):
    assert command("env").returncode == 0
    text = (tmp_path / ".env").read_text()
    (tmp_path / ".env").write_text(text.replace("CONFIG_PUBLIC_URL=\n", "CONFIG_PUBLIC_URL=https://sms.example.com\n"))
    done = command(wanted, DISPATCHER_CARRIER_OPTIONS="")
    assert done.returncode == 1
    assert "CONFIG_PUBLIC_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / ".run").exists()


def test_a_carrier_that_is_named_is_no_reason_to_refuse(command, tmp_path):
    (tmp_path / ".env.example").write_text((tmp_path / ".env.example").read_text() + "DISPATCHER_CARRIER_OPTIONS={}\n")
    assert command("env").returncode == 0
    text = (tmp_path / ".env").read_text()
    (tmp_path / ".env").write_text(text.replace("CONFIG_PUBLIC_URL=\n", "CONFIG_PUBLIC_URL=https://sms.example.com\n"))
    # What it then fails for is what comes after: there is no RabbitMQ and no MongoDB at these addresses.
    nowhere = {"AMQP_URL": "amqp://127.0.0.1:1/", "MONGO_URL": "mongodb://127.0.0.1:1/"}
    done = command("smoke", CONFIG_KEY_RING="none", **nowhere)
    assert done.returncode == 1
    assert "config ended with status" in done.stderr
    assert "CONFIG_PUBLIC_URL" not in done.stderr
