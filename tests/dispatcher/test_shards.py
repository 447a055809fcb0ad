"""Which shards a dispatcher reads, in which order, and what it does when some are refused."""

import pytest

from sms_common.errors import Refused, Unavailable
from sms_common.telemetry import metrics
from tests.dispatcher.builders import config, snapshot
from tests.dispatcher.conftest import Rig
from tests.dispatcher.declarations import ELSEWHERE, Declarations


@pytest.mark.parametrize("at_a_time", [1, 400])
@pytest.mark.parametrize(
    "refused", ["pbx.main.status", "pbx.second.status", "sms.outbound.acme", "sms.lane.cfg", "sms.lane.cfg.bulk"]
)
async def test_what_the_broker_refuses_for_one_keeps_nobody_else_from_working(rig, refused, at_a_time, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.shards._SHARDS_AT_A_TIME", at_a_time)
    await rig.ledger.remember_bulk_lane("cfg")
    fresh = Rig(rig.clock, rig.ledger)
    Declarations(fresh, refused)
    async with fresh.broker:
        with pytest.raises(Unavailable):
            await fresh.dispatcher.apply(ELSEWHERE)
        await fresh.dispatcher.start()
        await fresh.send(tenant_id="new", config_id="second")

        assert len(fresh.carrier.sent) == 1


async def test_one_dispatcher_alone_owns_all_lanes(rig):
    await rig.use(snapshot(config(), config(id="second"), retired_config_ids=("former",)))

    assert metrics.registry.get_sample_value("smsgw_lanes") == 3
    assert metrics.registry.get_sample_value("smsgw_lanes_owned") == 3
    assert metrics.registry.get_sample_value("smsgw_lanes_held") == 3


async def test_lanes_that_the_broker_refuses_are_missing_from_those_owned():
    fresh = Rig()
    Declarations(fresh, "sms.lane.second")
    async with fresh.broker:
        with pytest.raises(Refused):
            await fresh.dispatcher.apply(ELSEWHERE)

        assert metrics.registry.get_sample_value("smsgw_lanes") == 2
        assert metrics.registry.get_sample_value("smsgw_lanes_owned") == 1
        assert metrics.registry.get_sample_value("smsgw_lanes_held") == 1


async def test_requests_are_read_only_when_the_lanes_that_they_go_to_are(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.shards._SHARDS_AT_A_TIME", 1)
    fresh, read = Rig(rig.clock), []
    consume = fresh.broker.consume

    async def watched(queue, handler, **options):
        read.append(queue)
        return await consume(queue, handler, **options)

    fresh.broker.consume = watched  # type: ignore[method-assign]
    async with fresh.broker:
        await fresh.dispatcher.apply(ELSEWHERE)

    assert read.index("sms.lane.cfg") < read.index("sms.outbound.acme")
    assert read.index("sms.lane.second") < read.index("sms.outbound.new")
    assert read[-1] == "sms.outbound"
