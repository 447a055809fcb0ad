"""The broker in memory keeps the contract, and does on demand what a real one does on bad days."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_common.broker import Delivery, RetryLater
from sms_common.errors import Unavailable
from sms_common.testing.broker import FakeBroker
from sms_common.topology import OUTBOUND, lane
from tests.common.broker.broker_contract import BrokerContract, Inbox, PassTime, request


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as fake:
        yield fake


@pytest.fixture
def pass_time(broker: FakeBroker) -> PassTime:
    async def pass_time(seconds: float) -> None:
        await broker.idle()
        broker.advance(seconds)

    return pass_time


class TestContract(BrokerContract):
    pass


# -- what only the one in memory can be told to do


async def test_while_it_is_away_everything_fails_and_nothing_is_delivered(broker: FakeBroker):
    inbox = Inbox()
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    broker.away = True
    with pytest.raises(Unavailable):
        await broker.publish(request())
    with pytest.raises(Unavailable):
        await broker.declare(lane("c1"))
    assert broker.check() == "not connected to the broker"
    assert broker.published == []
    broker.away = False
    await asyncio.wait_for(broker.ready(), 1)
    await broker.publish(request())
    assert (await inbox.next()).message_id == "m1"


async def test_a_handler_that_runs_while_the_connection_is_lost_gets_its_message_again(broker: FakeBroker):
    release = asyncio.Event()
    seen: list[bool] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.redelivered)
        await release.wait()
        raise RetryLater(1)

    await broker.consume(OUTBOUND, handler, prefetch=1)
    await broker.publish(request())
    await asyncio.sleep(0)
    broker.away = True
    broker.away = False
    release.set()
    await broker.idle()
    assert seen == [False, True]
    assert len(broker.published_to("sms.retry.1s")) == 1  # the first handler's wish came too late to count


async def test_while_it_is_blocked_only_publishing_fails(broker: FakeBroker):
    inbox = Inbox()
    await broker.publish(request("before"))
    broker.blocked = True
    with pytest.raises(Unavailable):
        await broker.publish(request("blocked"))
    assert broker.check() == "the broker blocks publishers"
    await broker.declare(lane("c1"))
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    assert (await inbox.next()).message_id == "before"
    waiting = asyncio.create_task(broker.ready())
    broker.blocked = False
    await asyncio.wait_for(waiting, 1)


async def test_an_outcome_waits_until_it_can_be_published(broker: FakeBroker):
    inbox = Inbox(RetryLater(1))
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    await broker.publish(request())
    broker.blocked = True
    await inbox.next()
    broker.blocked = False
    await broker.idle()
    assert [delivery.message_id for delivery in broker.waiting("sms.wait.1s")] == ["m1"]


async def test_listeners_are_told_when_it_is_back(broker: FakeBroker):
    news: asyncio.Queue[Delivery | None] = asyncio.Queue()
    broker.away = True
    await broker.listen("sms.config.#", news.put)
    assert news.empty()
    broker.away = False
    assert await asyncio.wait_for(news.get(), 1) is None


async def test_the_ladder_returns_a_message_when_its_time_has_passed_and_not_before(broker: FakeBroker):
    inbox = Inbox(RetryLater(20))
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    await broker.publish(request())
    await inbox.next()
    await broker.idle()
    broker.advance(29)
    await broker.idle()
    assert inbox.empty
    broker.advance(1)
    assert (await inbox.next()).deferrals == 1


async def test_what_nobody_reads_can_be_looked_at(broker: FakeBroker):
    await broker.publish(request("m1"))
    await broker.publish(request("m2"))
    assert [delivery.message_id for delivery in broker.waiting(OUTBOUND)] == ["m1", "m2"]


async def test_consumers_of_one_queue_take_turns(broker: FakeBroker):
    one, two = Inbox(), Inbox()
    await broker.consume(OUTBOUND, one, prefetch=1)
    await broker.consume(OUTBOUND, two, prefetch=1)
    for number in range(4):
        await broker.publish(request(f"m{number}"))
    assert [(await one.next()).message_id for _ in range(2)] == ["m0", "m2"]
    assert [(await two.next()).message_id for _ in range(2)] == ["m1", "m3"]
