"""What a parked message says of itself, and how it goes back."""

from dataclasses import replace
from typing import Any

import pytest

from sms_common.broker import Delivery, NoWayBack, Outgoing, Parked, dead_letter
from sms_common.broker.headers import ORIGIN_KEY, TRACEPARENT
from sms_common.errors import Code
from sms_common.events import InboundEvent
from sms_common.topology import CARRIER, DEAD, OUTBOUND, SMS, UNROUTED
from tests.common.broker.broker_contract import TRACE

INBOUND: dict[str, Any] = {
    "event_id": "e1",
    "message_id": "m1",
    "tenant_id": None,
    "config_id": "c1",
    "msg_type": "SMS",
    "sender": "+13125550100",
    "receiver": "+12025550123",
    "did": "+12025550123",
    "conversation_id": "conv",
    "content": "Hi",
    "provider_msg_id": "p1",
    "provider_time": "2026-05-04T03:02:01Z",
    "received_at": "2026-05-04T03:02:02Z",
    "route": {"kind": "did", "destination": "+12025550123", "reason": "No rule."},
}
UNOWNED = InboundEvent.model_validate(INBOUND)


def lying(message: Outgoing, queue: str = DEAD) -> Delivery:
    """`message`, as the one who looks into `queue` sees it."""
    return Delivery(
        queue=queue,
        routing_key=message.routing_key,
        body=message.body,
        type=message.type,
        message_id=message.message_id,
        headers=message.headers,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        content_type=message.content_type,
    )


def a_letter(source: str = OUTBOUND, **headers: str) -> Delivery:
    letter = dead_letter(
        b'{"x":1}',
        Code.HANDLER_FAILED,
        "It failed.",
        source=source,
        routing_key="sms.outbound.acme",
        type="sms.outbound.v1",
        message_id="m1",
        headers={TRACEPARENT: TRACE, **headers},
    )
    return lying(replace(letter, correlation_id="c1"))


def unrouted(key: str, body: bytes = b"{}", type: str = InboundEvent.TYPE) -> Delivery:  # noqa: A002  # the AMQP property's name
    return Delivery(
        queue=UNROUTED, routing_key=key, body=body, type=type, message_id="e1", headers={"x-code": "unrouted_did"}
    )


def test_a_dead_letter_says_why_and_whence():
    parked = Parked.read(a_letter())
    assert (parked.id, parked.code, parked.reason) == ("m1", "handler_failed", "It failed.")
    assert (parked.source, parked.routing_key) == (OUTBOUND, "sms.outbound.acme")
    assert parked.parked_at is not None


def test_a_dead_letter_goes_back_to_its_queue_with_its_ids_and_without_its_history():
    assert Parked.read(a_letter(**{"x-attempt": "5"})).back() == Outgoing(
        exchange="",
        routing_key=OUTBOUND,
        body=b'{"x":1}',
        type="sms.outbound.v1",
        message_id="m1",
        correlation_id="c1",
        headers={ORIGIN_KEY: "sms.outbound.acme", "x-deferrals": 1, TRACEPARENT: TRACE},
    )


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        pytest.param({"x-first-death-queue": CARRIER}, CARRIER, id="given up by RabbitMQ"),
        pytest.param(
            {"x-first-death-queue": "sms.retry.1s", "x-last-death-queue": CARRIER}, CARRIER, id="after retries"
        ),
        pytest.param({"x-first-death-queue": "sms.retry.1s"}, None, id="the ladder is no origin"),
        pytest.param({"x-source-queue": 7}, None, id="a header that is no text"),
    ],
)
def test_the_queue_it_came_from(headers, source):
    delivery = Delivery(queue=DEAD, routing_key=OUTBOUND, body=b"", headers=headers)
    assert Parked.read(delivery).source == source


def test_what_nobody_was_bound_for_is_published_as_before():
    back = Parked.read(replace(unrouted("sms.status.acme.sent"), headers={})).back()
    assert (back.exchange, back.routing_key, back.message_id) == (SMS, "sms.status.acme.sent", "e1")


def test_a_message_without_an_id_gets_one_that_stays():
    first, second = (Parked.read(Delivery(queue=DEAD, routing_key="k", body=b"x")) for _ in range(2))
    assert first.id == second.id != Parked.read(Delivery(queue=DEAD, routing_key="k", body=b"y")).id


@pytest.mark.parametrize("source", ["webhooks", "somebodys.queue", "amq.gen-x"])
def test_only_the_gateways_own_queues_get_anything_back(source):
    with pytest.raises(NoWayBack, match=source):
        Parked.read(a_letter(source)).back()


@pytest.mark.parametrize(
    ("key", "named", "tenant"),
    [
        pytest.param("sms.inbound.-.12025550123", None, None, id="nobody's"),
        pytest.param("sms.inbound.-.12025550123", "acme", "acme", id="a person says whose"),
        pytest.param("sms.inbound.acme.12025550123", None, "acme", id="whose it was when it came"),
    ],
)
def test_an_inbound_text_that_nobody_got_goes_to_the_dispatcher_as_a_new_one(key, named, tenant):
    lying_about = UNOWNED.model_copy(update={"tenant_id": "globex"})
    back = Parked.read(unrouted(key, lying_about.encode())).back(tenant_id=named)
    assert (back.exchange, back.routing_key, back.type, back.message_id) == ("", CARRIER, InboundEvent.TYPE, "e1")
    assert back.headers == {ORIGIN_KEY: key}
    assert InboundEvent.model_validate_json(back.body) == UNOWNED.model_copy(update={"tenant_id": tenant})


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"did": 1}'])
def test_what_calls_itself_an_inbound_text_and_is_none_is_not_published_as_one(body):
    with pytest.raises(NoWayBack, match="none that can be read"):
        Parked.read(unrouted("sms.inbound.acme.1", body)).back()


def test_an_unrouted_messages_own_headers_do_not_say_where_it_goes():
    headers = {"x-source-queue": "pbx.other.inbound", "x-routing-key": "sms.carrier.bandwidth.c1"}
    parked = Parked.read(replace(unrouted("sms.stray.acme", type="sms.carrier.inbound.v1"), headers=headers))
    back = parked.back()
    assert (parked.source, back.exchange, back.routing_key) == (None, SMS, "sms.stray.acme")


@pytest.mark.parametrize("delivery", [a_letter(), unrouted("k", b"not json")], ids=["another event", "unreadable"])
def test_nothing_but_an_inbound_text_is_given_to_a_tenant(delivery):
    with pytest.raises(NoWayBack, match="Only an inbound text"):
        Parked.read(delivery).back(tenant_id="acme")
