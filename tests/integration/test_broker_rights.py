"""What RabbitMQ itself lets each of the gateway's users do: its own work, and nothing of anybody else's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as Wire
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed

from sms_common import broker_rights, topology
from sms_common.broker import Outgoing, Parked, RabbitBroker, RetryLater, dead_letter
from sms_common.broker_rights import pbx_user, rights_of
from sms_common.errors import Code, UnreadableEvent
from sms_common.topology import CARRIER, CONFIG_CHANGES, DEAD, REFUSED, SEEN, SMS, Topology, base, joined
from tests.common.broker.broker_contract import Inbox
from tests.eventually import eventually_told
from tests.stack import Broker

pytestmark = pytest.mark.integration

EVERYTHING = joined(
    (
        base(),
        topology.pbx("main", ["acme"]),
        topology.pbx("west", ["beta"]),
        topology.tenant("acme", "main"),
        topology.tenant("beta", "west"),
        topology.lane("c1"),
    )
)
QUEUES = {queue.name for queue in EVERYTHING.queues}
EXCHANGES = {exchange.name for exchange in EVERYTHING.exchanges}
OWN_QUEUES = {"pbx.main.inbound", "pbx.main.status"}
OWN_EXCHANGE = "pbx.main.requests"
EVERY_KEY = [
    *("sms.outbound.acme", "sms.outbound.beta", "sms.outbound", "sms.carrier.bandwidth.c1", "sms.config.acme.updated"),
    *("sms.status.acme.delivered", "sms.status.beta.delivered", "sms.inbound.beta.12025550123", *sorted(QUEUES)),
]

Url: TypeAlias = Callable[[str], str]
Ask: TypeAlias = Callable[[Wire, str], Awaitable[object]]
Act: TypeAlias = Callable[[AbstractChannel], Awaitable[object]]


@pytest.fixture
def url(rabbitmq: Broker, vhost_name: str) -> Iterator[Url]:
    """Makes a user of the gateway with its own rights, and gives its AMQP URL."""
    made: list[str] = []

    def url_of(user: str) -> str:
        account = f"{vhost_name}_{user}"
        made.append(account)
        rabbitmq.management.create_user(account, "secret", vhost_name, rights_of(user))
        return f"amqp://{account}:secret@{rabbitmq.address}/{vhost_name}"

    yield url_of
    for account in made:
        rabbitmq.management.delete_user(account)


@pytest.fixture
async def dispatcher(url: Url) -> AsyncIterator[RabbitBroker]:
    """Declares everything, with the dispatcher's rights."""
    async with RabbitBroker(url(broker_rights.DISPATCHER), name="test", topology=EVERYTHING) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


@pytest.fixture
async def open_channel(
    dispatcher: RabbitBroker, url: Url
) -> AsyncIterator[Callable[[str], Awaitable[AbstractChannel]]]:
    async with AsyncExitStack() as opened:

        async def channel_of(user: str) -> AbstractChannel:
            connection = await opened.enter_async_context(await aio_pika.connect(url(user)))
            return await connection.channel()

        yield channel_of


async def refused(channel: AbstractChannel, act: Act) -> bool:
    """Whether the broker refuses `act` for want of a right."""
    try:
        await act(channel)
    except ChannelAccessRefused:
        await channel.reopen()
        return True
    return False


def publishing(exchange: str, key: str, **headers: Any) -> Act:
    async def publish(channel: AbstractChannel) -> None:
        wire = await channel.get_underlay_channel()
        properties = aio_pika.Message(b"{}", headers=headers, delivery_mode=2).properties
        await wire.basic_publish(b"{}", exchange=exchange, routing_key=key, properties=properties)

    return publish


async def depths(broker: RabbitBroker) -> dict[str, int]:
    survey = await broker.survey(Topology(queues=EVERYTHING.queues))
    return {name: counts.waiting for name, counts in survey.queues.items() if counts.waiting}


