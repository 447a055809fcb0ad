"""A dispatcher with a broker, a ledger and a carrier in memory, and a clock the test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Unavailable
from sms_common.events import Event, InboundEvent, LaneEntry, StatusEvent
from sms_common.testing.broker import FakeBroker
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.main import DispatcherLimits, Stores, build_dispatcher
from tests.dispatcher.builders import NOW, request, snapshot
from tests.dispatcher.memory_coordination import MemoryCoordination
from tests.dispatcher.memory_ledger import MemoryLedger


class Clock:
    """The time, until the test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Rig:
    """What a test touches: what the PBX and ingress publish, and what the PBX reads."""

    def __init__(
        self,
        clock: Clock | None = None,
        ledger: MemoryLedger | None = None,
        coordination: MemoryCoordination | None = None,
        member: str = "first",
        broker: FakeBroker | None = None,
        lane: int = 64,
    ) -> None:
        self.clock = clock or Clock()
        self.monotonic = 0.0
        self.broker = broker or FakeBroker()
        self.ledger = ledger or MemoryLedger(self.clock, timedelta(days=90))
        self.carrier = FakeCarrier()
        self.coordination = coordination or MemoryCoordination(lambda: self.monotonic)
        parts = build_dispatcher(
            self.broker,
            Stores(self.ledger, self.coordination),
            {"fake": self.carrier},
            self.clock,
            DispatcherLimits(lane=lane),
            member=member,
            monotonic=lambda: self.monotonic,
        )
        self.dispatcher, self.snapshot, self.lanes = parts.dispatcher, parts.snapshot, parts.lanes
        self.fleet, self.scheduler, self.unrouted = parts.fleet, parts.scheduler, parts.unrouted

    async def start(self, first: DispatcherSnapshot) -> None:
        await self.dispatcher.apply(first)
        await self.dispatcher.start()

    async def use(self, changed: DispatcherSnapshot) -> None:
        await self.dispatcher.apply(changed)

    def seconds_stopped(self, config_id: str) -> float:
        return self.lanes.owned[config_id].breaker.seconds_left

    async def publish(
        self, body: Any, *, key: str = "sms.outbound.acme", type_: str = "", exchange: str = topology.SMS
    ):
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        await self.broker.publish(Outgoing(exchange, key, raw, type_, "pbx-1"))
        await self.idle()

    async def ask(self, **changes: Any) -> None:
        """Publish a request and do not wait for what becomes of it."""
        asked = request(**changes)
        await self.broker.publish(
            Outgoing(topology.SMS, topology.outbound_key(asked.tenant_id), asked.encode(), "", "p")
        )

    async def send(self, **changes: Any) -> None:
        asked = request(**changes)
        await self.publish(asked.encode(), key=topology.outbound_key(asked.tenant_id))

    async def carrier_says(self, event: Event, carrier: str = "fake", config_id: str = "cfg") -> None:
        await self.publish(event.encode(), key=topology.carrier_key(carrier, config_id), type_=event.TYPE)

    async def let_pass(self, seconds: float) -> None:
        """Let time pass while the scheduler does not run."""
        self.clock.now += timedelta(seconds=seconds)
        self.broker.advance(seconds)
        await self.idle()

    async def pass_time(self, seconds: float) -> None:
        await self.let_pass(seconds)
        with suppress(Unavailable):
            await self.work()
        await self.idle()

    async def work(self) -> int:
        """Let the scheduler work on what is due, and return once what has ended is published."""
        try:
            return await self.scheduler.work()
        finally:
            if self.scheduler.publishing:
                await asyncio.wait(self.scheduler.publishing)

    async def idle(self) -> None:
        """Return once nothing is read from a queue and nothing is being sent."""
        await self.broker.idle()
        sending = [task for lane in self.lanes.owned.values() for task in lane.fast_path.sending]
        sending += self.scheduler.reconciling | self.scheduler.publishing
        if sending:
            await asyncio.wait(sending)
            await self.idle()

    def statuses(self, message_id: str | None = None) -> list[StatusEvent]:
        waiting = self.broker.waiting("pbx.main.status")
        events = [StatusEvent.model_validate_json(d.body) for d in waiting]
        return [e for e in events if message_id in {None, e.message_id}]

    def story(self, message_id: str | None = None) -> list[str]:
        return [event.status.value for event in self.statuses(message_id)]

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.statuses()) < count:  # noqa: ASYNC110  # the broker in memory announces nothing
                await asyncio.sleep(0)

    def use_the_queue(self) -> None:
        """Keep the dispatcher from learning that a lane's queue is empty."""

        async def learn_nothing() -> None:
            pass

        self.lanes.find_empty_queues = learn_nothing  # type: ignore[method-assign]

    def lose_lane_entries(self) -> None:
        """What is put into a lane or waits to come back to one vanishes, as when somebody purges the queue."""
        publish = self.broker.publish

        async def lose_some(message: Outgoing) -> None:
            if message.type != LaneEntry.TYPE:
                await publish(message)

        self.broker.publish = lose_some  # type: ignore[method-assign]

    def inbound(self) -> list[InboundEvent]:
        return [InboundEvent.model_validate_json(d.body) for d in self.broker.waiting("pbx.main.inbound")]

    def dead(self) -> list[str]:
        return [str(d.headers["x-code"]) for d in self.broker.waiting("sms.dead")]


@pytest.fixture(params=["at once", "through the queue"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A dispatcher that sends what can leave at once without the lane's queue, or one that does not know that the queue
    is empty and therefore uses it.
    """
    rig = Rig()
    if request.param == "through the queue":
        rig.use_the_queue()
    async with rig.broker:
        await rig.start(snapshot())
        yield rig
