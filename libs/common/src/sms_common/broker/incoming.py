"""Reads a delivered AMQP message into a Delivery."""

from aiormq.abc import DeliveredMessage

from sms_common.broker.headers import ATTEMPT, ORIGIN_KEY, WAITS
from sms_common.broker.messages import Delivery, HeaderValue
from sms_common.topology import DEFAULT_EXCHANGE

_LADDER_HEADERS = (ATTEMPT, WAITS, ORIGIN_KEY)


def read(message: DeliveredMessage, queue: str) -> Delivery:
    """`message` as it came out of `queue`. Never raises: whatever cannot be used is left out."""
    properties = message.header.properties
    headers: dict[str, HeaderValue] = {
        name: value for name, value in (properties.headers or {}).items() if isinstance(value, str | int)
    }
    routing_key = message.routing_key or ""
    if message.exchange != DEFAULT_EXCHANGE or routing_key != queue:
        # Only the ladder's way back ends in the default exchange under the queue's own name. From any other way these
        # headers are a stranger's, who could pretend with them to have used a routing key that he has no right to.
        for name in _LADDER_HEADERS:
            headers.pop(name, None)
    return Delivery(
        queue=queue,
        routing_key=str(headers.get(ORIGIN_KEY, routing_key)),
        body=message.body,
        type=properties.message_type,
        message_id=properties.message_id,
        attempt=_count(headers.get(ATTEMPT)),
        deferrals=_count(headers.get(WAITS)),
        redelivered=bool(message.redelivered),
        timestamp=properties.timestamp,
        headers=headers,
        correlation_id=properties.correlation_id,
        content_type=properties.content_type,
    )


def _count(value: HeaderValue | None) -> int:
    return max(0, value) if isinstance(value, int) else 0