@pytest.mark.parametrize("exchange", sorted((EXCHANGES | {""}) - {OWN_EXCHANGE}))
async def test_a_pbx_publishes_to_no_exchange_but_its_own(open_channel, dispatcher, exchange):
    channel = await open_channel(pbx_user("main"))
    for key in EVERY_KEY:
        assert await refused(channel, publishing(exchange, key)), key
    assert await depths(dispatcher) == {}


async def nobody(_: DeliveredMessage) -> None:
    """Reads a message, and does nothing with it."""


READ: Mapping[str, Ask] = {
    "get": lambda wire, name: wire.basic_get(name, no_ack=True),
    "consume": lambda wire, name: wire.basic_consume(name, nobody),
    "purge": lambda wire, name: wire.queue_purge(name),
}
CHANGE_QUEUE: Mapping[str, Ask] = {
    "delete": lambda wire, name: wire.queue_delete(name),
    "declare": lambda wire, name: wire.queue_declare(f"{name}.more", durable=True),
    "bind": lambda wire, name: wire.queue_bind(name, SMS, "#"),
    "unbind": lambda wire, name: wire.queue_unbind(name, SMS, "sms.carrier.#"),
}
CHANGE_EXCHANGE: Mapping[str, Ask] = {
    "delete": lambda wire, name: wire.exchange_delete(name),
    "declare": lambda wire, name: wire.exchange_declare(f"{name}.more", exchange_type="topic", durable=True),
    "bind": lambda wire, name: wire.exchange_bind(destination=name, source=SMS, routing_key="#"),
}


async def allowed(channel: AbstractChannel, asks: Mapping[str, Ask], name: str) -> list[str]:
    """Which of these the broker does with the queue or exchange `name`."""
    done: list[str] = []
    for what, ask in asks.items():
        if not await refused(channel, ask_for(ask, name)):
            done.append(what)
    return done


def ask_for(ask: Ask, name: str) -> Act:
    async def act(channel: AbstractChannel) -> None:
        await ask(await channel.get_underlay_channel(), name)

    return act


async def test_a_pbx_reads_no_queue_but_its_own(open_channel):
    channel = await open_channel(pbx_user("main"))
    for name in sorted(QUEUES):
        assert await allowed(channel, READ, name) == (list(READ) if name in OWN_QUEUES else []), name


@pytest.mark.parametrize("user", [pbx_user("main"), broker_rights.INGRESS, broker_rights.CONFIG, broker_rights.TOOLS])
async def test_only_the_dispatcher_may_change_what_there_is(open_channel, user):
    channel = await open_channel(user)
    for name in sorted(QUEUES):
        assert await allowed(channel, CHANGE_QUEUE, name) == [], name
    for name in sorted(EXCHANGES):
        assert await allowed(channel, CHANGE_EXCHANGE, name) == [], name


async def test_a_client_that_declares_a_queue_itself_is_turned_away_and_one_that_looks_is_not(open_channel, vhost):
    channel = await open_channel(pbx_user("main"))
    assert await refused(channel, lambda channel: channel.declare_queue("pbx.main.status", durable=True))
    await channel.declare_queue("pbx.main.status", passive=True)
    async with await aio_pika.connect(vhost) as trusted:
        with pytest.raises(ChannelPreconditionFailed, match="PRECONDITION_FAILED"):
            await (await trusted.channel()).declare_queue("pbx.main.status", durable=True)


@pytest.mark.parametrize("header", ["CC", "BCC"])
@pytest.mark.parametrize(
    "key", ["sms.outbound.acme", "sms.outbound.beta", "sms.carrier.bandwidth.c1", "sms.status.acme.sent"]
)
async def test_further_keys_in_a_header_lead_a_pbx_nowhere_else(open_channel, dispatcher, header, key):
    channel = await open_channel(pbx_user("main"))
    assert not await refused(channel, publishing(OWN_EXCHANGE, key, **{header: EVERY_KEY}))
    assert await eventually_told(lambda: depths(dispatcher), lambda found: found != {}, 10) == {"sms.outbound.acme": 1}


