"""Every way in which a publish or a declaration can end, and how the broker access is left."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sms_common.broker import Delivery, Outgoing, RabbitBroker, RetryLater, Timeouts, Unroutable
from sms_common.errors import Unavailable
from sms_common.telemetry import metrics
from sms_common.topology import (
    CONFIG_CHANGES,
    DEAD,
    DEFAULT_EXCHANGE,
    OUTBOUND,
    SMS,
    Queue,
    Topology,
    base,
    config_key,
    lane,
    lane_queue,
)
from tests.common.broker.broker_contract import Inbox, complaint, everything_in, request, until_unwell, until_well
from tests.integration.network import Network
from tests.stack import BreakableBroker

pytestmark = pytest.mark.integration

SLOW = Timeouts(publish=30, connect=30, heartbeat=1)


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


@pytest.fixture
async def network(vhost: str) -> AsyncIterator[Network]:
    async with Network(vhost) as network:
        yield network


def published(outcome: str) -> float:
    return metrics.registry.get_sample_value("smsgw_publish_total", {"outcome": outcome}) or 0


async def test_a_full_queue_refuses(broker: RabbitBroker):
    await broker.declare(
        Topology(queues=(Queue("small", "of this test", {"x-max-length": 1, "x-overflow": "reject-publish"}),))
    )
    refused = published("nacked")
    failures: list[Unavailable] = []
    async with asyncio.timeout(20):
        while not failures:  # a quorum queue notices a little late that it is full
            try:
                await broker.publish(Outgoing(DEFAULT_EXCHANGE, "small", b"{}", "t", "m1"))
            except Unavailable as error:
                failures.append(error)
    assert "a queue is full" in failures[0].reason
    assert published("nacked") == refused + 1


async def test_outcomes_are_counted(broker: RabbitBroker):
    confirmed, returned = published("confirmed"), published("returned")
    await broker.publish(request())
    with pytest.raises(Unroutable):
        await broker.publish(replace(request(), exchange=DEFAULT_EXCHANGE, routing_key="nowhere"))
    assert (published("confirmed"), published("returned")) == (confirmed + 1, returned + 1)


@pytest.mark.parametrize(
    "wrong",
    [{"message_id": "x" * 256}, {"type": "x" * 256}, {"routing_key": "x" * 256}, {"headers": {"x": object()}}],
    ids=["long id", "long type", "long key", "header of no kind"],
)
async def test_a_message_that_amqp_cannot_carry_is_the_callers_mistake(broker: RabbitBroker, wrong: dict[str, object]):
    with pytest.raises((TypeError, ValueError)):
        await broker.publish(replace(request(), **wrong))  # type: ignore[arg-type]
    await broker.publish(request("after"))
    assert [delivery.message_id for delivery in await everything_in(broker, OUTBOUND)] == ["after"]


async def test_messages_without_an_id_do_not_wait_for_one_another(broker: RabbitBroker):
    async with asyncio.timeout(10):
        await asyncio.gather(*(broker.publish(request("")) for _ in range(500)))
    assert len({delivery.message_id for delivery in await everything_in(broker, OUTBOUND)}) == 500


async def test_messages_with_the_same_id_do_not_wait_for_one_another(network: Network):
    """A carrier repeats a webhook while the first one is still being published."""
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=Timeouts(publish=5)) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        network.freeze()
        publishing = [asyncio.create_task(broker.publish(request())) for _ in range(3)]
        await network.stalled.wait()
        publishing[0].cancel()
        network.thaw()
        await asyncio.wait_for(asyncio.gather(*publishing[1:]), 10)
        with pytest.raises(asyncio.CancelledError):
            await publishing[0]


@pytest.mark.parametrize("count", [2, 3, 50])
async def test_of_messages_with_one_id_that_no_queue_takes_none_counts_as_confirmed(broker: RabbitBroker, count: int):
    nowhere = replace(request(), exchange=DEFAULT_EXCHANGE, routing_key="nowhere")
    results = await asyncio.gather(*(broker.publish(nowhere) for _ in range(count)), return_exceptions=True)
    assert [type(result) for result in results] == [Unroutable] * count
    await broker.publish(request("m2"))


async def test_a_cancelled_publish_is_cancelled_and_frees_its_id(network: Network):
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=Timeouts(publish=5)) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        network.freeze()
        publishing = asyncio.create_task(broker.publish(request()))
        waiting = asyncio.create_task(broker.publish(request()))
        await network.stalled.wait()
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        network.thaw()
        await asyncio.wait_for(waiting, 10)


async def test_a_connection_that_goes_silent_fails_what_is_under_way(network: Network):
    """Long before the deadlines, which are 30 s here."""
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=SLOW) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        network.freeze()
        async with asyncio.timeout(20):
            results = await asyncio.gather(
                broker.publish(request()), broker.declare(lane("c1")), return_exceptions=True
            )
        assert [type(result) for result in results] == [Unavailable, Unavailable]
        network.thaw()
        await until_well(broker)
        await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("c1"), b"{}", "t", "m1"))


async def test_a_connection_that_is_cut_fails_a_declaration(network: Network):
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=SLOW) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        network.freeze()
        declaring = asyncio.create_task(broker.declare(lane("c1")))
        await network.stalled.wait()
        network.cut()
        with pytest.raises(Unavailable, match="connection"):
            await asyncio.wait_for(declaring, 10)
        network.thaw()


async def test_nothing_is_published_after_the_end(vhost: str):
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        under_way = asyncio.gather(*(broker.publish(request(f"m{number}")) for number in range(100)))
        await asyncio.sleep(0)
    await under_way  # what was under way has been confirmed
    with pytest.raises(Unavailable, match="has been closed"):
        await broker.publish(request("late"))


async def test_the_end_does_not_wait_for_an_alarm_to_be_over(breakable_rabbitmq: BreakableBroker, breakable_vhost: str):
    async with RabbitBroker(
        breakable_vhost, name="test", topology=base(), timeouts=Timeouts(publish=0.5, connect=2)
    ) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=True)
        with pytest.raises(Unavailable):
            await broker.publish(request())
        await complaint(broker, lambda said: "blocks" in (said or ""))
        assert metrics.registry.get_sample_value("smsgw_broker_blocked") == 1
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 6
    assert metrics.registry.get_sample_value("smsgw_broker_blocked") == 0
    assert metrics.registry.get_sample_value("smsgw_broker_connected") == 0


# -- mistakes of ours


async def test_a_delivery_that_cannot_be_settled_ends_among_the_dead_letters(broker: RabbitBroker):
    """Whatever goes wrong, no message is lost and none is tried for ever."""
    dead = Inbox()

    async def handler(_: Delivery) -> None:
        raise RetryLater("soon")  # type: ignore[arg-type]

    await broker.consume(DEAD, dead, prefetch=1)
    await broker.consume(OUTBOUND, handler, prefetch=1)
    await broker.publish(request())
    letter = await dead.next()
    assert (letter.message_id, letter.headers["x-first-death-reason"]) == ("m1", "delivery_limit")


async def test_a_listener_waits_for_its_exchange(vhost: str):
    news: asyncio.Queue[Delivery | None] = asyncio.Queue()
    async with RabbitBroker(vhost, name="early", topology=Topology()) as early:
        await asyncio.wait_for(early.ready(), 20)
        await early.listen(CONFIG_CHANGES, news.put)
        await until_unwell(early)
        async with RabbitBroker(vhost, name="late", topology=base()) as late:
            await asyncio.wait_for(late.ready(), 20)
            assert await asyncio.wait_for(news.get(), 10) is None
            await late.publish(Outgoing(SMS, config_key("acme", "updated"), b"{}", "sms.config.v1", "e1"))
            got = await asyncio.wait_for(news.get(), 10)
    assert got is not None
    assert got.message_id == "e1"
