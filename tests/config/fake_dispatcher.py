"""A server that stands in for the dispatcher's read API."""

from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "token-of-the-messages-api"
MESSAGES = "/api/v1/messages"
MESSAGE = {
    "id": "m1",
    "tenant_id": "acme",
    "parent_id": None,
    "config_id": "c1",
    "sender": "+12015550100",
    "receiver": "+13125550100",
    "recipients": ["+13125550100"],
    "did": "+12015550100",
    "direction": "OUT",
    "msg_type": "SMS",
    "content": "Hello",
    "media": [],
    "status": "delivered",
    "final": True,
    "delivery": "DELIVERED",
    "reason": None,
    "error": None,
    "provider_msg_id": "p1",
    "segments": 1,
    "attempt": 1,
    "rule_id": "r1",
    "route": None,
    "extension": "101",
    "time": "2026-03-01T12:00:00.000Z",
    "updated_at": "2026-03-01T12:00:01.000Z",
    "history": [{"status": "accepted", "at": "2026-03-01T12:00:00.000Z", "sequence": 1}],
}


class Dispatcher:
    """Stands in for the dispatcher's read API and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: tuple[int, str] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"code": "unauthorized"}, status=401)
        if self.answer is not None:
            status, body = self.answer
            return web.Response(text=body, status=status)
        if request.path == MESSAGES:
            return web.json_response({"count": 7, "items": [MESSAGE]})
        found = request.path == f"{MESSAGES}/acme/m1"
        return web.json_response(MESSAGE if found else {"code": "not_found"}, status=200 if found else 404)


@asynccontextmanager
async def served(dispatcher):
    app = web.Application()
    app.router.add_get("/{path:.*}", dispatcher.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
