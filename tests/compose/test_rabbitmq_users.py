"""The script that makes RabbitMQ's users in containers: what of .env it refuses before it asks RabbitMQ anything."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "users.py"
TOKEN = '{"sms-ingress": "%s", "sms-tools": ""}'


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    told = {
        "RABBITMQ_MANAGEMENT_URL": "http://127.0.0.1:1",
        "RABBITMQ_USER": "sms",
        "RABBITMQ_PASSWORD": "p",
        "RABBITMQ_USERS": TOKEN % "fine",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    "canary", ["can/ary+x=", "can@ary", "can#ary", "can?ary", "can%ary", "can ary", 'can"ary', "c\\a"]
)
def test_what_cannot_be_a_part_of_an_address_is_named_and_not_repeated(environment, canary):
    """A token that was none of an address before may have any character; the service would only blame its address."""
    environment.setenv("RABBITMQ_USERS", TOKEN % canary)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")

    said = str(ended.value)
    assert "letters, digits, - and _" in said
    assert "CONFIG_INGRESS_TOKEN" in said
    assert "ary" not in said


@pytest.mark.parametrize("administrator", ["sms-ingress", "pbx-main"])
def test_an_administrator_with_the_name_of_a_service_or_pbx_keeps_its_rights(environment, administrator):
    environment.setenv("RABBITMQ_USER", administrator)
    environment.setenv("RABBITMQ_PBX_PASSWORDS", "main:four")
    with pytest.raises(SystemExit, match=r"RABBITMQ_USER in \.env must not be the name of"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
