"""What readiness says when RabbitMQ refuses the address that a service was given."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sms_common.broker import RabbitBroker
from sms_common.topology import base
from tests.stack import Broker

pytestmark = pytest.mark.integration

CASE = json.loads((Path(__file__).parent.parent / "data/cases/55-amqp-url.json").read_text())


async def said_of(url: str, words: str) -> str:
    """What `check` says once it says these words."""
    async with RabbitBroker(url, name="test", topology=base()) as broker, asyncio.timeout(20):
        while words not in (said := broker.check() or ""):  # noqa: ASYNC110  # it is asked, as probes ask it
            await asyncio.sleep(0.05)
        return said


async def test_a_vhost_that_is_not_there_is_named_as_the_reason(vhost: str):
    assert CASE["input"][6]["INGRESS_AMQP_URL"].endswith("/nosuch")
    said = await said_of(vhost.rpartition("/")[0] + "/nosuch", "vhost")

    assert "there is no vhost" in said or "refuses the vhost to this user" in said


async def test_a_vhost_that_is_not_there_is_told_from_one_without_rights(rabbitmq: Broker, vhost: str, vhost_name: str):
    nosuch = f"{vhost.rpartition('/')[0]}/{vhost_name}-nosuch"
    assert "there is no vhost" in await said_of(nosuch, "there is no vhost")

    rabbitmq.management.create_vhost(f"{vhost_name}-other")
    try:
        assert "refuses the vhost" in await said_of(f"{vhost}-other", "refuses the vhost")
    finally:
        rabbitmq.management.delete_vhost(f"{vhost_name}-other")


async def test_a_wrong_password_is_named_as_the_reason_and_not_shown(vhost: str):
    parts = urlsplit(vhost)
    said = await said_of(vhost.replace(f":{parts.password}@", ":wrong-canary@"), "refuses the log-in")

    assert "canary" not in said
