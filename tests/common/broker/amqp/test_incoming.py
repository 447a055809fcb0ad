"""What a handler gets of a delivered message: all that can be used, and of its deaths what the broker recorded."""

from typing import Any

import pytest
from aiormq import spec
from aiormq.abc import DeliveredMessage
from pamqp.header import ContentHeader

from sms_common.broker.amqp.incoming import read


def delivered(
    headers: dict[str, Any] | None = None, *, redelivered: bool = False, **properties: Any
) -> DeliveredMessage:
    deliver = spec.Basic.Deliver("c", 1, redelivered, "sms", "sms.outbound.acme")
    found = spec.Basic.Properties(headers=headers, **properties)
    return DeliveredMessage(delivery=deliver, header=ContentHeader(properties=found), body=b"{}", channel=None)  # type: ignore[arg-type]  # nothing is answered


def test_properties_come_along():
    message = delivered(
        {"x-own": "1"}, redelivered=True, message_type="t", message_id="m1", correlation_id="m0", content_type="a/b"
    )
    delivery = read(message, "sms.outbound")

    assert (delivery.queue, delivery.routing_key, delivery.body) == ("sms.outbound", "sms.outbound.acme", b"{}")
    assert (delivery.type, delivery.message_id, delivery.correlation_id) == ("t", "m1", "m0")
    assert (delivery.content_type, delivery.redelivered, delivery.headers) == ("a/b", True, {"x-own": "1"})


def test_a_message_without_any_is_read_too():
    delivery = read(delivered(), "sms.outbound")

    assert (delivery.type, delivery.message_id, dict(delivery.headers)) == (None, None, {})
    assert (delivery.attempt, delivery.deferrals) == (0, 0)


def test_headers_that_are_neither_text_nor_number_are_left_out():
    message = delivered({"text": "a", "number": 3, "list": [1], "table": {"a": 1}, "nothing": None, "bytes": b"x"})

    assert dict(read(message, "q").headers) == {"text": "a", "number": 3}


FORGED = {"x-last-death-queue": "sms.carrier", "x-first-death-reason": "rejected"}


@pytest.mark.parametrize(
    ("deaths", "told"),
    [
        pytest.param(
            [{"queue": "sms.outbound", "reason": "expired"}, {"queue": "older", "reason": "rejected"}],
            {"x-last-death-queue": "sms.outbound", "x-first-death-reason": "expired"},
            id="the latest that the broker recorded",
        ),
        pytest.param([{"queue": 3}], {}, id="a record that says nothing"),
        pytest.param([], FORGED, id="no record"),
        pytest.param(["?"], FORGED, id="no record but something else"),
    ],
)
def test_of_a_dead_lettered_message_the_brokers_own_record_is_believed(deaths, told):
    delivery = read(delivered({**FORGED, "x-death": deaths, "own": "1"}), "sms.dead")

    assert dict(delivery.headers) == {**told, "own": "1"}
