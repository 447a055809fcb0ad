"""The script that makes RabbitMQ's users in containers, run against RabbitMQ's own HTTP API."""

import base64
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused

from sms_common.broker_rights import rights_of
from tests.stack import Broker

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "users.py"
USERS = {"sms-ingress": "one", "sms-dispatcher": "two", "sms-config": "three", "sms-tools": ""}
MADE = ("sms-ingress", "sms-dispatcher", "sms-config", "pbx-main", "pbx-west")


@pytest.fixture
def environment(rabbitmq: Broker, vhost_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    management: Any = rabbitmq.management
    user, _, password = base64.b64decode(management._authorization.split()[1]).decode().partition(":")
    told = {
        "RABBITMQ_MANAGEMENT_URL": f"http://{management._host}:{management._port}",
        "RABBITMQ_USER": user,
        "RABBITMQ_PASSWORD": password,
        "RABBITMQ_VHOST": vhost_name,
        "RABBITMQ_USERS": json.dumps(USERS),
        "RABBITMQ_PBX_PASSWORDS": "main:four,west:five",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    yield monkeypatch
    for name in (*MADE, "sms-tools"):
        rabbitmq.management.delete_user(name)


def run() -> None:
    runpy.run_path(str(SCRIPT), run_name="__main__")


def listed(rabbitmq: Broker, kind: str, vhost: str) -> dict[str, dict[str, str]]:
    management: Any = rabbitmq.management
    return {one["user"]: one for one in management._call("GET", f"/api/{kind}") if one["vhost"] == vhost}


def test_each_user_gets_its_own_rights_and_no_others_also_when_it_had_more(rabbitmq, vhost_name, environment):
    rabbitmq.management.create_user("pbx-main", "old", vhost_name)
    for _ in range(2):
        run()
    permissions, topics = (listed(rabbitmq, kind, vhost_name) for kind in ("permissions", "topic-permissions"))
    assert {user for user in permissions if user.startswith(("sms-", "pbx-"))} == set(MADE)  # none without a password
    for user in MADE:
        rights = rights_of(user)
        told = (permissions[user]["configure"], permissions[user]["write"], permissions[user]["read"])
        assert told == (rights.configure, rights.write, rights.read)
        expected = rights.topics and ("sms", rights.topics.write, rights.topics.read)
        found = topics.get(user)
        assert (found and (found["exchange"], found["write"], found["read"])) == expected


async def test_a_user_logs_in_with_the_password_of_env(rabbitmq, vhost_name, environment):
    run()
    environment.setenv("RABBITMQ_PBX_PASSWORDS", "main:changed")
    run()
    async with await aio_pika.connect(f"amqp://pbx-main:changed@{rabbitmq.address}/{vhost_name}") as connection:
        with pytest.raises(ChannelAccessRefused):
            await (await connection.channel()).declare_queue("pbx.main.more", durable=True)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RABBITMQ_PASSWORD", "wrong", "RABBITMQ_PASSWORD is not what it was"),
        ("RABBITMQ_PBX_PASSWORDS", "main", "entry 1 is not a PBX's id, a colon and its password"),
        ("RABBITMQ_PBX_PASSWORDS", "main:four,we.st:five", "entry 2"),
    ],
)
def test_what_cannot_be_used_ends_it_with_a_sentence_without_a_secret(environment, name, value, said):
    environment.setenv(name, value)
    with pytest.raises(SystemExit, match=said) as caught:
        run()
    assert "five" not in str(caught.value)
