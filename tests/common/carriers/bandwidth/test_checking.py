"""Trying credentials: which step fails, what is said, and that nothing is ever sent."""

import pytest
from aiohttp import web

from carrier_simulator import SimulatedAccount, SimulatorSettings, running
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.errors import Code

pytestmark = pytest.mark.loopback


@pytest.fixture
async def simulator(credentials):
    account = {
        "account_id": credentials["account_id"],
        "credentials": [{"client_id": credentials["api_token"], "client_secret": credentials["api_secret"]}],
        "users": [{"username": "old-user", "password": "old-word"}],
        "applications": [],
    }
    async with running(SimulatorSettings()) as simulator:
        simulator.put_account(SimulatedAccount.model_validate(account))
        yield simulator


@pytest.fixture
async def carrier(simulator, http):
    carrier = Bandwidth(http, {"messaging_url": simulator.messaging_url, "token_url": simulator.token_url})
    yield carrier
    await carrier.close()


CHANGES = {
    "right": ({}, [("complete", True, None), ("token", True, None), ("account", True, None)]),
    "incomplete": ({"api_secret": None}, [("complete", False, Code.CONFIG_INCOMPLETE)]),
    "wrong secret": (
        {"api_secret": "another"},
        [("complete", True, None), ("token", False, Code.CREDENTIALS_REFUSED)],
    ),
    "wrong account": (
        {"account_id": "5500009"},
        [("complete", True, None), ("token", True, None), ("account", False, Code.CREDENTIALS_REFUSED)],
    ),
}


@pytest.mark.parametrize(("changes", "steps"), CHANGES.values(), ids=CHANGES)
async def test_the_simulated_bandwidth_judges(carrier, account, changes, steps):
    found = await carrier.check(account(**changes))

    assert [(step.step, step.ok, step.code) for step in found] == steps
    said = " ".join(step.says for step in found)
    assert not [secret for secret in ("canary-secret", "another", "canary-client") if secret in said]


async def test_the_old_way_in_is_tried_as_it_is_and_warned_of(carrier, account):
    found = await carrier.check(account(api_token="old-user", api_secret="old-word", auth="basic"))

    assert [step.ok for step in found] == [True, True, True]
    assert "ends this on 2 December 2026" in found[1].says


@pytest.fixture
async def answering(http):
    """A carrier whose messages endpoint answers what the test says."""
    answers: list[web.Response] = []
    seen: list[web.Request] = []

    async def listed(request):
        seen.append(request)
        return answers[0]

    async def grant(_):
        return web.json_response({"access_token": "t", "expires_in": 3600})

    app = web.Application()
    app.router.add_get("/api/v2/users/{account}/messages", listed)
    app.router.add_post("/token", grant)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    carrier = Bandwidth(http, {"messaging_url": f"{url}/api/v2", "token_url": f"{url}/token"})
    yield carrier, answers, seen
    await carrier.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, None),
        (400, Code.CARRIER_ERROR),
        (401, Code.CREDENTIALS_REFUSED),
        (403, Code.CREDENTIALS_REFUSED),
        (404, Code.CREDENTIALS_REFUSED),
        (429, Code.CARRIER_BUSY),
        (302, Code.CARRIER_ERROR),
        (503, Code.CARRIER_ERROR),
    ],
)
async def test_what_the_list_call_answers_decides(answering, account, status, code):
    carrier, answers, seen = answering
    answers.append(web.Response(status=status, headers={"Location": "http://127.0.0.1:9/"}))

    found = await carrier.check(account(account_id="a/b"))

    assert (found[-1].step, found[-1].ok, found[-1].code) == ("account", code is None, code)
    assert (seen[0].method, seen[0].raw_path.partition("?")[0]) == ("GET", "/api/v2/users/a%2Fb/messages")
    assert seen[0].query["limit"] == "1"
    assert seen[0].query["fromDateTime"].endswith(".000Z")


async def test_each_try_gets_a_token_of_its_own(carrier, account, simulator):
    good = await carrier.check(account())
    simulator.put_account(SimulatedAccount.model_validate({"account_id": "5500001", "credentials": []}))
    then = await carrier.check(account())

    assert good[-1].ok
    assert (then[-1].step, then[-1].code) == ("token", Code.CREDENTIALS_REFUSED)


async def test_what_cannot_be_reached_is_named(http, account):
    for options, step in (
        ({"token_url": "http://127.0.0.1:9/token"}, "token"),
        ({"messaging_url": "http://127.0.0.1:9/api/v2", "basic_auth": True}, "account"),
    ):
        carrier = Bandwidth(http, options)
        found = await carrier.check(account())
        await carrier.close()
        assert (found[-1].step, found[-1].code) == (step, Code.CARRIER_UNREACHABLE)
        assert found[-1].says.startswith("127.0.0.1 cannot be reached")
