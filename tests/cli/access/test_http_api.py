"""Calls to a service's HTTP API: what is asked, and what is said of answers that cannot be used."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from smsgw.access.http_api import ApiRefusal, ServiceApi, session
from smsgw.terminal.running import Failure

pytestmark = pytest.mark.loopback


def refused(status: int) -> web.Response:
    errors = [{"field": "name", "message": "is missing"}, {"field": "", "message": "cannot be read"}]
    return web.json_response({"code": "invalid", "message": "Not so.", "errors": errors}, status=status)


async def answer(request: web.Request) -> web.StreamResponse:
    match request.match_info["kind"]:
        case "echo":
            headers = {name: request.headers.get(name) for name in ("Authorization", "If-Match")}
            return web.json_response({"query": dict(request.query), "body": await request.json(), **headers})
        case "empty":
            return web.Response(status=204)
        case "page":
            skip = int(request.query["skip"])
            return web.json_response(
                {"count": 3, "items": [{"id": number} for number in range(skip, min(skip + 2, 3))]}
            )
        case "text":
            return web.Response(text="a page of something else")
        case "moved":
            raise web.HTTPFound("/api/echo")
        case status:
            return refused(int(status))


@pytest.fixture
async def api() -> AsyncIterator[ServiceApi]:
    app = web.Application()
    app.router.add_route("*", "/api/{kind}", answer)
    async with TestServer(app) as server, session(5, None) as http:
        yield ServiceApi(http, str(server.make_url("")).rstrip("/"), SecretStr("a-token"), "config service")


async def test_a_call_carries_token_query_body_and_version(api: ServiceApi):
    assert await api.call("PATCH", "/api/echo", {"a": 1}, parameters={"b": "2"}, version=3) == {
        "query": {"b": "2"},
        "body": {"a": 1},
        "Authorization": "Bearer a-token",
        "If-Match": '"3"',
    }


async def test_an_empty_answer_is_none(api: ServiceApi):
    assert await api.call("DELETE", "/api/empty") is None


async def test_a_list_is_read_to_its_last_page(api: ServiceApi):
    assert [one["id"] for one in await api.every("/api/page")] == [0, 1, 2]


async def test_a_refusal_names_the_fields(api: ServiceApi):
    with pytest.raises(ApiRefusal) as refusal:
        await api.call("GET", "/api/404")
    assert str(refusal.value) == "Not so.\n  name: is missing\n  request: cannot be read"
    assert (refusal.value.status, refusal.value.code, refusal.value.not_found) == (404, "invalid", True)


@pytest.mark.parametrize("kind", ["text", "moved"])
async def test_something_else_at_that_address_is_named(api: ServiceApi, kind: str):
    with pytest.raises(ApiRefusal, match=r"The config service answered \d+, and not as that service does"):
        await api.call("GET", f"/api/{kind}")


async def test_a_service_that_is_not_there_is_named():
    async with session(5, None) as http:
        with pytest.raises(Failure, match=r"The dispatcher at http://127\.0\.0\.1:1 cannot be reached"):
            await ServiceApi(http, "http://127.0.0.1:1", None, "dispatcher").call("GET", "/api/echo")
