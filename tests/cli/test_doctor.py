"""The doctor: a whole gateway is well, and each thing that is wrong is named with what to do."""

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sms_common.broker import Outgoing, QueueCounts, Survey
from sms_common.testing.broker import FakeBroker
from sms_common.topology import (
    CARRIER,
    DEAD,
    OUTBOUND,
    REFUSED,
    UNROUTED,
    Topology,
    lane,
    lane_queue,
    outbound_queue,
    tenant,
)
from tests.cli.certificates import Authority
from tests.cli.world import Command
from tests.common.broker.broker_contract import Inbox

pytestmark = pytest.mark.loopback

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


class Surveyed(FakeBroker):
    """A broker with these queues."""

    def __init__(self, queues: Mapping[str, QueueCounts]) -> None:
        super().__init__()
        self._counts = queues

    async def survey(self, topology: Topology) -> Survey:
        return Survey((), self._counts)


@pytest.fixture
async def gateway() -> Gateway:
    gateway = Gateway()
    await gateway.broker.declare(lane("c1"))
    await gateway.broker.declare(tenant("acme"))
    queues = (OUTBOUND, outbound_queue("acme"), CARRIER, "pbx.main.inbound", "pbx.main.status", lane_queue("c1"))
    for queue in queues:
        await gateway.broker.consume(queue, Inbox(), prefetch=1)
    return gateway


async def test_a_whole_gateway_is_well(gateway: Gateway):
    found = await gateway.examined()
    assert gateway.ended.status == 0
    assert gateway.ended.json["worst"] == "ok"
    assert {level for level, _, _ in found.values()} == {"ok"}
    assert {
        "broker",
        "topology",
        OUTBOUND,
        CARRIER,
        DEAD,
        UNROUTED,
        "API key",
        "requests",
        "lanes",
        "config acme/Main",
    } <= found.keys()
    assert {
        "config broker",
        "dispatcher store",
        "ingress broker",
        "dispatcher snapshot",
        "ingress snapshot",
    } <= found.keys()
    assert [part for part in found if part.startswith("webhook 127.0.0.1")] != []


async def test_the_table_says_the_same_and_holds_no_secret(gateway: Gateway):
    gateway.broker.away = True
    ended = await gateway.call()
    assert ended.status == 1
    assert "fail  broker" in ended.out
    assert "1 fail" in ended.out
    assert "the-api-key" not in ended.out + ended.err
    assert "a-secret-token" not in ended.out + ended.err


async def test_warnings_alone_are_no_failure(gateway: Gateway):
    for place in (DEAD, UNROUTED):
        await gateway.broker.publish(Outgoing(place, "k", b"{}", "t", "m"))
    found = await gateway.examined()
    assert gateway.ended.status == 0
    assert found[DEAD] == ("warn", "1 message there", "See why: smsgw dead-letters list")
    assert found[UNROUTED] == ("warn", "1 message there", "See why: smsgw unrouted list")


async def test_what_a_pbx_asks_for_tenants_that_are_not_its_own_is_named(gateway: Gateway):
    assert REFUSED not in await gateway.examined()
    await gateway.broker.publish(Outgoing("pbx.main.requests", "sms.outbound.somebody", b"{}", "t", "m"))
    assert (await gateway.examined())[REFUSED][0] == "warn"


async def test_a_bare_broker_has_neither_topology_nor_readers(gateway: Gateway):
    gateway.broker = FakeBroker(Topology())
    found = await gateway.examined()
    assert found["topology"][0] == "fail"
    assert "sms.retry.1s" in found["topology"][1]
    assert "pbx.main.requests" in found["topology"][1]
    for queue in (OUTBOUND, CARRIER, DEAD, UNROUTED):
        assert found[queue][:2] == ("fail", "does not exist")


async def test_queues_without_readers_are_named(gateway: Gateway):
    gateway.broker = FakeBroker()
    await gateway.broker.publish(Outgoing("sms", "sms.outbound.acme", b"{}", "t", "m"))
    found = await gateway.examined()
    assert found[OUTBOUND] == (
        "fail",
        "nobody reads it, 1 message waiting",
        "Start the dispatcher, or see why it is not ready.",
    )
    assert found["pbx.main.status"][0] == "warn"
    assert found[lane_queue("c1")][0] == "fail"


async def test_backlogs_are_named():
    busy = {OUTBOUND: QueueCounts(5_000, 1), CARRIER: QueueCounts(5, 1), lane_queue("c1"): QueueCounts(5_000, 1)}
    gateway = Gateway(broker=Surveyed(busy))
    found = await gateway.examined()
    assert found[OUTBOUND][:2] == ("warn", "5000 messages waiting")
    assert found[lane_queue("c1")][:2] == ("warn", "5000 messages waiting")
    assert found[CARRIER][:2] == ("ok", "1 reader, 5 messages waiting")


