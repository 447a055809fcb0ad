"""Where the command takes its settings from, and what it never shows."""

from pathlib import Path

import pytest

from sms_common.version import VERSION
from smsgw.settings import CliSettings, load, secret_from_environment
from tests.cli.world import Command

MADE_BY_UP = """
# of make up
RABBITMQ_USER=sms
RABBITMQ_PASSWORD=p-_1
AMQP_PORT=5673
CONFIG_PORT=18081
CONFIG_BOOTSTRAP_API_KEY=the-key
DISPATCHER_PORT=18082
DISPATCHER_API_TOKEN=the-token
INGRESS_HEALTH_PORT=19080
SMSGW_TENANT=demo
"""


def shown(settings: CliSettings) -> dict[str, object]:
    values = settings.model_dump()
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in values.items()
    }


def test_without_anything_it_looks_on_this_machine():
    assert shown(load(None)) == {
        "amqp_url": None,
        "config_url": "http://127.0.0.1:8081",
        "api_key": None,
        "dispatcher_url": "http://127.0.0.1:8082",
        "dispatcher_token": None,
        "ingress_url": "http://127.0.0.1:9080",
        "ca_file": None,
        "tenant": None,
        "extension": None,
        "timeout": 10.0,
    }


def test_the_env_of_make_up_says_all_that_is_needed(directory: Path):
    (directory / ".env").write_text(MADE_BY_UP)
    found = shown(load(Path(".env")))
    assert found["amqp_url"] == "amqp://sms:p-_1@127.0.0.1:5673/"
    assert (found["config_url"], found["api_key"]) == ("http://127.0.0.1:18081", "the-key")
    assert (found["dispatcher_url"], found["dispatcher_token"]) == ("http://127.0.0.1:18082", "the-token")
    assert (found["ingress_url"], found["tenant"]) == ("http://127.0.0.1:19080", "demo")


def test_the_environment_wins_over_the_file_and_its_own_names_over_those_of_make_up(
    directory: Path, monkeypatch: pytest.MonkeyPatch
):
    (directory / ".env").write_text(MADE_BY_UP + "SMSGW_API_KEY=own-key\nSMSGW_CONFIG_URL=https://a.example.com/\n")
    monkeypatch.setenv("SMSGW_CONFIG_URL", "https://b.example.com/")
    found = shown(load(Path(".env")))
    assert (found["config_url"], found["api_key"]) == ("https://b.example.com", "own-key")


def test_a_secret_is_in_no_word_about_the_settings(directory: Path):
    (directory / ".env").write_text(MADE_BY_UP)
    assert "the-key" not in repr(load(Path(".env")))
    assert "p-_1" not in repr(load(Path(".env")))


def test_an_empty_variable_holds_no_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ACME_SECRET", "")
    assert secret_from_environment("ACME_SECRET") is None


async def test_the_file_in_the_working_directory_is_found_and_another_can_be_named(directory: Path):
    (directory / ".env").write_text("SMSGW_CONFIG_URL=nonsense\n")
    assert "SMSGW_CONFIG_URL" in (await Command()("doctor")).err
    (directory / "other.env").write_text("SMSGW_DISPATCHER_URL=nonsense\n")
    ended = await Command()("--env-file", "other.env", "doctor")
    assert ended.status == 2
    assert "SMSGW_DISPATCHER_URL: must be the base of a URL" in ended.err
    assert "nonsense" not in ended.err


async def test_a_file_that_is_not_there_is_refused():
    ended = await Command()("--env-file", "absent.env", "doctor")
    assert ended.status == 2
    assert "absent.env" in ended.err


@pytest.mark.parametrize("arguments", [["--help"], ["config", "import", "--help"], ["dead-letters", "replay", "-h"]])
async def test_help_needs_no_settings(directory: Path, arguments: list[str]):
    (directory / ".env").write_text("SMSGW_CONFIG_URL=nonsense\n")
    ended = await Command()(*arguments)
    assert ended.status == 0
    assert "For example:" in ended.out


async def test_it_tells_its_version():
    assert (await Command()("--version")).out == f"{VERSION}\n"


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        pytest.param("", 1, "SMSGW_AMQP_URL is not set", id="none"),
        pytest.param("http://u:hidden@h", 2, "begin it with amqp:// or amqps://", id="another scheme"),
        pytest.param("amqp://u:hid/den@h", 2, "percent-encoded", id="a password that is not escaped"),
    ],
)
async def test_an_address_of_the_broker_that_cannot_be_used(url: str, status: int, told: str):
    ended = await Command({"SMSGW_AMQP_URL": url})("tail")
    assert ended.status == status
    assert told in ended.err
    assert "hidden" not in ended.err


@pytest.mark.loopback
async def test_a_broker_that_does_not_answer_is_told_by_its_address_alone():
    ended = await Command({"SMSGW_AMQP_URL": "amqp://u:hidden@127.0.0.1:1/v"})("tail")
    assert ended.status == 1
    assert "RabbitMQ at 127.0.0.1:1 cannot be used" in ended.err
    assert "hidden" not in ended.err
