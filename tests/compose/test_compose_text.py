"""What docker-compose.yml says, read as text. These need no Docker engine."""

import base64
import re
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from sms_config.settings import ConfigSettings
from sms_dispatcher.settings import DispatcherSettings
from sms_ingress.settings import IngressSettings
from sms_native.gateway.environment import parse
from tests.compose.stack import REPOSITORY

SETTINGS: dict[str, type[BaseSettings]] = {
    "ingress": IngressSettings,
    "dispatcher": DispatcherSettings,
    "config": ConfigSettings,
}
# What docker-compose.yml or the image sets by itself: addresses and ports inside, and what has another name in .env.
SET_BY_COMPOSE = {
    "ingress": {"HOST", "PORT", "HEALTH_HOST", "HEALTH_PORT", "AMQP_URL", "CONFIG_URL", "CONFIG_TOKEN", "LOG_FORMAT"},
    "dispatcher": {
        *("HOST", "PORT", "AMQP_URL", "MONGO_URL", "MONGO_DATABASE", "CONFIG_URL", "CONFIG_TOKEN", "LOG_FORMAT"),
        "READ_TOKEN",
    },
    "config": {
        *("HOST", "PORT", "AMQP_URL", "MONGO_URL", "MONGO_DATABASE", "DISPATCHER_URL", "DISPATCHER_READ_TOKEN"),
        *("CARRIER_OPTIONS", "LOG_FORMAT"),
    },
}

NEEDED = {
    "AMQP_URL": "amqp://rabbitmq",
    "MONGO_URL": "mongodb://mongo",
    "PUBLIC_URL": "https://sms.example.com",
    "READ_TOKEN": "a" * 32,
    "CONFIG_TOKEN": "c" * 32,
    "INGRESS_TOKEN": "i" * 32,
    "DISPATCHER_TOKEN": "d" * 32,
    "KEY_RING": "k1:" + base64.b64encode(bytes(32)).decode(),
}


def services(file: str = "docker-compose.yml") -> dict[str, Any]:
    document = yaml.safe_load((REPOSITORY / file).read_text())
    found: dict[str, Any] = document["services"]
    return found


def passed(service: str) -> set[str]:
    """The settings that a service is given as .env has them under the same name."""
    environment = services()[service]["environment"]
    prefix = f"{service.upper()}_"
    own = (name for name, value in environment.items() if value is None or value.startswith("${" + name + ":"))
    return {name.removeprefix(prefix) for name in own}


def test_how_many_dispatchers_run_is_said_in_env_so_that_the_next_up_keeps_them():
    assert services()["dispatcher"]["scale"] == "${DISPATCHERS:-1}"
    assert parse((REPOSITORY / ".env.example").read_text())["DISPATCHERS"] == "1"


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_reaches_its_service_or_is_set_by_compose(service):
    known = {name.upper() for name in SETTINGS[service].model_fields}
    assert passed(service) == known - SET_BY_COMPOSE[service]


@pytest.mark.parametrize("service", SETTINGS)
def test_what_env_leaves_empty_has_its_default(service, monkeypatch):
    prefix, settings = f"{service.upper()}_", SETTINGS[service]
    for name, value in NEEDED.items():
        monkeypatch.setenv(prefix + name, value)
    optional = {name: field for name, field in settings.model_fields.items() if not field.is_required()}
    for name in optional:
        monkeypatch.setenv(f"{prefix}{name.upper()}", "")
    loaded = settings()
    for name, field in optional.items():
        assert getattr(loaded, name) == field.get_default(call_default_factory=True), name


def published() -> list[str]:
    return re.findall(r"^      - (\S+:\d+)$", (REPOSITORY / "docker-compose.yml").read_text(), re.MULTILINE)


def test_only_ingress_may_be_reached_from_elsewhere_and_only_when_env_says_so():
    assert len(published()) > 5
    assert [port for port in published() if not port.startswith("127.0.0.1:")] == [
        "${INGRESS_BIND:-127.0.0.1}:${INGRESS_PORT:-8080}:8080"
    ]


def test_every_published_port_can_be_moved_so_that_two_checkouts_run_side_by_side():
    movable = re.compile(r"[^:]+(:-127\.0\.0\.1})?:\$\{([A-Z_]+_PORTS?):-[0-9-]+\}:\d+")
    names = [found[2] for found in map(movable.fullmatch, published()) if found]
    assert len(names) == len(published())
    assert set(names) <= parse((REPOSITORY / ".env.example").read_text()).keys()


def test_prometheus_can_read_the_metrics_of_rabbitmq():
    plugins = (REPOSITORY / "deploy" / "rabbitmq" / "enabled_plugins").read_text()
    assert "rabbitmq_prometheus" in plugins
    assert "127.0.0.1:${RABBITMQ_METRICS_PORT:-15692}:15692" in published()


def test_every_address_of_rabbitmq_and_mongodb_can_be_one_elsewhere():
    ours = [name for service in SETTINGS for name in services()[service]["environment"]]
    told = {n: v for part in services("deploy/elsewhere.yml").values() for n, v in part["environment"].items()}
    assert set(told) == {name for name in ours if name.endswith(("_AMQP_URL", "_MONGO_URL"))}
    assert [
        name for name, value in told.items() if f"${{{name}:?" not in value or f"set {name} in .env" not in value
    ] == []
    assert all(
        name.startswith(f"{service.upper()}_")
        for service, part in services("deploy/elsewhere.yml").items()
        for name in part["environment"]
    )


def test_no_default_in_env_holds_a_reference_which_docker_compose_1_29_would_cut_off():
    for file in ("docker-compose.yml", "deploy/elsewhere.yml"):
        assert re.findall(r"\$\{[A-Z_]+:?[-?][^}]*\$\{", (REPOSITORY / file).read_text()) == []
