"""`messages`: lists and single messages, masked unless all is asked for."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.cli.world import Command

pytestmark = pytest.mark.loopback

ERROR = {
    "class": "permanent",
    "code": "recipient_invalid",
    "carrier_code": "4720",
    "carrier_text": "invalid destination",
    "advice": "Correct the number.",
}
RECORD: dict[str, Any] = {
    "id": "m1",
    "tenant_id": "acme",
    "parent_id": None,
    "config_id": "c1",
    "sender": "+12025550143",
    "receiver": "+13125550100",
    "recipients": ["+13125550100"],
    "did": "+12025550143",
    "direction": "OUT",
    "msg_type": "MMS",
    "content": "a private text",
    "media": ["https://m.example.com/a.jpg"],
    "status": "failed",
    "final": True,
    "delivery": "ERR",
    "reason": "The network refused it.",
    "error": ERROR,
    "provider_msg_id": "p1",
    "segments": 1,
    "attempt": 2,
    "extension": "101",
    "conversation_id": None,
    "client_ref": "order 13125550100",
    "time": "2026-05-04T03:02:01.000Z",
    "updated_at": "2026-05-04T03:02:09.000Z",
    "history": [
        {"status": "accepted", "at": "2026-05-04T03:02:01.000Z", "sequence": 1},
        {
            "status": "queued",
            "at": "2026-05-04T03:02:02.000Z",
            "sequence": 2,
            "code": "carrier_busy",
            "carrier_code": "429",
        },
        {
            "status": "failed",
            "at": "2026-05-04T03:02:09.000Z",
            "sequence": 5,
            "code": "recipient_invalid",
            "carrier_code": "4720",
        },
    ],
}


@pytest.fixture
def asked() -> list[dict[str, str]]:
    return []


@pytest.fixture
async def dispatcher(asked: list[dict[str, str]]) -> AsyncIterator[Command]:
    async def page(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        if request.headers["Authorization"] != "Bearer a-token":
            body = {"code": "unauthorized", "message": "A valid bearer token is needed.", "errors": []}
            return web.json_response(body, status=401)
        if "since" in request.query:
            errors = [{"field": "since", "message": "Input should be a valid datetime"}]
            return web.json_response(
                {"code": "invalid_query", "message": "The query is not valid.", "errors": errors}, status=422
            )
        return web.json_response({"count": 3 if request.query.get("top") == "1" else 1, "items": [RECORD]})

    async def read(request: web.Request) -> web.Response:
        if request.match_info["message_id"] == "m1":
            return web.json_response(RECORD)
        status = 404 if request.match_info["message_id"] == "m2" else 503
        return web.json_response({"code": "x", "message": "The store is away.", "errors": []}, status=status)

    app = web.Application()
    app.router.add_get("/api/v1/messages", page)
    app.router.add_get("/api/v1/messages/acme/{message_id}", read)
    async with TestServer(app) as server:
        env = {"SMSGW_DISPATCHER_URL": str(server.make_url("")).rstrip("/"), "SMSGW_DISPATCHER_TOKEN": "a-token"}
        yield Command({**env, "SMSGW_TENANT": "acme"})


async def test_a_list_is_masked(dispatcher: Command, asked: list[dict[str, str]]):
    ended = await dispatcher("messages", "list")
    assert ended.status == 0
    assert asked == [{"tenant_id": "acme", "top": "20", "skip": "0"}]
    for word in ("m1", "failed", "4720", "+1202***0143", "14 characters and 1 file"):
        assert word in ended.out
    assert "private" not in ended.out
    assert "+13125550100" not in ended.out


async def test_a_list_shows_all_when_asked_for(dispatcher: Command):
    ended = await dispatcher("messages", "list", "--show")
    assert "a private text" in ended.out
    assert "+13125550100" in ended.out


async def test_a_list_is_narrowed_by_the_dispatcher(dispatcher: Command, asked: list[dict[str, str]]):
    arguments = ["--tenant", "other", "-n", "+13125550100", "--direction", "in", "--status", "failed", "--config", "c1"]
    ended = await dispatcher(
        "messages", "list", *arguments, "--until", "2026-05-05T00:00:00Z", "--search", "m1", "--top", "1", "--skip", "2"
    )
    assert asked == [
        {
            "tenant_id": "other",
            "number": "+13125550100",
            "direction": "IN",
            "status": "failed",
            "config_id": "c1",
            "until": "2026-05-05T00:00:00Z",
            "search": "m1",
            "top": "1",
            "skip": "2",
        }
    ]
    assert "1 of 3" in ended.err


async def test_json_is_masked_too_unless_all_is_asked_for(dispatcher: Command):
    masked = (await dispatcher("messages", "list", "--json")).json
    assert (masked["count"], masked["items"][0]["content"], masked["items"][0]["sender"]) == (1, "***", "+1202***0143")
    assert (await dispatcher("messages", "list", "--json", "--show")).json["items"] == [RECORD]
    assert (await dispatcher("messages", "show", "m1", "--json", "--show")).json == RECORD
    assert (await dispatcher("messages", "show", "m1", "--json")).json["content"] == "***"


async def test_one_message_is_shown_with_its_way_and_the_carriers_code_in_words(dispatcher: Command):
    ended = await dispatcher("messages", "show", "m1")
    assert ended.status == 0
    steps = {line.split()[1]: line for line in ended.out.splitlines() if line.startswith("2026-")}
    assert list(steps) == ["accepted", "queued", "failed"]
    assert "429" in steps["queued"]
    assert "carrier busy" in steps["queued"]
    assert "invalid destination. Correct the number." in steps["failed"]
    assert "private" not in ended.out
    assert "3125550100" not in ended.out


@pytest.mark.parametrize(
    ("message_id", "told"),
    [("m2", "The tenant acme has no message of this id."), ("m3", "The store is away.")],
    ids=["not there", "store away"],
)
async def test_a_message_that_cannot_be_read(dispatcher: Command, message_id: str, told: str):
    ended = await dispatcher("messages", "show", message_id)
    assert (ended.status, ended.err) == (1, f"error: {told}\n")


@pytest.mark.parametrize(
    ("arguments", "env", "exit_status", "told"),
    [
        pytest.param(["--direction", "up"], {}, 2, "`in` or `out`", id="no direction"),
        pytest.param([], {"SMSGW_TENANT": ""}, 2, "--tenant", id="no tenant"),
        pytest.param([], {"SMSGW_DISPATCHER_TOKEN": ""}, 1, "SMSGW_DISPATCHER_TOKEN is not set", id="no token"),
        pytest.param([], {"SMSGW_DISPATCHER_TOKEN": "wrong"}, 1, "A valid bearer token is needed.", id="another token"),
        pytest.param(["--since", "x"], {}, 1, "since: Input should be a valid datetime", id="a field that is wrong"),
        pytest.param([], {"SMSGW_DISPATCHER_URL": "http://127.0.0.1:1"}, 1, "cannot be reached", id="nobody there"),
        pytest.param(
            [], {"SMSGW_DISPATCHER_URL": "ftp://x"}, 2, "SMSGW_DISPATCHER_URL: must be the base", id="no address"
        ),
        pytest.param([], {"SMSGW_CA_FILE": "absent.pem"}, 1, "absent.pem cannot be read", id="no certificates"),
    ],
)
async def test_what_keeps_a_list_from_being_had(
    dispatcher: Command, arguments: list[str], env: dict[str, str], exit_status: int, told: str
):
    ended = await dispatcher("messages", "list", *arguments, env=env)
    assert ended.status == exit_status
    assert told in ended.err
    assert "a-token" not in ended.err + ended.out


async def test_an_empty_list_says_so():
    async def page(_: web.Request) -> web.Response:
        return web.json_response({"count": 0, "items": []})

    app = web.Application()
    app.router.add_get("/api/v1/messages", page)
    async with TestServer(app) as server:
        command = Command({"SMSGW_DISPATCHER_URL": str(server.make_url("")), "SMSGW_DISPATCHER_TOKEN": "t"})
        ended = await command("messages", "list", "-t", "acme")
    assert (ended.status, ended.err) == (0, "no messages\n")
