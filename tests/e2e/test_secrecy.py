"""Canaries: secrets are seen by nobody, and texts and full numbers by no reader of logs, metrics or probes.

The `gateway` fixture looks through every line once more when all tests of the run are done.
"""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from sms_native.machine.ports import LOOPBACK
from tests.e2e.amqp import Message
from tests.e2e.customer import Customer, basic, post
from tests.e2e.gateway import SERVICES, Gateway

pytestmark = pytest.mark.e2e

TEXT = "canary: the launch code is swordfish"
REPLY = "canary: understood, swordfish it is"
NUMBER = "+13125557731"
GUESS = "canary-guess-8f3a52"
SIGNATURE = "canary-signature-77b1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(gateway: Gateway, new_customer) -> AsyncIterator[Customer]:
    """A customer after a day of everything that may go well or wrong with what must stay private."""
    gateway.keep_private(secrets=[GUESS], texts=[TEXT, REPLY, "swordfish", SIGNATURE], numbers=[NUMBER])
    async with new_customer("canary") as customer:
        await messages_go_both_ways(customer)
        await carriers_calls_fail(customer)
        await strangers_knock(customer)
        await nonsense_comes(customer)
        yield customer


async def messages_go_both_ways(customer: Customer) -> None:
    media = [{"url": f"https://media.example.net/a.png?token={SIGNATURE}", "filename": "swordfish.png"}]
    private = {
        "metadata": {"note": TEXT, "caller": NUMBER},
        "client_ref": NUMBER,
        "conversation_id": f"{NUMBER} {TEXT}",
    }
    sent = [
        await customer.send(NUMBER, TEXT, **private),
        await customer.send("(312) 555-7731", TEXT, media=media),
        await customer.send(NUMBER, TEXT, message_id=f"{NUMBER[1:]}-1"),
        await customer.send([NUMBER, "+13125554470"], TEXT, group=True),
    ]
    await customer.finals(sent)
    await customer.received(await customer.text_in(REPLY, NUMBER))
    owned_by_nobody = {"id": "canary-unrouted", "to": ["+12125557731"], "from": NUMBER, "text": REPLY}
    await customer.webhook([receipt_like("message-received", "+12125557731", owned_by_nobody)])
    await customer.gateway.unrouted.first(lambda m: b"canary-unrouted" in m.body, "the text to nobody's number")


def receipt_like(kind: str, to: str, message: dict[str, Any]) -> dict[str, Any]:
    moment = "2026-07-10T09:00:00Z"
    return {"type": kind, "time": moment, "to": to, "description": TEXT, "message": {"time": moment, **message}}


async def carriers_calls_fail(customer: Customer) -> None:
    for kind, status in (("error", "queued"), ("cut", "unknown"), ("html", "unknown"), ("not_found", "failed")):
        await customer.fault(kind=kind, to=NUMBER)
        await customer.told(await customer.send(NUMBER, TEXT), status)


async def strangers_knock(customer: Customer) -> None:
    gateway, url = customer.gateway, customer.config["webhook"]
    bearer = {"Authorization": f"Bearer {GUESS}"}
    for authorization in (basic("bandwidth", GUESS), f"Bearer {GUESS}", f"Basic {GUESS}"):
        assert (await post(gateway, url, TEXT.encode(), {"Authorization": authorization})).status == 401
    assert (await post(gateway, f"/webhooks/bandwidth/{GUESS}?number={NUMBER}", b"[]", {})).status == 404
    for service, path in (
        ("config", "/api/v1/sms"),
        ("config", "/internal/v1/snapshot/dispatcher"),
        ("dispatcher", f"/api/v1/messages?tenant_id=x&number={NUMBER}"),
        ("simulator", "/_simulator/accounts"),
    ):
        async with gateway.http.get(gateway.url(service) + path, headers=bearer) as answer:
            assert answer.status in {401, 403}, path
            assert GUESS not in await answer.text()
    grant = {"Authorization": basic(customer.credentials["api_token"], GUESS)}
    async with gateway.http.post(gateway.url("simulator") + "/api/v1/oauth2/token", headers=grant) as answer:
        assert answer.status in {400, 401}


