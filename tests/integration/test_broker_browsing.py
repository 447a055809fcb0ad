"""Looking into the queues of RabbitMQ, and what a broker says when it cannot be reached."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sms_common.broker import Parked, RabbitBroker, Timeouts
from sms_common.errors import Unavailable
from sms_common.topology import DEAD, OUTBOUND, Topology, base
from tests.common.broker.broker_contract import request
from tests.common.broker.browsing_contract import BrowsingContract, ids_in, letter

pytestmark = pytest.mark.integration


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="browsing", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


class TestContract(BrowsingContract):
    pass


async def test_a_removal_on_a_cut_connection_is_not_called_one(
    broker: RabbitBroker, close_connections: Callable[[], int]
):
    await broker.publish(letter(1))
    async with broker.browse(DEAD, limit=1) as held:
        await asyncio.to_thread(close_connections)
        with pytest.raises(Unavailable):
            await held[0].remove()
    await asyncio.wait_for(broker.ready(), 20)
    assert await ids_in(broker, DEAD) == ["m1"]


async def test_what_rabbitmq_itself_gave_up_knows_its_queue_and_goes_back_there(broker: RabbitBroker):
    await broker.publish(request("m1"))
    for _ in range(21):  # each look counts towards the limit of 20
        async with broker.browse(OUTBOUND, limit=1) as held:
            assert len(held) == 1
    async with asyncio.timeout(10):
        while True:
            async with broker.browse(DEAD, limit=1) as dead:
                if dead:
                    parked = Parked.read(dead[0].delivery)
                    await broker.publish(parked.back())
                    await dead[0].remove()
                    break
    assert (parked.source, parked.code, parked.id) == (OUTBOUND, "delivery_limit", "m1")
    async with broker.browse(OUTBOUND, limit=1) as held:
        assert (held[0].delivery.body, held[0].delivery.routing_key) == (request().body, request().routing_key)


async def test_nobody_waits_long_for_a_look_at_a_broker_that_is_away(vhost: str):
    timeouts = Timeouts(publish=0.3)
    async with RabbitBroker(vhost.replace("@", "x@"), name="away", topology=Topology(), timeouts=timeouts) as broker:
        with pytest.raises(Unavailable):
            await broker.survey(base())
        said = broker.why_away()
    assert said is not None
    assert "RabbitMQ refuses the log-in" in said
