"""The exchanges, queues, bindings and routing keys of the gateway, as values. The only place where such a name is
written.

`python -m sms_common.topology` prints the tables of docs/events.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sms_common.configuration import DEFAULT_PBX
from sms_common.messages import Status
from sms_common.phone import digits

Arguments = Mapping[str, str | int | bool]

# Stops a message that kills its reader again and again; far above the crashes of a healthy day. Always positive,
# since -1 means "drop at the first requeue" on RabbitMQ 3.10 and "no limit" on 4.x.
DELIVERY_LIMIT = 20
# People read these queues and put messages back. They have no dead-letter exchange, so they must never reach a limit.
PARKED_DELIVERY_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange. Messages that it cannot route go to the exchange named `alternate`."""

    name: str
    kind: Literal["topic", "fanout", "direct"]
    purpose: str
    alternate: str | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue. `arguments` are those besides its type."""

    name: str
    purpose: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue gets what is published to an exchange under a key (`#` and `*` as in AMQP topics)."""

    exchange: str
    queue: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """An exchange gets what is published to another exchange under a key."""

    source: str
    destination: str
    key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """What one process declares, in an order in which each thing exists before another refers to it. Last, the retired
    bindings are removed.
    """

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()
    forwardings: tuple[Forwarding, ...] = ()
    retired: tuple[Binding, ...] = ()


def joined(topologies: Iterable[Topology]) -> Topology:
    """All of these as one topology, which is declared at once."""
    parts = tuple(topologies)
    return Topology(
        tuple(exchange for part in parts for exchange in part.exchanges),
        tuple(queue for part in parts for queue in part.queues),
        tuple(binding for part in parts for binding in part.bindings),
        tuple(forwarding for part in parts for forwarding in part.forwardings),
        tuple(binding for part in parts for binding in part.retired),
    )


@dataclass(frozen=True, slots=True)
class Rung:
    """One delay of the retry ladder: an exchange, and a queue behind it. A message expires there after `seconds` and
    goes back, through the exchange `sms.back`, to the queue that its routing key names.
    """

    seconds: int
    name: str

    @property
    def queue(self) -> str:
        """The queue's name. In older versions it was the exchange's name. There, messages for a deleted queue stayed
        for ever, and 32 of them stopped all others.
        """
        return self.name.replace("sms.retry.", "sms.wait.")


DEFAULT_EXCHANGE = ""
SMS = "sms"
UNROUTED = "sms.unrouted"
DEAD = "sms.dead"
OUTBOUND = "sms.outbound"
OUTBOUND_REST = "sms.outbound.rest"
CARRIER = "sms.carrier"
CONFIG = "sms.config"
CONFIG_CHANGES = "sms.config.#"
SEEN = "sms.seen"
REFUSED = "sms.refused"
BACK = "sms.back"

# Together 12 minutes and 36 seconds. The dispatcher's scheduler does longer waits, not the broker.
RETRY_LADDER = (
    Rung(1, "sms.retry.1s"),
    Rung(5, "sms.retry.5s"),
    Rung(30, "sms.retry.30s"),
    Rung(120, "sms.retry.2m"),
    Rung(600, "sms.retry.10m"),
)

# What queue_kind calls the queues that PBXs read.
PBX_KIND = "pbx"

# When the gateway does not know the tenant of a status, it goes to the default PBX.
NO_TENANT = "-"

