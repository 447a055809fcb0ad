"""Several dispatchers: each lane is read by one, lanes move when somebody joins, leaves or dies, and order is kept."""

import asyncio
from datetime import timedelta

import pytest

from sms_common import topology
from sms_common.errors import Code, Throttled, Unavailable
from sms_common.messages import Accepted
from sms_dispatcher.fleet.coordination import MEMBER_TTL
from sms_dispatcher.fleet.membership import Present
from tests.dispatcher.builders import HANDSET, NOW, config, snapshot
from tests.dispatcher.conftest import Rig

CONFIGS = snapshot(*(config(id=f"cfg-{n}") for n in range(20)))
LANES = {f"cfg-{n}" for n in range(20)}
WORK = LANES | {topology.OUTBOUND, topology.outbound_queue("acme"), topology.outbound_queue("other")}


def another(rig: Rig, member: str = "second") -> Rig:
    """One more dispatcher on the same broker and stores, with a carrier of its own."""
    return Rig(rig.clock, rig.ledger, rig.coordination, member, rig.broker)


async def look(*rigs: Rig) -> None:
    """Everyone looks until nobody changes anything."""
    for _ in range(3):
        for rig in rigs:
            await rig.dispatcher.fleet._beat()
        for rig in rigs:
            await rig.dispatcher.fleet._settle_and_look()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def held(rig: Rig) -> set[str]:
    return set(rig.dispatcher.fleet.held)


@pytest.fixture
async def pair(rig):
    await rig.use(CONFIGS)
    second = another(rig)
    await second.start(CONFIGS)
    await look(rig, second)
    return rig, second


async def test_one_alone_does_everything(rig):
    await rig.use(CONFIGS)

    assert held(rig) == WORK


async def test_work_is_shared_and_nothing_is_done_twice(pair):
    first, second = pair

    assert held(first) | held(second) == WORK
    assert not held(first) & held(second)
    assert all(held(rig) for rig in pair)


async def test_whoever_takes_a_request_in_the_holder_of_its_lane_sends_it(pair):
    first, second = pair
    for n in range(20):
        await first.send(message_id=f"m-{n}", config_id=f"cfg-{n}")
    sent = [{sent.account.config_id for sent in rig.carrier.sent} for rig in pair]

    assert sent == [held(first) & LANES, held(second) & LANES]


async def test_a_bulk_lane_that_one_begins_is_read_by_the_holder_of_the_lane(pair):
    first, second = pair
    for n in range(20):
        await first.send(message_id=f"m-{n}", config_id=f"cfg-{n}", category="marketing")
    await look(first, second)
    await first.broker.idle()

    assert len(first.carrier.sent) + len(second.carrier.sent) == 20


async def test_who_leaves_gives_everything_over_at_once(pair):
    first, second = pair
    await second.dispatcher.fleet.leave()
    await look(first)

    assert (held(first), held(second)) == (WORK, set())


async def test_who_has_given_the_last_piece_back_while_saying_so_leaves(pair, monkeypatch):
    first, second = pair
    heard = second.coordination.beat

    async def slow(member: str, *, leaving: bool) -> Present:
        await asyncio.gather(*second.dispatcher.fleet._giving_back.values())
        present: Present = await heard(member, leaving=leaving)
        return present

    monkeypatch.setattr(second.coordination, "beat", slow)
    await second.dispatcher.fleet.leave()
    await look(first)

    assert held(first) == WORK


async def test_who_dies_is_missed_and_replaced(pair):
    first, second = pair
    first.monotonic += MEMBER_TTL.total_seconds() + 1
    await look(first)

    assert held(first) == WORK
    assert held(second)


async def test_who_cannot_reach_the_broker_is_replaced(pair):
    first, second = pair
    second.dispatcher.fleet._fit = lambda: False
    first.monotonic += MEMBER_TTL.total_seconds() + 1
    await look(first, second)

    assert held(first) == WORK


