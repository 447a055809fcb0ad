"""Several dispatchers: each lane has one owner, and lanes move when a member joins, leaves or dies."""

import asyncio

import pytest

from sms_common import topology
from sms_common.errors import Unavailable
from sms_common.messages import Accepted
from sms_dispatcher.fleet.coordination import MEMBER_TTL
from sms_dispatcher.fleet.membership import LiveMembers
from tests.dispatcher.builders import HANDSET, config, snapshot
from tests.dispatcher.conftest import Rig

CONFIGS = snapshot(*(config(id=f"cfg-{n}") for n in range(20)))
LANES = {f"cfg-{n}" for n in range(20)}
WORK = LANES | {topology.OUTBOUND, topology.outbound_queue("acme"), topology.outbound_queue("other")}


def another(rig: Rig, member: str = "second") -> Rig:
    """One more dispatcher on the same broker and stores, with a carrier of its own."""
    return Rig(rig.clock, rig.ledger, rig.coordination, member, rig.broker)


async def rebalance(*rigs: Rig) -> None:
    """All rebalance until nothing changes."""
    for _ in range(3):
        for rig in rigs:
            await rig.fleet._heartbeat()
        for rig in rigs:
            await rig.fleet._rebalance_and_refresh()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def owned(rig: Rig) -> set[str]:
    return set(rig.fleet.owned)


@pytest.fixture
async def pair(rig):
    await rig.use(CONFIGS)
    second = another(rig)
    await second.start(CONFIGS)
    await rebalance(rig, second)
    return rig, second


async def test_one_alone_does_everything(rig):
    await rig.use(CONFIGS)

    assert owned(rig) == WORK


async def test_work_is_shared_and_nothing_is_done_twice(pair):
    first, second = pair

    assert owned(first) | owned(second) == WORK
    assert not owned(first) & owned(second)
    assert all(owned(rig) for rig in pair)


async def test_whoever_reads_a_request_the_owner_of_its_lane_sends_it(pair):
    first, second = pair
    for n in range(20):
        await first.send(message_id=f"m-{n}", config_id=f"cfg-{n}")
    sent = [{sent.account.config_id for sent in rig.carrier.sent} for rig in pair]

    assert sent == [owned(first) & LANES, owned(second) & LANES]


async def test_a_bulk_lane_that_one_creates_is_read_by_the_owner_of_the_lane(pair):
    first, second = pair
    for n in range(20):
        await first.send(message_id=f"m-{n}", config_id=f"cfg-{n}", category="marketing")
    await rebalance(first, second)
    await first.broker.idle()

    assert len(first.carrier.sent) + len(second.carrier.sent) == 20


async def test_who_leaves_releases_everything_at_once(pair):
    first, second = pair
    await second.fleet.leave()
    await rebalance(first)

    assert (owned(first), owned(second)) == (WORK, set())


async def test_who_releases_the_last_shard_during_a_heartbeat_leaves(pair, monkeypatch):
    first, second = pair
    heard = second.coordination.heartbeat

    async def slow(member: str, *, leaving: bool) -> LiveMembers:
        await asyncio.gather(*second.fleet._releasing.values())
        present: LiveMembers = await heard(member, leaving=leaving)
        return present

    monkeypatch.setattr(second.coordination, "heartbeat", slow)
    await second.fleet.leave()
    await rebalance(first)

    assert owned(first) == WORK


async def test_who_dies_is_missed_and_replaced(pair):
    first, second = pair
    first.monotonic += MEMBER_TTL.total_seconds() + 1
    await rebalance(first)

    assert owned(first) == WORK
    assert owned(second)


async def test_who_cannot_reach_the_broker_is_replaced(pair):
    first, second = pair
    second.fleet._is_fit = lambda: False
    first.monotonic += MEMBER_TTL.total_seconds() + 1
    await rebalance(first, second)

    assert owned(first) == WORK


async def test_who_is_not_heard_for_long_gives_up_what_others_took(pair):
    first, second = pair
    second.fleet._is_fit = lambda: False
    first.monotonic += 31
    second.monotonic += 31
    await rebalance(first, second)

    assert owned(second) == set()


async def test_a_dispatcher_is_ready_when_it_has_joined_and_is_heard(rig):
    fleet = rig.fleet
    assert fleet.check() is None
    rig.monotonic += 11
    assert "11 s" in (fleet.check() or "")
    await rebalance(rig)
    assert fleet.check() is None
    second = another(rig).fleet
    assert second.check() == "it has not joined the other dispatchers yet"
    await second._heartbeat()
    await second._rebalance()  # of nothing: it does not know yet what there is to do
    assert second.check() == "it has not taken its share of the work yet"
    await fleet.leave()
    assert fleet.check() == "it is leaving"


async def test_a_store_that_is_away_changes_nothing(pair):
    first, second = pair
    before = owned(first), owned(second)
    first.coordination.away = True
    first.monotonic += 20
    with pytest.raises(Unavailable):
        await rebalance(first, second)
    assert (owned(first), owned(second)) == before
    first.coordination.away = False
    await rebalance(first, second)
    await rebalance(first, second)

    assert owned(first) | owned(second) == WORK
    assert not owned(first) & owned(second)


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
    leaving = asyncio.create_task(rig.fleet.leave())
    await asyncio.sleep(0)
    await rebalance(second)
    assert (second.carrier.sent, "cfg" in owned(second)) == ([], False)
    end.set()
    await leaving
    await rebalance(second)
    await rig.idle()

    assert [len(rig.carrier.sent), len(second.carrier.sent)] == [1, 9]
    assert [sent.message.reference for sent in second.carrier.sent] == [f"acme/m-{n}" for n in range(1, 10)]
