"""What the broker access does when RabbitMQ or the network has a bad day. The broker itself is real."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable

import aio_pika
import pytest

from sms_common.broker import Delivery, Outgoing, RabbitBroker, RetryLater, Timeouts
from sms_common.errors import Code, Unavailable
from sms_common.topology import (
    CARRIER,
    CONFIG_CHANGES,
    DEFAULT_EXCHANGE,
    OUTBOUND,
    RETRY_LADDER,
    SMS,
    Binding,
    Exchange,
    Queue,
    Topology,
    base,
    carrier_key,
    joined,
    lane,
    lane_queue,
)
from sms_native.engines.management import QueueState
from tests.common.broker.broker_contract import Inbox, complaint, everything_in, request, until_unwell, until_well
from tests.eventually import eventually
from tests.integration.network import Network
from tests.stack import BreakableBroker

pytestmark = pytest.mark.integration

Queues = Callable[[], dict[str, QueueState]]

FAST = Timeouts(publish=2, connect=5, heartbeat=2)


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="test", topology=base(), timeouts=FAST) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


@pytest.fixture
async def network(vhost: str) -> AsyncIterator[Network]:
    async with Network(vhost) as network:
        yield network


class Ledger:
    """A handler that counts what it has been given."""

    def __init__(self) -> None:
        self.seen: Counter[str | None] = Counter()
        self._news = asyncio.Condition()

    async def __call__(self, delivery: Delivery) -> None:
        async with self._news:
            self.seen[delivery.message_id] += 1
            self._news.notify_all()

    async def holds(self, message_ids: set[str], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: message_ids <= self.seen.keys())


async def publish_all(broker: RabbitBroker, numbers: Iterable[int], window: int = 100) -> tuple[set[str], set[str]]:
    """The ids that were confirmed, and those that were not."""
    confirmed: set[str] = set()
    failed: set[str] = set()
    remaining = iter(numbers)

    async def one_after_the_other() -> None:
        for number in remaining:
            try:
                await broker.publish(request(f"m{number}"))
            except Unavailable:
                failed.add(f"m{number}")
            else:
                confirmed.add(f"m{number}")

    async with asyncio.timeout(60):
        await asyncio.gather(*(one_after_the_other() for _ in range(window)))
    return confirmed, failed


async def test_connections_cut_under_load_lose_nothing_confirmed_and_leave_no_slot_taken(
    broker: RabbitBroker, queues: Queues, close_connections: Callable[[], int]
):
    ledger = Ledger()
    await broker.consume(OUTBOUND, ledger, prefetch=16)

    async def cut() -> None:
        for _ in range(3):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(close_connections)

    cutting = asyncio.create_task(cut())
    confirmed, failed = await publish_all(broker, range(4_000))
    await cutting
    assert len(confirmed) + len(failed) == 4_000
    assert len(confirmed) > 2_000
    await ledger.holds(confirmed)
    await until_well(broker)
    state = await eventually(lambda: queues()[OUTBOUND], lambda state: state.messages == 0 and state.consumers == 1)
    assert state.unacknowledged == 0


async def test_a_handler_outlives_the_connection_and_its_message_comes_again(
    broker: RabbitBroker, close_connections: Callable[[], int]
):
    begun = asyncio.Semaphore(0)
    release = asyncio.Event()
    ended: list[bool] = []

    async def handler(delivery: Delivery) -> None:
        begun.release()
        await release.wait()
        ended.append(delivery.redelivered)

    await broker.consume(OUTBOUND, handler, prefetch=1)
    await broker.publish(request())
    async with asyncio.timeout(20):
        await begun.acquire()
        await asyncio.to_thread(close_connections)
        await begun.acquire()
        release.set()
        await broker.stop_consuming(5)
    assert ended == [False, True]


async def test_a_handler_that_lost_its_message_records_no_outcome(
    broker: RabbitBroker, vhost: str, close_connections: Callable[[], int]
):
    """The first handler wants a retry, but by then its message has been given to the second."""
    begun = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        begun.release()
        if not delivery.redelivered:
            await release.wait()
            raise RetryLater(1)

    ladder = RETRY_LADDER[0].name
    await broker.declare(Topology(queues=(Queue("spy", "of this test"),), bindings=(Binding(ladder, "spy"),)))
    await broker.consume(OUTBOUND, handler, prefetch=1)
    await broker.publish(request())
    async with asyncio.timeout(20):
        await begun.acquire()
        await asyncio.to_thread(close_connections)
        await begun.acquire()
        release.set()
        await broker.stop_consuming(5)
    async with RabbitBroker(vhost, name="reader", topology=base()) as reader:
        await asyncio.wait_for(reader.ready(), 20)
        assert await everything_in(reader, "spy") == []


async def test_listeners_are_told_after_every_reconnect(broker: RabbitBroker, close_connections: Callable[[], int]):
    news: asyncio.Queue[Delivery | None] = asyncio.Queue()
    await broker.listen(CONFIG_CHANGES, news.put)
    async with asyncio.timeout(20):
        assert await news.get() is None
        await asyncio.to_thread(close_connections)
        assert await news.get() is None


async def test_an_alarm_makes_publishing_fail_fast_while_consuming_goes_on(
    breakable_rabbitmq: BreakableBroker, breakable_vhost: str
):
    ledger = Ledger()
    async with RabbitBroker(breakable_vhost, name="test", topology=base(), timeouts=FAST) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.publish(request("before"))
        await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=True)
        loop = asyncio.get_running_loop()

        began = loop.time()
        with pytest.raises(Unavailable, match="did not confirm within 2 s"):
            await broker.publish(request("first"))
        assert loop.time() - began < 3

        began = loop.time()
        with pytest.raises(Unavailable, match="blocks publishers"):
            await broker.publish(request("second"))
        assert loop.time() - began < 0.2
        assert broker.check() == "the broker blocks publishers: memory or disk alarm"

        await broker.consume(OUTBOUND, ledger, prefetch=8)
        await ledger.holds({"before"})

        await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=False)
        await until_well(broker)
        await broker.publish(request("after"))
        await ledger.holds({"after"})


async def test_a_broker_killed_and_started_again_has_everything_confirmed(
    breakable_rabbitmq: BreakableBroker, breakable_vhost: str
):
    ledger = Ledger()
    news: asyncio.Queue[Delivery | None] = asyncio.Queue()
    async with RabbitBroker(breakable_vhost, name="test", topology=base(), timeouts=FAST) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.listen(CONFIG_CHANGES, news.put)
        assert await asyncio.wait_for(news.get(), 10) is None
        await asyncio.sleep(4)  # a quorum queue younger than a second may not survive a kill
        numbers = itertools.count()
        publishing = asyncio.create_task(
            publish_all(broker, itertools.takewhile(lambda _: breakable_rabbitmq.running, numbers), window=50)
        )
        await asyncio.sleep(0.3)
        await asyncio.to_thread(breakable_rabbitmq.kill)
        confirmed, failed = await publishing
        assert confirmed
        assert failed
        assert broker.check() is not None

        # Begun while the broker is away: it starts when the broker is back.
        await broker.consume(OUTBOUND, ledger, prefetch=100)
        await asyncio.to_thread(breakable_rabbitmq.start)
        await ledger.holds(confirmed)
        await until_well(broker)
        assert await asyncio.wait_for(news.get(), 10) is None
        await broker.publish(request("after"))
        await ledger.holds({"after"})


async def test_a_process_starts_while_the_broker_is_away(breakable_rabbitmq: BreakableBroker, breakable_vhost: str):
    inbox = Inbox()
    await asyncio.to_thread(breakable_rabbitmq.kill)
    async with RabbitBroker(breakable_vhost, name="test", topology=base(), timeouts=Timeouts(publish=0.5)) as broker:
        with pytest.raises(Unavailable, match=r"did not confirm within 0.5 s"):
            await broker.publish(request())
        with pytest.raises(Unavailable):
            await broker.declare(lane("c1"))
        await broker.consume(lane_queue("c1"), inbox, prefetch=1)
        assert broker.check() == "not connected to the broker for publishing"

        await asyncio.to_thread(breakable_rabbitmq.start)
        await asyncio.wait_for(broker.ready(), 20)
        await until_well(broker)  # the lane has been declared after all
        await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("c1"), b"{}", "t", "m1"))
        assert (await inbox.next()).message_id == "m1"


async def test_a_silent_network_is_noticed_and_left(vhost: str, network: Network):
    inbox = Inbox()
    timeouts = Timeouts(publish=0.5, connect=2, heartbeat=1)
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=timeouts) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        network.freeze()
        with pytest.raises(Unavailable):
            await broker.publish(request("frozen"))
        await until_unwell(broker)
        network.thaw()
        await until_well(broker)
        await broker.publish(request("after"))
        while (await inbox.next()).message_id != "after":
            pass  # the frozen one may have landed all the same


async def test_a_publish_in_flight_when_the_connection_dies_fails_at_once(network: Network):
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=Timeouts(publish=30)) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        network.freeze()
        publishing = asyncio.create_task(broker.publish(request()))
        await network.stalled.wait()
        network.cut()
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable, match="connection was lost"):
                await publishing
        network.thaw()


async def test_wrong_credentials_are_no_crash_but_a_complaint(vhost: str):
    url = f"amqp://nobody:wrong@{vhost.rpartition('@')[2]}"
    async with RabbitBroker(url, name="test", topology=base(), timeouts=Timeouts(publish=0.3)) as broker:
        with pytest.raises(Unavailable):
            await broker.publish(request())
        assert str(broker.check()).startswith("RabbitMQ refuses the log-in: correct user and password")


@pytest.mark.parametrize("url", ["http://localhost", "localhost:5672", ""])
def test_an_address_that_is_not_amqp_is_refused_at_once(url: str):
    with pytest.raises(ValueError, match="amqp://"):
        RabbitBroker(url, name="test", topology=base())


# -- consumers that share a channel


async def test_a_consumer_without_a_queue_does_not_stop_its_neighbours(broker: RabbitBroker):
    inbox = Inbox()
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    missing = await broker.consume(lane_queue("nowhere"), Inbox(), prefetch=1)
    await broker.publish(request())
    assert (await inbox.next()).message_id == "m1"
    alone = "1 of the consumers not running, one of them on sms.lane.nowhere"
    await complaint(broker, lambda said: said == alone)
    await missing.cancel()
    await until_well(broker)


async def test_a_deleted_queue_is_declared_and_consumed_again(broker: RabbitBroker, vhost: str):
    inbox = Inbox()
    await broker.declare(lane("c1"))
    await broker.consume(lane_queue("c1"), inbox, prefetch=1)
    async with await aio_pika.connect(vhost) as stranger, stranger.channel() as channel:
        await channel.queue_delete(lane_queue("c1"))
    await until_unwell(broker)
    await until_well(broker)
    await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("c1"), b"{}", "t", "m1"))
    assert (await inbox.next()).message_id == "m1"


async def test_a_hundred_lanes_are_all_restored(
    broker: RabbitBroker, queues: Queues, close_connections: Callable[[], int]
):
    ledger = Ledger()
    await broker.declare(joined(lane(f"c{number}") for number in range(120)))
    for number in range(120):
        await broker.consume(lane_queue(f"c{number}"), ledger, prefetch=4)
    await asyncio.to_thread(close_connections)
    await until_unwell(broker)
    await until_well(broker)
    await asyncio.gather(
        *(
            broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue(f"c{number}"), b"{}", "t", f"m{number}"))
            for number in range(120)
        )
    )
    await ledger.holds({f"m{number}" for number in range(120)})


async def test_looking_at_queues_leaves_nothing_behind(broker: RabbitBroker):
    many = joined(lane(f"c{number}") for number in range(40))
    await broker.declare(many)

    async def held() -> int:
        """What the AMQP library keeps for the end of the connection."""
        await broker.survey(many)
        assert broker._connection is not None
        assert broker._connection.transport is not None
        return len(broker._connection.transport.connection._closing._callbacks)  # type: ignore[attr-defined]

    before = await held()
    for _ in range(5):
        await held()
    assert await held() == before


# -- topology


async def test_a_base_that_exists_otherwise_is_told_and_nothing_is_consumed(vhost: str):
    async with await aio_pika.connect(vhost) as stranger, stranger.channel() as channel:
        await channel.declare_exchange(SMS, "direct", durable=True)
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        said = await complaint(broker, lambda said: "topology" in (said or ""))
        assert "inequivalent arg 'type' for exchange 'sms'" in (said or "")


async def test_a_lane_that_exists_otherwise_does_not_stop_the_others(
    vhost: str, broker: RabbitBroker, close_connections: Callable[[], int]
):
    inbox = Inbox()
    await broker.declare(lane("good"))
    await broker.consume(lane_queue("good"), inbox, prefetch=1)
    async with await aio_pika.connect(vhost) as stranger, stranger.channel() as channel:
        await channel.declare_queue(lane_queue("bad"), durable=True)
    with pytest.raises(Unavailable, match=r"inequivalent arg .* for queue 'sms\.lane\.bad'"):
        await broker.declare(
            Topology(
                exchanges=(Exchange("mine", "fanout", "of this test"),),
                queues=(Queue(lane_queue("bad"), "other arguments"),),
            )
        )
    await asyncio.to_thread(close_connections)
    await until_unwell(broker)
    await until_well(broker)
    await broker.publish(Outgoing(DEFAULT_EXCHANGE, lane_queue("good"), b"{}", "t", "m1"))
    assert (await inbox.next()).message_id == "m1"


@pytest.mark.parametrize("odd", [0, 60, 119])
async def test_of_many_declared_at_once_the_refused_one_is_told(vhost: str, broker: RabbitBroker, odd: int):
    many = [Topology(exchanges=(Exchange(f"mine{number}", "fanout", "of this test"),)) for number in range(120)]
    async with await aio_pika.connect(vhost) as stranger, stranger.channel() as channel:
        await channel.declare_exchange(f"mine{odd}", "direct", durable=True)
    with pytest.raises(Unavailable, match=f"inequivalent arg 'type' for exchange 'mine{odd}'"):
        await broker.declare(joined(many))
    del many[odd]
    await broker.declare(joined(many))
    assert (await broker.survey(joined(many))).missing == ()


# -- settling


async def test_what_handlers_finish_during_the_drain_is_acknowledged(vhost: str):
    begun = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def handler(_: Delivery) -> None:
        begun.release()
        await release.wait()

    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await publish_all(broker, range(500))
        await broker.consume(OUTBOUND, handler, prefetch=500)
        for _ in range(500):
            await asyncio.wait_for(begun.acquire(), 10)
        asyncio.get_running_loop().call_later(0.3, release.set)
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        assert await everything_in(broker, OUTBOUND) == []


async def test_what_a_drain_gives_back_is_there_for_the_next_reader(vhost: str):
    held = Inbox(Unavailable(Code.STORE_UNAVAILABLE, "The store is away."), times=1_000)
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await publish_all(broker, range(20))
        await broker.consume(OUTBOUND, held, prefetch=5)
        await held.next()
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        got = await everything_in(broker, OUTBOUND)
    assert sorted(str(delivery.message_id) for delivery in got) == sorted(f"m{number}" for number in range(20))


async def test_a_message_held_too_long_for_a_dependency_goes_through_the_ladder(vhost: str):
    inbox = Inbox(Unavailable(Code.STORE_UNAVAILABLE, "The store is away."), times=2)
    timeouts = Timeouts(hold=0.1)
    async with RabbitBroker(vhost, name="test", topology=base(), timeouts=timeouts) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.consume(OUTBOUND, inbox, prefetch=1)
        await broker.publish(request())
        while (got := await inbox.next()).deferrals == 0:
            pass
        assert (got.attempt, got.deferrals) == (0, 1)


async def test_a_retry_waits_for_a_broker_that_takes_no_messages(
    breakable_rabbitmq: BreakableBroker, breakable_vhost: str
):
    """The alarm comes while the handler runs: its wish for a retry is published once the alarm is over."""
    begun = asyncio.Event()
    release = asyncio.Event()
    back: asyncio.Queue[Delivery] = asyncio.Queue()

    async def handler(delivery: Delivery) -> None:
        if delivery.deferrals:
            back.put_nowait(delivery)
            return
        begun.set()
        await release.wait()
        raise RetryLater(1)

    async with RabbitBroker(breakable_vhost, name="test", topology=base(), timeouts=FAST) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request())
        async with asyncio.timeout(30):
            await begun.wait()
            await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=True)
            with pytest.raises(Unavailable):
                await broker.publish(Outgoing(SMS, carrier_key("bandwidth", "c1"), b"{}", "t", "e1"))
            release.set()
            await asyncio.to_thread(breakable_rabbitmq.set_memory_alarm, on=False)
            assert (await back.get()).message_id == "m1"
        assert len(await everything_in(broker, CARRIER)) in {0, 1}


# -- stopping at a bad moment


async def test_a_drain_while_consumers_are_starting_leaves_none_running(broker: RabbitBroker, queues: Queues):
    lanes = [lane_queue(f"c{number}") for number in range(20)]
    for number in range(20):
        await broker.declare(lane(f"c{number}"))
    starting = [asyncio.create_task(broker.consume(queue, Inbox(), prefetch=1)) for queue in lanes]
    await starting[0]
    await broker.stop_consuming(1)
    async with asyncio.timeout(10):
        await asyncio.gather(*starting, return_exceptions=True)
    await eventually(queues, lambda states: all(states[queue].consumers == 0 for queue in lanes))


async def test_a_cancel_and_a_drain_do_not_hang_on_a_silent_network(network: Network):
    held = asyncio.Event()

    async def handler(_: Delivery) -> None:
        held.set()
        await asyncio.Event().wait()

    timeouts = Timeouts(publish=1, connect=0.5, heartbeat=30)
    async with RabbitBroker(network.url, name="test", topology=base(), timeouts=timeouts) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        subscription = await broker.consume(CARRIER, Inbox(), prefetch=1)
        await broker.consume(OUTBOUND, handler, prefetch=1)
        await broker.publish(request())
        await asyncio.wait_for(held.wait(), 10)
        network.freeze()
        async with asyncio.timeout(5):
            await subscription.cancel()
            await broker.stop_consuming(0.1)
        network.thaw()
