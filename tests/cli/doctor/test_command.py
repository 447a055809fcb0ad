"""The whole of what the doctor finds."""

import pytest

from sms_common.broker import Outgoing
from sms_common.topology import (
    CARRIER,
    DEAD,
    OUTBOUND,
    UNROUTED,
)
from tests.cli.doctor.conftest import Gateway

pytestmark = pytest.mark.loopback


async def test_a_whole_gateway_is_well(gateway: Gateway):
    found = await gateway.examined()
    assert gateway.ended.status == 0
    assert gateway.ended.json["worst"] == "ok"
    assert {level for level, _, _ in found.values()} == {"ok"}
    assert {
        "broker",
        "topology",
        OUTBOUND,
        CARRIER,
        DEAD,
        UNROUTED,
        "API key",
        "requests",
        "lanes",
        "config acme/Main",
    } <= found.keys()
    assert {
        "config broker",
        "dispatcher store",
        "ingress broker",
        "dispatcher snapshot",
        "ingress snapshot",
    } <= found.keys()
    assert [part for part in found if part.startswith("webhook 127.0.0.1")] != []


async def test_the_table_says_the_same_and_holds_no_secret(gateway: Gateway):
    gateway.broker.away = True
    ended = await gateway.call()
    assert ended.status == 1
    assert "fail  broker" in ended.out
    assert "1 fail" in ended.out
    assert "the-api-key" not in ended.out + ended.err
    assert "a-secret-token" not in ended.out + ended.err


async def test_warnings_alone_are_no_failure(gateway: Gateway):
    for place in (DEAD, UNROUTED):
        await gateway.broker.publish(Outgoing(place, "k", b"{}", "t", "m"))
    found = await gateway.examined()
    assert gateway.ended.status == 0
    assert found[DEAD] == ("warn", "1 message there", "See why: smsgw dead-letters list")
    assert found[UNROUTED] == ("warn", "1 message there", "See why: smsgw unrouted list")


@pytest.mark.parametrize(
    ("status", "env", "said", "do"),
    [
        pytest.param(401, {}, "The key is not good.", "Make an API key", id="unknown"),
        pytest.param(403, {}, "The key is not good.", "scope read", id="may not read"),
        pytest.param(503, {}, "The key is not good.", "log", id="store away"),
        pytest.param(200, {"SMSGW_API_KEY": ""}, "SMSGW_API_KEY is not set", "Set SMSGW", id="none"),
    ],
)
async def test_an_api_key_that_is_no_good(gateway: Gateway, status: int, env: dict[str, str], said: str, do: str):
    gateway.api_status = status
    gateway.env |= env
    found = await gateway.examined()
    assert found["API key"][0] == "fail"
    assert said in found["API key"][1]
    assert do in found["API key"][2]
    assert "configurations" not in found  # nothing is said of what could not be seen