async def test_who_is_not_heard_for_long_gives_up_what_others_took(pair):
    first, second = pair
    second.dispatcher.fleet._fit = lambda: False
    first.monotonic += 31
    second.monotonic += 31
    await look(first, second)

    assert held(second) == set()


async def test_a_dispatcher_is_ready_when_it_has_joined_and_is_heard(rig):
    fleet = rig.dispatcher.fleet
    assert fleet.check() is None
    rig.monotonic += 11
    assert "11 s" in (fleet.check() or "")
    await look(rig)
    assert fleet.check() is None
    second = another(rig).dispatcher.fleet
    assert second.check() == "it has not joined the other dispatchers yet"
    await second._beat()
    await second._settle()  # of nothing: it does not know yet what there is to do
    assert second.check() == "it has not taken its share of the work yet"
    await fleet.leave()
    assert fleet.check() == "it is leaving"


async def test_a_store_that_is_away_changes_nothing(pair):
    first, second = pair
    before = held(first), held(second)
    first.coordination.away = True
    first.monotonic += 20
    with pytest.raises(Unavailable):
        await look(first, second)
    assert (held(first), held(second)) == before
    first.coordination.away = False
    await look(first, second)
    await look(first, second)

    assert held(first) | held(second) == WORK
    assert not held(first) & held(second)


async def test_a_lane_is_given_over_when_what_is_being_sent_has_ended_and_in_order(rig):
    await rig.use(snapshot(config()))
    end = asyncio.Event()

    async def wait(_):
        await end.wait()
        return Accepted("slow")

    rig.carrier.script(HANDSET, wait)
    for n in range(10):
        await rig.ask(message_id=f"m-{n}")
    await rig.carrier.wait_until_sent(1)
    await rig.until_told(10)
    second = another(rig)
    await second.start(snapshot(config()))
    leaving = asyncio.create_task(rig.dispatcher.fleet.leave())
    await asyncio.sleep(0)
    await look(second)
    assert (second.carrier.sent, "cfg" in held(second)) == ([], False)
    end.set()
    await leaving
    await look(second)
    await rig.idle()

    assert [len(rig.carrier.sent), len(second.carrier.sent)] == [1, 9]
    assert [sent.message.reference for sent in second.carrier.sent] == [f"acme/m-{n}" for n in range(1, 10)]


async def test_a_text_of_one_sender_leaves_after_those_before_it(rig):
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


async def test_one_that_waits_long_is_told_as_queued_with_the_reason(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.lanes.lane._TELL_AFTER_SECONDS", 0.0)
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


@pytest.mark.parametrize("telling", [blocked, broken], ids=["for long", "wrongly"])
async def test_to_tell_that_one_waits_keeps_it_no_longer(rig, monkeypatch, telling):
    monkeypatch.setattr("sms_dispatcher.lanes.lane._TELL_AFTER_SECONDS", 0.0)
    rig.carrier.script(
        HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=900), Accepted("a"), Accepted("b")
    )
    await rig.send()
    publish, begun = rig.broker.publish, asyncio.Event()

    async def held_up(message) -> None:
        if message.routing_key.endswith(".queued"):
            begun.set()
            await telling(message)
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


async def test_one_that_expires_before_a_shut_lane_is_told_at_its_time(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=9000))
    await rig.send()
    await rig.ask(message_id="m-2", expires_at=NOW + timedelta(minutes=1))
    await rig.until_told(3)
    rig.clock.now += timedelta(minutes=1)
    await rig.dispatcher.due.work()
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
        while not waiting.done():  # the gate does not say who waits before it
            rig.monotonic += 100
            rig.dispatcher.lanes.held["cfg"].gate.wake()
            await asyncio.sleep(0)

    assert len(rig.broker.waiting("sms.wait.10m")) == 1
    assert topology.lane_queue("cfg") in {d.routing_key for d in rig.broker.waiting("sms.wait.10m")}
