"""Dispatcher processes on real RabbitMQ and MongoDB and a simulated Bandwidth: started, killed, cut off, drained."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from carrier_simulator import Fault, InboundRequest
from sms_common import topology
from sms_common.broker import Delivery, Outgoing
from sms_common.events import InboundEvent, LaneEntry, utc_now
from sms_native.engines.mongodb import MongoNode
from sms_native.settings import NativeSettings
from tests.integration.dispatcher_world import DID, HANDSET, NOWHERE, World, world
from tests.stack import Database

pytestmark = pytest.mark.integration


@pytest.fixture
async def around(vhost: str, database: Database) -> AsyncIterator[World]:
    async with world(vhost, database.url, database.name) as around:
        yield around


async def test_with_everything_away_it_starts_says_what_is_missing_and_can_be_stopped(around):
    async with around.dispatcher(
        DISPATCHER_AMQP_URL=f"amqp://user:SECRET@{NOWHERE}/x",
        DISPATCHER_MONGO_URL=f"mongodb://user:SECRET@{NOWHERE}/",
        DISPATCHER_CONFIG_URL=f"http://{NOWHERE}",
    ) as dispatcher:
        checks = await dispatcher.until_ready(503)
        live, _ = await dispatcher.get("/healthz")
        async with asyncio.timeout(10):
            status = await dispatcher.stop()

    missing = {name for name, problem in checks.items() if problem != "ok"}
    assert missing == {"broker", "store", "configuration", "fleet"}
    assert (live, status) == (200, 0)
    assert "SECRET" not in dispatcher.output + str(checks)


async def test_a_text_goes_out_and_comes_back_as_delivered_and_its_record_can_be_read(around):
    async with around.dispatcher() as dispatcher:
        await around.send("m-1")
        await around.pbx.until_all(["m-1"])
        _, record = await dispatcher.get("/api/v1/messages/acme/m-1", Authorization="Bearer api-token")
        await dispatcher.until_ready()
        _, metrics = await dispatcher.get("/metrics")

    assert (record["status"], record["delivery"], record["attempt"]) == ("delivered", "DELIVERED", 1)
    assert [event.status for event in around.pbx.told["m-1"]][:2] == ["accepted", "submitted"]
    assert 'smsgw_dispatch_total{carrier="bandwidth",class="submitted"} 1.0' in metrics


async def test_a_text_from_a_handset_reaches_the_pbx_once(around):
    heard: asyncio.Queue[InboundEvent] = asyncio.Queue()

    async def hear(delivery: Delivery) -> None:
        heard.put_nowait(InboundEvent.model_validate_json(delivery.body))

    async with around.dispatcher():
        await around.broker.consume(topology.pbx_inbound_queue("main"), hear, prefetch=10)
        around.simulator.receive(InboundRequest.model_validate({"from": HANDSET, "to": DID, "text": "Hi", "copies": 3}))
        async with asyncio.timeout(20):
            event = await heard.get()
        await around.send("after")
        await around.pbx.until_all(["after"])

    assert (event.sender, event.did, event.content, event.tenant_id) == (HANDSET, DID, "Hi", "acme")
    assert heard.empty()


async def test_a_stop_in_the_middle_of_sending_waits_for_the_answers(around):
    around.simulator.add_fault(Fault(kind="slow", stage="after", delay=1, times=None))
    ids = [f"m-{n}" for n in range(20)]
    async with around.dispatcher() as dispatcher:
        for n, id_ in enumerate(ids):  # those of one number and one recipient go one after the other
            await around.send(id_, to=f"+1404555{n:04}", category="otp")
        await around.simulator.wait_for_arrivals(20, within=20)
        status = await dispatcher.stop()
    await around.pbx.until(lambda: all(around.pbx.last(id_) not in {None, "accepted"} for id_ in ids), 5)

    assert status == 0, dispatcher.output
    assert {around.pbx.last(id_) for id_ in ids} <= {"submitted", "sent", "delivered"}
    assert set(around.arrivals().values()) == {1}


async def settle_claims_of_the_dead(around: World, database: Database, ids: list[str]) -> None:
    """As if a minute had passed: leases are over and the lane entries that wait for that come back."""
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(database.url)
    messages = client[database.name]["messages"]
    minute = {"$set": {"claimed_at": utc_now() - timedelta(seconds=61)}}
    await messages.update_many({"status": "submitting"}, minute)
    client.close()
    for id_ in ids:
        entry = LaneEntry(tenant_id="acme", message_id=id_, queued_at=utc_now())
        await around.broker.publish(Outgoing("", "sms.lane.cfg", entry.encode(), LaneEntry.TYPE, f"lane-{id_}"))


async def test_killed_in_the_middle_of_sending_nothing_is_lost_and_nothing_is_sent_twice(around, database):
    """Those whose answer was lost with the process and that did not arrive stay unknown; all others are delivered."""
    around.simulator.add_fault(Fault(kind="slow", stage="after", delay=0.2, times=None))
    ids = [f"m-{n}" for n in range(150)]
    async with around.dispatcher() as first:
        await around.send(*ids)
        await around.simulator.wait_for_arrivals(40, within=20)
        await first.kill()
    async with around.dispatcher():
        await around.pbx.until(lambda: sum(around.pbx.last(id_) == "delivered" for id_ in ids) >= 80)
        await settle_claims_of_the_dead(around, database, ids)
        await around.pbx.until(lambda: all(around.pbx.last(id_) in {"delivered", "unknown"} for id_ in ids))
        await around.pbx.until(lambda: all(around.pbx.last(id_) == "delivered" for id_ in around.arrivals()))

    arrivals = around.arrivals()
    unknown = {id_ for id_ in ids if around.pbx.last(id_) == "unknown"}
    assert set(arrivals.values()) == {1}
    assert set(arrivals) | unknown == set(ids)
    assert unknown.isdisjoint(arrivals)


async def test_two_dispatchers_whose_connections_are_cut_under_load_deliver_everything_once(
    around, close_connections: Callable[[], int]
):
    around.simulator.add_fault(Fault(kind="slow", stage="after", delay=0.05, times=None))
    ids = [f"m-{n}" for n in range(150)]
    async with around.dispatcher() as one, around.dispatcher() as two:
        await one.until_ready()
        await two.until_ready()
        sending = asyncio.create_task(around.send(*ids))
        for count in (20, 60, 100):
            await around.simulator.wait_for_arrivals(count, within=20)
            await asyncio.to_thread(close_connections)
        await sending
        await around.pbx.until_all(ids)

    assert set(around.arrivals().values()) == {1}
    assert all(len(around.pbx.finals(id_)) == 1 for id_ in ids)


@pytest.fixture
def own_mongodb(native_settings: NativeSettings, tmp_path: Path):
    node = MongoNode.temporary(tmp_path / "mongodb", native_settings.cache_directory)
    node.start(may_install=native_settings.may_install)
    yield node
    node.remove()


async def test_a_store_that_is_killed_under_load_and_comes_back_costs_nothing(vhost, own_mongodb):
    ids = [f"m-{n}" for n in range(150)]
    async with world(vhost, own_mongodb.url, "ledger") as around, around.dispatcher() as dispatcher:
        around.simulator.add_fault(Fault(kind="slow", stage="after", delay=0.1, times=None))
        sending = asyncio.create_task(around.send(*ids))
        await around.simulator.wait_for_arrivals(60, within=20)
        await asyncio.to_thread(own_mongodb.kill)
        checks = await dispatcher.until_ready(503)
        await asyncio.to_thread(own_mongodb.start)
        await sending
        await around.pbx.until_all(ids)

    assert checks["store"] != "ok"
    assert set(around.arrivals().values()) == {1}
    assert all(len(around.pbx.finals(id_)) == 1 for id_ in ids)
