"""`explain`: the question that is asked, and the answer that is shown."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.cli.world import Command

pytestmark = pytest.mark.loopback

OUTBOUND = {
    "tenant_id": "acme",
    "to": "+13125550100",
    "text": "Hi",
    "extension": "101",
    "from": "+12025550143",
    "config_id": "c1",
    "category": "otp",
    "at": "2026-05-04T20:00:00Z",
}
ANSWER = {"sender": "+12025550143", "segments": 1, "bulk": False, "rules": [{"id": "r1", "won": True}], "nothing": None}


@pytest.fixture
def asked() -> list[Any]:
    return []


@pytest.fixture
async def explaining(asked: list[Any]) -> AsyncIterator[Command]:
    async def explain(request: web.Request) -> web.Response:
        asked.append((request.path, await request.json(), request.headers["Authorization"]))
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_post("/api/v1/explain/outbound", explain)
    app.router.add_post("/api/v1/explain/inbound", explain)
    async with TestServer(app) as server:
        yield Command({"SMSGW_CONFIG_URL": str(server.make_url("")), "SMSGW_API_KEY": "a-key"})


async def test_what_would_be_sent_is_asked_as_it_would_be_requested(explaining: Command, asked: list[Any]):
    arguments = ["+13125550100", "Hi", "-t", "acme", "-e", "101", "--from", "+12025550143", "--config", "c1"]
    arguments += ["--category", "otp", "--at", "2026-05-04T20:00:00Z"]
    ended = await explaining("explain", "outbound", *arguments)
    assert ended.status == 0
    assert asked == [("/api/v1/explain/outbound", OUTBOUND, "Bearer a-key")]
    for words in ("sender", "+12025550143", "segments", "rules", "1.", "won", "yes", "bulk", "no"):
        assert words in ended.out
    assert "nothing" not in ended.out


async def test_what_would_come_in_is_asked_with_its_time(explaining: Command, asked: list[Any]):
    ended = await explaining(
        "explain", "inbound", "+13125550100", "+12025550143", "--at", "2026-05-04T20:00:00Z", "--json"
    )
    assert ended.json == ANSWER
    assert asked[0][:2] == (
        "/api/v1/explain/inbound",
        {"sender": "+13125550100", "did": "+12025550143", "channel": "SMS", "at": "2026-05-04T20:00:00Z"},
    )


@pytest.mark.parametrize(("rejection", "status"), [(None, 0), ({"code": "blocked_by_rule", "reason": "Closed."}, 1)])
async def test_a_text_that_would_be_refused_is_a_failure(rejection: Any, status: int):
    async def explain(_: web.Request) -> web.Response:
        return web.json_response({"to": "+13125550100", "rejection": rejection})

    app = web.Application()
    app.router.add_post("/api/v1/explain/outbound", explain)
    async with TestServer(app) as server:
        command = Command({"SMSGW_CONFIG_URL": str(server.make_url("")), "SMSGW_API_KEY": "a-key"})
        ended = await command("explain", "outbound", "+13125550100", "-t", "acme", "-e", "101")
    assert (ended.status, "Closed." in ended.out) == (status, status == 1)


async def test_an_address_of_something_else_is_no_config_service(explaining: Command):
    elsewhere = {"SMSGW_CONFIG_URL": explaining.env["SMSGW_CONFIG_URL"] + "/elsewhere"}
    ended = await explaining("explain", "outbound", "+13125550100", "-t", "acme", "-e", "101", env=elsewhere)
    assert ended.status == 1
    assert "not as that service does" in ended.err


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        pytest.param({}, "This server does not explain outbound texts", id="an older server"),
        pytest.param({"/api/v1/explain/outbound": {}}, "There is no such tenant.", id="an unknown tenant"),
    ],
)
async def test_a_404_is_about_the_address_or_about_what_was_asked(paths: dict[str, Any], told: str):
    async def refuse(_: web.Request) -> web.Response:
        body = {"code": "not_found", "message": "There is no such tenant.", "errors": []}
        return web.json_response(body, status=404)

    async def describe(_: web.Request) -> web.Response:
        return web.json_response({"paths": paths})

    app = web.Application()
    app.router.add_get("/api/v1/openapi.json", describe)
    app.router.add_post("/{anything:.*}", refuse)
    async with TestServer(app) as server:
        command = Command({"SMSGW_CONFIG_URL": str(server.make_url("")), "SMSGW_API_KEY": "a-key"})
        ended = await command("explain", "outbound", "+13125550100", "-t", "acme", "-e", "101")
    assert ended.status == 1
    assert told in ended.err
