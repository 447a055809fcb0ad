"""The token call, the life of a token, and the end of user names and passwords."""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from carrier_simulator import Clock
from carrier_simulator.bandwidth.tokens import IssuedTokens
from tests.simulator.conftest import ACCOUNT, OTHER_ACCOUNT, START, Api, account, basic
from tests.simulator.samples import sample

GRANT = b"grant_type=client_credentials"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def ask(api: Api, *, authorization: str | None = None, data: bytes = GRANT, headers: Any = FORM) -> Any:
    authorization = authorization or basic("client", "client-secret")
    return await api.call("POST", api.simulator.token_url, authorization=authorization, data=data, headers=headers)


async def test_a_token_is_answered_as_the_sample(api):
    _, response = sample("oauth-token-200")

    status, headers, body = await ask(api)

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert {**body, "access_token": ""} == {**response["body"], "access_token": ""}


async def test_a_token_names_its_accounts_as_a_jwt_does(start):
    api = await start(more_accounts=(account(account_id=OTHER_ACCOUNT),))

    token = (await api.token())["access_token"]

    payload = token.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["accounts"] == [ACCOUNT, OTHER_ACCOUNT]


async def test_one_credential_covers_every_account_that_lists_it(start):
    api = await start(more_accounts=(account(account_id=OTHER_ACCOUNT),))

    assert (await api.send(account_id=ACCOUNT))[0] == 202
    assert (await api.send(account_id=OTHER_ACCOUNT))[0] == 202


@pytest.mark.parametrize(
    "authorization",
    [
        basic("client", "wrong"),
        basic("nobody", "client-secret"),
        "Bearer x",
        "Basic ####",
        basic("client", "sécret"),
        "x",
    ],
    ids=["wrong-secret", "unknown-client", "bearer", "not-base64", "not-ascii", "nonsense"],
)
async def test_a_wrong_client_gets_401(api, authorization):
    status, _, body = await ask(api, authorization=authorization)

    assert (status, body["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("data", "headers", "error"),
    [
        (b"grant_type=password", FORM, "unsupported_grant_type"),
        (b"", FORM, "invalid_request"),
        (b'{"grant_type":"client_credentials"}', {"Content-Type": "application/json"}, "invalid_request"),
    ],
    ids=["other-grant", "no-grant", "json"],
)
async def test_another_grant_or_form_gets_400(api, data, headers, error):
    status, _, body = await ask(api, data=data, headers=headers)

    assert (status, body["error"]) == (400, error)


async def test_both_secrets_of_a_rotation_are_good(start):
    secrets = [{"client_id": "client", "client_secret": secret} for secret in ("old", "new")]
    api = await start(changes={"credentials": secrets})

    for secret in ("old", "new"):
        api.authorization = f"Bearer {(await api.token(secret=secret))['access_token']}"
        assert (await api.send())[0] == 202


async def test_a_token_is_good_until_its_time_is_over_and_a_new_one_is_then_needed(start):
    api = await start(frozen=True, token_expires_in=60)

    assert (await api.send())[0] == 202
    api.simulator.clock.advance(59.9)
    assert (await api.send())[0] == 202
    api.simulator.clock.advance(0.1)
    assert (await api.send())[0] == 401
    api.authorization = None
    assert (await api.send())[0] == 202


async def test_a_revoked_token_is_stale_and_the_calls_are_counted(api):
    await api.send()

    assert await api.control("DELETE", "/tokens") == (200, {"revoked": 1})

    assert (await api.send())[0] == 401
    await ask(api, authorization=basic("client", "wrong"))
    _, state = await api.control("GET", "")
    assert state["tokens"] == {"calls": 2, "issued": 1, "live": 0}


async def test_a_token_whose_client_is_gone_gets_401(api, receiver):
    await api.send()

    api.simulator.put_account(account(receiver.url, credentials=[]))

    assert (await api.send())[0] == 401


async def test_user_name_and_password_work_until_the_set_day(start):
    end = datetime.fromtimestamp(START + 3600, UTC)
    api = await start(frozen=True, basic_until=end)
    api.authorization = basic("user", "user-password")

    assert (await api.send())[0] == 202
    assert (await api.send(account_id="nobody"))[0] == 403
    api.simulator.clock.advance(3600)
    assert (await api.send())[0] == 401


def test_tokens_of_a_client_that_never_caches_do_not_pile_up():
    tokens = IssuedTokens(Clock(frozen_at=START))
    first = tokens.issue("client", frozenset(), 3600)

    for _ in range(10_000):
        last = tokens.issue("client", frozenset(), 3600)

    assert (tokens.live, tokens.client(first), tokens.client(last)) == (10_000, None, "client")
