"""A setting that cannot be used ends its service at once: status 2, one line that names it, and none of its value."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from carrier_simulator.settings import SimulatorSettings
from sms_common.service.process import load_settings
from sms_config.settings import ConfigSettings
from sms_dispatcher.settings import DispatcherSettings
from sms_ingress.settings import IngressSettings
from tests.processes import KINDS, ended, environment, logged

pytestmark = pytest.mark.loopback

CASES = Path(__file__).parent / "data" / "cases"


def inputs(case: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((CASES / f"{case}.json").read_text())["input"]
    return found


URLS, LINKS, AMQP, MONGO = map(inputs, ("09-public-url", "12-kubernetes-service-links", "55-amqp-url", "56-mongo-url"))
# What is read all the same: blanks and line ends are taken off, and what only a server can know is left to it.
_TRIMMED = {name + value for one in URLS for name, value in one.items() if value != value.strip()}
_WRONG_MONGO = MONGO[:6]


def everywhere(given: dict[str, str], *services: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The same value for each service that has such a setting."""
    (name, value), *_ = given.items()
    for service in services:
        yield service, {f"{service.upper()}_{name.partition('_')[2]}": value}


WRONG: list[tuple[str, dict[str, str], str]] = [
    *(("config", one, "") for one in URLS if "".join(*one.items()) not in _TRIMMED),
    *(
        (service, one, "")
        for given in (*AMQP[:6], AMQP[8])
        for service, one in everywhere(given, "ingress", "dispatcher", "config")
    ),
    *((service, one, "") for given in _WRONG_MONGO for service, one in everywhere(given, "dispatcher", "config")),
    ("dispatcher", {"DISPATCHER_CARRIER_OPTIONS": '{"bandwidth":{"nope":1}}'}, "bandwidth.nope"),
    ("dispatcher", {"DISPATCHER_CARRIER_OPTIONS": '{"bandwith":{}}'}, "there is no carrier"),
    ("dispatcher", {"DISPATCHER_CARRIER_OPTIONS": '{"bandwidth":[1]}'}, ""),
    ("config", {"CONFIG_CARRIER_OPTIONS": '{"bandwidth":{"total_timeout":"soon"}}'}, "bandwidth.total_timeout"),
    ("config", {"CONFIG_CARRIER_OPTIONS": "{bandwidth"}, "JSON"),
    ("ingress", {"INGRESS_CONFIG_URL": "config:8081"}, "begin it with"),
    ("dispatcher", {"DISPATCHER_CONFIG_URL": "127.0.0.1:8081"}, "begin it with"),
    ("config", {"CONFIG_DISPATCHER_URL": "http://dispatcher:80 82"}, "a blank"),
    ("config", {"CONFIG_PORTAL_URL": "https://sms.example.com/portal"}, "root"),
    ("config", {"CONFIG_KEY_RING": "k1"}, "key ring"),
    ("config", {"CONFIG_INGRESS_TOKEN": "a-token-with\u200bsomething-in-it"}, "U+200B"),
    ("config", {"CONFIG_MONGO_DATABASE": "sms.config"}, ""),
    ("config", {"CONFIG_TRUSTED_PROXIES": "10.0.0.0/8, proxy.example.com"}, "10.0.0.0/8, not names"),
    ("config", {"CONFIG_MONGO_URL": "mongodb://h/?tls=maybe"}, "tls"),
    ("dispatcher", {"DISPATCHER_MONGO_URL": "mongodb://a,b/?directConnection=true"}, "directConnection"),
    ("ingress", {"INGRESS_TRUSTED_PROXIES": "10.0.0.0/99"}, "not names"),
    ("ingress", {"INGRESS_HOST": "http://0.0.0.0"}, "without http://"),
    ("ingress", {"INGRESS_PORT": "http"}, ""),
    ("ingress", {"INGRESS_PORT": "70000"}, ""),
    ("ingress", {"INGRESS_DEADLINE_SECONDS": "nan"}, ""),
    ("dispatcher", {"DISPATCHER_RECONCILE_AFTER_MINUTES": "inf"}, ""),
    ("dispatcher", {"DISPATCHER_LOG_LEVEL": "loud"}, ""),
    ("simulator", {"SIMULATOR_PUBLIC_URL": "simulator:8090"}, "begin it with"),
    ("simulator", {"SIMULATOR_ACCOUNTS": "{"}, "JSON"),
    ("simulator", {"SIMULATOR_MEDIA_LIFETIME": "inf"}, ""),
]


SETTINGS: dict[str, type[BaseSettings]] = {
    "ingress": IngressSettings,
    "dispatcher": DispatcherSettings,
    "config": ConfigSettings,
    "simulator": SimulatorSettings,
}


@pytest.fixture
def environ(monkeypatch):
    """Let this process have the whole environment of a service."""

    def have(service: str, **changes: str) -> None:
        for name in set(os.environ) - set(wanted := environment(service, **changes)):
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)

    return have


@pytest.mark.parametrize(("service", "given", "told"), WRONG)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(environ, capsys, service, given, told):
    environ(service, **given)

    with pytest.raises(SystemExit) as left:
        load_settings(SETTINGS[service])

    (name, value), *_ = given.items()
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert name in err
    assert told in err
    assert value not in err
    password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
    assert not password or password not in err


@pytest.mark.parametrize(("service", "given"), [(service, given) for service, given, _ in WRONG[::9]])
async def test_a_process_with_a_wrong_setting_ends_at_once_without_a_traceback(service, given):
    status, out, err = await ended(service, **given)

    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert next(iter(given)) in err


def test_several_wrong_settings_are_told_a_line_each(environ, capsys):
    environ("config", CONFIG_PORT="x", CONFIG_PUBLIC_URL="x")

    with pytest.raises(SystemExit):
        load_settings(ConfigSettings)

    told = zip(("CONFIG_PORT", "CONFIG_PUBLIC_URL"), capsys.readouterr().err.splitlines(), strict=True)
    assert all(name in line for name, line in told)


@pytest.mark.parametrize("given", [one for one in URLS if "".join(*one.items()) in _TRIMMED])
def test_what_nobody_sees_at_the_ends_of_a_setting_is_taken_off(environ, given):
    environ("config", **given)

    (name, value), *_ = given.items()
    assert getattr(load_settings(ConfigSettings), name.removeprefix("CONFIG_").lower()) == value.strip().rstrip("/")


@pytest.mark.parametrize("service", KINDS)
async def test_what_kubernetes_sets_for_a_service_of_that_name_is_passed_over_and_said(service):
    link: dict[str, Any] = next(one for one in LINKS if f"{service.upper()}_PORT" in one)

    # Not whether it then listens: its usual port may be taken on a machine where others work.
    line = await logged(service, "service.setting_passed_over", **link)

    assert f"{service.upper()}_PORT" in line
    assert "enableServiceLinks: false" in line
