"""What the doctor finds at RabbitMQ."""

from collections.abc import Mapping

import pytest

from sms_common.broker import Outgoing, QueueCounts, Survey
from sms_common.testing.broker import FakeBroker
from sms_common.topology import (
    CARRIER,
    DEAD,
    OUTBOUND,
    REFUSED,
    UNROUTED,
    Topology,
    lane_queue,
    outbound_queue,
    tenant,
)
from tests.cli.doctor.conftest import TENANT, Gateway

pytestmark = pytest.mark.loopback


class Surveyed(FakeBroker):
    """A broker with these queues."""

    def __init__(self, queues: Mapping[str, QueueCounts]) -> None:
        super().__init__()
        self._counts = queues

    async def survey(self, topology: Topology) -> Survey:
        return Survey((), self._counts)


async def test_what_a_pbx_asks_for_tenants_that_are_not_its_own_is_named(gateway: Gateway):
    assert REFUSED not in await gateway.examined()
    await gateway.broker.publish(Outgoing("pbx.main.requests", "sms.outbound.somebody", b"{}", "t", "m"))
    assert (await gateway.examined())[REFUSED][0] == "warn"


async def test_a_bare_broker_has_neither_topology_nor_readers(gateway: Gateway):
    gateway.broker = FakeBroker(Topology())
    found = await gateway.examined()
    assert found["topology"][0] == "fail"
    assert "sms.retry.1s" in found["topology"][1]
    assert "pbx.main.requests" in found["topology"][1]
    for queue in (OUTBOUND, CARRIER, DEAD, UNROUTED):
        assert found[queue][:2] == ("fail", "does not exist")


async def test_queues_without_readers_are_named(gateway: Gateway):
    gateway.broker = FakeBroker()
    await gateway.broker.publish(Outgoing("sms", "sms.outbound.acme", b"{}", "t", "m"))
    found = await gateway.examined()
    assert found[OUTBOUND] == (
        "fail",
        "nobody reads it, 1 message waiting",
        "Start the dispatcher, or see why it is not ready.",
    )
    assert found["pbx.main.status"][0] == "warn"
    assert found[lane_queue("c1")][0] == "fail"


async def test_backlogs_are_named():
    busy = {OUTBOUND: QueueCounts(5_000, 1), CARRIER: QueueCounts(5, 1), lane_queue("c1"): QueueCounts(5_000, 1)}
    gateway = Gateway(broker=Surveyed(busy))
    found = await gateway.examined()
    assert found[OUTBOUND][:2] == ("warn", "5000 messages waiting")
    assert found[lane_queue("c1")][:2] == ("warn", "5000 messages waiting")
    assert found[CARRIER][:2] == ("ok", "1 reader, 5 messages waiting")


async def test_a_tenants_requests_are_looked_at(gateway: Gateway):
    gateway.tenants = [TENANT, {**TENANT, "id": "unread"}, {**TENANT, "id": "absent"}]
    await gateway.broker.declare(tenant("unread"))
    await gateway.broker.publish(Outgoing("sms", "sms.outbound.unread", b"{}", "t", "m"))
    found = await gateway.examined()
    assert found["sms.outbound.unread"][:2] == ("fail", "nobody reads it, 1 message waiting")
    assert found["sms.outbound.absent"][:2] == ("fail", "does not exist")
    assert "sms.outbound.acme" not in found
    assert "requests" not in found
    assert found["topology"][0] == "ok"


async def test_a_backlog_of_requests_is_named():
    read = {outbound_queue("acme"): QueueCounts(1_001, 1), outbound_queue("second"): QueueCounts(1_000, 1)}
    gateway = Gateway(broker=Surveyed(read), tenants=[TENANT, {**TENANT, "id": "second"}])
    found = await gateway.examined()
    assert found["sms.outbound.acme"][:2] == ("warn", "1001 messages waiting")
    assert "sms.outbound.second" not in found


async def test_a_broker_with_an_alarm_is_named(gateway: Gateway):
    gateway.broker.blocked = True
    assert (await gateway.examined())["broker"][:2] == ("fail", "the broker blocks publishers")
