"""The work that dispatchers share, in shards: each lane is one, and each queue of requests."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping

from sms_common import topology
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Refused
from sms_common.telemetry import metrics
from sms_dispatcher.lanes.lanes import Lanes
from sms_dispatcher.requests.intake import RequestIntake

_MEASURE_SECONDS = 15.0
_SHARDS_AT_A_TIME = 400


def all_shards(snapshot: DispatcherSnapshot, former_tenants: Collection[str]) -> dict[str, str]:
    """Every shard with its group, which is its tenant. A shard that belongs to no tenant has the group ''."""
    shards = {topology.OUTBOUND: ""} | {topology.outbound_queue(id_): id_ for id_ in former_tenants}
    shards |= {topology.outbound_queue(tenant.id): tenant.id for tenant in snapshot.tenants}
    shards |= {config.id: config.tenant_id for config in snapshot.configs}
    return shards | dict.fromkeys(snapshot.retired_config_ids, "")


def count_lanes(shards: Collection[str]) -> int:
    """How many of these shards are lanes."""
    return sum(not topology.is_outbound(shard) for shard in shards)


class ShardReader:
    """Reads the queues of the shards that this process owns."""

    def __init__(self, lanes: Lanes, intake: RequestIntake, clock: Callable[[], float] = time.monotonic) -> None:
        self._lanes = lanes
        self._intake = intake
        self._clock = clock
        self._measure_at = 0.0

    async def acquire(self, shards: Mapping[str, str]) -> None:
        """Start to read these shards, given with their groups. Raises Unavailable when one of them could not be read;
        all others are. It goes tenant by tenant, so that the first does not wait for the last of a thousand.
        """
        refusal: Refused | None = None
        for portion in _portions(shards):
            refusal = await refused(self._acquire(portion)) or refusal
        if refusal is not None:
            raise refusal

    async def _acquire(self, shards: Collection[str]) -> None:
        """Lanes come first: the requests that are read next can then be sent at once."""
        lanes = _lanes_of(shards)
        refusal = await refused(self._lanes.acquire(lanes))
        self._publish_count()
        await self._lanes.find_empty_queues()
        await self._intake.acquire(frozenset(shards) - lanes)
        if refusal is not None:
            raise refusal

    async def release(self, shards: frozenset[str]) -> None:
        """Stop reading these shards. Returns when nothing of them is in flight."""
        lanes = _lanes_of(shards)
        await self._intake.release(shards - lanes)
        await self._lanes.release(lanes)
        self._publish_count()

    async def refresh(self) -> None:
        """Find out what has changed about the shards that are read. Raises Unavailable."""
        await self._lanes.read_bulk_lanes()
        await self._lanes.find_empty_queues()
        if self._clock() >= self._measure_at:
            self._measure_at = self._clock() + _MEASURE_SECONDS
            await self._lanes.measure_backlogs()

    def _publish_count(self) -> None:
        for gauge in (metrics.lanes_owned, metrics.lanes_held):
            gauge.set(len(self._lanes.owned))


async def refused(work: Awaitable[None]) -> Refused | None:
    """Do `work` and return what the broker refused of it, so that the caller can go on with the rest. Raises
    Unavailable.
    """
    try:
        await work
    except Refused as error:
        return error
    return None


def _lanes_of(shards: Collection[str]) -> frozenset[str]:
    return frozenset(shard for shard in shards if not topology.is_outbound(shard))


def _portions(shards: Mapping[str, str]) -> list[list[str]]:
    """The shards in portions. Those of one tenant are in one portion. Those of no tenant come last: requests of the
    shared queue may need any lane.
    """
    by_tenant: defaultdict[str, list[str]] = defaultdict(list)
    for shard in sorted(shards):
        by_tenant[shards[shard]].append(shard)
    shared = by_tenant.pop("", [])
    portions: list[list[str]] = [[]]
    for of_tenant in by_tenant.values():
        if len(portions[-1]) + len(of_tenant) > _SHARDS_AT_A_TIME:
            portions.append([])
        portions[-1] += of_tenant
    return [portion for portion in (*portions, shared) if portion]