async def test_a_tenants_requests_are_looked_at(gateway: Gateway):
    gateway.tenants = [TENANT, {**TENANT, "id": "unread"}, {**TENANT, "id": "absent"}]
    await gateway.broker.declare(tenant("unread"))
    await gateway.broker.publish(Outgoing("sms", "sms.outbound.unread", b"{}", "t", "m"))
    found = await gateway.examined()
    assert found["sms.outbound.unread"][:2] == ("fail", "nobody reads it, 1 message waiting")
    assert found["sms.outbound.absent"][:2] == ("fail", "does not exist")
    assert "sms.outbound.acme" not in found
    assert "requests" not in found
    assert found["topology"][0] == "ok"


async def test_a_backlog_of_requests_is_named():
    read = {outbound_queue("acme"): QueueCounts(1_001, 1), outbound_queue("second"): QueueCounts(1_000, 1)}
    gateway = Gateway(broker=Surveyed(read), tenants=[TENANT, {**TENANT, "id": "second"}])
    found = await gateway.examined()
    assert found["sms.outbound.acme"][:2] == ("warn", "1001 messages waiting")
    assert "sms.outbound.second" not in found


async def test_a_broker_with_an_alarm_is_named(gateway: Gateway):
    gateway.broker.blocked = True
    assert (await gateway.examined())["broker"][:2] == ("fail", "the broker blocks publishers")


@pytest.mark.parametrize(
    ("service", "health", "part", "level", "said"),
    [
        pytest.param(
            "dispatcher",
            Health(503, {"store": "MongoDB is away."}),
            "dispatcher store",
            "fail",
            "MongoDB is away.",
            id="a database away",
        ),
        pytest.param("ingress", Health(500, {}), "ingress", "fail", "answers 500", id="something else there"),
        pytest.param("dispatcher", Health(checks={}), "dispatcher", "fail", "not as a service", id="no checks"),
        pytest.param(
            "dispatcher", Health(snapshot_age=500), "dispatcher snapshot", "fail", "500 s old", id="an old snapshot"
        ),
        pytest.param(
            "ingress", Health(snapshot_age=float("inf")), "ingress snapshot", "fail", "never had", id="no snapshot"
        ),
        pytest.param(
            "config", Health(ahead=20, snapshot_age=None), "config clock", "warn", "20 s ahead", id="a clock ahead"
        ),
        pytest.param("ingress", Health(ahead=-300), "ingress clock", "fail", "behind", id="a clock far behind"),
    ],
)
async def test_a_service_that_is_ill(gateway: Gateway, service: str, health: Health, part: str, level: str, said: str):
    setattr(gateway, service, health)
    found = await gateway.examined()
    assert found[part][0] == level
    assert said in found[part][1]
    assert found[part][2] != ""
    assert gateway.ended.status == (1 if level == "fail" else 0)


async def test_a_service_that_is_not_there(gateway: Gateway):
    gateway.env["SMSGW_INGRESS_URL"] = "http://127.0.0.1:1"
    assert (await gateway.examined())["ingress"][:2] == (
        "fail",
        "cannot be reached at http://127.0.0.1:1 (ClientConnectorError)",
    )


@pytest.mark.parametrize(
    ("status", "env", "said", "do"),
    [
        pytest.param(401, {}, "The key is not good.", "Make an API key", id="unknown"),
        pytest.param(403, {}, "The key is not good.", "scope read", id="may not read"),
        pytest.param(503, {}, "The key is not good.", "log", id="store away"),
        pytest.param(200, {"SMSGW_API_KEY": ""}, "SMSGW_API_KEY is not set", "Set SMSGW", id="none"),
    ],
)
async def test_an_api_key_that_is_no_good(gateway: Gateway, status: int, env: dict[str, str], said: str, do: str):
    gateway.api_status = status
    gateway.env |= env
    found = await gateway.examined()
    assert found["API key"][0] == "fail"
    assert said in found["API key"][1]
    assert do in found["API key"][2]
    assert "configurations" not in found  # nothing is said of what could not be seen


@pytest.mark.parametrize(
    ("config", "level", "said"),
    [
        pytest.param({"missing": ["api_secret"]}, "fail", "a draft: api_secret missing", id="a draft"),
        pytest.param({"enabled": False}, "warn", "disabled", id="disabled"),
        pytest.param({"callback": None}, "warn", "asks for no user", id="no callback"),
        pytest.param({"webhook": None}, "fail", "cannot be decrypted", id="no webhook"),
    ],
)
async def test_a_configuration_that_is_not_whole(gateway: Gateway, config: dict[str, Any], level: str, said: str):
    gateway.configs = [{**CONFIG, **config}]
    found = await gateway.examined()
    assert found["config acme/Main"][0] == level
    assert said in found["config acme/Main"][1]


async def test_tenants_whose_requests_would_be_refused_are_named(gateway: Gateway):
    gateway.tenants = [{**TENANT, "default_config_id": None}, {**TENANT, "id": "empty"}]
    gateway.configs = [CONFIG, {**CONFIG, "id": "c2", "name": "Second", "enabled": False}]
    found = await gateway.examined()
    assert found["tenant acme"][:2] == ("warn", "has 2 SMS configurations and no default")
    assert found["tenant empty"][:2] == ("warn", "has no SMS configuration")
    gateway.configs, gateway.tenants = [], []
    assert (await gateway.examined())["configurations"][0] == "warn"


