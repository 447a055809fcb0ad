"""The dispatcher as a whole: its handlers joined to their queues, and kept in step with the configuration."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sms_common import topology
from sms_common.broker import Broker
from sms_common.carriers.protocol import Carrier
from sms_common.concurrency import gather_all
from sms_common.configuration import DEFAULT_PBX, DispatcherSnapshot, Tenant
from sms_common.errors import Refused
from sms_common.telemetry import metrics
from sms_dispatcher.carrier_events.handler import CarrierEventHandler
from sms_dispatcher.delivery.attempts import Patience
from sms_dispatcher.delivery.reconciling import Reconciler
from sms_dispatcher.delivery.scheduler import DueScheduler
from sms_dispatcher.delivery.sending import Sending
from sms_dispatcher.delivery.status_publisher import StatusPublisher
from sms_dispatcher.delivery.unrouted import UnroutedReturner
from sms_dispatcher.fleet.coordination import Coordination
from sms_dispatcher.fleet.membership import FleetMember
from sms_dispatcher.lanes.allowances import allowances
from sms_dispatcher.lanes.lanes import DECLARATIONS_AT_A_TIME, Lanes
from sms_dispatcher.ledger.ledger import Ledger
from sms_dispatcher.requests.handler import RequestHandler
from sms_dispatcher.requests.intake import RequestIntake

_MEASURE_SECONDS = 15.0
# What works for all tenants waits no longer than this for the queue of one PBX.
_WORK_OF_ALL_SECONDS = 5.0
_PIECES_AT_A_TIME = 400


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept in MongoDB: the messages, and what several dispatchers agree on."""

    ledger: Ledger
    coordination: Coordination

    async def prepare(self) -> None:
        """Read the database's time and make the indexes; safe to repeat. Raises Unavailable."""
        await self.ledger.set_clock()
        await self.ledger.prepare()
        await self.coordination.prepare()


@dataclass(frozen=True, slots=True)
class DispatcherLimits:
    """How much is worked on at a time, and how long a lost answer is waited for."""

    outbound: int = 200
    carrier: int = 200
    lane: int = 64
    patience: Patience = field(default_factory=Patience)


