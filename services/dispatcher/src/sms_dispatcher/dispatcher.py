"""The dispatcher as a whole: its handlers joined to their queues, and kept in step with the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms_common import topology
from sms_common.broker import Broker
from sms_common.carriers.protocol import Carrier
from sms_common.configuration import DispatcherSnapshot
from sms_dispatcher.carrier_events import CarrierEvents
from sms_dispatcher.due import DueEntries
from sms_dispatcher.lanes import Lanes, StopSigns
from sms_dispatcher.ledger import Ledger
from sms_dispatcher.outbound import Outbound
from sms_dispatcher.sending import Sending
from sms_dispatcher.telling import Teller


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is worked on at a time, and how long a receipt is waited for."""

    outbound: int = 200
    carrier: int = 200
    lane: int = 64
    receipt_window: timedelta = timedelta(hours=100)


class Dispatcher:
    """Works once `start` was called and `follow` got a first snapshot. `snapshot` raises Unavailable while there is
    none.
    """

    def __init__(
        self,
        broker: Broker,
        ledger: Ledger,
        carriers: Mapping[str, Carrier],
        snapshot: Callable[[], DispatcherSnapshot],
        clock: Callable[[], datetime],
        limits: Limits,
    ) -> None:
        teller = Teller(broker)
        self._broker = broker
        self._limits = limits
        self._signs = StopSigns()
        self._sending = Sending(
            ledger, teller, carriers, snapshot, self._signs, clock, receipt_window=limits.receipt_window
        )
        self._lanes = Lanes(broker, self._sending.handle, self._signs, ledger, clock, prefetch=limits.lane)
        self._outbound = Outbound(ledger, teller, self._lanes, carriers, snapshot, clock)
        self._carrier_events = CarrierEvents(ledger, teller, snapshot, clock)
        self.due = DueEntries(ledger, self._lanes, teller, clock)

    async def start(self) -> None:
        """Begin to read the two work queues."""
        await self._broker.consume(topology.OUTBOUND, self._outbound.handle, prefetch=self._limits.outbound)
        await self._broker.consume(topology.CARRIER, self._carrier_events.handle, prefetch=self._limits.carrier)

    async def follow(self, snapshot: DispatcherSnapshot) -> None:
        """Declare the queues of each PBX and open a lane for each SMS configuration of `snapshot`. Raises
        Unavailable.
        """
        served: dict[str, list[str]] = {}
        for tenant in snapshot.tenants:
            served.setdefault(tenant.pbx_id, []).append(tenant.id)
        for pbx_id, tenant_ids in served.items():
            await self._broker.declare(topology.pbx(pbx_id, tenant_ids))
        config_ids = [config.id for config in snapshot.configs]
        await self._lanes.open_all([*config_ids, *snapshot.retired_config_ids])
        await self._lanes.open_bulk_lanes()
        for config_id in config_ids:
            # What stopped the lane may have been mended by this very change; if not, the next call stops it again.
            await self._signs.resume(config_id)
