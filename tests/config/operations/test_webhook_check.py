"""Trying the webhook of an SMS configuration at a real ingress, and handing in again what it did not take."""

import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sms_common.broker import FROM_WEBHOOKS, dead_letter
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.configuration import IngressSnapshot
from sms_common.errors import Code
from sms_common.events import utc_now
from sms_common.topology import CARRIER, DEAD, carrier_key
from sms_config.main import ExternalServices
from sms_config.model.records import SmsConfigRecord
from sms_config.operations.webhook_check import SENTENCES, StepCode
from sms_ingress.webhook_activity import WebhookActivity
from sms_ingress.webhook_handler import WebhookHandler
from tests.cases import cases
from tests.cli.certificates import Authority
from tests.config.world import make_settings

pytestmark = pytest.mark.loopback
RECEIPT = (
    b'[{"type":"message-delivered","time":"2026-11-24T12:00:00Z","to":"+13125550100","description":"",'
    b'"message":{"id":"m","time":"2026-11-24T12:00:00Z","to":["+13125550100"],"from":"+12015550100"}}]'
)
CODES = Path(__file__).parents[3] / "docs" / "codes.md"


def steps(answer):
    return [(step["step"], step["ok"], step["code"]) for step in answer.json["steps"]]


class Edge:
    """What answers at the public address: ingress, and in the way of it whatever `meddle` does."""

    def __init__(self, broker):
        self.snapshot = None
        self.meddle = None
        self.rewrite = None
        self.activity = WebhookActivity(broker)
        self.handler = WebhookHandler(
            publisher=broker,
            snapshot=lambda: self.snapshot,
            carriers={"bandwidth": Bandwidth()},
            clock=utc_now,
            activity=self.activity,
        )
        self.calls: list[web.BaseRequest] = []

    async def handle(self, request):
        self.calls.append(request)
        found = self.meddle(request) if self.meddle else None
        return found or await self.handler.handle(self.rewrite(request) if self.rewrite else request)


