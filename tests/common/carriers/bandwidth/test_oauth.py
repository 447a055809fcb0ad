"""Access tokens: one a credential, one call for any number of senders, renewed ahead, replaced once when refused."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from sms_common.carriers.protocol import Window
from sms_common.errors import Code, Misconfigured, SendFailure, TemporaryFailure, Throttled
from sms_common.messages import OutboundMessage
from sms_common.telemetry import metrics

pytestmark = pytest.mark.loopback

TEXT = OutboundMessage("gw-1/a", "+12025550143", ("+14045550121",), "Hello World")


def token(name, **fields):
    return web.json_response({"access_token": name, "expires_in": 3600, "token_type": "Bearer", **fields})


def refusal(status, body=None, **headers):
    return web.json_response(body or {"error": "invalid_client"}, status=status, headers=headers)


def unauthorized():
    return web.json_response({"type": "unauthorized", "description": "Authentication Failed"}, status=401)


async def failure_of(sending):
    with pytest.raises(SendFailure) as caught:
        await sending
    return caught.value


def used_tokens(stand_in):
    return [call.authorization.removeprefix("Bearer ") for call in stand_in.messages]


async def test_a_token_is_asked_for_as_rfc_6749_says(bandwidth, stand_in, account):
    await bandwidth.send(TEXT, account())

    (call,) = stand_in.token_calls
    assert call.raw == b"grant_type=client_credentials"
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert call.authorization == "Basic " + base64.b64encode(b"canary-client:canary-secret").decode()


async def test_a_token_serves_until_a_minute_before_its_end(bandwidth, stand_in, account, clock):
    await bandwidth.send(TEXT, account())
    clock.now += 3600 - 60 - 1
    await bandwidth.send(TEXT, account())

    assert len(stand_in.token_calls) == 1


async def test_a_hundred_senders_wait_for_one_token(bandwidth, stand_in, account):
    arrived, go = asyncio.Event(), asyncio.Event()

    async def grant_slowly():
        arrived.set()
        await go.wait()
        return token("shared")

    stand_in.grants.append(grant_slowly)
    sending = [asyncio.create_task(bandwidth.send(TEXT, account())) for _ in range(100)]
    await arrived.wait()
    go.set()
    await asyncio.gather(*sending)

    assert len(stand_in.token_calls) == 1
    assert used_tokens(stand_in) == ["shared"] * 100


async def test_a_sender_that_gives_up_takes_no_token_from_the_others(bandwidth, stand_in, account):
    arrived, go = asyncio.Event(), asyncio.Event()

    async def grant_slowly():
        arrived.set()
        await go.wait()
        return token("shared")

    stand_in.grants.append(grant_slowly)
    first, second = (asyncio.create_task(bandwidth.send(TEXT, account())) for _ in range(2))
    await arrived.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    await second

    assert len(stand_in.token_calls) == 1


async def test_near_its_end_a_token_is_renewed_behind_the_next_send(bandwidth, stand_in, account, clock):
    asked, go = asyncio.Event(), asyncio.Event()

    async def grant_slowly():
        asked.set()
        await go.wait()
        return token("second")

    stand_in.grants.extend([token("first"), grant_slowly, token("third")])
    await bandwidth.send(TEXT, account())
    clock.now += 3600 - 60
    await bandwidth.send(TEXT, account())
    await bandwidth.send(TEXT, account())
    async with asyncio.timeout(5):
        await asked.wait()

    assert used_tokens(stand_in) == ["first", "first", "first"]
    go.set()
    async with asyncio.timeout(5):
        while used_tokens(stand_in)[-1] == "first":
            await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in)[-1] == "second"
    assert len(stand_in.token_calls) == 2


async def test_a_token_that_has_ended_is_waited_for(bandwidth, stand_in, account, clock):
    stand_in.grants.extend([token("first"), token("second")])
    await bandwidth.send(TEXT, account())
    clock.now += 3600
    await bandwidth.send(TEXT, account())

    assert used_tokens(stand_in) == ["first", "second"]


async def test_a_failed_renewal_does_not_take_the_valid_token_away(bandwidth, stand_in, account, clock):
    failed = asyncio.Event()

    async def fail():
        failed.set()
        return refusal(503)

    stand_in.grants.extend([token("first"), fail, token("second")])
    await bandwidth.send(TEXT, account())
    clock.now += 3600 - 60
    await bandwidth.send(TEXT, account())
    await failed.wait()
    await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in) == ["first"] * 3

    clock.now += 60
    await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in)[-1] == "second"


@pytest.mark.parametrize(
    ("expires_in", "still_valid_after", "renewed_by"),
    [
        pytest.param(3600, 3539, 3600, id="seconds"),
        pytest.param("600", 539, 600, id="text"),
        pytest.param(None, 3539, 3600, id="null-means-an-hour"),
        pytest.param("soon", 3539, 3600, id="words-mean-an-hour"),
        pytest.param(30, 14, 30, id="shorter-than-the-margin"),
        pytest.param(-5, 0, 1, id="negative"),
        pytest.param("nan", 0, 1, id="not-a-number"),
    ],
)
async def test_a_lifetime_is_read_leniently(
    expires_in, still_valid_after, renewed_by, bandwidth, stand_in, account, clock
):
    stand_in.grants.extend([token("first", expires_in=expires_in), token("second")])
    await bandwidth.send(TEXT, account())
    clock.now += still_valid_after
    await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in) == ["first", "first"]
    assert len(stand_in.token_calls) == 1

    clock.now += renewed_by - still_valid_after
    await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in)[-1] == "second"


async def test_a_refused_token_is_replaced_once_and_the_send_goes_on(bandwidth, stand_in, account):
    stand_in.answers.append(unauthorized())

    result = await bandwidth.send(TEXT, account())

    assert result.carrier_message_id == "id-2"
    assert used_tokens(stand_in) == ["canary-token-1", "canary-token-2"]


async def test_a_refused_token_is_replaced_for_the_list_of_messages_too(bandwidth, stand_in, account):
    stand_in.answers.append(unauthorized())
    moment = datetime.now(UTC)

    assert await bandwidth.find_sent(TEXT, account(), Window(moment, moment)) == []
    assert [call.authorization for call in stand_in.lists] == ["Bearer canary-token-1", "Bearer canary-token-2"]


async def test_what_would_leave_too_late_to_be_answered_stays_here(bandwidth, stand_in, account, clock):
    async def slowly():
        clock.now += 24
        return token("late")

    stand_in.grants.append(slowly)

    failure = await failure_of(bandwidth.send(TEXT, account()))

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert stand_in.messages == []


async def test_a_token_refused_twice_means_that_a_person_must_look(bandwidth, stand_in, account):
    stand_in.answers.extend([unauthorized(), unauthorized()])

    failure = await failure_of(bandwidth.send(TEXT, account()))

    assert (type(failure), failure.code) == (Misconfigured, Code.CREDENTIALS_REFUSED)
    assert (len(stand_in.messages), len(stand_in.token_calls)) == (2, 2)


async def test_many_senders_with_the_same_refused_token_replace_it_once(bandwidth, stand_in, account):
    together = asyncio.Barrier(20)

    async def refuse_together():
        await together.wait()
        return unauthorized()

    stand_in.answers.extend([refuse_together] * 20)
    await asyncio.gather(*[bandwidth.send(TEXT, account()) for _ in range(20)])

    assert used_tokens(stand_in) == ["canary-token-1"] * 20 + ["canary-token-2"] * 20
    assert len(stand_in.token_calls) == 2


async def test_a_sender_refused_late_takes_the_replacement_that_is_there(bandwidth, stand_in, account):
    late_arrived, first_done = asyncio.Event(), asyncio.Event()

    async def refuse_late():
        late_arrived.set()
        await first_done.wait()
        return unauthorized()

    stand_in.answers.extend([refuse_late, unauthorized()])
    late = asyncio.create_task(bandwidth.send(TEXT, account()))
    await late_arrived.wait()
    await bandwidth.send(TEXT, account())
    first_done.set()
    await late

    assert used_tokens(stand_in) == ["canary-token-1", "canary-token-1", "canary-token-2", "canary-token-2"]
    assert len(stand_in.token_calls) == 2


async def test_a_replacement_that_fails_means_that_nothing_was_sent(bandwidth, stand_in, account):
    stand_in.answers.append(unauthorized())
    stand_in.grants.extend([token("first"), refusal(500)])

    failure = await failure_of(bandwidth.send(TEXT, account()))

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert len(stand_in.messages) == 1


async def test_configurations_with_one_credential_share_its_token(bandwidth, stand_in, account):
    await bandwidth.send(TEXT, account(account_id="one"))
    await bandwidth.send(TEXT, account(account_id="two", application_id="another"))

    assert len(stand_in.token_calls) == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"api_secret": "rotated"}, id="secret"),
        pytest.param({"api_token": "another"}, id="client"),
        pytest.param({"api_token": "canary-clientc", "api_secret": "anary-secret"}, id="same-letters-otherwise-parted"),
        pytest.param({"api_token": "canary-client:canary", "api_secret": "secret"}, id="colon"),
    ],
)
async def test_another_credential_has_a_token_of_its_own(changes, bandwidth, stand_in, account):
    await bandwidth.send(TEXT, account())
    await bandwidth.send(TEXT, account(**changes))
    await bandwidth.send(TEXT, account())

    assert used_tokens(stand_in) == ["canary-token-1", "canary-token-2", "canary-token-1"]


async def test_a_credential_nobody_uses_any_more_is_forgotten(bandwidth, stand_in, account, clock):
    await bandwidth.send(TEXT, account(api_secret="old"))
    clock.now += 3600
    await bandwidth.send(TEXT, account(api_secret="new"))
    clock.now -= 3600
    await bandwidth.send(TEXT, account(api_secret="old"))

    assert len(stand_in.token_calls) == 3


@pytest.mark.parametrize(
    ("grant", "kind", "code", "carrier_code"),
    [
        pytest.param(refusal(400), Misconfigured, Code.CREDENTIALS_REFUSED, "invalid_client", id="400"),
        pytest.param(refusal(401), Misconfigured, Code.CREDENTIALS_REFUSED, "invalid_client", id="401"),
        pytest.param(refusal(403, {"message": "no"}), Misconfigured, Code.CREDENTIALS_REFUSED, "403", id="403"),
        pytest.param(refusal(404, {"error": "Not Found"}), Misconfigured, Code.CREDENTIALS_REFUSED, "404", id="404"),
        pytest.param(refusal(408), TemporaryFailure, Code.CARRIER_UNREACHABLE, "invalid_client", id="408"),
        pytest.param(refusal(429), Throttled, Code.CARRIER_BUSY, "invalid_client", id="429"),
        pytest.param(refusal(500), TemporaryFailure, Code.CARRIER_UNREACHABLE, "invalid_client", id="500"),
        pytest.param(refusal(503, {"error": 5}), TemporaryFailure, Code.CARRIER_UNREACHABLE, "503", id="503"),
        pytest.param(refusal(302), TemporaryFailure, Code.CARRIER_UNREACHABLE, "invalid_client", id="302"),
        pytest.param(web.Response(text="<html>"), TemporaryFailure, Code.CARRIER_ERROR, None, id="html"),
        pytest.param(token(""), TemporaryFailure, Code.CARRIER_ERROR, None, id="empty-token"),
        pytest.param(token(5), TemporaryFailure, Code.CARRIER_ERROR, None, id="token-no-text"),
        pytest.param(token("a\r\nX-Evil: 1"), TemporaryFailure, Code.CARRIER_ERROR, None, id="token-with-line-break"),
        pytest.param(token("tökén"), TemporaryFailure, Code.CARRIER_ERROR, None, id="token-not-ascii"),
        pytest.param(token("t" * 20_000), TemporaryFailure, Code.CARRIER_ERROR, None, id="token-endless"),
    ],
)
async def test_a_call_for_a_token_that_fails(grant, kind, code, carrier_code, bandwidth, stand_in, account):
    async def give():
        return web.Response(status=grant.status, body=grant.body, content_type=grant.content_type)

    stand_in.grants.append(give)

    failure = await failure_of(bandwidth.send(TEXT, account()))

    assert (type(failure), failure.code, failure.carrier_code) == (kind, code, carrier_code)
    assert stand_in.messages == []
    assert "canary" not in repr(failure)


async def test_after_a_failure_nobody_calls_for_a_while_and_everybody_is_told(bandwidth, stand_in, account, clock):
    stand_in.grants.extend([refusal(503), refusal(503), token("third")])
    failures = [await failure_of(bandwidth.send(TEXT, account())) for _ in range(50)]
    assert len(stand_in.token_calls) == 1
    assert {failure.retry_after for failure in failures} == {1.0}

    clock.now += 1
    await failure_of(bandwidth.send(TEXT, account()))
    clock.now += 1
    assert (await failure_of(bandwidth.send(TEXT, account()))).retry_after == 1.0
    assert len(stand_in.token_calls) == 2

    clock.now += 1
    await bandwidth.send(TEXT, account())
    assert used_tokens(stand_in) == ["third"]


async def test_the_pause_after_failures_grows_to_half_a_minute(bandwidth, stand_in, account, clock):
    stand_in.grants.extend([refusal(503) for _ in range(20)])
    waits = []
    for _ in range(12):
        waits.append((await failure_of(bandwidth.send(TEXT, account()))).retry_after)
        clock.now += waits[-1]

    assert waits == [1, 2, 4, 8, 16] + [30] * 7


async def test_a_token_ends_the_growing_of_the_pause(bandwidth, stand_in, account, clock):
    stand_in.grants.extend([refusal(503), refusal(503), token("first"), refusal(503)])
    for _ in range(2):
        clock.now += (await failure_of(bandwidth.send(TEXT, account()))).retry_after
    await bandwidth.send(TEXT, account())
    clock.now += 3600

    assert (await failure_of(bandwidth.send(TEXT, account()))).retry_after == 1.0


@pytest.mark.parametrize(("wish", "wait"), [("12", 12.0), ("99999", 300.0), ("0", 1.0)])
async def test_the_token_endpoints_own_wish_is_honoured_within_reason(wish, wait, bandwidth, stand_in, account):
    stand_in.grants.append(refusal(429, **{"Retry-After": wish}))

    assert (await failure_of(bandwidth.send(TEXT, account()))).retry_after == wait


async def test_the_token_endpoints_wish_may_be_a_date(bandwidth, stand_in, account):
    later = (datetime.now(UTC) + timedelta(seconds=120)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    stand_in.grants.append(refusal(503, **{"Retry-After": later}))

    assert 100 < (await failure_of(bandwidth.send(TEXT, account()))).retry_after <= 120


async def test_calls_for_tokens_are_counted_by_how_they_ended(bandwidth, stand_in, account):
    def count(result):
        return metrics.registry.get_sample_value("smsgw_token_refresh_total", {"result": result}) or 0

    before = {result: count(result) for result in ("granted", "credentials_refused")}
    stand_in.grants.extend([token("first"), refusal(401)])
    await bandwidth.send(TEXT, account())
    await failure_of(bandwidth.send(TEXT, account(api_secret="wrong")))

    assert {result: count(result) - number for result, number in before.items()} == {
        "granted": 1,
        "credentials_refused": 1,
    }


async def test_closing_ends_a_renewal_and_those_who_wait_for_it(bandwidth, stand_in, account):
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang():
        asked.set()
        await never.wait()

    stand_in.grants.append(hang)
    sending = asyncio.create_task(bandwidth.send(TEXT, account()))
    await asked.wait()
    await bandwidth.close()
    failure = await failure_of(sending)
    never.set()

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert stand_in.messages == []
