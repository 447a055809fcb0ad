"""Keeps the dispatcher in step with the configuration: which queues there are, and what is read from them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

from sms_common import topology
from sms_common.broker import Broker
from sms_common.concurrency import gather_all
from sms_common.configuration import DEFAULT_PBX, DispatcherSnapshot, Tenant
from sms_common.errors import Refused
from sms_common.telemetry import metrics
from sms_dispatcher.carrier_events.handler import CarrierEventHandler
from sms_dispatcher.delivery.context import DispatchContext
from sms_dispatcher.fleet.membership import FleetMember
from sms_dispatcher.lanes.allowances import allowances
from sms_dispatcher.lanes.lanes import DECLARATIONS_AT_A_TIME, Lanes
from sms_dispatcher.shards import all_shards, count_lanes, refused


class Dispatcher:
    """Works once `start` was called and `apply` got a first snapshot."""

    def __init__(
        self,
        context: DispatchContext,
        broker: Broker,
        lanes: Lanes,
        fleet: FleetMember,
        carrier_events: CarrierEventHandler,
        *,
        carrier_prefetch: int,
    ) -> None:
        self._ledger = context.ledger
        self._carriers = context.carriers
        self._snapshot = context.snapshot
        self._broker = broker
        self._lanes = lanes
        self._fleet = fleet
        self._carrier_events = carrier_events
        self._carrier_prefetch = carrier_prefetch
        self._configured = asyncio.Event()
        self._declared: dict[str, topology.Topology] = {}

    async def start(self) -> None:
        """Start to read what carriers report, once there is a configuration. Requests and lanes are read as the fleet
        assigns them.
        """
        await self._configured.wait()
        await self._broker.consume(topology.CARRIER, self._carrier_events.handle, prefetch=self._carrier_prefetch)

    async def apply(self, snapshot: DispatcherSnapshot) -> None:
        """Declare the queues of each PBX, then use `snapshot` from now on.

        Raises Refused when the broker refused a part of that; the rest is done. Raises Unavailable when the broker or
        the store is away; call it again then.
        """
        unknown = await self._tenants_without_pbx()
        served = await self._pbxs_of_tenants(snapshot, unknown)
        refusals = [await refused(self._declare_pbxs(snapshot, served))]
        before, self._snapshot.latest = self._snapshot.latest, snapshot
        self._configured.set()
        changed = [config.id for config in snapshot.configs if before is None or before.config(config.id) != config]
        disabled = frozenset(config.id for config in snapshot.configs if not config.enabled)
        self._lanes.configure(allowances(snapshot, self._carriers), disabled, changed)
        former = await self._former_tenants(snapshot)
        refusals.append(await refused(self._declare_tenants(snapshot, former, served)))
        shards = all_shards(snapshot, former)
        metrics.lanes.set(count_lanes(shards))
        await self._fleet.set_shards(shards)
        refusals.append(await refused(self._unbind_other_pbxs(snapshot, unknown)))
        for refusal in filter(None, refusals):
            raise refusal

    async def _former_tenants(self, snapshot: DispatcherSnapshot) -> list[str]:
        """The deleted tenants. Their queues are still read. Raises Unavailable."""
        known = set(await self._ledger.tenants())
        present = {tenant.id for tenant in snapshot.tenants}
        await self._ledger.remember_tenants(present - known)
        return sorted(known - present)

    async def _pbxs_of_tenants(
        self, snapshot: DispatcherSnapshot, unknown: frozenset[str]
    ) -> Mapping[str, frozenset[str]]:
        """All PBXs that each tenant has ever had, the present one included. The bindings of the former ones have to be
        removed, also when the tenant moved while no dispatcher ran. Raises Unavailable.
        """
        known = await self._ledger.pbxs()
        found = {tenant.id: known.get(tenant.id, frozenset()) | {tenant.pbx_id} for tenant in snapshot.tenants}
        new = {id_: pbxs - known.get(id_, frozenset()) for id_, pbxs in found.items() if id_ not in unknown}
        await self._ledger.remember_pbxs({id_: pbxs for id_, pbxs in new.items() if pbxs})
        return {**known, **found}

    async def _tenants_without_pbx(self) -> frozenset[str]:
        """The tenants whose PBX was never recorded: older versions recorded none. Raises Unavailable."""
        return frozenset(await self._ledger.tenants()) - (await self._ledger.pbxs()).keys()

    async def _unbind_other_pbxs(self, snapshot: DispatcherSnapshot, unknown: frozenset[str]) -> None:
        """Remove what an older version may have bound: any PBX may have had any of these tenants. That is a lot of
        bindings, so it is done once and not repeated for every connection. Raises Refused, Unavailable.
        """
        all_pbxs = frozenset({DEFAULT_PBX, *(tenant.pbx_id for tenant in snapshot.tenants)})
        for tenant in snapshot.tenants:
            if tenant.id in unknown:
                await self._broker.ensure(topology.left_behind(tenant.id, sorted(all_pbxs - {tenant.pbx_id})))
                await self._ledger.remember_pbxs({tenant.id: [tenant.pbx_id]})

    async def _declare_tenants(
        self, snapshot: DispatcherSnapshot, former: Iterable[str], served: Mapping[str, frozenset[str]]
    ) -> None:
        present = {f"tenant {one.id}": _of_tenant(one, served[one.id]) for one in snapshot.tenants}
        gone = {f"tenant {id_}": topology.former_tenant(id_, sorted(served.get(id_, ()))) for id_ in former}
        await self._declare(present | gone)

    async def _declare_pbxs(self, snapshot: DispatcherSnapshot, served: Mapping[str, frozenset[str]]) -> None:
        tenants: defaultdict[str, list[str]] = defaultdict(list)
        moved: defaultdict[str, list[str]] = defaultdict(list)
        for tenant in snapshot.tenants:
            tenants[tenant.pbx_id].append(tenant.id)
            for pbx_id in sorted(served[tenant.id] - {tenant.pbx_id}):
                moved[pbx_id].append(tenant.id)
        wanted = {f"pbx {id_}": topology.pbx(id_, theirs, moved.pop(id_, ())) for id_, theirs in tenants.items()}
        # A PBX without tenants keeps what is in its queues.
        left = {
            f"pbx {id_}": topology.Topology(retired=topology.pbx(id_, (), theirs).retired)
            for id_, theirs in moved.items()
        }
        await self._declare(wanted | left)

    async def _declare(self, wanted: Mapping[str, topology.Topology]) -> None:
        """Declare what is new. When the broker refuses that, declare each owner's queues alone, so that one refusal
        does not stop the others. Raises Refused, Unavailable.
        """
        new = {owner: queues for owner, queues in wanted.items() if self._declared.get(owner) != queues}
        if not new:
            return
        try:
            await self._broker.declare(topology.joined(new.values()))
        except Refused:
            await gather_all((self._declare_one(*one) for one in new.items()), at_a_time=DECLARATIONS_AT_A_TIME)
        self._declared |= new

    async def _declare_one(self, owner: str, queues: topology.Topology) -> None:
        await self._broker.declare(queues)
        self._declared[owner] = queues


def _of_tenant(tenant: Tenant, pbxs: frozenset[str]) -> topology.Topology:
    return topology.tenant(tenant.id, tenant.pbx_id, sorted(pbxs - {tenant.pbx_id}))
