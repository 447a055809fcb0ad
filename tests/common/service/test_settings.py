"""How every service reads its settings: trimmed, checked, and without a word of a value in an error."""

from typing import Any

import pytest
from pydantic import ValidationError

from sms_common.service.settings import (
    CarrierOptions,
    Count,
    DatabaseName,
    Networks,
    Port,
    ProcessSettings,
    Seconds,
    SettingsConfigDict,
    Token,
    sentence,
)


class Settings(ProcessSettings):
    model_config = SettingsConfigDict(env_prefix="SOME_")

    name: str = "unset"
    port: Port = 8080
    wait: Seconds = 1.0
    most: Count = 5
    database: DatabaseName = "sms"
    token: Token | None = None
    networks: Networks = ()
    options: CarrierOptions = {}  # noqa: RUF012  # pydantic copies it


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    def read(**values: str) -> Settings:
        for name, value in values.items():
            monkeypatch.setenv(f"SOME_{name.upper()}", value)
        return Settings()

    return read


@pytest.mark.parametrize(("written", "name"), [(" x\u200b\n", "x"), ("", "unset"), (" \t", "unset"), ("\ufeffy", "y")])
def test_what_nobody_sees_is_taken_off_and_nothing_but_that_is_not_set(read, written, name):
    assert read(name=written).name == name


def test_what_kubernetes_sets_in_place_of_a_port_is_passed_over_and_said(read):
    settings = read(port="tcp://10.0.0.1:8080", name="tcp://10.0.0.1:8080")

    assert (settings.port, settings.passed_over) == (8080, ("SOME_PORT",))
    assert settings.name == "tcp://10.0.0.1:8080"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("wait", "nan"),
        ("wait", "inf"),
        ("wait", "-1"),
        ("most", "0"),
        ("most", "1000000001"),
        ("database", "sms.config"),
        ("token", "ca\u200bnary"),
        ("networks", "canary.example.com"),
        ("options", "{canary"),
        ("options", '{"canary": {}}'),
        ("options", '{"bandwidth": {"canary": 1}}'),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(read, name, value):
    with pytest.raises(ValidationError) as refused:
        read(**{name: value})

    (error,) = refused.value.errors()
    assert error["loc"][0] == name
    assert "{canary" not in str(refused.value)


def test_a_carriers_options_and_networks_are_read(read):
    settings = read(options='{"bandwidth": {"total_timeout": 3}}', networks="10.0.0.0/8, 127.0.0.1")

    assert settings.options == {"bandwidth": {"total_timeout": 3}}
    assert [str(network) for network in settings.networks] == ["10.0.0.0/8", "127.0.0.1/32"]


def test_no_secret_shows(read):
    settings = read(token="canary")

    assert "canary" not in f"{settings!r}{settings.model_dump_json()}"
    assert settings.token.get_secret_value() == "canary"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Value error, must be JSON", "must be JSON"),
        ("Input should be less than or equal to 65535", "must be less than or equal to 65535"),
        ("Field required", "must be set"),
        (
            "Input should be a valid integer, unable to parse string as an integer",
            "must be a valid integer",
        ),
    ],
)
def test_pydantics_words_become_a_persons(message, said):
    assert sentence(message) == said
