"""One tenant attacks another on a trunk that both borrow: it forges texts and receipts, and swallows nothing."""

import itertools
import json
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tests.e2e.customer import HANDSET, Customer
from tests.e2e.gateway import Gateway
from tests.eventually import eventually_told

pytestmark = pytest.mark.e2e
BLOCKS = itertools.count(10)


async def as_tenant(gateway: Gateway, tenant: str, method: str, path: str, body: Any) -> Any:
    """Call the REST API as a tenant's administrator does."""
    made = await gateway.api("POST", "/api-keys", {"name": tenant, "scopes": ["admin"], "tenants": [tenant]})
    gateway.secrets.add(made["key"].split("_", 2)[2])
    headers = {"Authorization": f"Bearer {made['key']}"}
    async with gateway.http.request(
        method, f"{gateway.url('config')}/api/v1{path}", json=body, headers=headers
    ) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


@asynccontextmanager
async def borrowers(gateway: Gateway) -> AsyncIterator[tuple[Customer, Customer]]:
    """Whoever has the lender's credentials from a system administrator, and who has made some up."""
    mark = secrets.token_hex(3)
    block = next(BLOCKS)
    pools = {f"honest{mark}": f"+1201777{block}01", f"forger{mark}": f"+1201777{block}02"}
    for tenant in pools:
        await gateway.api("POST", "/tenants", {"id": tenant, "name": tenant, "pbx_id": tenant})
    lent = [{"tenant_id": tenant, "dids": did, "default_did": did} for tenant, did in pools.items()]
    trunk = await gateway.api("POST", "/trunks", {"name": f"Lent {mark}", "brand": "Bandwidth", "pools": lent})
    customers = []
    for tenant, did in pools.items():
        credentials = {name: f"{tenant}-{name}-{secrets.token_hex(8)}" for name in ("account_id", "api_token")}
        credentials |= {"api_secret": secrets.token_hex(16), "application_id": str(uuid.uuid4())}
        callback = {"username": "bandwidth", "password": secrets.token_hex(16)}
        body = {"name": tenant, "provider_id": trunk["id"], "credentials": credentials, "callback": callback}
        if tenant.startswith("honest"):
            config = await gateway.api("POST", "/sms", {**body, "tenant_id": tenant})
        else:
            config = await as_tenant(gateway, tenant, "POST", "/sms", body)
        gateway.keep_private(
            secrets=[credentials["api_secret"], callback["password"], config["webhook"].rpartition("/")[2]],
            numbers=[did],
        )
        customers.append(Customer(gateway, config, credentials, callback, [did], tenant))
    honest, forger = customers
    await honest.tell_bandwidth()
    for customer in customers:
        await eventually_told(partial(gateway.client.has_queue, f"pbx.{customer.pbx}.inbound"), bool)
        await eventually_told(customer.has_webhook, bool)
    await gateway.api("POST", f"/sms/{honest.config['id']}/test-credentials")
    async with honest.reading(), forger.reading():
        await honest._until_known()
        yield honest, forger


def inbound(number: str, id_: str, text: str) -> list[dict[str, Any]]:
    message = {"id": id_, "owner": number, "applicationId": "a", "time": "2026-11-20T10:00:00Z", "segmentCount": 1}
    message |= {"direction": "in", "to": [number], "from": HANDSET, "text": text}
    about = {"type": "message-received", "time": "2026-11-20T10:00:00Z", "description": "Incoming message received"}
    return [{**about, "to": number, "message": message}]


def failed(sent: dict[str, Any], reference: str) -> list[dict[str, Any]]:
    message = {"id": sent["provider_msg_id"], "time": "2026-11-20T10:00:00Z", "to": [HANDSET], "direction": "out"}
    message |= {"owner": sent["from"], "from": sent["from"], "segmentCount": 1, "tag": reference, "text": ""}
    about = {"type": "message-failed", "time": "2026-11-20T10:00:00Z", "description": "forged", "errorCode": 4720}
    return [{**about, "to": HANDSET, "message": message}]


async def test_a_borrower_with_made_up_credentials_speaks_for_itself_only(gateway: Gateway):
    async with borrowers(gateway) as (honest, forger):
        shown = {
            name: await gateway.api("GET", f"/sms/{one.config['id']}")
            for name, one in (("honest", honest), ("forger", forger))
        }
        assert [shown[name]["account_proved"] for name in ("honest", "forger")] == [True, False]
        id_ = secrets.token_hex(8)

        assert (await forger.webhook(inbound(honest.dids[0], id_, "a forged text"))).status == 200
        assert (await forger.webhook(inbound(forger.dids[0], f"{id_}-own", "its own text"))).status == 200
        await forger.received(f"{id_}-own")
        assert (await honest.webhook(inbound(honest.dids[0], id_, "the real text"))).status == 200

        assert (await honest.received(id_))["content"] == "the real text"
        assert [m.json["content"] for m in honest.inbound.messages] == ["the real text"]


async def test_its_receipts_end_nobody_elses_message(gateway: Gateway):
    async with borrowers(gateway) as (honest, forger):
        message_id = await honest.send(HANDSET, "please arrive")
        sent = await honest.told(message_id, "submitted", "sent", "delivered")
        await forger.webhook(failed(sent, f"{honest.tenant}/{message_id}"))

        assert (await honest.final(message_id))["status"] == "delivered"


async def test_who_has_the_lenders_account_speaks_for_every_borrower(gateway: Gateway):
    async with borrowers(gateway) as (honest, forger):
        id_ = secrets.token_hex(8)

        assert (await honest.webhook(inbound(forger.dids[0], id_, "by the lender's webhook"))).status == 200

        event = await forger.received(id_)
        assert (event["tenant_id"], event["config_id"]) == (forger.tenant, forger.config["id"])
        assert json.dumps(event).count(honest.tenant) == 0
