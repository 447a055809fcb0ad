"""A process reads the queues of requests that it owns, and no others."""

from typing import cast

import pytest

from sms_common import topology
from sms_common.broker import Delivery, Outgoing
from sms_common.testing.broker import FakeBroker
from sms_dispatcher.requests.handler import RequestHandler
from sms_dispatcher.requests.intake import RequestIntake

QUEUES = frozenset({topology.OUTBOUND, topology.outbound_queue("acme")})


class Handler:
    """What was read, and for which queues somebody waited until none of their requests was in flight."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.waited_for: list[str] = []

    async def handle(self, delivery: Delivery) -> None:
        self.read.append(delivery.queue)

    async def idle(self, queue: str) -> None:
        self.waited_for.append(queue)


@pytest.fixture
async def broker():
    async with FakeBroker() as broker:
        await broker.declare(
            topology.joined((topology.base(), topology.pbx("main", ["acme"]), topology.tenant("acme")))
        )
        yield broker


async def asked(broker: FakeBroker) -> None:
    for queue in sorted(QUEUES):
        await broker.publish(Outgoing(topology.DEFAULT_EXCHANGE, queue, b"{}", "", "m"))
    await broker.idle()


async def test_what_it_acquired_is_read_once_and_what_it_released_is_not(broker):
    handler = Handler()
    intake = RequestIntake(broker, cast("RequestHandler", handler), prefetch=1)
    await intake.acquire(QUEUES)
    await intake.acquire(QUEUES)
    await asked(broker)
    assert sorted(handler.read) == sorted(QUEUES)

    await intake.release(QUEUES - {topology.OUTBOUND})
    await asked(broker)

    assert handler.read.count(topology.OUTBOUND) == 2
    assert handler.read.count(topology.outbound_queue("acme")) == 1
    assert handler.waited_for == [topology.outbound_queue("acme")]


async def test_to_release_what_it_does_not_read_waits_for_nobody(broker):
    handler = Handler()

    await RequestIntake(broker, cast("RequestHandler", handler), prefetch=1).release(QUEUES)

    assert handler.waited_for == []
