"""How the messages of one lane are sent: in order, and what happens to those that wait for long."""

import asyncio
from datetime import timedelta

import pytest

from sms_common import topology
from sms_common.errors import Code, Throttled
from sms_common.messages import Accepted
from tests.dispatcher.builders import HANDSET, NOW, config, snapshot
from tests.dispatcher.conftest import Rig


async def test_a_text_of_one_sender_is_sent_after_those_before_it(rig):
    end = asyncio.Event()

    async def slow(_):
        await end.wait()
        return Accepted("first")

    rig.carrier.script(HANDSET, slow, Accepted("second"))
    await rig.ask(message_id="m-0")
    await rig.ask(message_id="m-1")
    await rig.ask(message_id="other", **{"from": "+12025550144"}, to="+13125550132")
    async with asyncio.timeout(5):
        await rig.carrier.wait_until_sent(2)
    assert {sent.message.reference for sent in rig.carrier.sent} == {"acme/m-0", "acme/other"}
    end.set()
    await rig.idle()

    assert rig.carrier.sent[-1].message.reference == "acme/m-1"


async def test_a_message_that_waits_for_long_becomes_queued_with_the_reason(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.lanes.lane._REPORT_AFTER_SECONDS", 0.0)
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=900))
    await rig.send()
    waiting = asyncio.create_task(rig.send(message_id="m-2"))
    await rig.until_told(4)
    await rig.use(snapshot(config(name="Mended")))
    await waiting

    assert [(event.status.value, event.reason) for event in rig.statuses("m-2")][1] == ("queued", "Too fast.")


async def blocked(_: object) -> None:
    await asyncio.Event().wait()


async def broken(_: object) -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("reporting", [blocked, broken], ids=["for long", "wrongly"])
async def test_reporting_that_a_message_waits_does_not_delay_it(rig, monkeypatch, reporting):
    monkeypatch.setattr("sms_dispatcher.lanes.lane._REPORT_AFTER_SECONDS", 0.0)
    rig.carrier.script(
        HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=900), Accepted("a"), Accepted("b")
    )
    await rig.send()
    publish, begun = rig.broker.publish, asyncio.Event()

    async def held_up(message) -> None:
        if message.routing_key.endswith(".queued"):
            begun.set()
            await reporting(message)
        await publish(message)

    rig.broker.publish = held_up
    waiting = asyncio.create_task(rig.send(message_id="m-2"))
    async with asyncio.timeout(5):
        await begun.wait()
        await rig.use(snapshot(config(name="Mended")))
        await waiting

    assert rig.story("m-2") == ["accepted", "submitted"]


async def test_a_text_does_not_overtake_those_of_a_list_before_it(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.lanes.fast_path._MOMENT_SECONDS", 0.0)
    end, first = asyncio.Event(), "+13125550100"

    async def slow(_):
        await end.wait()
        return Accepted("first")

    few = Rig(rig.clock, lane=1)
    many = [f"+131255501{n:02}" for n in range(10)]
    few.carrier.script(first, slow)
    async with few.broker:
        await few.start(snapshot(config()))
        await few.ask(message_id="list", to=[first, *many[1:]])
        await few.ask(message_id="next")
        async with asyncio.timeout(5):
            await few.carrier.wait_until_sent(1)
            await few.until_told(10)
        end.set()
        await few.idle()

    assert few.carrier.sent[-1].message.reference == "acme/next"


async def test_a_message_that_expires_in_a_stopped_lane_is_published_at_its_time(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=9000))
    await rig.send()
    await rig.ask(message_id="m-2", expires_at=NOW + timedelta(minutes=1))
    await rig.until_told(3)
    rig.clock.now += timedelta(minutes=1)
    await rig.work()
    assert rig.story("m-2") == ["accepted", "expired"]
    rig.carrier.script(HANDSET, Accepted("id"))
    await rig.use(snapshot(config(name="Mended")))
    await rig.idle()

    assert {sent.message.reference for sent in rig.carrier.sent} == {"acme/m-1"}


async def test_patience_ends_in_the_retry_ladder(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=9000))
    await rig.send()
    waiting = asyncio.create_task(rig.send(message_id="m-2"))
    await rig.until_told(3)
    async with asyncio.timeout(5):
        while not waiting.done():  # the breaker does not say who waits for it
            rig.monotonic += 100
            rig.lanes.owned["cfg"].breaker.wake()
            await asyncio.sleep(0)

    assert len(rig.broker.waiting("sms.wait.10m")) == 1
    assert topology.lane_queue("cfg") in {d.routing_key for d in rig.broker.waiting("sms.wait.10m")}
