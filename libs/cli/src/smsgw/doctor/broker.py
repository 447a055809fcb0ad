"""Checks RabbitMQ: connection, missing exchanges and queues, queues without readers, backlogs, parked messages."""

from collections.abc import Iterable, Mapping, Sequence

from sms_common.broker import QueueCounts
from sms_common.configuration import DEFAULT_PBX
from sms_common.errors import GatewayError
from sms_common.topology import (
    CARRIER,
    DEAD,
    OUTBOUND,
    REFUSED,
    UNROUTED,
    Queue,
    Topology,
    base,
    lane,
    pbx,
    pbx_inbound_queue,
    pbx_status_queue,
    tenant,
)
from smsgw.access.gateway import Gateway
from smsgw.doctor.findings import Finding, Level, fail, ok, warn
from smsgw.terminal.output import counted
from smsgw.terminal.running import Failure

_BACKLOG = 1_000


async def findings(
    access: Gateway, config_ids: Iterable[str], tenant_ids: Iterable[str], pbx_ids: Iterable[str]
) -> list[Finding]:
    """Check the broker, the lanes of these SMS configurations, and the queues of these tenants and PBXs."""
    pbx_ids = sorted({DEFAULT_PBX, *pbx_ids})
    lanes = [queue for config_id in config_ids for queue in lane(config_id).queues]
    requests = [queue for tenant_id in tenant_ids for queue in tenant(tenant_id).queues]
    shared = [queue for topology in (base(), *(pbx(pbx_id, ()) for pbx_id in pbx_ids)) for queue in topology.queues]
    queues = {queue.name: queue for queue in (*shared, *lanes, *requests)}
    exchanges = {one.name: one for part in (base(), *(pbx(id_, ()) for id_ in pbx_ids)) for one in part.exchanges}
    topology = Topology(exchanges=tuple(exchanges.values()), queues=tuple(queues.values()))
    try:
        async with access.broker() as broker:
            survey = await broker.survey(topology)
            blocked = broker.check()
    except (Failure, GatewayError) as failure:
        said = failure.reason if isinstance(failure, GatewayError) else str(failure)
        return [fail("broker", said, "Start RabbitMQ, or correct SMSGW_AMQP_URL (user, password, host, vhost).")]
    found = [ok("broker", "connected") if blocked is None else fail("broker", blocked, "Free memory or disk there.")]
    found.append(_topology(survey.missing, lanes, requests))
    found += [_reader(name, survey.queues.get(name)) for name in (OUTBOUND, CARRIER)]
    found += [_parked(name, command, survey.queues.get(name)) for name, command in _PARKING.items()]
    found += _refused(survey.queues.get(REFUSED))
    found += [finding for pbx_id in pbx_ids for finding in _pbx(pbx_id, survey.queues)]
    found += _requests(requests, survey.queues)
    found += _lanes(lanes, survey.queues)
    return found


_PARKING = {DEAD: "dead-letters", UNROUTED: "unrouted"}


def _topology(missing: Iterable[str], *told_apart: Iterable[Queue]) -> Finding:
    """Name what is missing, except queues that have findings of their own."""
    apart = {queue.name for queues in told_apart for queue in queues}
    absent = [name for name in missing if name not in apart]
    if absent:
        return fail(
            "topology", f"missing: {', '.join(absent)}", "Start the dispatcher; each service declares it at its start."
        )
    return ok("topology", "all exchanges and queues are there")


def _reader(queue: str, counts: QueueCounts | None) -> Finding:
    if counts is None:
        return fail(queue, "does not exist", "Start the dispatcher.")
    if not counts.consumers:
        return fail(
            queue,
            f"nobody reads it, {_waiting(counts)}",
            "Start the dispatcher, or see why it is not ready.",
        )
    if counts.waiting > _BACKLOG:
        return warn(queue, _waiting(counts), "Run more dispatchers, or check MongoDB's speed.")
    return ok(queue, f"{counted(counts.consumers, 'reader')}, {_waiting(counts)}")


def _parked(queue: str, command: str, counts: QueueCounts | None) -> Finding:
    if counts is None:
        return fail(queue, "does not exist", "Start the dispatcher.")
    if counts.waiting:
        return warn(queue, f"{counted(counts.waiting, 'message')} there", f"See why: smsgw {command} list")
    return ok(queue, "empty")


def _refused(counts: QueueCounts | None) -> Iterable[Finding]:
    if counts is not None and counts.waiting:
        yield warn(
            REFUSED,
            f"{counted(counts.waiting, 'message')} there: a PBX asks for tenants that are not its own",
            "Give the tenant that PBX, or correct the PBX; then purge the queue: nothing in it is ever sent.",
        )


def _pbx(pbx_id: str, queues: Mapping[str, QueueCounts]) -> Iterable[Finding]:
    for queue in (pbx_inbound_queue(pbx_id), pbx_status_queue(pbx_id)):
        counts = queues.get(queue)
        if counts is None:
            continue  # named as missing already
        if not counts.consumers:
            yield warn(queue, f"no PBX reads it, {_waiting(counts)}", "Connect the PBX; nothing is lost until then.")
        else:
            yield ok(queue, f"read by the PBX, {_waiting(counts)}")


def _waiting(counts: QueueCounts) -> str:
    return f"{counted(counts.waiting, 'message')} waiting"


def _requests(requests: Sequence[Queue], queues: Mapping[str, QueueCounts]) -> Iterable[Finding]:
    """Check the queues in which tenants' requests wait."""
    found = [_reader(queue.name, queues.get(queue.name)) for queue in requests]
    troubles = [finding for finding in found if finding.level is not Level.OK]
    if requests and not troubles:
        yield ok("requests", f"those of {counted(len(requests), 'tenant')} read, no backlog")
    yield from troubles


def _lanes(lanes: Sequence[Queue], queues: Mapping[str, QueueCounts]) -> Iterable[Finding]:
    troubles = [trouble for queue in lanes if (trouble := _lane(queue.name, queues))]
    if lanes and not troubles:
        yield ok("lanes", f"{counted(len(lanes), 'lane')} read, no backlog")
    yield from troubles


def _lane(name: str, queues: Mapping[str, QueueCounts]) -> Finding | None:
    counts = queues.get(name)
    if counts is None or not counts.consumers:
        do = "See whether the dispatcher is ready and has the configuration."
        return fail(name, "no dispatcher reads this lane", do)
    if counts.waiting > _BACKLOG:
        return warn(name, _waiting(counts), "The rate that the carrier allows is the limit; ask it for a higher one.")
    return None
