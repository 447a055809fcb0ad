"""The answers of ingress: what a carrier repeats, and what it is told besides."""

import pytest

from sms_ingress.answers import WebhookOutcome, answer


@pytest.mark.parametrize("outcome", WebhookOutcome)
def test_every_outcome_is_an_answer_without_a_body_that_tells_no_version(outcome):
    response = answer(outcome)

    assert (response.status, response.body) == (outcome.status, None)
    assert response.headers["Server"] == "sms-gateway"


def test_what_is_stored_or_cannot_be_helped_is_2xx_and_nothing_is_3xx():
    stored = {WebhookOutcome.ACCEPTED, WebhookOutcome.NOT_HANDLED, WebhookOutcome.UNREADABLE, WebhookOutcome.TESTED}

    assert {outcome for outcome in WebhookOutcome if outcome.status < 300} == stored
    assert not [outcome for outcome in WebhookOutcome if 300 <= outcome.status < 400]


@pytest.mark.parametrize("outcome", WebhookOutcome)
def test_who_is_asked_to_repeat_is_told_when(outcome):
    assert (answer(outcome).headers.get("Retry-After") == "5") is (outcome.status == 503)


@pytest.mark.parametrize(
    ("outcome", "name", "value"),
    [
        (WebhookOutcome.NOT_HANDLED, "X-Kept-For", "webhook_not_handled"),
        (WebhookOutcome.UNREADABLE, "X-Kept-For", "webhook_unreadable"),
        (WebhookOutcome.WRONG_METHOD, "Allow", "POST"),
        (WebhookOutcome.ENCODED, "Accept-Encoding", "identity"),
    ],
)
def test_an_outcome_may_have_a_header_of_its_own(outcome, name, value):
    assert answer(outcome).headers[name] == value


def test_headers_of_the_moment_are_added():
    response = answer(WebhookOutcome.CHALLENGED, {"WWW-Authenticate": 'Basic realm="x"'})

    assert response.headers["WWW-Authenticate"] == 'Basic realm="x"'


@pytest.mark.parametrize("outcome", WebhookOutcome)
def test_a_connection_ends_where_the_next_request_cannot_be_found(outcome):
    closing = {WebhookOutcome.BROKEN, WebhookOutcome.TOO_SLOW, WebhookOutcome.FAILED}

    assert (answer(outcome).keep_alive is False) is (outcome in closing)
