"""Where the settings come from, and which of them win."""

from pathlib import Path

import pytest

from smsgw.settings import CliSettings, load, secret_from_environment

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
