"""Reads a delivered AMQP message into a Delivery."""

from aiormq.abc import DeliveredMessage

from sms_common.broker.headers import (
    DEAD_LETTER_HEADERS,
    DEATHS,
    FIRST_DEATH_REASON,
    LAST_DEATH_QUEUE,
    read_retry_headers,
)
from sms_common.broker.messages import Delivery, HeaderValue


def read(message: DeliveredMessage, queue: str) -> Delivery:
    """`message`, which came out of `queue`. Never raises: what cannot be used is left out."""
    properties = message.header.properties
    headers = properties.headers or {}
    kept = {name: value for name, value in headers.items() if isinstance(value, str | int)}
    raw = Delivery(
        queue=queue,
        routing_key=message.routing_key or "",
        body=message.body,
        type=properties.message_type,
        message_id=properties.message_id,
        redelivered=bool(message.redelivered),
        timestamp=properties.timestamp,
        headers=_with_last_death(kept, headers.get(DEATHS)),
        correlation_id=properties.correlation_id,
        content_type=properties.content_type,
    )
    return read_retry_headers(raw, message.exchange or "")


def _with_last_death(headers: dict[str, HeaderValue], deaths: object) -> dict[str, HeaderValue]:
    """`headers`, where the broker's own record of the last dead-lettering replaces what the publisher wrote about it.

    A message that expires or reaches its delivery limit is dead-lettered with all the headers that it came with.
    Whoever may publish a request can let it expire at once, so its headers are not trusted. The broker's record has the
    latest death first.
    """
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(latest, dict):
        return headers
    recorded = {LAST_DEATH_QUEUE: latest.get("queue"), FIRST_DEATH_REASON: latest.get("reason")}
    trusted = {name: value for name, value in headers.items() if name not in DEAD_LETTER_HEADERS}
    return trusted | {name: value for name, value in recorded.items() if isinstance(value, str)}
