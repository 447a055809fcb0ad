"""What somebody deletes on a running broker: it is missed, said, and there again; and nothing lost counts as told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

import aio_pika
import pytest
from aiormq.abc import AbstractChannel as Wire

from sms_common import topology
from sms_common.broker import Outgoing, Parked, RabbitBroker, Restored, RetryLater, Timeouts
from sms_common.broker.amqp import listening, watching
from sms_common.broker.headers import DEFERRALS, ORIGIN_KEY
from sms_common.broker_rights import DISPATCHER, INGRESS, rights_of
from sms_common.errors import Unavailable
from sms_common.events import utc_now
from sms_common.telemetry import metrics
from sms_common.topology import CARRIER, DEAD, OUTBOUND, RETRY_LADDER, SEEN, SMS, UNROUTED, Topology, base, joined
from tests.common.broker.broker_contract import Inbox
from tests.eventually import eventually_told
from tests.stack import Broker

pytestmark = pytest.mark.integration

EVERYTHING = joined(
    (base(), topology.pbx("west", ["acme"]), topology.tenant("acme", "west"), topology.tenant("beta", "main"))
)
EXCHANGES = [exchange.name for exchange in EVERYTHING.exchanges]
# Queues that a service reads are made again when the broker takes away their reader, see test_broker_faults.py.
QUEUES = [queue.name for queue in EVERYTHING.queues if not queue.name.startswith(f"{OUTBOUND}.")]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_CHECK_EVERY", 0.3)
    monkeypatch.setattr(watching, "_SHORTEST_GAP", 0.1)
    monkeypatch.setattr(watching, "_REDECLARE_EVERY", 1.0)
    monkeypatch.setattr(listening, "_BIND_EVERY", 0.5)


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="test", topology=base(), timeouts=Timeouts(publish=2), repairs=True) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        await broker.declare(EVERYTHING)
        yield broker


@pytest.fixture
async def wire(vhost: str) -> AsyncIterator[Wire]:
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        yield await channel.get_underlay_channel()


async def missing(broker: RabbitBroker) -> tuple[str, ...]:
    return (await broker.survey(EVERYTHING)).missing


async def depths(broker: RabbitBroker) -> dict[str, int]:
    survey = await broker.survey(Topology(queues=EVERYTHING.queues))
    return {name: counts.waiting for name, counts in survey.queues.items() if counts.waiting}


def counted(outcome: str) -> float:
    return metrics.registry.get_sample_value("smsgw_publish_total", {"outcome": outcome}) or 0.0


async def delivered(broker: RabbitBroker, *messages: Outgoing) -> None:
    for message in messages:
        await broker.publish(message)


async def works(broker: RabbitBroker) -> None:
    """Everything goes where it should: what was bound before is bound again."""
    await delivered(
        broker,
        Outgoing(SMS, "sms.carrier.bandwidth.c1", b"{}", "t", "m1"),
        Outgoing(SMS, "sms.status.acme.sent", b"{}", "t", "m2"),
        Outgoing(SMS, "sms.inbound.acme.12025550143", b"{}", "t", "m3"),
        Outgoing(SMS, "sms.outbound.acme", b"{}", "t", "m4"),
        Outgoing("pbx.west.requests", "sms.outbound.acme.cancel", b"{}", "t", "m5"),
        Outgoing(SMS, "sms.outbound.nobody", b"{}", "t", "m6"),
        Outgoing("pbx.west.requests", "sms.outbound.beta", b"{}", "t", "m7"),
        Outgoing(SMS, "nothing.at.all", b"{}", "t", "m8"),
        Outgoing(DEAD, "x", b"{}", "t", "m9"),
        *(Outgoing(rung.name, "sms.outbound.beta", b"{}", "t", rung.name) for rung in RETRY_LADDER[3:]),
    )
    expected = {
        CARRIER: 1,
        "pbx.west.status": 1,
        "pbx.west.inbound": 1,
        "sms.outbound.acme": 2,
        OUTBOUND: 1,
        "sms.refused": 1,
        UNROUTED: 1,
        DEAD: 1,
        **{rung.queue: 1 for rung in RETRY_LADDER[3:]},
    }
    await eventually_told(lambda: depths(broker), lambda found: found == expected, 10)


@pytest.mark.parametrize("name", EXCHANGES)
async def test_a_deleted_exchange_is_there_again_with_all_that_was_bound_to_it(broker, wire, name):
    await wire.exchange_delete(name)
    await eventually_told(lambda: missing(broker), lambda gone: gone == (), 20)
    await eventually_told(lambda: asyncio.sleep(0, broker.check()), lambda said: said is None, 10)
    await works(broker)


@pytest.mark.parametrize("name", QUEUES)
async def test_a_deleted_queue_is_there_again_with_its_bindings(broker, wire, name):
    await wire.queue_delete(name)
    await eventually_told(lambda: missing(broker), lambda gone: gone == (), 20)
    await eventually_told(lambda: asyncio.sleep(0, broker.check()), lambda said: said is None, 10)
    await works(broker)


Users = Callable[[str], str]


@pytest.fixture
def url(rabbitmq: Broker, vhost_name: str) -> Iterator[Users]:
    made: set[str] = set()

    def url_of(user: str) -> str:
        account = f"{vhost_name}_{user}"
        made.add(account)
        rabbitmq.management.create_user(account, "secret", vhost_name, rights_of(user))
        return f"amqp://{account}:secret@{rabbitmq.address}/{vhost_name}"

    yield url_of
    for account in made:
        rabbitmq.management.delete_user(account)


@pytest.mark.parametrize("name", [SMS, CARRIER, DEAD])
async def test_ingress_is_not_ready_and_confirms_nothing_until_it_is_there_again(url, wire, name):
    async def said() -> str:
        return ingress.check() or ""

    event = Outgoing(SMS, "sms.carrier.bandwidth.c1", b"{}", "t", "m1")
    async with RabbitBroker(url(INGRESS), name="ingress", topology=topology.edge(), timeouts=Timeouts(2)) as ingress:
        async with RabbitBroker(url(DISPATCHER), name="dispatcher", topology=base(), repairs=True) as dispatcher:
            await asyncio.wait_for(dispatcher.ready(), 20)
            await asyncio.wait_for(ingress.ready(), 20)
            await ingress.publish(event)
        await (wire.queue_delete(name) if name == CARRIER else wire.exchange_delete(name))
        before = counted("confirmed")
        if name == SMS:
            with pytest.raises(Unavailable):
                await ingress.publish(event)
        await eventually_told(said, lambda told: f"gone from the broker: {name}" in told, 10)
        assert counted("confirmed") == before
        async with RabbitBroker(url(DISPATCHER), name="dispatcher", topology=base(), repairs=True) as dispatcher:
            await asyncio.wait_for(dispatcher.ready(), 20)
            await eventually_told(said, lambda told: told == "", 10)
            await ingress.publish(event)


async def test_a_queue_that_is_missing_elsewhere_keeps_no_webhook_out(url, wire):
    async with RabbitBroker(url(DISPATCHER), name="dispatcher", topology=base(), repairs=True) as dispatcher:
        await asyncio.wait_for(dispatcher.ready(), 20)
    async with RabbitBroker(url(INGRESS), name="ingress", topology=topology.edge()) as ingress:
        await asyncio.wait_for(ingress.ready(), 20)
        for name in ("pbx.main.status", "sms.wait.1s", OUTBOUND):
            await wire.queue_delete(name)
        await wire.exchange_delete(SEEN)
        told = await eventually_told(
            lambda: asyncio.sleep(0, ingress.check() or ""), lambda said: "another service declares" in said, 10
        )
        assert told == "gone from the broker: sms.seen (another service declares it)"


@pytest.mark.parametrize("name", ["pbx.west.status", CARRIER], ids=["read by a PBX", "read by the dispatcher"])
async def test_who_asked_is_told_what_was_gone_and_since_when(broker, wire, name):
    told: asyncio.Queue[Restored] = asyncio.Queue()
    broker.on_restored(told.put)
    if name == CARRIER:
        await broker.consume(CARRIER, Inbox(), prefetch=1)
    before: datetime = utc_now()
    await wire.queue_delete(name)
    restored = await asyncio.wait_for(told.get(), 20)
    assert restored.names == {name}
    assert abs((restored.since - before).total_seconds()) < 5


async def test_what_the_broker_will_not_let_make_again_is_said_for_as_long_as_it_lasts(broker, wire):
    await wire.exchange_delete(UNROUTED)
    await wire.exchange_declare(UNROUTED, exchange_type="direct", durable=True)
    await wire.exchange_delete("sms.retry.1s")

    async def said() -> str:
        return broker.check() or ""

    told = await eventually_told(said, lambda text: "the broker refuses" in text, 20)
    assert "gone from the broker: sms.retry.1s" in told
    await wire.exchange_delete(UNROUTED)
    await eventually_told(said, lambda text: text == "", 20)


async def test_what_waits_for_a_queue_that_is_gone_ends_among_the_dead_letters_and_holds_nobody_up(broker):
    """RabbitMQ forwards 32 messages of a queue at a time, and keeps those for which there is no place."""
    rung = RETRY_LADDER[0]
    await delivered(broker, *(Outgoing(rung.name, "nowhere", b"{}", "t", f"lost-{n}") for n in range(40)))
    await delivered(broker, Outgoing(rung.name, "sms.outbound.beta", b"{}", "t", "m1"))
    await eventually_told(lambda: depths(broker), lambda found: found == {DEAD: 40, "sms.outbound.beta": 1}, 20)
    async with broker.browse(DEAD, limit=1) as held:
        letter = Parked.read(held[0].delivery)
    assert (letter.code, letter.source, letter.routing_key) == ("expired", None, "nowhere")


async def test_what_waits_in_the_ladder_of_an_older_version_still_goes_back(vhost: str, wire: Wire):
    rung = RETRY_LADDER[0]
    former: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-message-ttl": 3_000,
        "x-delivery-limit": 20,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
    }
    await wire.exchange_declare(rung.name, exchange_type="fanout", durable=True)
    await wire.queue_declare(rung.name, durable=True, arguments=former)
    await wire.queue_bind(rung.name, rung.name)
    before = aio_pika.Message(b"{}", delivery_mode=2, headers={ORIGIN_KEY: "sms.carrier.b.c", DEFERRALS: 1}).properties
    await wire.basic_publish(b"{}", exchange=rung.name, routing_key=CARRIER, properties=before)
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        inbox = Inbox(RetryLater(1))
        await broker.consume(CARRIER, inbox, prefetch=1)
        came = [await inbox.next(), await inbox.next()]
        assert [(one.routing_key, one.deferrals) for one in came] == [("sms.carrier.b.c", 1), ("sms.carrier.b.c", 2)]
        assert inbox.empty
        assert await depths(broker) == {}


async def test_a_binding_that_somebody_takes_away_is_there_again(broker, wire):
    await wire.queue_unbind("pbx.west.status", SMS, "sms.status.acme.#")
    await wire.queue_unbind("sms.outbound.acme", "pbx.west.requests", "sms.outbound.acme.#")
    await wire.queue_unbind(CARRIER, SMS, "sms.carrier.#")

    async def routed() -> int:
        await delivered(
            broker,
            Outgoing(SMS, "sms.status.acme.sent", b"{}", "t", "m1"),
            Outgoing("pbx.west.requests", "sms.outbound.acme", b"{}", "t", "m2"),
            Outgoing(SMS, "sms.carrier.b.c", b"{}", "t", "m3"),
        )
        counts = await depths(broker)
        return sum(name in counts for name in ("pbx.west.status", "sms.outbound.acme", CARRIER))

    await eventually_told(routed, lambda count: count == 3, 20)


async def test_another_process_that_makes_an_exchange_again_does_not_leave_it_without_bindings(broker, wire, vhost):
    """Of services with one account for all, ingress may be the first to connect after the exchange is gone."""
    await wire.exchange_delete(SMS)
    async with RabbitBroker(vhost, name="ingress", topology=topology.edge()) as ingress:
        await asyncio.wait_for(ingress.ready(), 20)

        async def told() -> dict[str, int]:
            await ingress.publish(Outgoing(SMS, "sms.status.acme.sent", b"{}", "t", "m1"))
            return await depths(broker)

        await eventually_told(told, lambda found: "pbx.west.status" in found, 20)


async def test_who_listens_hears_again_when_the_exchange_is_there_again(broker, wire):
    heard: asyncio.Queue[object] = asyncio.Queue()
    await broker.listen("sms.config.#", heard.put)
    assert await asyncio.wait_for(heard.get(), 10) is None
    await wire.exchange_delete(SMS)
    await eventually_told(lambda: missing(broker), lambda gone: gone == (), 20)

    async def announced() -> bool:
        await broker.publish(Outgoing(SMS, "sms.config.acme.updated", b"{}", "t", "m1"))
        await asyncio.sleep(0.05)
        said = [heard.get_nowait() for _ in range(heard.qsize())]
        return any(said)

    await eventually_told(announced, bool, 20)
