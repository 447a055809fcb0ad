"""What a failure says of itself: its code and its sentence, and what is known besides."""

import pytest

from sms_common.errors import (
    Code,
    GatewayError,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    Rejection,
    SendFailure,
    TemporaryFailure,
    Throttled,
    Unavailable,
    UnreadableEvent,
)

BUSY = Code.CARRIER_BUSY


@pytest.mark.parametrize(
    "failure",
    [
        Rejection(BUSY, "Too fast."),
        SendFailure(BUSY, "Too fast."),
        TemporaryFailure(BUSY, "Too fast.", retry_after=3),
        Throttled(BUSY, "Too fast."),
        Misconfigured(BUSY, "Too fast."),
        PermanentFailure(BUSY, "Too fast.", carrier_code="400"),
        OutcomeUnknown(BUSY, "Too fast.", taken=True),
        UnreadableEvent(BUSY, "Too fast."),
        Unavailable(BUSY, "Too fast."),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_every_failure_is_its_code_and_its_sentence(failure: GatewayError):
    assert (failure.code, failure.reason, str(failure)) == (BUSY, "Too fast.", "carrier_busy: Too fast.")


def test_two_failures_alike_are_two():
    assert Throttled(BUSY, "Too fast.") != Throttled(BUSY, "Too fast.")


@pytest.mark.parametrize(
    ("kind", "next_route"),
    [(TemporaryFailure, False), (Throttled, False), (Misconfigured, True), (PermanentFailure, False)],
)
def test_a_refused_account_alone_lets_another_route_try_at_once(
    kind: type[SendFailure], next_route: bool
):  # what is expected
    assert kind(BUSY, "No.").try_next_route is next_route


def test_what_was_read_of_an_event_cannot_be_changed_afterwards():
    read = {"message_id": "m1"}
    error = UnreadableEvent(Code.NOT_JSON, "It is no JSON.", partial=read)
    read["message_id"] = "m2"

    assert error.partial == {"message_id": "m1"}
    assert UnreadableEvent(Code.NOT_JSON, "It is no JSON.").partial == {}