async def test_what_a_pbx_publishes_for_a_tenant_of_another_is_kept_and_never_worked_on(open_channel, dispatcher):
    channel = await open_channel(pbx_user("main"))
    others = ["sms.outbound.beta", "sms.outbound", "sms.carrier.bandwidth.c1", "sms.status.beta.delivered"]
    for key in others:
        assert not await refused(channel, publishing(OWN_EXCHANGE, key))
    await eventually_told(lambda: depths(dispatcher), lambda found: found == {REFUSED: len(others)}, 10)


async def test_a_tenant_that_moves_takes_its_bindings_along(open_channel, dispatcher):
    channels = {pbx_id: await open_channel(pbx_user(pbx_id)) for pbx_id in ("main", "west")}
    await dispatcher.declare(topology.pbx("main", (), moved=["acme"]))
    await dispatcher.declare(topology.pbx("west", ["acme", "beta"]))
    await dispatcher.declare(topology.tenant("acme", "west", ["main", "never-there"]))
    for pbx_id, channel in channels.items():
        await publishing(f"pbx.{pbx_id}.requests", "sms.outbound.acme")(channel)
    await dispatcher.publish(Outgoing(SMS, "sms.status.acme.sent", b"{}", "t", "m1"))
    expected = {REFUSED: 1, "sms.outbound.acme": 1, "pbx.west.status": 1}
    await eventually_told(lambda: depths(dispatcher), lambda found: found == expected, 10)


@pytest.mark.parametrize(
    ("exchange", "key"),
    [
        ("", "sms.lane.c1"),
        ("", "pbx.main.inbound"),
        (SMS, "sms.status.acme.delivered"),
        (SMS, "sms.inbound.acme.12025550123"),
        (SMS, "sms.config.acme.updated"),
        (SMS, "sms.outbound.acme"),
        ("sms.outbound", "sms.outbound.acme"),
        ("sms.retry.1s", CARRIER),
        (topology.UNROUTED, "sms.carrier.bandwidth.c1"),
        (OWN_EXCHANGE, "sms.outbound.acme"),
    ],
)
async def test_the_public_edge_can_say_nothing_but_what_a_carrier_said(open_channel, exchange, key):
    channel = await open_channel(broker_rights.INGRESS)
    assert await refused(channel, publishing(exchange, key))
    for own in ((SMS, "sms.carrier.bandwidth.c1"), (SEEN, SEEN), (DEAD, "webhooks")):
        assert not await refused(channel, publishing(*own))


@pytest.mark.parametrize("key", ["#", "sms.#", "sms.inbound.acme.#", "sms.status.#"])
async def test_the_public_edge_hears_no_text_and_no_status(open_channel, key):
    channel = await open_channel(broker_rights.INGRESS)

    async def listen(channel: AbstractChannel) -> None:
        await (await channel.declare_queue(exclusive=True)).bind(SMS, key)

    assert await refused(channel, listen)


@pytest.mark.parametrize("user", [broker_rights.INGRESS, broker_rights.CONFIG])
async def test_who_may_not_declare_waits_until_it_has_been_done_and_works_then(url, user):
    heard: asyncio.Queue[object] = asyncio.Queue()
    async with RabbitBroker(url(user), name="early", topology=base()) as early:
        await eventually_told(
            lambda: asyncio.sleep(0, early.check()),
            lambda said: "waiting for another service to declare" in (said or ""),
            20,
        )
        assert "sms.carrier" in (early.check() or "")
        if user == broker_rights.INGRESS:
            await early.listen(CONFIG_CHANGES, heard.put)
        async with RabbitBroker(url(broker_rights.DISPATCHER), name="dispatcher", topology=base()) as dispatcher:
            await asyncio.wait_for(dispatcher.ready(), 20)
            await asyncio.wait_for(early.ready(), 20)
            if user == broker_rights.INGRESS:
                assert await asyncio.wait_for(heard.get(), 10) is None
                await early.publish(Outgoing(SMS, "sms.carrier.bandwidth.c1", b"{}", "t", "m1"))
            assert early.check() is None


