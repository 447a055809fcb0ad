"""How webhooks are sent: headers, authentication, repeats, limits."""

import asyncio

import pytest
from aiohttp import web

from carrier_simulator import MessageOutcome
from tests.simulator.conftest import (
    HANDSET,
    START,
    Receiver,
    account,
    basic,
)


async def test_webhooks_carry_the_two_documented_headers(api, receiver):
    await api.send()

    await receiver.events(1)

    headers = receiver.received[0].headers
    assert headers["User-Agent"] == "BandwidthAPI/v2"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Authorization" not in headers


CREDENTIALS = {"username": "hook", "password": "hook-password"}
GUARDED = {"outbound_credentials": CREDENTIALS, "inbound_credentials": {"username": "in", "password": "in-password"}}
ONE_EVENT = {"events": ["message-delivered"]}


def challenge(status: int = 401, scheme: str = 'Basic realm="sms"') -> web.Response:
    return web.Response(status=status, headers={"WWW-Authenticate": scheme})


def authorizations(receiver: Receiver) -> list[str | None]:
    return [entry.headers.get("Authorization") for entry in receiver.received]


async def test_credentials_are_shown_only_after_a_basic_challenge(start, receiver):
    api = await start(application={**GUARDED, **ONE_EVENT})
    receiver.answers.append(challenge())

    await api.send()
    await api.simulator.wait_for_attempts(1, answered=2)

    assert authorizations(receiver) == [None, basic("hook", "hook-password")]
    assert receiver.received[0].raw == receiver.received[1].raw
    assert [(one.number, one.authorized, one.status) for one in api.simulator.attempts()] == [
        (1, False, 401),
        (1, True, 200),
    ]


async def test_inbound_webhooks_have_their_own_credentials(start, receiver):
    api = await start(application=GUARDED, webhook_authentication="preemptive")

    await api.control("POST", "/inbound", {"from": HANDSET, "to": "+12025550143", "text": "hi"})
    await receiver.events(1)

    assert authorizations(receiver) == [basic("in", "in-password")]


@pytest.mark.parametrize(
    "answer",
    [web.Response(status=401), challenge(scheme="Bearer"), challenge(status=403)],
    ids=["no-header", "other-scheme", "403"],
)
async def test_without_a_basic_challenge_there_is_no_second_request_and_the_event_is_repeated(start, receiver, answer):
    api = await start(frozen=True, application={**GUARDED, **ONE_EVENT}, webhook_retry_delays=(5,))
    receiver.answers.append(answer)

    await api.send()
    await api.simulator.wait_for_attempts(1)
    assert api.simulator.webhooks.pending == 1
    api.simulator.clock.advance(5)
    await receiver.events(2)

    assert authorizations(receiver) == [None, None]


async def test_a_challenge_to_an_application_without_credentials_is_a_failure(start, receiver):
    api = await start(frozen=True, application=ONE_EVENT)
    receiver.answers.append(challenge())

    await api.send()
    await api.simulator.wait_for_attempts(1)

    assert len(receiver.received) == 1


@pytest.mark.parametrize(("mode", "expected"), [("preemptive", basic("hook", "hook-password")), ("none", None)])
async def test_credentials_can_be_shown_at_once_or_never(start, receiver, mode, expected):
    api = await start(frozen=True, application={**GUARDED, **ONE_EVENT}, webhook_authentication=mode)
    receiver.answers.append(challenge())

    await api.send()
    await api.simulator.wait_for_attempts(1)

    assert authorizations(receiver) == [expected]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_enough(start, receiver, status):
    api = await start(application=ONE_EVENT)
    receiver.answers.append(status)

    await api.send()
    await api.simulator.wait_for_attempts(1, answered=2)
    await api.send(tag="next")
    await api.simulator.wait_for_attempts(1, tag="next", answered=2)

    assert api.simulator.webhooks.pending == 0
    assert api.simulator.webhooks.delivered == 2


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_repeated_with_the_same_body_until_a_2xx(start, receiver, status):
    api = await start(frozen=True, application=ONE_EVENT, webhook_retry_delays=(1, 10))
    receiver.answers.extend([web.Response(status=status, headers={"Location": "/elsewhere"})] + [status] * 2)

    await api.send()
    for number, delay in enumerate((1, 10, 10), start=1):
        await api.simulator.wait_for_attempts(number, answered=status)
        api.simulator.clock.advance(delay - 0.5)
        await api.control("GET", "")  # a whole round trip in which a try that came too early would begin
        api.simulator.clock.advance(0.5)
    await api.simulator.wait_for_attempts(1, answered=200)

    assert len({entry.raw for entry in receiver.received}) == 1
    assert {entry.path for entry in receiver.received} == {"/outbound"}
    assert [one.number for one in api.simulator.attempts()] == [1, 2, 3, 4]
    assert [round(one.time - START) for one in api.simulator.attempts()] == [0, 1, 11, 21]


