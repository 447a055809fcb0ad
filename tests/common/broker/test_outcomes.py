"""The table from what a handler does to what becomes of its message."""

from datetime import UTC, datetime

import pytest

from sms_common.broker import Delivery, Outgoing, RetryLater
from sms_common.broker.headers import ATTEMPT, DEFERRALS, ORIGIN_KEY, TRACEPARENT
from sms_common.broker.outcomes import Outcome, handle
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    Rejection,
    TemporaryFailure,
    Throttled,
    Unavailable,
    UnreadableEvent,
    WebhookUnreadable,
)
from sms_common.telemetry import metrics
from sms_common.topology import DEAD, OUTBOUND, RETRY_LADDER

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BUSY = Code.CARRIER_BUSY
DELIVERY = Delivery(
    OUTBOUND,
    "sms.outbound.acme",
    b"{}",
    type="sms.outbound.v1",
    message_id="m1",
    timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    headers={TRACEPARENT: TRACE, "x-stranger": "1"},
    correlation_id="c1",
    content_type="text/plain",
)


async def outcome(failure: BaseException | None, *, attempt: int = 0, deferrals: int = 0) -> Outcome:
    async def handler(_: Delivery) -> None:
        if failure is not None:
            raise failure

    delivery = Delivery(
        **{name: getattr(DELIVERY, name) for name in DELIVERY.__slots__} | {"attempt": attempt, "deferrals": deferrals}
    )
    return await handle(handler, delivery)


@pytest.mark.parametrize(
    ("failure", "attempt", "result", "exchange"),
    [
        (RetryLater(0), 0, "later", "sms.retry.1s"),
        (RetryLater(1.5), 0, "later", "sms.retry.5s"),
        (RetryLater(30), 4, "later", "sms.retry.30s"),
        (RetryLater(86_400), 0, "later", "sms.retry.10m"),
        (TemporaryFailure(BUSY, "Busy."), 0, "retried", "sms.retry.1s"),
        (TemporaryFailure(BUSY, "Busy."), 1, "retried", "sms.retry.5s"),
        (TemporaryFailure(BUSY, "Busy."), 4, "retried", "sms.retry.10m"),
        (TemporaryFailure(BUSY, "Busy."), 5, "dead", DEAD),
        (TemporaryFailure(BUSY, "Busy.", retry_after=60), 0, "retried", "sms.retry.2m"),
        (TemporaryFailure(BUSY, "Busy.", retry_after=3), 2, "retried", "sms.retry.30s"),
        (TemporaryFailure(BUSY, "Busy.", retry_after=9_999), 0, "retried", "sms.retry.10m"),
        (Throttled(BUSY, "Less."), 0, "retried", "sms.retry.1s"),
        (Misconfigured(Code.CREDENTIALS_REFUSED, "No."), 0, "retried", "sms.retry.1s"),
        (UnreadableEvent(Code.NOT_UTF8, "No."), 0, "dead", DEAD),
        (UnreadableEvent(Code.NOT_UTF8, "No."), 3, "dead", DEAD),
        (RuntimeError("boom"), 0, "crashed", "sms.retry.1s"),
        (RuntimeError("boom"), 2, "crashed", "sms.retry.30s"),
        (RuntimeError("boom"), 3, "dead", DEAD),
        (RuntimeError("boom"), 900, "dead", DEAD),
        (Rejection(Code.NO_SENDER, "None."), 0, "crashed", "sms.retry.1s"),
        (OutcomeUnknown(Code.OUTCOME_UNKNOWN, "Lost."), 0, "crashed", "sms.retry.1s"),
        (WebhookUnreadable(Code.WEBHOOK_UNREADABLE, "No."), 0, "crashed", "sms.retry.1s"),
    ],
    ids=str,
)
async def test_a_failure_decides_where_the_message_goes(failure: Exception, attempt: int, result: str, exchange: str):
    got = await outcome(failure, attempt=attempt)
    assert got.message is not None
    assert (got.result, got.message.exchange) == (result, exchange)


async def test_returning_needs_no_message():
    assert await outcome(None) == Outcome("done")


async def test_unavailable_is_for_the_caller_to_repeat():
    with pytest.raises(Unavailable):
        await outcome(Unavailable(Code.STORE_UNAVAILABLE, "Away."))


@pytest.mark.parametrize(
    ("failure", "attempt", "deferrals"),
    [(RetryLater(1), 2, 5), (TemporaryFailure(BUSY, "Busy."), 3, 4), (RuntimeError(), 3, 4)],
    ids=["later", "temporary", "crash"],
)
async def test_a_retry_keeps_the_message_and_counts(failure: Exception, attempt: int, deferrals: int):
    got = await outcome(failure, attempt=2, deferrals=4)
    assert got.message == Outgoing(
        exchange=got.message.exchange if got.message else "",
        routing_key=OUTBOUND,
        body=b"{}",
        type="sms.outbound.v1",
        message_id="m1",
        correlation_id="c1",
        headers={
            ATTEMPT: attempt,
            DEFERRALS: deferrals,
            ORIGIN_KEY: "sms.outbound.acme",
            TRACEPARENT: TRACE,
        },
        timestamp=DELIVERY.timestamp,
        content_type="text/plain",
    )


async def test_a_dead_letter_without_an_id_gets_one_that_its_repeat_has_too():
    async def handler(_: Delivery) -> None:
        raise UnreadableEvent(Code.NOT_JSON, "No.")

    bare = Delivery(OUTBOUND, OUTBOUND, b"x")
    first, second = [(await handle(handler, bare)).message for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.message_id == second.message_id != ""


async def test_a_crash_is_logged_with_its_place_but_without_its_words(capsys: pytest.CaptureFixture[str]):
    number, text = "+13125550100", "Dear Ann, the code is 1234"

    async def handler(_: Delivery) -> None:
        try:
            int(number + "x")
        except ValueError as cause:
            raise RuntimeError(text) from cause

    await handle(handler, DELIVERY)
    logged = capsys.readouterr().out
    for place in ("test_outcomes.py", "RuntimeError", "ValueError"):
        assert place in logged
    for secret in (number, text):
        assert secret not in logged


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(UnreadableEvent(Code.NOT_JSON, "No."), "not_json"), (TemporaryFailure(BUSY, "Busy."), "retries_exhausted")],
    ids=["unreadable", "exhausted"],
)
async def test_every_dead_letter_is_counted_by_its_reason(failure: Exception, reason: str):
    before = dead_letters(reason)
    await outcome(failure, attempt=len(RETRY_LADDER))
    assert dead_letters(reason) == before + 1


def dead_letters(reason: str) -> float:
    return metrics.registry.get_sample_value("smsgw_dead_letters_total", {"reason": reason}) or 0
