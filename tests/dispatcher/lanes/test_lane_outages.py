"""A lane whose carrier accepts nothing: it waits as a whole, tries less and less often, and goes on."""

import asyncio

import pytest

from sms_common.errors import Code, Throttled
from sms_common.messages import Accepted
from sms_dispatcher.lanes.lane_entries import lane_message
from tests.dispatcher.builders import HANDSET, NOW, config, entry, snapshot


async def test_a_throttled_lane_waits_as_a_whole_and_goes_on(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=3), Accepted("id"))
    await rig.send()
    assert rig.story() == ["accepted", "queued"]

    rig.monotonic += 6
    await rig.pass_time(1)

    assert rig.story() == ["accepted", "queued", "submitted"]


async def test_requests_refused_together_stop_the_lane_once_and_briefly(rig):
    async def refuse(_):
        await rig.carrier.wait_until_sent(64)
        raise Throttled(Code.CARRIER_BUSY, "Too fast.")

    rig.carrier.script(HANDSET, refuse)
    entries = [entry(message_id=f"m-{n}", sender=f"+1202555{n:04}") for n in range(64)]
    await asyncio.gather(*(rig.ledger.accept(one) for one in entries))
    for one in entries:
        await rig.broker.publish(lane_message(one, NOW))
    await rig.idle()

    assert len(rig.carrier.sent) == 64
    assert 0 < rig.seconds_stopped("cfg") <= 5


async def test_a_carrier_that_goes_on_refusing_is_asked_less_and_less_often(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast."))
    spans = []
    await rig.send()
    for _ in range(12):
        spans.append(rig.seconds_stopped("cfg"))
        rig.monotonic += spans[-1] + 1
        await rig.pass_time(1)

    assert spans[0] <= 5
    assert 450 <= spans[-1] <= 900
    assert len(rig.carrier.sent) == 13


async def test_a_stopped_lane_does_not_delay_another(rig):
    await rig.use(snapshot(config(), config(id="second")))
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=900))
    await rig.send(config_id="cfg")
    await rig.send(message_id="m-2", config_id="second", to="+13125550132")

    assert rig.story("m-2") == ["accepted", "submitted"]


async def test_what_waits_for_a_stopped_lane_goes_back_when_the_process_leaves(rig):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast.", retry_after=900))
    await rig.send()
    waiting = asyncio.create_task(rig.send(message_id="m-2"))
    await rig.until_told(3)
    assert rig.broker.waiting("sms.lane.cfg") == []
    await rig.fleet.leave()
    async with asyncio.timeout(5):
        await waiting

    assert len(rig.broker.waiting("sms.lane.cfg")) == 1
    assert len(rig.carrier.sent) == 1


@pytest.mark.parametrize(
    ("changed", "waits"), [(config(name="Mended"), False), (config(), True)], ids=["its own change", "another's"]
)
async def test_a_lane_that_was_stopped_goes_on_when_its_own_configuration_changes(rig, changed, waits):
    rig.carrier.script(HANDSET, Throttled(Code.CARRIER_BUSY, "Too fast."), Accepted("id"))
    await rig.send()
    assert rig.seconds_stopped("cfg") > 0
    await rig.use(snapshot(changed, config(id="second")))

    assert (rig.seconds_stopped("cfg") > 0) is waits
