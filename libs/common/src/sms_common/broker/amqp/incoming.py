"""Reads a delivered AMQP message into a Delivery."""

from dataclasses import replace

from aiormq.abc import DeliveredMessage

from sms_common.broker.headers import (
    ATTEMPT,
    DEAD_LETTER_HEADERS,
    DEATHS,
    DEFERRALS,
    FIRST_DEATH_REASON,
    LAST_DEATH_QUEUE,
    ORIGIN_KEY,
)
from sms_common.broker.messages import Delivery, HeaderValue
from sms_common.topology import BACK, DEFAULT_EXCHANGE

_LADDER_HEADERS = frozenset({ATTEMPT, DEFERRALS, ORIGIN_KEY})
# The ladder of older versions ended in the default exchange, and what people put back still goes there.
_WAYS_BACK = frozenset({BACK, DEFAULT_EXCHANGE})
_MOST = 1_000_000  # a stranger may write any number; ours only grow by one


def read(message: DeliveredMessage, queue: str) -> Delivery:
    """`message` as it came out of `queue`. Never raises: whatever cannot be used is left out."""
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
        headers=_buried(kept, headers.get(DEATHS)),
        correlation_id=properties.correlation_id,
        content_type=properties.content_type,
    )
    return interpret(raw, message.exchange or "")


def _buried(headers: dict[str, HeaderValue], deaths: object) -> dict[str, HeaderValue]:
    """`headers`, with what the broker says about the last death of a message in place of what its publisher did.

    What expires or reaches its delivery limit is dead-lettered with all the headers that it came with, and whoever may
    publish a request may let it expire at once. The broker puts the latest death first.
    """
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    if not isinstance(latest, dict):
        return headers
    told = {LAST_DEATH_QUEUE: latest.get("queue"), FIRST_DEATH_REASON: latest.get("reason")}
    ours = {name: value for name, value in headers.items() if name not in DEAD_LETTER_HEADERS}
    return ours | {name: value for name, value in told.items() if isinstance(value, str)}


def interpret(raw: Delivery, exchange: str) -> Delivery:
    """`raw`, which came through `exchange`, with what the ladder's headers say about it.

    Only the ladder's way back, and a replay's, end under the queue's own name. From any other way those headers are a
    stranger's, who could pretend with them to have used a routing key that he has no right to.
    """
    if exchange not in _WAYS_BACK or raw.routing_key != raw.queue:
        if _LADDER_HEADERS.isdisjoint(raw.headers):
            return raw
        return replace(raw, headers={name: raw.headers[name] for name in raw.headers if name not in _LADDER_HEADERS})
    return replace(
        raw,
        routing_key=str(raw.headers.get(ORIGIN_KEY, raw.routing_key)),
        attempt=_count(raw.headers.get(ATTEMPT)),
        deferrals=_count(raw.headers.get(DEFERRALS)),
    )


def _count(value: HeaderValue | None) -> int:
    return min(max(0, value), _MOST) if isinstance(value, int) else 0