async def nonsense_comes(customer: Customer) -> None:
    gateway, key = customer.gateway, f"sms.outbound.{customer.tenant}"
    bodies = [
        f"{TEXT} {NUMBER}".encode(),
        json.dumps({"text": TEXT, "to": NUMBER, "metadata": {NUMBER: [TEXT]}}).encode(),
    ]
    for body in bodies:
        await gateway.client.publish(body, key)
        await gateway.dead.first(lambda m, body=body: m.body == body, "the dead letter")  # type: ignore[misc]
        assert (await customer.webhook(b'[{"type": "message-received"}]' + body)).status == 200
    await gateway.messages(f"?tenant_id={customer.tenant}&number=%2B{NUMBER[1:]}&search=swordfish")
    wrong = {
        "name": "x",
        "provider_id": "x",
        "credentials": {"api_secret": [GUESS]},
        "callback": {"password": 5, "x": GUESS},
    }
    headers = {"Authorization": f"Bearer {gateway.env['CONFIG_BOOTSTRAP_API_KEY']}"}
    async with gateway.http.post(gateway.url("config") + "/api/v1/sms", json=wrong, headers=headers) as answer:
        assert answer.status == 422
        assert GUESS not in await answer.text()


async def test_no_line_of_any_process_holds_a_secret_a_text_or_a_full_number(gateway, customer):
    printed = {name for name, _ in gateway.lines}
    assert printed >= set(SERVICES)
    assert any("message.dispatched" in line and customer.tenant in line for _, line in gateway.lines)
    assert gateway.leaks() == []


def test_a_line_that_holds_a_canary_would_be_found(gateway, customer):
    gateway.lines.append(("test", f'{{"event": "texting 1 {NUMBER[2:]}"}}'))
    try:
        assert len(gateway.leaks()) == 1
    finally:
        gateway.lines.pop()


@pytest.mark.parametrize("service", SERVICES)
async def test_metrics_and_probes_hold_nothing_private(gateway, customer, service):
    port = gateway.env["INGRESS_HEALTH_PORT" if service == "ingress" else f"{service.upper()}_PORT"]
    for path in ("/metrics", "/readyz", "/healthz"):
        async with gateway.http.get(f"http://{LOOPBACK}:{port}{path}") as answer:
            page = await answer.text()
        assert [text for text in gateway.secrets | gateway.private if text in page] == []


async def test_no_event_holds_a_secret(gateway, customer):
    seen: list[Message] = [
        *customer.statuses.messages,
        *customer.inbound.messages,
        *gateway.dead.messages,
        *gateway.unrouted.messages,
    ]
    for message in seen:
        whole = message.body.decode(errors="replace") + repr(message.headers) + message.routing_key
        assert [secret for secret in gateway.secrets if secret in whole] == [], message.routing_key


@pytest.mark.parametrize("what", ["tenants", "trunks", "sms", "api-keys", "audit"])
async def test_no_answer_of_the_configuration_api_holds_a_secret(gateway, customer, what):
    tokens = {customer.config["webhook"].rpartition("/")[2]}  # an administrator must be able to read the URL

    page = json.dumps(await gateway.api("GET", f"/{what}?top=100"))

    assert [
        secret for secret in gateway.secrets - tokens if secret in page and not is_webhook(gateway, secret, page)
    ] == []
    if what == "sms":
        assert customer.config["webhook"] in page


def is_webhook(gateway: Gateway, secret: str, page: str) -> bool:
    """Whether a secret stands in the page as the end of a webhook URL only."""
    return page.count(secret) == page.count(f"{gateway.url('ingress')}/webhooks/bandwidth/{secret}")


async def test_ingress_is_given_no_api_secret_and_no_webhook_token(gateway, customer):
    headers = {"Authorization": f"Bearer {gateway.env['CONFIG_INGRESS_TOKEN']}"}
    async with gateway.http.get(gateway.url("config") + "/internal/v1/snapshot/ingress", headers=headers) as answer:
        snapshot = await answer.text()

    assert customer.tenant in snapshot
    for secret in (customer.credentials["api_secret"], customer.config["webhook"].rpartition("/")[2]):
        assert secret not in snapshot


def test_no_secret_lies_readable_in_the_databases(gateway, customer):
    with MongoClient(gateway.mongo_url, document_class=RawBSONDocument) as client:
        stored = {
            f"{name}.{collection}": b"".join(document.raw for document in client[name][collection].find())
            for name in (gateway.env["CONFIG_MONGO_DATABASE"], gateway.env["DISPATCHER_MONGO_DATABASE"])
            for collection in client[name].list_collection_names()
        }

    assert any(customer.tenant.encode() in content for content in stored.values())
    for place, content in stored.items():
        for secret in gateway.secrets:
            forms = (secret.encode(), base64.b64encode(secret.encode()))
            assert not any(form in content for form in forms), place
