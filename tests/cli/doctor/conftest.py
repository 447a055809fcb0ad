"""A gateway for the doctor to examine, whose parts can be made ill."""

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sms_common.testing.broker import FakeBroker
from sms_common.topology import (
    CARRIER,
    OUTBOUND,
    lane,
    lane_queue,
    outbound_queue,
    tenant,
)
from tests.cli.world import Command
from tests.common.broker.broker_contract import Inbox

TENANT = {"id": "acme", "name": "Acme", "pbx_id": "main", "default_config_id": "c1"}
CONFIG: dict[str, Any] = {
    "id": "c1",
    "tenant_id": "acme",
    "name": "Main",
    "enabled": True,
    "missing": [],
    "callback": {"username": "bw"},
}


@dataclass
class Health:
    """What a service says of itself."""

    status: int = 200
    checks: Mapping[str, str] = field(default_factory=lambda: {"broker": "ok", "store": "ok", "configuration": "ok"})
    snapshot_age: float | None = 3.0
    ahead: float = 0.0

    def app(self) -> web.Application:
        async def readyz(_: web.Request) -> web.Response:
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=self.ahead), usegmt=True)
            body = {"ready": self.status == 200, "checks": dict(self.checks)}
            return web.json_response(body, status=self.status, headers={"Date": date})

        async def metrics(_: web.Request) -> web.Response:
            age = "" if self.snapshot_age is None else f"smsgw_config_snapshot_age_seconds {self.snapshot_age}\n"
            return web.Response(text=f"# HELP x y\n{age}smsgw_up 1\n")

        app = web.Application()
        app.router.add_get("/readyz", readyz)
        app.router.add_get("/metrics", metrics)
        return app


@dataclass
class Gateway:
    """A gateway whose parts can be made ill before it is looked at."""

    broker: FakeBroker = field(default_factory=FakeBroker)
    config: Health = field(default_factory=lambda: Health(checks={"broker": "ok", "store": "ok"}))
    dispatcher: Health = field(default_factory=Health)
    ingress: Health = field(default_factory=Health)
    tenants: list[dict[str, Any]] = field(default_factory=lambda: [TENANT])
    configs: list[dict[str, Any]] = field(default_factory=lambda: [CONFIG])
    api_status: int = 200
    health: list[dict[str, Any]] | None = None
    trials: dict[str, list[dict[str, Any]] | int] = field(default_factory=dict)
    get_status: int = 405
    webhook: str | None = ""
    certificate: ssl.SSLContext | None = None
    env: dict[str, str] = field(default_factory=dict)

    async def examined(self, *arguments: str) -> dict[str, tuple[str, str, str]]:
        """The doctor's findings by part: level, what was found, what to do."""
        self.ended = await self.call("--json", *arguments)
        findings = self.ended.json["findings"]
        assert len({one["part"] for one in findings}) == len(findings)
        return {one["part"]: (one["level"], one["said"], one["do"]) for one in findings}

    async def call(self, *arguments: str) -> Any:
        async with AsyncExitStack() as stack:

            async def serve(app: web.Application, context: ssl.SSLContext | None = None) -> str:
                server = TestServer(app, host="127.0.0.1", scheme="https" if context else "http")
                await server.start_server(ssl=context)
                stack.push_async_callback(server.close)
                return str(server.make_url("")).rstrip("/")

            public = await serve(self._ingress(), self.certificate)
            if self.webhook == "":
                self.webhook = f"{public}/webhooks/bandwidth/a-secret-token"
            env = {
                "SMSGW_CONFIG_URL": await serve(self._config()),
                "SMSGW_DISPATCHER_URL": await serve(self.dispatcher.app()),
                "SMSGW_INGRESS_URL": await serve(self.ingress.app()),
                "SMSGW_API_KEY": "the-api-key",
            }
            return await Command({**env, **self.env}, self.broker)("doctor", *arguments)

    def _ingress(self) -> web.Application:
        async def webhooks(request: web.Request) -> web.Response:
            assert request.match_info["token"] != "a-secret-token"
            return web.Response(status=self.get_status, headers={"Server": "a-proxy"})

        app = web.Application()
        app.router.add_get("/webhooks/bandwidth/{token}", webhooks)
        return app

    def _config(self) -> web.Application:
        app = self.config.app()

        async def listed(request: web.Request) -> web.Response:
            if self.api_status != 200:
                body = {"code": "x", "message": "The key is not good.", "errors": []}
                return web.json_response(body, status=self.api_status)
            items = (
                self.tenants
                if "tenants" in request.path
                else [{**one, "webhook": one.get("webhook", self.webhook)} for one in self.configs]
            )
            return web.json_response({"count": len(items), "items": items})

        async def health(_: web.Request) -> web.Response:
            if self.health is None:
                raise web.HTTPNotFound
            return web.json_response({"count": len(self.health), "items": self.health})

        async def tried(request: web.Request) -> web.Response:
            steps = self.trials[request.match_info["trial"]]
            if isinstance(steps, int):
                body = {"code": "x", "message": "Not now.", "errors": []}
                return web.json_response(body, status=steps)
            return web.json_response({"ok": all(step["ok"] for step in steps), "steps": steps})

        app.router.add_get("/api/v1/sms-health", health)
        app.router.add_post("/api/v1/sms/c1/{trial}", tried)
        app.router.add_get("/api/v1/tenants", listed)
        app.router.add_get("/api/v1/sms", listed)
        return app


@pytest.fixture
async def gateway() -> Gateway:
    gateway = Gateway()
    await gateway.broker.declare(lane("c1"))
    await gateway.broker.declare(tenant("acme"))
    queues = (OUTBOUND, outbound_queue("acme"), CARRIER, "pbx.main.inbound", "pbx.main.status", lane_queue("c1"))
    for queue in queues:
        await gateway.broker.consume(queue, Inbox(), prefetch=1)
    return gateway