async def test_a_webhook_is_given_up_at_the_end_of_the_window(start, receiver):
    api = await start(frozen=True, application=ONE_EVENT, webhook_retry_delays=(40,), webhook_retry_window=100)
    receiver.answers.extend([500] * 3)

    await api.send()
    for number in (1, 2, 3):
        await api.simulator.wait_for_attempts(number)
        api.simulator.clock.advance(40)
    await asyncio.sleep(0)

    assert (api.simulator.webhooks.abandoned, api.simulator.webhooks.pending, len(receiver.received)) == (1, 0, 3)


async def test_an_answer_that_takes_too_long_is_a_failure(start, receiver):
    api = await start(application=ONE_EVENT, webhook_timeout=0.05, webhook_retry_delays=(0,))
    release = asyncio.Event()

    async def slow(_):
        await release.wait()
        return web.Response()

    receiver.answers.append(slow)
    await api.send()
    await api.simulator.wait_for_attempts(1, answered=200)
    release.set()

    first = api.simulator.attempts()[0]
    assert (first.status, first.error) == (None, "TimeoutError")
    assert first.duration >= 0.05


async def test_an_answer_that_breaks_off_while_it_should_be_read_is_repeated(start, receiver):
    api = await start(application=ONE_EVENT, webhook_retry_delays=(0,))

    async def cut(request):
        request.transport.abort()
        return web.Response()

    receiver.answers.append(cut)
    await api.send()
    await api.simulator.wait_for_attempts(1, answered=200)

    assert api.simulator.attempts()[0].status is None


async def test_a_server_that_is_not_there_is_tried_again_when_it_is(start, receiver):
    api = await start(frozen=True, application=ONE_EVENT, webhook_retry_delays=(5,))
    api.simulator.put_account(account("http://127.0.0.1:9", application=ONE_EVENT))

    await api.send()
    [attempt] = await api.simulator.wait_for_attempts(1)

    assert (attempt.status, attempt.error) == (None, "ClientConnectorError")


async def test_connections_are_kept_and_used_again(start, receiver):
    api = await start(application=ONE_EVENT, webhook_concurrency=1)
    ports = set()

    async def note(request):
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="thanks")

    receiver.answers.extend([note] * 3)
    for _ in range(3):
        await api.send()
    await receiver.events(3)

    assert len(ports) == 1


async def test_no_more_webhooks_are_under_way_than_allowed(start, receiver):
    api = await start(application=ONE_EVENT, webhook_concurrency=2)
    release, under_way, most = asyncio.Event(), 0, 0

    async def hold(_):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await release.wait()
        under_way -= 1
        return web.Response()

    receiver.answers.extend([hold] * 5)
    for _ in range(5):
        await api.send()
    await receiver.events(2)
    release.set()
    await api.simulator.wait_for_attempts(5)

    assert most == 2


async def test_above_the_backlog_webhooks_are_dropped_and_counted_and_the_next_event_still_comes(start, receiver):
    api = await start(frozen=True, webhook_backlog=1, webhook_retry_delays=(60,))
    receiver.answers.append(500)
    await api.send(tag="first")
    await api.simulator.wait_for_attempts(1)

    await api.send(tag="second")
    _, state = await api.control("GET", "")

    assert state["webhooks"]["pending"] == 1
    assert state["webhooks"]["dropped"] >= 2


async def test_a_cleared_simulator_forgets_webhooks_under_way_waiting_and_to_come(start, receiver):
    api = await start(frozen=True, webhook_retry_delays=(60,), webhook_concurrency=1)
    release = asyncio.Event()

    async def hold(_):
        await release.wait()
        return web.Response()

    receiver.answers.extend([500, hold])
    await api.send(tag="fails")
    await api.simulator.wait_for_attempts(1)
    await receiver.events(2)  # message-delivered of the first message is under way now
    await api.send(tag="waits")
    api.simulator.script(MessageOutcome(delay=300), to="*")
    await api.send(tag="later")

    assert await api.control("DELETE", "/state") == (204, b"")
    release.set()
    api.simulator.clock.advance(1000)
    await api.send(tag="new")
    await api.simulator.wait_for_attempts(2, tag="new")

    assert [one.webhook.tag for one in api.simulator.attempts()] == ["new", "new"]
    assert [arrival.tag for arrival in api.simulator.arrivals()] == ["new"]
    assert api.simulator.webhooks.pending == 0


async def test_a_request_that_waits_for_a_webhook_is_answered_when_the_state_is_cleared(start, receiver):
    api = await start(webhook_concurrency=1)
    release = asyncio.Event()

    async def hold(_):
        await release.wait()
        return web.Response()

    receiver.answers.append(hold)
    await api.send(tag="blocks")
    await receiver.events(1)
    waiting = asyncio.create_task(api.send(to="+14045559004"))
    await api.simulator.wait_for_arrivals(2)

    api.simulator.clear()
    release.set()

    assert (await waiting)[0] == 202
