"""Exchanges, queues and keys: every name refers to something declared, every queue is safe, every key is found."""

import subprocess
import sys
from itertools import chain

import pytest

from sms_common import topology
from sms_common.messages import Status
from sms_common.testing.routing import FakeRouting
from sms_common.topology import (
    CARRIER,
    CONFIG,
    DEAD,
    DEFAULT_EXCHANGE,
    OUTBOUND,
    RETRY_LADDER,
    SEEN,
    SMS,
    UNROUTED,
    OutboundKey,
    Queue,
    base,
    lane,
    parse_outbound_key,
    pbx,
    queue_kind,
    rung_for,
)

QUEUES = tuple(
    chain(
        base().queues,
        lane("c1").queues,
        lane("c1", bulk=True).queues,
        pbx("west", ("acme",)).queues,
        topology.tenant("acme").queues,
    )
)
PARKED = {UNROUTED, DEAD, topology.REFUSED}


def routing() -> FakeRouting:
    declared = FakeRouting()
    declared.add(base())
    declared.add(pbx("main", ("acme", "beta")))
    declared.add(pbx("west", ("gamma",)))
    declared.add(lane("c1"))
    declared.add(topology.tenant("acme"))
    declared.add(topology.tenant("former"))
    declared.add(topology.former_tenant("former"))
    return declared


def test_everything_refers_to_what_was_declared_before():
    declared = base()
    exchanges = {DEFAULT_EXCHANGE}
    for exchange in declared.exchanges:
        assert exchange.alternate is None or exchange.alternate in exchanges
        exchanges.add(exchange.name)
    queues = {queue.name for queue in declared.queues}
    for queue in declared.queues:
        assert queue.arguments.get("x-dead-letter-exchange", DEFAULT_EXCHANGE) in exchanges
    for binding in declared.bindings:
        assert binding.exchange in exchanges
        assert binding.queue in queues
    for forwarding in declared.forwardings:
        assert {forwarding.source, forwarding.destination} <= exchanges


def test_no_name_is_used_twice():
    declared = base()
    for names in ([e.name for e in declared.exchanges], [q.name for q in declared.queues]):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_every_queue_has_a_positive_delivery_limit(queue: Queue):
    limit = queue.arguments["x-delivery-limit"]
    assert isinstance(limit, int)
    assert limit > 0


@pytest.mark.parametrize(
    "queue", [queue for queue in QUEUES if queue.name not in {*PARKED, CONFIG, SEEN}], ids=lambda queue: queue.name
)
def test_what_leaves_a_queue_is_never_dropped(queue: Queue):
    assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
    assert queue.arguments["x-overflow"] == "reject-publish"  # the strategy asks for it
    assert "x-dead-letter-exchange" in queue.arguments


def test_of_announcements_only_the_last_is_kept():
    """They say that something changed; who was away fetches everything anyway."""
    (queue,) = [queue for queue in QUEUES if queue.name == CONFIG]
    assert (queue.arguments["x-max-length"], queue.arguments["x-overflow"]) == (1, "drop-head")


def test_of_what_webhooks_were_seen_the_oldest_may_go():
    """It is for people's eyes; while the config service is away it must not fill the broker."""
    (queue,) = [queue for queue in QUEUES if queue.name == SEEN]
    assert (queue.arguments["x-max-length"], queue.arguments["x-overflow"]) == (1_000, "drop-head")


def test_only_the_ladder_lets_messages_expire():
    expiring = {queue.name: queue.arguments["x-message-ttl"] for queue in QUEUES if "x-message-ttl" in queue.arguments}
    assert expiring == {rung.queue: rung.seconds * 1_000 for rung in RETRY_LADDER}


def test_the_ladder_climbs():
    assert [rung.seconds for rung in RETRY_LADDER] == sorted({rung.seconds for rung in RETRY_LADDER})


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, 1), (0, 1), (1, 1), (1.01, 5), (5, 5), (30, 30), (31, 120), (600, 600), (601, 600), (float("inf"), 600)],
)
def test_a_wait_takes_the_first_rung_that_is_not_shorter(seconds: float, expected: int):
    assert rung_for(seconds).seconds == expected


@pytest.mark.parametrize("rung", RETRY_LADDER, ids=lambda rung: rung.name)
def test_a_rung_takes_messages_for_any_queue(rung: topology.Rung):
    assert routing().route(rung.name, OUTBOUND) == [rung.queue]