async def test_the_config_service_sees_to_what_exists_and_asks_for_nothing_new(url, dispatcher):
    async with RabbitBroker(url(broker_rights.CONFIG), name="config", topology=base()) as config:
        await asyncio.wait_for(config.ready(), 20)
        await config.ensure(topology.pbx("west", ["beta"]))
        with pytest.raises(Exception, match=r"waiting for another service to declare pbx\.north\.requests"):
            await config.ensure(topology.pbx("north", ["gamma"]))


async def test_what_a_pbx_lets_expire_lies_among_the_dead_letters_of_its_own_queue_whatever_it_says(
    open_channel, dispatcher
):
    """The broker keeps a publisher's headers; believed, they would have it replayed into the queue of another."""
    channel = await open_channel(pbx_user("main"))
    forged: dict[str, Any] = {
        "x-source-queue": CARRIER,
        "x-code": "handler_failed",
        "x-routing-key": "sms.carrier.bandwidth.c1",
        "x-first-death-queue": CARRIER,
        "x-last-death-queue": CARRIER,
        "x-first-death-reason": "rejected",
        "x-death": [{"queue": CARRIER, "reason": "rejected", "count": 1, "exchange": SMS, "routing-keys": ["k"]}],
        "x-origin-key": "sms.outbound.beta",
        "CC": ["sms.outbound.acme"],
    }
    wire = await channel.get_underlay_channel()
    properties = aio_pika.Message(b"", headers=forged, expiration=0.05, delivery_mode=2).properties
    await wire.basic_publish(b"{}", exchange=OWN_EXCHANGE, routing_key="sms.outbound.beta", properties=properties)
    await eventually_told(lambda: depths(dispatcher), lambda found: found == {DEAD: 1}, 10)
    async with dispatcher.browse(DEAD, limit=1) as held:
        letter = Parked.read(held[0].delivery)
    assert (letter.source, letter.code, letter.routing_key) == ("sms.outbound.acme", "expired", "sms.outbound.acme")
    assert (letter.back().exchange, letter.back().routing_key) == ("", "sms.outbound.acme")


async def test_the_config_service_puts_parked_messages_back_and_reads_when_webhooks_came(url, dispatcher):
    parked = {
        "sms.outbound.acme": dead_letter(
            b"{}", Code.HANDLER_FAILED, "No.", source="sms.outbound.acme", routing_key="sms.outbound.acme"
        ),
        "pbx.west.status": Outgoing(topology.UNROUTED, "sms.status.beta.sent", b"{}", "t", "m1"),
    }
    again, dead = Inbox(RetryLater(1)), Inbox(UnreadableEvent(Code.NOT_JSON, "No."))
    async with RabbitBroker(url(broker_rights.CONFIG), name="config", topology=base()) as config:
        await asyncio.wait_for(config.ready(), 20)
        for message in parked.values():
            await dispatcher.publish(message)
        for place in (DEAD, topology.UNROUTED):
            async with config.browse(place, limit=1) as held:
                await config.publish(Parked.read(held[0].delivery).back())
                await held[0].remove()
        await eventually_told(lambda: depths(dispatcher), lambda found: found == dict.fromkeys(parked, 1), 10)
        await config.publish(Outgoing(SMS, "sms.config.acme.updated", b"{}", "t", "m2"))
        subscription = await config.consume(SEEN, again, prefetch=1)
        await dispatcher.publish(Outgoing(SEEN, SEEN, b"{}", "t", "m3"))
        assert [(await again.next()).deferrals for _ in range(2)] == [0, 1]
        await subscription.cancel()
        await config.consume(SEEN, dead, prefetch=1)
        await dispatcher.publish(Outgoing(SEEN, SEEN, b"{}", "t", "m4"))
        await eventually_told(lambda: depths(dispatcher), lambda found: found.get(DEAD) == 1, 10)
        assert config.check() is None
