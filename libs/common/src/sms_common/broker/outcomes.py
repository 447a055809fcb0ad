"""The one table from what a handler does to what becomes of its message. Knows no AMQP: real and fake broker share
it.
"""

import traceback
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from sms_common.broker.headers import ATTEMPT, DEFERRALS, ORIGIN_KEY, TRACEPARENT, dead_letter, short, trace_of
from sms_common.broker.messages import JSON, Delivery, Handler, HeaderValue, Outgoing, RetryLater
from sms_common.errors import Code, TemporaryFailure, Unavailable, UnreadableEvent
from sms_common.topology import RETRY_LADDER, Rung, rung_for

# A handler that crashed this often on one message is given no further chance.
MAX_CRASHES = 3

log = structlog.get_logger(__name__)

Result = Literal["done", "later", "retried", "crashed", "dead"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: publish `message`, when there is one, and then acknowledge."""

    result: Result
    message: Outgoing | None = None


DONE = Outcome("done")


async def handle(handler: Handler, delivery: Delivery) -> Outcome:
    """Call `handler` once and look up what it did. Raises Unavailable, for which the caller calls again."""
    try:
        await handler(delivery)
    except RetryLater as wish:
        return later(delivery, wish.seconds)
    except Unavailable:
        raise
    except UnreadableEvent as error:
        return _dead(delivery, error.code, error.reason)
    except TemporaryFailure as error:
        return _after_failure(delivery, error)
    except Exception as error:  # noqa: BLE001  # any other exception of a handler is the last row of the table
        return _after_crash(delivery, error)
    return DONE


def later(delivery: Delivery, seconds: float) -> Outcome:
    """Bring `delivery` back in about `seconds` without counting a failure."""
    return Outcome("later", _through(rung_for(seconds), replace(delivery, deferrals=delivery.deferrals + 1)))


def _after_failure(delivery: Delivery, error: TemporaryFailure) -> Outcome:
    if delivery.attempt >= len(RETRY_LADDER):
        return _dead(delivery, Code.RETRIES_EXHAUSTED, f"{error.code}: {error.reason}")
    rung = RETRY_LADDER[delivery.attempt]
    if error.retry_after is not None and error.retry_after > rung.seconds:
        rung = rung_for(error.retry_after)
    return Outcome("retried", _through(rung, replace(delivery, attempt=delivery.attempt + 1)))


def _after_crash(delivery: Delivery, error: Exception) -> Outcome:
    kind = type(error).__name__
    # Not the exception's own text: it may repeat a message's content.
    log.error("handler_failed", error=kind, attempt=delivery.attempt, stack=_stack(error))
    if delivery.attempt >= MAX_CRASHES:
        return _dead(
            delivery, Code.HANDLER_FAILED, f"Its handler failed {delivery.attempt + 1} times, last with {kind}."
        )
    return Outcome("crashed", _through(RETRY_LADDER[delivery.attempt], replace(delivery, attempt=delivery.attempt + 1)))


def _stack(error: BaseException) -> str:
    lines = traceback.format_tb(error.__traceback__)
    cause = error.__cause__
    return "".join(lines) if cause is None else f"{''.join(lines)}caused by {type(cause).__name__}\n{_stack(cause)}"


def _through(rung: Rung, delivery: Delivery) -> Outgoing:
    """`delivery` again, on its way through `rung` back to its own queue."""
    return Outgoing(
        exchange=rung.name,
        routing_key=delivery.queue,
        body=delivery.body,
        type=short(delivery.type or ""),
        message_id=short(delivery.message_id or ""),
        correlation_id=short(delivery.correlation_id) if delivery.correlation_id else None,
        headers=_kept(delivery) | {ORIGIN_KEY: short(delivery.routing_key)},
        timestamp=delivery.timestamp,
        content_type=short(delivery.content_type or JSON),
    )


def _dead(delivery: Delivery, code: Code, reason: str) -> Outcome:
    log.warning("dead_lettered", code=code.value, reason=reason, queue=delivery.queue)
    letter = dead_letter(
        delivery.body,
        code,
        reason,
        source=delivery.queue,
        routing_key=delivery.routing_key,
        type=delivery.type or "",
        message_id=delivery.message_id or "",
        headers=_kept(delivery),
    )
    return Outcome(
        "dead",
        replace(
            letter,
            correlation_id=short(delivery.correlation_id) if delivery.correlation_id else None,
            timestamp=delivery.timestamp,
            content_type=short(delivery.content_type or JSON),
        ),
    )


def _kept(delivery: Delivery) -> dict[str, HeaderValue]:
    """The headers that go on with a message; strangers' and the broker's own headers do not."""
    kept: dict[str, HeaderValue] = {ATTEMPT: delivery.attempt, DEFERRALS: delivery.deferrals}
    trace = trace_of(delivery.headers)
    if trace is not None:
        kept[TRACEPARENT] = trace
    return kept
