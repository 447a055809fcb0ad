"""Refusals are answered as in the samples."""

import pytest

from tests.simulator.conftest import OTHER_ACCOUNT, account
from tests.simulator.samples import post_sample, sample

REFUSED = ["create-message-400-field-error", "create-message-400-no-field-errors", "create-message-415"]


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_message_is_answered_as_the_sample(api, name):
    request, response = sample(name)

    status, headers, body = await post_sample(api, request)

    assert (status, headers["Content-Type"], body) == (response["status"], "application/json", response["body"])
    assert api.simulator.arrivals() == []


@pytest.mark.parametrize(
    "authorization", [None, "Bearer no-such-token", "Basic !!!", "Basic dXNlcjp3cm9uZw==", "Digest x"]
)
async def test_missing_or_wrong_credentials_are_answered_as_the_401_sample(api, authorization):
    request, response = sample("create-message-401")

    status, _, body = await post_sample(api, request, authorization=authorization)

    assert (status, body) == (401, response["body"])


async def test_another_account_is_answered_as_the_403_sample(start):
    foreign = account(credentials=[], users=[], account_id=OTHER_ACCOUNT)
    api = await start(more_accounts=(foreign,))
    _, response = sample("create-message-403")

    for account_id in (OTHER_ACCOUNT, "nobody"):
        status, _, body = await api.send(account_id=account_id)
        assert (status, body) == (403, response["body"])


async def test_a_full_queue_is_answered_as_the_429_sample(start):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    _, response = sample("create-message-429-queue-full")
    statuses = []
    while 429 not in statuses:
        status, _, body = await api.send(text="a" * 2048)
        statuses.append(status)

    assert (status, body) == (429, response["body"])
    assert len(api.simulator.arrivals()) == len(statuses) - 1