@pytest.mark.parametrize(
    "queue", ["sms.outbound", "sms.carrier", "sms.seen", "sms.outbound.acme", "sms.outbound.former", "sms.lane.c1"]
)
def test_what_waited_goes_back_to_its_queue_and_to_the_dead_letters_when_that_is_gone(queue: str):
    assert routing().route(topology.BACK, queue) == [queue]
    assert routing().route(topology.BACK, f"{queue}.gone") == [DEAD]


@pytest.mark.parametrize(
    ("exchange", "key", "queues"),
    [
        (SMS, topology.outbound_key("acme"), ["sms.outbound.acme"]),
        (SMS, topology.cancel_key("acme"), ["sms.outbound.acme"]),
        (SMS, topology.outbound_key("acme") + ".anything.else", ["sms.outbound.acme"]),
        (SMS, topology.outbound_key("acme2"), [OUTBOUND]),
        (SMS, topology.outbound_key("former"), [OUTBOUND]),
        (SMS, "sms.outbound", [OUTBOUND]),
        (SMS, "sms.outbound.", [OUTBOUND]),
        (DEFAULT_EXCHANGE, topology.outbound_queue("former"), ["sms.outbound.former"]),
        (DEFAULT_EXCHANGE, OUTBOUND, [OUTBOUND]),
        (SMS, topology.carrier_key("bandwidth", "c1"), [CARRIER]),
        (SMS, topology.inbound_key("acme", "+13125550100"), ["pbx.main.inbound"]),
        (SMS, topology.inbound_key("gamma", "+13125550100"), ["pbx.west.inbound"]),
        (SMS, topology.status_key("beta", Status.SENT), ["pbx.main.status"]),
        (SMS, topology.status_key("gamma", Status.DELIVERED), ["pbx.west.status"]),
        (SMS, topology.status_key(topology.NO_TENANT, Status.REJECTED), ["pbx.main.status"]),
        (SMS, topology.status_key("nobody", Status.SENT), [UNROUTED]),
        (SMS, topology.inbound_key("nobody", "+1"), [UNROUTED]),
        (SMS, "something.else", [UNROUTED]),
        (UNROUTED, "anything", [UNROUTED]),
        (DEAD, "anything", [DEAD]),
        (DEFAULT_EXCHANGE, topology.lane_queue("c1"), ["sms.lane.c1"]),
    ],
)
def test_every_key_finds_its_queue(exchange: str, key: str, queues: list[str]):
    assert routing().route(exchange, key) == queues


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (topology.outbound_key("acme"), "sms.outbound.acme"),
        (topology.cancel_key("acme"), "sms.outbound.acme.cancel"),
        (topology.inbound_key("acme", "+13125550100"), "sms.inbound.acme.13125550100"),
        (topology.status_key("acme", Status.DELIVERED), "sms.status.acme.delivered"),
        (topology.carrier_key("bandwidth", "c1"), "sms.carrier.bandwidth.c1"),
        (topology.config_key("acme", "rotated"), "sms.config.acme.rotated"),
        (topology.lane_queue("c1"), "sms.lane.c1"),
        (topology.lane_queue("c1", bulk=True), "sms.lane.c1.bulk"),
        (topology.pbx_inbound_queue("main"), "pbx.main.inbound"),
        (topology.pbx_status_queue("main"), "pbx.main.status"),
    ],
)
def test_names_and_keys_are_the_published_ones(key: str, expected: str):
    assert key == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("sms.outbound.acme", OutboundKey("acme", cancel=False)),
        ("sms.outbound.acme.cancel", OutboundKey("acme", cancel=True)),
        ("sms.outbound.acme.other", OutboundKey("acme", cancel=False)),
        ("sms.outbound", OutboundKey(None, cancel=False)),
        ("sms.outbound.a.b.c", OutboundKey("a", cancel=False)),
        ("sms.outbound.a.cancel.c", OutboundKey("a", cancel=False)),
        ("sms.outbound.", OutboundKey("", cancel=False)),
        ("sms.inbound.acme", OutboundKey(None, cancel=False)),
        ("", OutboundKey(None, cancel=False)),
    ],
)
def test_the_key_of_a_request_names_its_tenant(key: str, expected: OutboundKey):
    assert parse_outbound_key(key) == expected