class Dispatcher:
    """Works once `start` was called and `follow` got a first snapshot. `member` names this process among the others;
    `clock` is the wall clock, `monotonic` counts seconds.
    """

    def __init__(
        self,
        broker: Broker,
        stores: Stores,
        carriers: Mapping[str, Carrier],
        clock: Callable[[], datetime],
        limits: DispatcherLimits,
        *,
        member: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        ledger, coordination = stores.ledger, stores.coordination
        self._stores = stores
        teller = StatusPublisher(broker)
        self._broker = broker
        self._carriers = carriers
        self._limits = limits
        self._snapshot: DispatcherSnapshot | None = None
        self._followed = asyncio.Event()
        self._declared: dict[str, topology.Topology] = {}
        self._pieces: Mapping[str, str] = {}
        self._monotonic = monotonic
        self._measure_at = 0.0
        window, first_look = limits.patience.receipt_window, limits.patience.first_look
        sending = Sending(ledger, teller, carriers, self._present, clock, receipt_window=window, first_look=first_look)
        self.lanes = Lanes(broker, sending, ledger, coordination, clock, monotonic, prefetch=limits.lane)
        self._outbound = RequestHandler(ledger, teller, self.lanes, carriers, self._present, clock)
        self._intake = RequestIntake(broker, self._outbound, limits.outbound)
        hasty = StatusPublisher(broker, within=_WORK_OF_ALL_SECONDS)
        self._carrier_events = CarrierEventHandler(ledger, hasty, self._present, clock, receipt_window=window)
        reconciler = Reconciler(ledger, teller, carriers, self._present, clock, limits.patience)
        self.due = DueScheduler(ledger, self.lanes, hasty, reconciler, clock)
        self.strays = UnroutedReturner(broker)
        broker.on_restored(self.strays.look)
        self.fleet = FleetMember(member, coordination, self, lambda: broker.why_away() is None, monotonic)

    @property
    def snapshot(self) -> DispatcherSnapshot | None:
        """The configuration that requests are worked by now; None before the first."""
        return self._snapshot

    def _present(self) -> DispatcherSnapshot:
        """The configuration of this moment; nothing is read from a queue before the first one."""
        assert self._snapshot is not None
        return self._snapshot

    async def start(self) -> None:
        """Begin to read what carriers say, once there is a configuration. The rest comes with its share of the work."""
        await self._followed.wait()
        await self._broker.consume(topology.CARRIER, self._carrier_events.handle, prefetch=self._limits.carrier)

    async def follow(self, snapshot: DispatcherSnapshot) -> None:
        """Declare the queues of each PBX, then work by `snapshot`, on this process's share of the lanes.

        Raises Refused when the broker refused a part of that, and has done the rest; Unavailable when broker or store
        are away, and it has to be called again.
        """
        unknown = await self._of_older_versions()
        served = await self._served(snapshot, unknown)
        trouble = [await _refused(self._serve_pbxs(snapshot, served))]
        before, self._snapshot = self._snapshot, snapshot
        self._followed.set()
        changed = [config.id for config in snapshot.configs if before is None or before.config(config.id) != config]
        off = frozenset(config.id for config in snapshot.configs if not config.enabled)
        self.lanes.follow(allowances(snapshot, self._carriers), off, changed)
        former = await self._former_tenants(snapshot)
        trouble.append(await _refused(self._serve_tenants(snapshot, former, served)))
        self._pieces = _pieces(snapshot, former)
        metrics.lanes.set(sum(not topology.is_outbound(piece) for piece in self._pieces))
        await self.fleet.follow(self._pieces)
        trouble.append(await _refused(self._take_back(snapshot, unknown)))
        for refusal in filter(None, trouble):
            raise refusal

    async def _former_tenants(self, snapshot: DispatcherSnapshot) -> list[str]:
        """The tenants that are no more, whose queues are still read. Raises Unavailable."""
        known = set(await self._stores.ledger.tenants())
        present = {tenant.id for tenant in snapshot.tenants}
        await self._stores.ledger.remember_tenants(present - known)
        return sorted(known - present)

    async def _served(self, snapshot: DispatcherSnapshot, unknown: frozenset[str]) -> Mapping[str, frozenset[str]]:
        """All PBXs that each tenant is known to ever have had, the present one included: what the others were given has
        to be taken from them, also when the tenant moved while no dispatcher ran. Raises Unavailable.
        """
        known = await self._stores.ledger.pbxs()
        found = {tenant.id: known.get(tenant.id, frozenset()) | {tenant.pbx_id} for tenant in snapshot.tenants}
        new = {id_: pbxs - known.get(id_, frozenset()) for id_, pbxs in found.items() if id_ not in unknown}
        await self._stores.ledger.remember_pbxs({id_: pbxs for id_, pbxs in new.items() if pbxs})
        return {**known, **found}

    async def _of_older_versions(self) -> frozenset[str]:
        """The tenants of whom no PBX was noted yet, as none was by older versions. Raises Unavailable."""
        return frozenset(await self._stores.ledger.tenants()) - (await self._stores.ledger.pbxs()).keys()

    async def _take_back(self, snapshot: DispatcherSnapshot, unknown: frozenset[str]) -> None:
        """Any PBX may have had a tenant of an older version. So many bindings are unbound once, and not remembered for
        every connection. Raises Refused, Unavailable.
        """
        all_pbxs = frozenset({DEFAULT_PBX, *(tenant.pbx_id for tenant in snapshot.tenants)})
        for tenant in snapshot.tenants:
            if tenant.id in unknown:
                await self._broker.ensure(topology.left_behind(tenant.id, sorted(all_pbxs - {tenant.pbx_id})))
                await self._stores.ledger.remember_pbxs({tenant.id: [tenant.pbx_id]})

    async def _serve_tenants(
        self, snapshot: DispatcherSnapshot, former: Iterable[str], served: Mapping[str, frozenset[str]]
    ) -> None:
        present = {f"tenant {one.id}": _of_tenant(one, served[one.id]) for one in snapshot.tenants}
        gone = {f"tenant {id_}": topology.former_tenant(id_, sorted(served.get(id_, ()))) for id_ in former}
        await self._declare(present | gone)

    # -- this process's share of the work, as the fleet asks for it

    async def hold(self, work: frozenset[str]) -> None:
        """See Work.hold. Tenant after tenant, so that the first does not wait for the last of a thousand."""
        refusal: Refused | None = None
        for some in _portions(work, self._pieces):
            refusal = await _refused(self._hold(some)) or refusal
        if refusal is not None:
            raise refusal

    async def _hold(self, work: Sequence[str]) -> None:
        """Lanes first: what the intake takes can then leave at once."""
        lanes = frozenset(piece for piece in work if not topology.is_outbound(piece))
        refusal = await _refused(self.lanes.hold(lanes))
        metrics.lanes_held.set(len(self.lanes.held))
        await self.lanes.find_empty()
        await self._intake.hold(frozenset(work) - lanes)
        if refusal is not None:
            raise refusal

    async def drop(self, work: frozenset[str]) -> None:
        """See Work.drop."""
        lanes = frozenset(piece for piece in work if not topology.is_outbound(piece))
        await self._intake.drop(work - lanes)
        await self.lanes.drop(lanes)
        metrics.lanes_held.set(len(self.lanes.held))

    async def look(self) -> None:
        """See Work.look."""
        await self.lanes.read_bulk_lanes()
        await self.lanes.find_empty()
        if self._monotonic() >= self._measure_at:
            self._measure_at = self._monotonic() + _MEASURE_SECONDS
            await self.lanes.measure()

    async def _serve_pbxs(self, snapshot: DispatcherSnapshot, served: Mapping[str, frozenset[str]]) -> None:
        tenants: defaultdict[str, list[str]] = defaultdict(list)
        moved: defaultdict[str, list[str]] = defaultdict(list)
        for tenant in snapshot.tenants:
            tenants[tenant.pbx_id].append(tenant.id)
            for pbx_id in sorted(served[tenant.id] - {tenant.pbx_id}):
                moved[pbx_id].append(tenant.id)
        wanted = {f"pbx {id_}": topology.pbx(id_, theirs, moved.pop(id_, ())) for id_, theirs in tenants.items()}
        # A PBX that serves nobody any more keeps what lies in its queues.
        left = {
            f"pbx {id_}": topology.Topology(retired=topology.pbx(id_, (), theirs).retired)
            for id_, theirs in moved.items()
        }
        await self._declare(wanted | left)

    async def _declare(self, wanted: Mapping[str, topology.Topology]) -> None:
        """Declare those of whom it was not done yet, and when the broker refuses, those whom it does not refuse. Raises
        Unavailable.
        """
        new = {whom: queues for whom, queues in wanted.items() if self._declared.get(whom) != queues}
        if not new:
            return
        try:
            await self._broker.declare(topology.joined(new.values()))
        except Refused:
            await gather_all((self._declare_one(*one) for one in new.items()), at_a_time=DECLARATIONS_AT_A_TIME)
        self._declared |= new

    async def _declare_one(self, whom: str, queues: topology.Topology) -> None:
        await self._broker.declare(queues)
        self._declared[whom] = queues


def _of_tenant(tenant: Tenant, pbxs: frozenset[str]) -> topology.Topology:
    return topology.tenant(tenant.id, tenant.pbx_id, sorted(pbxs - {tenant.pbx_id}))


async def _refused(work: Awaitable[None]) -> Refused | None:
    """Do `work`; returns what was refused of it, which must not keep everything else waiting. Raises Unavailable."""
    try:
        await work
    except Refused as error:
        return error
    return None


def _portions(work: Iterable[str], groups: Mapping[str, str]) -> list[list[str]]:
    """The work in portions, tenant after tenant, each in one. Last what belongs to none: what is read for everyone may
    need any lane.
    """
    by_tenant: defaultdict[str, list[str]] = defaultdict(list)
    for piece in sorted(work):
        by_tenant[groups.get(piece, "")].append(piece)
    shared = by_tenant.pop("", [])
    portions: list[list[str]] = [[]]
    for pieces in by_tenant.values():
        if len(portions[-1]) + len(pieces) > _PIECES_AT_A_TIME:
            portions.append([])
        portions[-1] += pieces
    return [portion for portion in (*portions, shared) if portion]


def _pieces(snapshot: DispatcherSnapshot, former: list[str]) -> dict[str, str]:
    """All the work there is: each lane and each tenant's requests, in the group of their tenant."""
    pieces = {topology.OUTBOUND: ""} | {topology.outbound_queue(id_): id_ for id_ in former}
    pieces |= {topology.outbound_queue(tenant.id): tenant.id for tenant in snapshot.tenants}
    pieces |= {config.id: config.tenant_id for config in snapshot.configs}
    return pieces | dict.fromkeys(snapshot.retired_config_ids, "")
