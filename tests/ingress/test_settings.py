"""The environment of ingress: what it must hold, what it may, and that no secret shows."""

import pytest
from pydantic import ValidationError

from sms_ingress.settings import IngressSettings

NEEDED = {"INGRESS_AMQP_URL": "amqp://user:SECRET@127.0.0.1:1/x", "INGRESS_CONFIG_TOKEN": "SECRET"}


@pytest.fixture
def read(monkeypatch):
    def read(**changes: str | None) -> IngressSettings:
        for name, value in (NEEDED | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return IngressSettings()

    return read


def test_two_variables_are_enough_and_the_ports_are_on_loopback(read):
    settings = read()

    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.health_host, settings.health_port) == ("127.0.0.1", 9080)


def test_no_secret_shows(read):
    assert "SECRET" not in f"{read()!r}{read().model_dump_json()}"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""], ids=["absent", "empty"])
def test_what_is_needed_is_asked_for_by_name(read, name, value):
    with pytest.raises(ValidationError) as caught:
        read(**{name: value})

    assert [error["loc"] for error in caught.value.errors()] == [(name.removeprefix("INGRESS_").lower(),)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("DEADLINE_SECONDS", "0"),
        ("DEADLINE_SECONDS", "10"),
        ("CONCURRENT_REQUESTS", "0"),
        ("LEAVE_SECONDS", "61"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_an_impossible_value_is_refused(read, name, value):
    with pytest.raises(ValidationError):
        read(**{f"INGRESS_{name}": value})
