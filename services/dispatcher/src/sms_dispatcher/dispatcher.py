"""The dispatcher as a whole: its handlers joined to their queues, and kept in step with the configuration."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms_common import topology
from sms_common.broker import Broker
from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Unavailable
from sms_dispatcher.carrier_events import CarrierEvents
from sms_dispatcher.due import DueEntries
from sms_dispatcher.lanes import Lanes, StopSigns
from sms_dispatcher.ledger import Ledger
from sms_dispatcher.outbound import Outbound
from sms_dispatcher.sending import Sending
from sms_dispatcher.telling import Teller
from sms_dispatcher.together import together


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is worked on at a time, and how long a receipt is waited for."""

    outbound: int = 200
    carrier: int = 200
    lane: int = 64
    receipt_window: timedelta = timedelta(hours=100)


class Dispatcher:
    """Works once `start` was called and `follow` got a first snapshot. `clock` is the wall clock, `monotonic` counts
    seconds.
    """

    def __init__(
        self,
        broker: Broker,
        ledger: Ledger,
        carriers: Mapping[str, Carrier],
        clock: Callable[[], datetime],
        limits: Limits,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        teller = Teller(broker)
        self._broker = broker
        self._limits = limits
        self._snapshot: DispatcherSnapshot | None = None
        self._followed = asyncio.Event()
        self._declared: dict[str, topology.Topology] = {}
        self._signs = StopSigns(monotonic)
        self._sending = Sending(
            ledger, teller, carriers, self._present, self._signs, clock, receipt_window=limits.receipt_window
        )
        self._lanes = Lanes(broker, self._sending.handle, self._signs, ledger, clock, prefetch=limits.lane)
        self._outbound = Outbound(ledger, teller, self._lanes, carriers, self._present, clock)
        self._carrier_events = CarrierEvents(ledger, teller, self._present, clock, receipt_window=limits.receipt_window)
        self.due = DueEntries(ledger, self._lanes, teller, clock)

    def _present(self) -> DispatcherSnapshot:
        """The configuration of this moment; nothing is read from a queue before the first one."""
        assert self._snapshot is not None
        return self._snapshot

    async def start(self) -> None:
        """Begin to read the two work queues, once there is a configuration."""
        await self._followed.wait()
        await self._broker.consume(topology.OUTBOUND, self._outbound.handle, prefetch=self._limits.outbound)
        await self._broker.consume(topology.CARRIER, self._carrier_events.handle, prefetch=self._limits.carrier)

    async def follow(self, snapshot: DispatcherSnapshot) -> None:
        """Declare the queues of each PBX, then work by `snapshot` and open a lane for each SMS configuration.

        Raises Unavailable when the broker took not all of that, and has done the rest.
        """
        refusal: Unavailable | None = None
        try:
            await self._serve_pbxs(snapshot)
        except Unavailable as error:
            refusal = error  # one PBX that declared its queue differently must not keep all the others waiting
        before, self._snapshot = self._snapshot, snapshot
        self._followed.set()
        for config in snapshot.configs:
            if before is not None and before.config(config.id) != config:
                # What stopped the lane may have been mended by this very change; if not, the next call stops it again.
                await self._signs.resume(config.id)
        config_ids = [*(config.id for config in snapshot.configs), *snapshot.retired_config_ids]
        await together((self._lanes.open_all(config_ids), self._lanes.open_bulk_lanes()))
        if refusal is not None:
            raise refusal

    async def leave(self) -> None:
        """Give back what waits for a stopped lane, so that stopping to read the queues need not wait for it."""
        await self._signs.take_down()

    async def _serve_pbxs(self, snapshot: DispatcherSnapshot) -> None:
        served: dict[str, list[str]] = {}
        for tenant in snapshot.tenants:
            served.setdefault(tenant.pbx_id, []).append(tenant.id)
        await together(self._serve_pbx(pbx_id, topology.pbx(pbx_id, ids)) for pbx_id, ids in served.items())

    async def _serve_pbx(self, pbx_id: str, queues: topology.Topology) -> None:
        if self._declared.get(pbx_id) != queues:
            await self._broker.declare(queues)
            self._declared[pbx_id] = queues
