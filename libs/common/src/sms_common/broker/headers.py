"""The message headers of the gateway: retry bookkeeping, the reason of a dead letter, and the W3C trace context."""

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace

from sms_common.broker.messages import JSON, Delivery, HeaderValue, Outgoing
from sms_common.errors import Code
from sms_common.events import event_id, utc_now
from sms_common.topology import BACK, DEAD, DEFAULT_EXCHANGE

# Retry bookkeeping. It counts only on a message that came back from the retry ladder.
ATTEMPT = "x-attempt"
DEFERRALS = "x-deferrals"
ORIGIN_KEY = "x-origin-key"
_RETRY_HEADERS = frozenset({ATTEMPT, DEFERRALS, ORIGIN_KEY})
# The ladder of older versions ended in the default exchange, and replayed messages are still published there.
_WAYS_BACK = frozenset({BACK, DEFAULT_EXCHANGE})
_HIGHEST_COUNT = 1_000_000  # a stranger may write any number; ours only grow by one
# Why a message is in `sms.dead`.
CODE = "x-code"
REASON = "x-reason"
SOURCE_QUEUE = "x-source-queue"
ROUTING_KEY = "x-routing-key"
DEAD_AT = "x-dead-at"
# What RabbitMQ itself writes about a message that expired or reached its limit (https://www.rabbitmq.com/docs/dlx).
DEATHS = "x-death"
LAST_DEATH_QUEUE = "x-last-death-queue"
FIRST_DEATH_QUEUE = "x-first-death-queue"
FIRST_DEATH_REASON = "x-first-death-reason"
# In a message that the broker itself dead-lettered, none of these is trusted.
DEAD_LETTER_HEADERS = frozenset(
    {CODE, REASON, SOURCE_QUEUE, ROUTING_KEY, DEAD_AT, LAST_DEATH_QUEUE, FIRST_DEATH_QUEUE, FIRST_DEATH_REASON}
)
# https://www.w3.org/TR/trace-context/ and https://w3c.github.io/trace-context-amqp/
TRACEPARENT = "traceparent"

_TRACEPARENT_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SHORT_STRING = 255  # bytes that a property or a routing key may have (AMQP 0-9-1, 4.2.5.3)
_REASON_LENGTH = 1_000  # all headers of a message share one frame, 128 KiB by default

_trace: ContextVar[str | None] = ContextVar("traceparent", default=None)


def read_retry_headers(raw: Delivery, exchange: str) -> Delivery:
    """`raw`, which came through `exchange`, with the attempts, deferrals and routing key that its headers record.

    Only messages from the retry ladder, and replayed ones, come under the queue's own name. On any other message these
    headers are removed: a stranger could use them to pretend a routing key that he has no right to.
    """
    if exchange not in _WAYS_BACK or raw.routing_key != raw.queue:
        if _RETRY_HEADERS.isdisjoint(raw.headers):
            return raw
        return replace(raw, headers={name: raw.headers[name] for name in raw.headers if name not in _RETRY_HEADERS})
    return replace(
        raw,
        routing_key=str(raw.headers.get(ORIGIN_KEY, raw.routing_key)),
        attempt=_count(raw.headers.get(ATTEMPT)),
        deferrals=_count(raw.headers.get(DEFERRALS)),
    )


def _count(value: HeaderValue | None) -> int:
    return min(max(0, value), _HIGHEST_COUNT) if isinstance(value, int) else 0


def trace_of(headers: Mapping[str, object]) -> str | None:
    """The traceparent in `headers` when it is a valid one."""
    value = headers.get(TRACEPARENT)
    return value if isinstance(value, str) and _TRACEPARENT_FORM.fullmatch(value) else None


def current_trace() -> str:
    """The traceparent of the delivery being handled, or of a new trace."""
    trace = _trace.get()
    if trace is None:
        ids = secrets.token_hex(24)
        trace = f"00-{ids[:32]}-{ids[32:]}-01"
    return trace


def continue_trace(headers: Mapping[str, object]) -> str:
    """Continue the trace in `headers`, or begin a new one, for what this task publishes from now on. Returns it."""
    trace = trace_of(headers) or current_trace()
    _trace.set(trace)
    return trace


def short(text: str) -> str:
    """`text`, cut to what a property can hold: a stranger's property may have grown while it was decoded."""
    return text.encode(errors="replace")[:_SHORT_STRING].decode(errors="ignore")


def dead_letter(  # noqa: PLR0913  # every one is a fact that the reader of a dead letter needs
    body: bytes,
    code: Code,
    reason: str,
    *,
    source: str,
    routing_key: str,
    type: str = "",  # noqa: A002  # the AMQP property's name
    message_id: str = "",
    headers: Mapping[str, HeaderValue] | None = None,
) -> Outgoing:
    """The dead letter that keeps `body` unchanged. `source` is the queue it came from, or `webhooks`.

    `reason` is a sentence for a person, without secrets. Without a `message_id` the dead letter gets one that follows
    from its content, so that a repeat has the same.
    """
    return Outgoing(
        exchange=DEAD,
        routing_key=short(source),
        body=body,
        type=short(type),
        message_id=short(message_id) or event_id("dead", source, routing_key, body),
        headers={
            **(headers or {}),
            CODE: code.value,
            REASON: reason[:_REASON_LENGTH],
            SOURCE_QUEUE: source,
            ROUTING_KEY: short(routing_key),
            DEAD_AT: utc_now().isoformat(timespec="milliseconds"),
        },
        content_type=JSON,
    )
