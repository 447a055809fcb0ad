"""The commands that speak AMQP, on RabbitMQ itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_common.broker import RabbitBroker
from sms_common.topology import DEAD, OUTBOUND, Topology, base
from tests.cli.commands.test_parked import letter
from tests.cli.world import Command
from tests.common.broker.browsing_contract import ids_in

pytestmark = pytest.mark.integration


@pytest.fixture
def command(vhost: str) -> Command:
    return Command({"SMSGW_AMQP_URL": vhost})


@pytest.fixture
async def gateway(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="gateway", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


async def test_dead_letters_are_listed_replayed_and_discarded_and_none_is_lost(command: Command, gateway: RabbitBroker):
    for number in range(4):
        await gateway.publish(letter(f"m{number}"))
    listed = await command("dead-letters", "list", "--json")
    assert [one["id"] for one in listed.json] == ["m0", "m1", "m2", "m3"]
    assert (await command("dead-letters", "replay", "m1", "--yes")).out == "replayed 1\n"
    assert (await command("dead-letters", "discard", "m2", answer="y\n")).status == 0
    assert sorted(await ids_in(gateway, DEAD)) == ["m0", "m3"]
    assert await ids_in(gateway, OUTBOUND) == ["m1"]


async def test_a_request_lies_in_its_queue(command: Command, gateway: RabbitBroker):
    ended = await command("send", "+13125550100", "Hello", "-t", "acme", "-e", "101", "--id", "m1")
    assert (ended.status, ended.out) == (0, "m1\n")
    assert await ids_in(gateway, OUTBOUND) == ["m1"]


async def test_nothing_is_declared_by_looking(command: Command, vhost: str):
    ended = await command("dead-letters", "list")
    assert ended.status == 1
    assert "The broker refused" in ended.err
    async with RabbitBroker(vhost, name="afterwards", topology=Topology()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        assert len((await broker.survey(base())).missing) == len(base().exchanges) + len(base().queues)


async def test_a_wrong_password_is_told_at_once_and_not_shown(vhost: str):
    user, _, rest = vhost.removeprefix("amqp://").partition(":")
    ended = await Command({"SMSGW_AMQP_URL": f"amqp://{user}:wrong-one@{rest.partition('@')[2]}"})("tail")
    assert ended.status == 1
    assert "RabbitMQ refuses the log-in" in ended.err
    assert "wrong-one" not in ended.err