@pytest.mark.parametrize(
    ("queue", "key", "expected"),
    [
        ("sms.outbound.acme", "sms.outbound.acme", OutboundKey("acme", cancel=False)),
        ("sms.outbound.acme", "sms.outbound.acme.cancel", OutboundKey("acme", cancel=True)),
        ("sms.outbound.acme", "sms.outbound.beta", OutboundKey("acme", cancel=False)),
        ("sms.outbound.acme", "sms.outbound.beta.cancel", OutboundKey("acme", cancel=True)),
        ("sms.outbound.acme", "anything", OutboundKey("acme", cancel=False)),
        ("sms.outbound.acme", "", OutboundKey("acme", cancel=False)),
        (OUTBOUND, "sms.outbound.beta", OutboundKey("beta", cancel=False)),
        (OUTBOUND, OUTBOUND, OutboundKey(None, cancel=False)),
    ],
)
def test_a_request_is_asked_by_the_tenant_whose_queue_it_came_out_of(queue: str, key: str, expected: OutboundKey):
    assert topology.asked_by(queue, key) == expected


@pytest.mark.parametrize(
    ("exchange", "key", "queues"),
    [
        ("pbx.main.requests", topology.outbound_key("acme"), ["sms.outbound.acme"]),
        ("pbx.main.requests", topology.cancel_key("acme"), ["sms.outbound.acme"]),
        ("pbx.main.requests", topology.outbound_key("gamma"), [topology.REFUSED]),
        ("pbx.main.requests", OUTBOUND, [topology.REFUSED]),
        ("pbx.main.requests", topology.carrier_key("bandwidth", "c1"), [topology.REFUSED]),
        ("pbx.main.requests", topology.outbound_key("former"), [topology.REFUSED]),
        ("pbx.main.requests", topology.outbound_key("moved"), [topology.REFUSED]),
        ("pbx.west.requests", topology.outbound_key("moved"), ["sms.outbound.moved"]),
        (SMS, topology.status_key("moved", Status.SENT), ["pbx.west.status"]),
        (SMS, topology.inbound_key("moved", "+13125550100"), ["pbx.west.inbound"]),
    ],
)
def test_a_pbx_reaches_the_requests_of_its_own_tenants_and_hears_of_them_alone(
    exchange: str, key: str, queues: list[str]
):
    declared = routing()
    for one in (
        topology.pbx("main", ("moved",)),
        topology.tenant("moved", "main"),
        topology.tenant("former", "main"),
        topology.tenant("acme", "main"),
        topology.pbx("main", ("acme",), moved=["moved"]),
        topology.pbx("west", ("gamma", "moved")),
        topology.tenant("moved", "west", ["main"]),
        topology.former_tenant("former", ["main"]),
    ):
        declared.add(one)
    assert declared.route(exchange, key) == queues


def test_no_exchange_of_a_pbx_leads_to_another_exchange():
    """RabbitMQ routes by the headers CC and BCC as well, and hands them on from exchange to exchange."""
    everything = topology.joined((base(), pbx("main", ("acme",)), topology.tenant("acme", "main")))
    assert [one for one in everything.forwardings if one.source.startswith("pbx.")] == []
    assert {b.queue for b in everything.bindings if b.exchange == "pbx.main.requests"} == {"sms.outbound.acme"}
    (refused,) = [one for one in everything.exchanges if one.name == topology.REFUSED]
    assert refused.kind == "fanout"
    assert [b.queue for b in everything.bindings if b.exchange == topology.REFUSED] == [topology.REFUSED]


@pytest.mark.parametrize(
    ("queue", "kind"),
    [
        ("sms.lane.c1", "lane"),
        ("sms.lane.c1.bulk", "lane"),
        ("pbx.main.status", "pbx"),
        (OUTBOUND, OUTBOUND),
        (CARRIER, CARRIER),
        (DEAD, DEAD),
    ],
)
def test_lanes_and_pbxs_share_a_metric_label(queue: str, kind: str):
    assert queue_kind(queue) == kind


@pytest.mark.parametrize("bulk", [False, True], ids=["lane", "bulk lane"])
def test_a_lane_has_a_single_active_consumer(bulk: bool):
    (queue,) = lane("c1", bulk=bulk).queues
    assert queue.arguments["x-single-active-consumer"] is True


def test_the_documentation_names_everything():
    printed = subprocess.run(
        [sys.executable, "-m", "sms_common.topology"], capture_output=True, text=True, check=True
    ).stdout
    for name in (*(exchange.name for exchange in base().exchanges), *(queue.name for queue in base().queues)):
        assert f"| `{name}` |" in printed
    for name in ("sms.lane.<config_id>", "sms.lane.<config_id>.bulk", "pbx.<pbx_id>.inbound", "pbx.<pbx_id>.requests"):
        assert f"| `{name}` |" in printed
    assert "fed by `sms` `sms.outbound.#`" in printed
    assert "`sms.outbound` `sms.outbound.<tenant>.#`" in printed