async def test_something_else_at_the_webhooks_address_is_found(gateway: Gateway):
    gateway.get_status = 200
    (found,) = [finding for part, finding in (await gateway.examined()).items() if part.startswith("webhook")]
    assert found[:2] == ("fail", "a GET is answered 200 by a-proxy instead of 405")


@pytest.mark.parametrize(
    ("webhook", "levels", "said"),
    [
        pytest.param("http://127.0.0.1:1/webhooks/bandwidth/t", ["fail"], "cannot be reached", id="nobody there"),
        pytest.param("https://127.0.0.1:1/webhooks/bandwidth/t", ["fail"], "no TLS connection", id="no TLS there"),
        pytest.param("http://nowhere.invalid/webhooks/bandwidth/t", ["warn", "fail"], "plain HTTP", id="without TLS"),
    ],
)
async def test_a_webhook_address_that_no_carrier_reaches(gateway: Gateway, webhook: str, levels: list[str], said: str):
    gateway.webhook = webhook
    ended = await gateway.call("--json")
    found = [one for one in ended.json["findings"] if one["part"].startswith("webhook")]
    assert [one["level"] for one in found] == levels
    assert said in found[0]["said"]


@pytest.fixture
def authority() -> Authority:
    return Authority()


async def test_a_certificate_is_shown_with_its_end(gateway: Gateway, authority: Authority, directory: Path):
    gateway.certificate = authority.serve(days=90)
    gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    found = await gateway.examined()
    (certificate,) = [one for part, one in found.items() if part.endswith("certificate")]
    assert certificate[0] == "warn"  # a carrier does not know this authority
    assert "89 days; judged by ca.pem" in certificate[1]
    assert [
        one[:2] for part, one in found.items() if part.startswith("webhook") and not part.endswith("certificate")
    ] == [("ok", "ingress answers")]


async def test_a_certificate_that_ends_soon_is_to_be_renewed(gateway: Gateway, authority: Authority, directory: Path):
    gateway.certificate = authority.serve(days=3)
    gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    (certificate,) = [one for part, one in (await gateway.examined()).items() if part.endswith("certificate")]
    assert (certificate[0], certificate[2]) == ("warn", "Renew it now.")


@pytest.mark.parametrize(
    ("days", "known", "chain", "said"),
    [
        pytest.param(90, False, True, "self-signed certificate", id="an unknown authority"),
        pytest.param(90, True, False, "unable to get local issuer", id="an incomplete chain"),
        pytest.param(-1, True, True, "expired", id="expired"),
    ],
)
async def test_a_certificate_that_carriers_refuse_is_a_failure(
    gateway: Gateway, authority: Authority, directory: Path, days: int, known: bool, chain: bool, said: str
):
    gateway.certificate = authority.serve(days=days, chain=chain)
    if known:
        gateway.env["SMSGW_CA_FILE"] = authority.write(directory / "ca.pem")
    found = {part: one for part, one in (await gateway.examined()).items() if part.startswith("webhook")}
    ((part, (level, reason, do)),) = found.items()
    assert (part.endswith("certificate"), level) == (True, "fail")
    assert said in reason
    assert "full chain" in do


@pytest.mark.parametrize(
    ("health", "part", "level"),
    [
        ("ok", "health", "ok"),
        ("never_seen", "health of acme/Main", "warn"),
        ("failing", "health of acme/Main", "fail"),
    ],
)
async def test_how_a_configuration_does_is_told(health, part, level):
    gateway = Gateway(health=[{"config_id": "c1", "health": health, "says": "So it is."}])

    found = await gateway.examined()

    assert found[part][0] == level
    assert (found[part][1] == "So it is.") is (health != "ok")


WELL = {"step": "answer", "ok": True, "code": None, "says": "It is taken."}
NOTED = {"step": "name", "ok": True, "code": "private_address", "says": "It is private."}
WRONG = {"step": "token", "ok": False, "code": "credentials_refused", "says": "It is refused."}


@pytest.mark.parametrize(
    ("credentials", "webhook", "found"),
    [
        ([WELL], [WELL], {"credentials": ("ok", "It is taken."), "webhook": ("ok", "It is taken.")}),
        ([WRONG], [NOTED, WELL], {"credentials": ("fail", "It is refused."), "webhook": ("warn", "It is private.")}),
        (429, [WELL], {"credentials": ("warn", "Not now."), "webhook": ("ok", "It is taken.")}),
        (403, 403, {}),
    ],
    ids=["well", "wrong", "too often", "not allowed"],
)
async def test_configurations_are_tried_on_request(credentials, webhook, found):
    gateway = Gateway(health=[], trials={"test-credentials": credentials, "test-webhook": webhook})

    told = await gateway.examined("--trials")

    assert {part.partition(" of ")[0]: told[part][:2] for part in told if part.endswith(" of acme/Main")} == found
    assert ("trials" in told) is (credentials == 403)


async def test_nothing_is_tried_unasked():
    found = await Gateway(health=[]).examined()

    assert not [part for part in found if part.startswith(("credentials of", "webhook of"))]
