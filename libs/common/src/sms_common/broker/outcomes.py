"""What happens to a message, depending on how its handler ended. Knows no AMQP: real and fake broker share it."""

import asyncio
import traceback
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from sms_common.backoff import was_cancelled
from sms_common.broker.headers import ATTEMPT, DEFERRALS, ORIGIN_KEY, TRACEPARENT, dead_letter, short, trace_of
from sms_common.broker.messages import JSON, Delivery, GiveBack, Handler, HeaderValue, Outgoing, RetryLater
from sms_common.errors import Code, TemporaryFailure, Unavailable, UnreadableEvent
from sms_common.telemetry import metrics
from sms_common.topology import RETRY_LADDER, Rung, rung_for

# After so many crashes of its handler a message is dead-lettered.
MAX_CRASHES = 3
_MOST_CAUSES = 5

log = structlog.get_logger(__name__)

Result = Literal["done", "later", "retried", "crashed", "dead"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do with a delivery: publish `message`, if there is one, then acknowledge the delivery."""

    result: Result
    message: Outgoing | None = None


DONE = Outcome("done")


async def handle(handler: Handler, delivery: Delivery) -> Outcome:
    """Call `handler` once and say what to do then. Raises Unavailable, after which the caller calls this again, and
    GiveBack, after which it does not acknowledge.
    """
    try:
        await handler(delivery)
    except RetryLater as wish:
        return later(delivery, wish.seconds)
    except (Unavailable, GiveBack):
        raise
    except UnreadableEvent as error:
        return _dead(delivery, error.code, error.reason)
    except TemporaryFailure as error:
        return _after_failure(delivery, error)
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        return _after_crash(delivery, error)
    except Exception as error:  # noqa: BLE001  # every other exception of a handler is treated alike
        return _after_crash(delivery, error)
    return DONE


def later(delivery: Delivery, seconds: float) -> Outcome:
    """Bring `delivery` back in about `seconds`. This is not counted as a failure."""
    return Outcome("later", _through(rung_for(seconds), replace(delivery, deferrals=delivery.deferrals + 1)))


def _after_failure(delivery: Delivery, error: TemporaryFailure) -> Outcome:
    if delivery.attempt >= len(RETRY_LADDER):
        return _dead(delivery, Code.RETRIES_EXHAUSTED, f"{error.code}: {error.reason}")
    rung = RETRY_LADDER[delivery.attempt]
    if error.retry_after is not None and error.retry_after > rung.seconds:
        rung = rung_for(error.retry_after)
    return Outcome("retried", _through(rung, replace(delivery, attempt=delivery.attempt + 1)))


def _after_crash(delivery: Delivery, error: BaseException) -> Outcome:
    kind = type(error).__name__
    log.error("handler_failed", error=kind, attempt=delivery.attempt, stack=stack_of(error))
    if delivery.attempt >= MAX_CRASHES:
        return _dead(
            delivery, Code.HANDLER_FAILED, f"Its handler failed {delivery.attempt + 1} times, last with {kind}."
        )
    return Outcome("crashed", _through(RETRY_LADDER[delivery.attempt], replace(delivery, attempt=delivery.attempt + 1)))


def stack_of(error: BaseException) -> str:
    """Where `error` and its causes happened, without their texts: those may repeat a message's content."""
    places: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(places) < _MOST_CAUSES:
        places.append(f"{type(seen).__name__} at\n{''.join(traceback.format_tb(seen.__traceback__))}")
        seen = seen.__cause__
    return "caused by ".join(places)


def _through(rung: Rung, delivery: Delivery) -> Outgoing:
    """The message that brings `delivery` back to its queue through `rung`."""
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
    metrics.dead_letters_total.labels(code.value).inc()
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
    """The headers that stay with a message. Those of strangers and of the broker itself are dropped."""
    kept: dict[str, HeaderValue] = {ATTEMPT: delivery.attempt, DEFERRALS: delivery.deferrals}
    trace = trace_of(delivery.headers)
    if trace is not None:
        kept[TRACEPARENT] = trace
    return kept