@asynccontextmanager
async def served(edge, context=None):
    runner = web.ServerRunner(web.Server(edge.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def trust(authority, tmp_path):
    return ssl.create_default_context(cafile=authority.write(tmp_path / "root.pem"))


@pytest.fixture
def external(broker, trust):
    return ExternalServices(broker, trust=trust)


class TestWebhook:
    @pytest.fixture
    def edge(self, broker):
        return Edge(broker)

    @pytest.fixture
    async def settings(self, edge, authority):
        async with served(edge, authority.serve(days=90)) as port:
            yield make_settings(public_url=f"https://127.0.0.1:{port}")

    @pytest.fixture
    async def guarded(self, api, sms, edge, ingress_snapshot):
        """A configuration with callback credentials that ingress knows."""
        callback = {"username": "bandwidth", "password": "a callback password"}
        changed = await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"callback": callback})
        edge.snapshot = IngressSnapshot.model_validate(await ingress_snapshot())
        return changed.json

    async def tried(self, api, config):
        return await api.call("POST", f"/api/v1/sms/{config['id']}/test-webhook")

    async def test_all_is_well_and_nothing_comes_in(self, api, guarded, broker, edge):
        answer = await self.tried(api, guarded)

        assert steps(answer) == [
            ("name", True, "private_address"),
            ("connection", True, None),
            ("certificate", True, None),
            ("route", True, None),
            ("challenge", True, None),
            ("answer", True, None),
        ]
        assert answer.json["ok"] is True
        assert "89 days" in answer.json["steps"][2]["says"]
        assert "a callback password" not in answer.text
        assert guarded["webhook"].rpartition("/")[2] not in answer.text
        await edge.activity.report()
        assert broker.published == []

    async def test_without_callback_credentials_that_is_noted(self, api, sms, edge, ingress_snapshot):
        edge.snapshot = IngressSnapshot.model_validate(await ingress_snapshot())

        answer = await self.tried(api, sms)

        assert steps(answer)[-2:] == [("challenge", True, "no_callback"), ("answer", True, None)]

    @pytest.mark.parametrize(
        ("meddle", "last"),
        [
            (lambda _: web.Response(), ("route", False, "not_ingress")),
            (lambda _: web.Response(status=502), ("route", False, "webhook_not_taken")),
            (lambda _: web.Response(status=301, headers={"Location": "http://x/"}), ("route", False, "redirected")),
            (lambda r: None if "no-such" in r.path else web.Response(), ("challenge", False, "not_asked")),
            (lambda r: None if "no-such" in r.path else web.Response(status=401), ("challenge", False, "no_challenge")),
            (
                lambda r: None if "no-such" in r.path else web.Response(status=403),
                ("challenge", False, "unexpected_answer"),
            ),
            (
                lambda r: web.Response(status=403) if "Authorization" in r.headers else None,
                ("answer", False, "unexpected_answer"),
            ),
            (
                lambda r: web.Response(status=503) if "Authorization" in r.headers else None,
                ("answer", False, "webhook_not_taken"),
            ),
            (
                lambda r: web.Response(status=401) if "Authorization" in r.headers else None,
                ("answer", False, "webhook_unauthorized"),
            ),
            (lambda r: r.transport.close(), ("route", False, "no_answer")),
        ],
        ids=[
            "answers everything",
            "bad gateway",
            "redirects",
            "asks for nothing",
            "takes the header away",
            "forbids",
            "forbids credentials",
            "is not ready",
            "refuses credentials",
            "hangs up",
        ],
    )
    async def test_what_stands_in_the_way_is_told(self, api, guarded, edge, meddle, last):
        edge.meddle = meddle

        answer = await self.tried(api, guarded)

        assert (answer.json["ok"], steps(answer)[-1]) == (False, last)

    @pytest.mark.parametrize(
        ("proxy", "code", "said"),
        [
            ({}, "authorization_removed", "a proxy takes the Authorization header away"),
            ({"Authorization": "Bearer fixed"}, "authorization_replaced", "a proxy replaces it"),
        ],
        ids=cases("36-test-webhook-names-wrong-cause")[:2],
    )
    async def test_a_proxy_that_keeps_the_credentials_from_ingress_is_named(
        self, api, guarded, edge, proxy, code, said
    ):
        edge.rewrite = lambda r: r.clone(
            headers={**{k: v for k, v in r.headers.items() if k != "Authorization"}, **proxy}
        )
        answer = await self.tried(api, guarded)

        assert steps(answer)[-1] == ("answer", False, code)
        assert said in answer.json["steps"][-1]["says"]

    async def test_a_proxy_that_adds_a_slash_does_no_harm(self, api, guarded, edge):
        edge.rewrite = lambda r: r.clone(rel_url=r.rel_url.with_path(r.path + "/"))

        assert (await self.tried(api, guarded)).json["ok"]

    async def test_an_ingress_that_has_not_got_it_yet_is_told(self, api, guarded, edge):
        edge.snapshot = IngressSnapshot(version="0")

        assert steps(await self.tried(api, guarded))[-1] == ("challenge", False, "unknown_webhook")

    async def test_credentials_that_a_proxy_asks_for_are_told(self, api, sms, edge, ingress_snapshot):
        edge.snapshot = IngressSnapshot.model_validate(await ingress_snapshot())
        edge.meddle = lambda r: None if "no-such" in r.path else web.Response(status=401)

        assert steps(await self.tried(api, sms))[-1] == ("challenge", False, "asked_by_another")

    async def handed_in(self, api, broker, config_id, body=RECEIPT):
        kept: dict[str, Any] = {
            "source": FROM_WEBHOOKS,
            "routing_key": carrier_key("bandwidth", config_id),
            "message_id": "w1",
        }
        await broker.publish(dead_letter(body, Code.WEBHOOK_UNREADABLE, "Not understood.", **kept))
        (item,) = (await api.get("/api/v1/dead-letters")).json["items"]
        assert item["stuck"] is None
        return (await api.call("POST", "/api/v1/dead-letters/replay", {"ids": ["w1"]})).json

    async def test_a_webhook_that_was_not_understood_is_handed_in_again(self, api, guarded, broker):
        """Its parser has been mended since."""
        answer = await self.handed_in(api, broker, guarded["id"])

        assert answer["done"] == ["w1"]
        assert broker.waiting(DEAD) == []
        assert [got.type for got in broker.waiting(CARRIER)] == ["sms.carrier.receipt.v1"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [(b"nonsense", "webhook_unreadable"), (b'[{"type":"toll-free-news"}]', "webhook_not_handled")],
    )
    async def test_one_that_is_still_not_understood_is_not_called_done(self, api, guarded, broker, body, code):
        answer = await self.handed_in(api, broker, guarded["id"], body)

        (left,) = answer["left"]
        assert (answer["done"], left["code"]) == ([], code)
        assert left["says"].startswith("It was handed in once more, and lies here as before: ")
        assert [got.body for got in broker.waiting(DEAD)] == [body]

    @pytest.mark.parametrize(
        ("meddle", "code", "said"),
        [
            (lambda _: web.Response(status=503), "webhook_not_taken", "It answers 503"),
            (lambda _: web.Response(status=401), "webhook_unauthorized", "are refused"),
            (lambda _: web.Response(status=404), "unknown_webhook", "does not know this address"),
        ],
        ids=["away", "refused", "unknown"],
    )
    async def test_one_that_ingress_does_not_take_stays(self, api, guarded, broker, edge, meddle, code, said):
        edge.meddle = meddle
        answer = await self.handed_in(api, broker, guarded["id"])

        (left,) = answer["left"]
        assert left["code"] == code
        assert said in left["says"]
        assert [got.message_id for got in broker.waiting(DEAD)] == ["w1"]

    async def test_one_whose_configuration_is_gone_stays(self, api, guarded, broker):
        answer = await self.handed_in(api, broker, "gone")

        said = "The SMS configuration whose webhook it came through is gone."
        assert answer["left"] == [{"id": "w1", "code": "config_gone", "says": said}]
        assert len(broker.waiting(DEAD)) == 1

    async def test_one_whose_configuration_cannot_be_opened_stays(self, api, guarded, broker, store):
        (record,) = store.records[SmsConfigRecord].values()
        broken = {name: one.model_copy(update={"data": one.data[::-1]}) for name, one in record.secrets.items()}
        store.records[SmsConfigRecord][record.id] = record.model_copy(update={"secrets": broken})

        answer = await self.handed_in(api, broker, guarded["id"])

        assert [left["code"] for left in answer["left"]] == ["secret_unreadable"]
        assert len(broker.waiting(DEAD)) == 1

    async def test_nothing_but_the_public_address_is_called(self, api, guarded, edge):
        await self.tried(api, guarded)

        base = guarded["webhook"].rpartition("/")[0].partition("127.0.0.1")[2].partition("/")[2]
        assert {call.path.rpartition("/")[0] for call in edge.calls} == {f"/{base}"}
        assert {call.headers["User-Agent"] for call in edge.calls} == {"sms-gateway-test"}


