"""Rules made in the REST API, and the texts that follow them out and in."""

import secrets
import time
import uuid
from typing import Any

import pytest

from tests.e2e.customer import HANDSET, Customer
from tests.eventually import eventually_told

pytestmark = pytest.mark.e2e

REFUSED = "+13125550231"
HOME = "+1312"


async def second_way(customer: Customer) -> Customer:
    """The customer's second trunk, with a number, an SMS configuration and an account at Bandwidth of its own."""
    api, tenant = customer.gateway.api, customer.tenant
    did = f"{customer.dids[0][:-4]}0199"
    trunk = {"tenant_id": tenant, "name": "Backup", "brand": "Bandwidth", "dids": did, "default_did": did}
    credentials = {name: secrets.token_hex(12) for name in ("account_id", "api_token", "api_secret")}
    credentials["application_id"] = str(uuid.uuid4())
    body = {"name": "Backup", "provider_id": (await api("POST", "/trunks", trunk))["id"], "credentials": credentials}
    backup = Customer(customer.gateway, await api("POST", "/sms", body), credentials, None, [did], customer.pbx)
    customer.gateway.keep_private(
        secrets=[credentials["api_secret"], backup.config["webhook"].rpartition("/")[2]], numbers=[did]
    )
    await backup.tell_bandwidth()
    return backup


async def until_at_work(customer: Customer, rule_id: str) -> None:
    """Return once the dispatcher gives a text to the customer's first number by this inbound rule."""
    question = {"tenant_id": customer.tenant, "sender": HANDSET, "did": customer.dids[0]}

    async def explained() -> Any:
        return await customer.gateway.api("POST", "/explain/inbound", question)

    await eventually_told(explained, lambda told: told["route"]["rule_id"] == rule_id)


async def make_rules(customer: Customer, backup: Customer) -> tuple[str, str]:
    """The ids of a rule with both ways out, and of one that gives texts to an extension, once they are at work."""
    api, of_tenant = customer.gateway.api, {"tenant_id": customer.tenant}
    routes = [{"config_id": customer.config["id"]}, {"config_id": backup.config["id"]}]
    outbound = await api("POST", "/outbound-rules", {**of_tenant, "name": "Home", "prefixes": HOME, "routes": routes})
    office = {"kind": "extension", "destination": "205"}
    inbound = await api("POST", "/inbound-rules", {**of_tenant, "name": "Front desk", "office": office})
    # The rule that was made last is the last to be there.
    await until_at_work(customer, inbound["id"])
    return outbound["id"], inbound["id"]


async def test_changes_are_soon_at_work_in_the_dispatcher_and_in_ingress(new_customer, measured):
    async with new_customer("changing") as customer:
        api, office = customer.gateway.api, {"kind": "extension", "destination": "205"}
        began = time.monotonic()
        made = await api("POST", "/inbound-rules", {"tenant_id": customer.tenant, "name": "Desk", "office": office})
        await until_at_work(customer, made["id"])
        measured["a new rule at work in the dispatcher"] = f"{time.monotonic() - began:.2f} s"

        began = time.monotonic()
        await api("DELETE", f"/sms/{customer.config['id']}")
        await eventually_told(customer.has_webhook, lambda there: not there)
        measured["a deleted configuration gone from ingress"] = f"{time.monotonic() - began:.2f} s"


async def test_texts_follow_their_rules_and_a_refused_one_takes_the_next_route(new_customer):
    async with new_customer("ruled") as customer:
        backup = await second_way(customer)
        outbound, inbound = await make_rules(customer, backup)
        question = {"tenant_id": customer.tenant, "extension": "101", "to": REFUSED, "text": "a"}
        explained = await customer.gateway.api("POST", "/explain/outbound", question)
        await customer.fault(to=REFUSED, kind="not_found")

        carrier_id = await customer.text_in("for the front desk, please", to=customer.dids[1])
        received = await customer.received(carrier_id)
        moved = await customer.send(REFUSED, "by another way if need be")
        reply = await customer.send(HANDSET, "from the number that was written to")
        ended = [await customer.final(message_id) for message_id in (moved, reply)]

        assert (received["route"]["rule_id"], received["route"]["destination"]) == (inbound, "205")
        assert [(event["status"], event["config_id"], event["from"]) for event in ended] == [
            ("delivered", backup.config["id"], backup.dids[0]),
            ("delivered", customer.config["id"], customer.dids[1]),
        ]
        assert customer.course(moved)[:2] == ["accepted", "queued"]
        assert (explained["rule_id"], [route["sender"] for route in explained["routes"]]) == (
            outbound,
            [customer.dids[0], backup.dids[0]],
        )
        record = await customer.gateway.messages(f"/{customer.tenant}/{moved}")
        assert (record["rule_id"], record["attempt"], record["did"]) == (outbound, 2, backup.dids[0])
