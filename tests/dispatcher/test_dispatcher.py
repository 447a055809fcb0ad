"""A change of the configuration: what takes effect, and what stays as it is."""

import asyncio

import pytest

from sms_common.broker import Outgoing
from sms_common.broker.headers import ORIGIN_KEY
from sms_common.configuration import Tenant
from sms_common.topology import DEFAULT_EXCHANGE
from tests.dispatcher.builders import config, request, snapshot
from tests.dispatcher.conftest import Rig
from tests.dispatcher.declarations import ELSEWHERE, Declarations


async def test_nothing_is_read_before_there_is_a_configuration():
    rig = Rig()
    async with rig.broker:
        start = asyncio.create_task(rig.dispatcher.start())
        await rig.send()
        assert len(rig.broker.waiting("sms.outbound")) == 1
        await rig.dispatcher.apply(snapshot())
        await start
        await rig.idle()

        assert rig.story() == ["accepted", "submitted"]


async def test_a_new_tenants_requests_are_taken_once_its_pbx_can_be_told(rig):
    declarations = Declarations(rig)
    declarations.allowed.clear()
    following = asyncio.create_task(rig.use(ELSEWHERE))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await rig.send(message_id="early", tenant_id="new")
    declarations.allowed.set()
    await following
    await rig.send(tenant_id="new")

    assert [event.error.code for event in rig.statuses("early")] == ["unknown_tenant"]
    assert len(rig.broker.waiting("pbx.second.status")) == 2
    assert rig.broker.waiting("sms.unrouted") == []


async def test_a_change_declares_what_is_new_and_nothing_again(rig):
    declarations = Declarations(rig)
    await rig.use(snapshot(config(name="Renamed")))
    assert declarations.seen == []
    await rig.use(ELSEWHERE)

    assert declarations.seen == [
        "pbx.main.inbound",
        "pbx.main.status",
        "pbx.second.inbound",
        "pbx.second.status",
        "sms.outbound.new",
        "sms.outbound.other",
        "sms.lane.second",
    ]


MOVED = snapshot(tenants=(Tenant(id="acme", name="Acme", pbx_id="second"), Tenant(id="other", name="Other")))


@pytest.mark.parametrize("meanwhile", ["it follows the move", "another dispatcher starts", "nobody knew where it was"])
async def test_a_tenant_that_moves_to_another_pbx_is_asked_for_and_told_there_only(rig, meanwhile):
    if meanwhile == "nobody knew where it was":
        rig.ledger.had_pbxs.clear()
    mover = (
        rig if meanwhile == "it follows the move" else Rig(rig.clock, rig.ledger, member="second", broker=rig.broker)
    )
    await mover.use(MOVED)
    told = len(rig.broker.waiting("pbx.main.status"))

    await rig.publish(request().encode(), exchange="pbx.main.requests")
    assert [one.routing_key for one in rig.broker.waiting("sms.refused")] == ["sms.outbound.acme"]
    assert rig.carrier.sent == []
    await rig.publish(request().encode(), exchange="pbx.second.requests")
    assert len(rig.broker.waiting("sms.refused")) == 1
    assert len(rig.broker.waiting("pbx.main.status")) == told
    assert len(rig.broker.waiting("pbx.second.status")) == 2


async def test_what_an_older_version_may_have_bound_is_unbound_once_and_never_again():
    """Any PBX may have had any tenant then: for many of both that is a lot, and no start may wait for it twice."""
    many = snapshot(tenants=tuple(Tenant(id=f"t{n}", name="T", pbx_id=f"p{n}") for n in range(5)))
    rig = Rig()
    await rig.ledger.remember_tenants([tenant.id for tenant in many.tenants])
    remembered: list[int] = []
    asked: list[int] = []

    async def starting(member: str) -> None:
        fresh = Rig(rig.clock, rig.ledger, member=member, broker=rig.broker)
        declare = rig.broker.declare

        async def remembering(topology) -> None:
            remembered.append(len(topology.retired))
            await declare(topology)

        async def once(topology) -> None:
            asked.append(len(topology.retired))
            await declare(topology)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(rig.broker, "declare", remembering)
            patched.setattr(rig.broker, "ensure", once)
            await fresh.dispatcher.apply(many)

    async with rig.broker:
        await starting("first")
        assert (sum(remembered), sum(asked)) == (0, 5 * 5 * 3)  # five PBXs and the default one, but its own
        await starting("second")
        assert (sum(remembered), sum(asked)) == (0, 5 * 5 * 3)


async def test_no_pbx_asks_for_a_tenant_that_is_no_more(rig):
    await rig.use(snapshot(tenants=(Tenant(id="other", name="Other"),)))
    await rig.publish(request().encode(), exchange="pbx.main.requests")

    assert len(rig.broker.waiting("sms.refused")) == 1


@pytest.mark.parametrize("key", ["sms.outbound.acme", "sms.outbound.other", "sms.outbound", "anything"])
async def test_a_request_for_another_tenant_than_its_queues_is_told_to_the_tenant_of_the_queue(rig, key):
    """With the header CC a PBX brings what it likes into its own tenants' queues, under whatever key."""
    arrives_under = {ORIGIN_KEY: key}
    body = request(tenant_id="other").encode()
    await rig.broker.publish(Outgoing(DEFAULT_EXCHANGE, "sms.outbound.acme", body, "", "pbx-1", headers=arrives_under))
    await rig.idle()

    (event,) = rig.statuses("m-1")
    assert (event.error.code, event.tenant_id, rig.carrier.sent) == ("tenant_mismatch", "acme", [])