_WORK: Arguments = {
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": DEAD,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
# Only people read it. When it is full, the oldest messages are dropped.
_NEWEST: Arguments = {"x-max-length": 1_000, "x-overflow": "drop-head", "x-delivery-limit": DELIVERY_LIMIT}
# When it is full, it refuses more: somebody who publishes for tenants that are not his must not fill the disk, and must
# not push out the messages of others.
_REFUSED: Arguments = {
    "x-max-length": 10_000,
    "x-overflow": "reject-publish",
    "x-delivery-limit": PARKED_DELIVERY_LIMIT,
}
_LAST_ONLY: Arguments = {"x-max-length": 1, "x-overflow": "drop-head", "x-delivery-limit": PARKED_DELIVERY_LIMIT}


def rung_for(seconds: float) -> Rung:
    """The shortest rung of at least `seconds`, or the longest rung."""
    return next((rung for rung in RETRY_LADDER if rung.seconds >= seconds), RETRY_LADDER[-1])


def base() -> Topology:
    """What every process declares when it starts: everything that does not depend on the configuration."""
    return Topology(
        exchanges=(
            Exchange(UNROUTED, "fanout", "what no queue was bound for"),
            Exchange(DEAD, "fanout", "what could not be worked on"),
            Exchange(OUTBOUND_REST, "fanout", "requests of tenants that have no queue"),
            Exchange(OUTBOUND, "topic", "requests, to the queue of their tenant", alternate=OUTBOUND_REST),
            Exchange(SMS, "topic", "every public and internal event", alternate=UNROUTED),
            Exchange(SEEN, "fanout", "when webhooks came and how they were answered"),
            Exchange(REFUSED, "fanout", "what a PBX published for a tenant that is not its own"),
            pbx_requests(DEFAULT_PBX),
            *(Exchange(rung.name, "fanout", f"retry after {rung.seconds} s") for rung in RETRY_LADDER),
            Exchange(
                BACK, "direct", "after its wait, to the queue it came from; to `sms.dead` when that is gone", DEAD
            ),
        ),
        queues=(
            Queue(
                UNROUTED,
                "parked: no queue was bound, or nobody owns the number",
                {"x-delivery-limit": PARKED_DELIVERY_LIMIT},
            ),
            Queue(DEAD, "parked: each with a reason header", {"x-delivery-limit": PARKED_DELIVERY_LIMIT}),
            *(
                Queue(rung.queue, f"waits {rung.seconds} s, then goes back to the queue it came from", _retry(rung))
                for rung in RETRY_LADDER
            ),
            Queue(OUTBOUND, "requests that name no tenant that is known, or were put here by the queue's name", _WORK),
            Queue(CARRIER, "what carriers reported to ingress, read by the dispatcher", _WORK),
            *_pbx_queues(DEFAULT_PBX),
            Queue(
                CONFIG,
                "the last announced change: kept, so that an announcement while all are away is not unrouted",
                _LAST_ONLY,
            ),
            Queue(SEEN, "when webhooks came and how they were answered, read by the config service", _NEWEST),
            Queue(REFUSED, "parked: what a PBX published for a tenant that is not its own; never worked on", _REFUSED),
        ),
        bindings=(
            Binding(UNROUTED, UNROUTED),
            Binding(DEAD, DEAD),
            Binding(SEEN, SEEN),
            Binding(REFUSED, REFUSED),
            *(Binding(rung.name, rung.queue) for rung in RETRY_LADDER),
            *map(_back, (OUTBOUND, CARRIER, SEEN, pbx_inbound_queue(DEFAULT_PBX), pbx_status_queue(DEFAULT_PBX))),
            Binding(OUTBOUND_REST, OUTBOUND),
            Binding(SMS, CARRIER, "sms.carrier.#"),
            Binding(SMS, CONFIG, CONFIG_CHANGES),
            Binding(SMS, pbx_status_queue(DEFAULT_PBX), f"sms.status.{NO_TENANT}.#"),
        ),
        forwardings=(Forwarding(SMS, OUTBOUND, f"{OUTBOUND}.#"),),
        retired=(
            Binding(SMS, OUTBOUND, f"{OUTBOUND}.#"),
            # Messages in the queues of the former ladder still go back.
            *(Binding(rung.name, rung.name) for rung in RETRY_LADDER),
        ),
    )


def edge() -> Topology:
    """What ingress and config declare, or check, and cannot work without: the exchanges and queues for carriers' events
    and for announcements, `sms.dead` and `sms.unrouted`.

    It holds no more, so that any other missing queue does not stop webhooks.
    """
    whole, needed = base(), {SMS, UNROUTED, DEAD, SEEN, CARRIER, CONFIG}
    return Topology(
        exchanges=tuple(exchange for exchange in whole.exchanges if exchange.name in needed),
        queues=tuple(queue for queue in whole.queues if queue.name in needed),
        bindings=tuple(binding for binding in whole.bindings if {binding.exchange, binding.queue} <= needed),
    )


def _retry(rung: Rung) -> Arguments:
    return {
        "x-message-ttl": rung.seconds * 1_000,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": BACK,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _back(queue: str) -> Binding:
    """The binding that brings messages for `queue` back from the retry ladder."""
    return Binding(BACK, queue, queue)


def _pbx_queues(pbx_id: str) -> tuple[Queue, ...]:
    return (
        Queue(pbx_inbound_queue(pbx_id), f"inbound texts for the PBX {pbx_id}", _WORK),
        Queue(pbx_status_queue(pbx_id), f"statuses for the PBX {pbx_id}", _WORK),
    )


def pbx_requests(pbx_id: str) -> Exchange:
    """The exchange where a PBX with its own broker user publishes requests.

    It is bound to the request queues of that PBX's tenants and to nothing else, and never to another exchange: RabbitMQ
    also routes by the headers CC and BCC, from exchange to exchange, whatever topic rights a user has.
    """
    return Exchange(
        pbx_requests_exchange(pbx_id), "topic", f"requests of the PBX {pbx_id}, to its tenants' queues", REFUSED
    )


def pbx(pbx_id: str, tenant_ids: Iterable[str], moved: Iterable[str] = ()) -> Topology:
    """The exchange of a PBX and its pair of queues, bound for each tenant that it serves. The bindings of tenants that
    `moved` to another PBX are retired.
    """
    return Topology(
        exchanges=(pbx_requests(pbx_id),),
        queues=_pbx_queues(pbx_id),
        bindings=(
            *map(_back, (pbx_inbound_queue(pbx_id), pbx_status_queue(pbx_id))),
            *(binding for tenant_id in tenant_ids for binding in _events_of(tenant_id, pbx_id)),
        ),
        retired=tuple(binding for tenant_id in moved for binding in _events_of(tenant_id, pbx_id)),
    )


def _events_of(tenant_id: str, pbx_id: str) -> tuple[Binding, ...]:
    return (
        Binding(SMS, pbx_inbound_queue(pbx_id), f"sms.inbound.{tenant_id}.#"),
        Binding(SMS, pbx_status_queue(pbx_id), f"sms.status.{tenant_id}.#"),
    )


def tenant(tenant_id: str, pbx_id: str | None = None, former_pbx_ids: Iterable[str] = ()) -> Topology:
    """The queue of a tenant's requests. Each tenant has its own, so that a flood of one does not delay the others. Of
    all PBXs only the tenant's own, `pbx_id`, reaches it. Declare that PBX's exchange first.
    """
    queue = outbound_queue(tenant_id)
    own = () if pbx_id is None else (_from_pbx(tenant_id, pbx_id),)
    return Topology(
        queues=(_requests(queue),),
        bindings=(_own(queue), _back(queue), *own),
        retired=tuple(_from_pbx(tenant_id, former) for former in former_pbx_ids),
    )


def left_behind(tenant_id: str, pbx_ids: Iterable[str]) -> Topology:
    """The bindings to retire on PBXs that no longer serve a tenant: its events, and its requests."""
    return Topology(
        retired=tuple(
            binding for pbx_id in pbx_ids for binding in (*_events_of(tenant_id, pbx_id), _from_pbx(tenant_id, pbx_id))
        )
    )


def former_tenant(tenant_id: str, pbx_ids: Iterable[str] = ()) -> Topology:
    """The queue of a deleted tenant. What is in it is still read, but nothing is routed to it any more, from no PBX
    that the tenant ever had.
    """
    queue = outbound_queue(tenant_id)
    retired = (_own(queue), *(_from_pbx(tenant_id, pbx_id) for pbx_id in pbx_ids))
    return Topology(queues=(_requests(queue),), bindings=(_back(queue),), retired=retired)


def _requests(queue: str) -> Queue:
    return Queue(queue, "one tenant's requests, read by one dispatcher", _WORK)


def _own(queue: str) -> Binding:
    return Binding(OUTBOUND, queue, f"{queue}.#")


def _from_pbx(tenant_id: str, pbx_id: str) -> Binding:
    queue = outbound_queue(tenant_id)
    return Binding(pbx_requests_exchange(pbx_id), queue, f"{queue}.#")


def lane(config_id: str, *, bulk: bool = False) -> Topology:
    """The sending lane of one SMS configuration. One dispatcher reads it at a time."""
    queue = lane_queue(config_id, bulk=bulk)
    return Topology(
        queues=(Queue(queue, "one paced lane", {**_WORK, "x-single-active-consumer": True}),), bindings=(_back(queue),)
    )


def pbx_inbound_queue(pbx_id: str) -> str:
    """The queue in which a PBX finds inbound texts."""
    return f"pbx.{pbx_id}.inbound"


def pbx_status_queue(pbx_id: str) -> str:
    """The queue in which a PBX finds statuses."""
    return f"pbx.{pbx_id}.status"


def pbx_requests_exchange(pbx_id: str) -> str:
    """The name of the exchange where a PBX with its own broker user publishes."""
    return f"pbx.{pbx_id}.requests"


def outbound_queue(tenant_id: str) -> str:
    """The queue in which a tenant's requests wait."""
    return f"{OUTBOUND}.{tenant_id}"


def is_outbound(queue: str) -> bool:
    """Whether this is a queue of requests."""
    return queue == OUTBOUND or queue.startswith(f"{OUTBOUND}.")


def lane_queue(config_id: str, *, bulk: bool = False) -> str:
    """The name of a configuration's lane; bulk texts have their own lane."""
    return f"sms.lane.{config_id}.bulk" if bulk else f"sms.lane.{config_id}"


def queue_kind(name: str) -> str:
    """What a queue is for, as a metric's label: a few values, however many lanes and PBXs there are."""
    if name.startswith("sms.lane."):
        return "lane"
    if is_outbound(name):
        return OUTBOUND
    return PBX_KIND if name.startswith("pbx.") else name


def outbound_key(tenant_id: str) -> str:
    """The routing key of a request."""
    return f"sms.outbound.{tenant_id}"


def cancel_key(tenant_id: str) -> str:
    """The routing key that withdraws a request."""
    return f"sms.outbound.{tenant_id}.cancel"


def inbound_key(tenant_id: str, did: str) -> str:
    """The routing key of an inbound text. The number has no plus."""
    return f"sms.inbound.{tenant_id}.{digits(did)}"


def status_key(tenant_id: str, status: Status) -> str:
    """The routing key of a status."""
    return f"sms.status.{tenant_id}.{status.value}"


def carrier_key(carrier: str, config_id: str) -> str:
    """The routing key of a carrier's event."""
    return f"sms.carrier.{carrier}.{config_id}"


def config_key(tenant_id: str, change: str) -> str:
    """The routing key that announces a change of configuration."""
    return f"sms.config.{tenant_id}.{change}"


@dataclass(frozen=True, slots=True)
class OutboundKey:
    """What the routing key of a request says: the tenant, if it names one, and whether the request is withdrawn."""

    tenant_id: str | None
    cancel: bool


def parse_outbound_key(key: str) -> OutboundKey:
    """Read `sms.outbound.<tenant>[.cancel]`. The queue's own name, and any key that does not begin with it, names no
    tenant.

    The tenant counts whatever follows it: topic rights are given by it.
    """
    parts = key.split(".")
    if parts[:2] != ["sms", "outbound"] or parts[2:] == []:
        return OutboundKey(None, cancel=False)
    return OutboundKey(parts[2], cancel=parts[3:] == ["cancel"])


def asked_by(queue: str, key: str) -> OutboundKey:
    """The tenant of a request that came out of `queue` and was published under `key`, and whether it is withdrawn.

    The queue decides when it is a tenant's own: only those who may send for the tenant reach it. The key of a message
    that came there by the header CC may be any.
    """
    read = parse_outbound_key(key)
    owner = parse_outbound_key(queue).tenant_id
    return read if owner is None else OutboundKey(owner, cancel=read.cancel)


def markdown() -> str:
    """The tables of exchanges and queues for docs/events.md."""
    topology = base()
    keys: dict[str, list[str]] = {}
    for binding in topology.bindings:
        keys.setdefault(binding.queue, []).append(
            f"`{binding.exchange}`" + (f" `{binding.key}`" if binding.key else "")
        )
    fed = {f.destination: f"; fed by `{f.source}` `{f.key}`" for f in topology.forwardings}
    of_tenant, of_pbx = tenant("<tenant>", "<pbx_id>"), pbx("<pbx_id>", ("<tenant>",))
    of_lane = lane("<config_id>").bindings + lane("<config_id>", bulk=True).bindings
    for binding in of_tenant.bindings + of_pbx.bindings + of_lane:
        keys.setdefault(binding.queue, []).append(f"`{binding.exchange}` `{binding.key}`")
    lanes = of_tenant.queues + lane("<config_id>").queues + lane("<config_id>", bulk=True).queues + of_pbx.queues
    lines = ["| exchange | kind | alternate | contains |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{e.name}` | {e.kind} | {f'`{e.alternate}`' if e.alternate else ''} | {e.purpose}{fed.get(e.name, '')} |"
        for e in (*topology.exchanges, *of_pbx.exchanges)
    ]
    lines += [
        "",
        "All queues are durable quorum queues.",
        "",
        "| queue | bound to | arguments | contains |",
        "| --- | --- | --- | --- |",
    ]
    for queue in (*topology.queues, *lanes):
        arguments = ", ".join(f"{name} {value!r}" for name, value in queue.arguments.items())
        lines.append(f"| `{queue.name}` | {', '.join(keys.get(queue.name, []))} | {arguments} | {queue.purpose} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201  # it is a command that prints a table