CERTIFICATES = {
    "ends soon": ({"days": 5}, ("certificate", True, "certificate_ends")),
    "over": ({"days": -1}, ("certificate", False, "certificate_refused")),
    "no chain": ({"days": 90, "chain": False}, ("certificate", False, "certificate_refused")),
}


@pytest.mark.parametrize(("served_with", "wanted"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_a_certificate_that_a_carrier_would_refuse(serve, broker, authority, served_with, wanted):
    async with served(Edge(broker), authority.serve(**served_with)) as port:
        answer = await trying(serve, f"https://127.0.0.1:{port}")

    assert wanted in steps(answer)
    assert "intermediate" in answer.text or wanted[1]


async def test_plain_http_is_noted_and_tls_that_is_none_is_refused(serve, broker):
    async with served(Edge(broker)) as port:
        plain = await trying(serve, f"http://127.0.0.1:{port}")
        no_tls = await trying(serve, f"https://127.0.0.1:{port}")

    assert ("certificate", True, "not_encrypted") in steps(plain)
    assert steps(no_tls)[-1] == ("certificate", False, "no_tls")


async def test_a_name_without_an_address_and_a_closed_port(serve):
    unknown = await trying(serve, "https://no-such-host.invalid")
    closed = await trying(serve, "https://127.0.0.1:9")

    assert steps(unknown) == [("name", False, "name_unknown")]
    assert steps(closed)[-1] == ("connection", False, "no_connection")


async def trying(serve, public_url):
    api = await serve(make_settings(public_url=public_url))
    if (await api.get("/api/v1/tenants/acme")).status == 404:
        await api.made("/api/v1/tenants", {"id": "acme", "name": "Acme"})
    trunks = (await api.get("/api/v1/trunks?name=T")).json["items"]
    trunk = (
        trunks[0]
        if trunks
        else await api.made("/api/v1/trunks", {"name": "T", "brand": "Bandwidth", "tenant_id": "acme"})
    )
    config = await api.made("/api/v1/sms", {"name": "Main", "provider_id": trunk["id"]})
    return await api.call("POST", f"/api/v1/sms/{config['id']}/test-webhook")


def test_every_code_has_its_sentence_and_is_explained_to_operators():
    text = CODES.read_text()

    assert set(SENTENCES) == set(StepCode)
    assert [code.value for code in StepCode if f"`{code.value}`" not in text] == []
