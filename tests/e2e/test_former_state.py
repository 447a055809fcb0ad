"""A gateway of version 0.1.0, with all that it had stored and all that was on its way, goes on under today's code."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sms_native.gateway.environment import complete, parse
from tests.e2e.amqp import Inbox
from tests.e2e.customer import HANDSET, Customer
from tests.e2e.former import DIRECTORY, KNOWN, FormerGateway, WithOneAccount, documents, environment, id_of, left
from tests.eventually import eventually, eventually_told
from tests.stack import Broker

pytestmark = pytest.mark.e2e

SENT_NOW = ("retried", "laddered", "due", "waiting0", "waiting1", "lane2", "lane3", "lane4", "lane5", "beta_waiting")
STATUSES = {
    **dict.fromkeys(("delivered", "group", "lane0", "lane1", "beta_delivered", *SENT_NOW), "delivered"),
    "unknown": "unknown",
    "refused": "rejected",
    "held": "held",
    "cancelled": "canceled",
}
OF_BETA = {"beta_delivered", "beta_waiting", *(f"lane{n}" for n in range(6))}
BLOCKED = "+12025551234"
AFTERWARDS = "in-afterwards"
COLLECTIONS = {
    "tenants": "tenants",
    "trunks": "trunks",
    "sms": "sms_configs",
    "inbound-rules": "inbound_rules",
    "outbound-rules": "outbound_rules",
    "extensions": "extensions",
    "users": "users",
    "api-keys": "api_keys",
    "audit": "audit",
}


@dataclass(frozen=True)
class Upgraded:
    """The gateway at work on the former state, and the PBXs main (of acme) and second (of beta)."""

    gateway: FormerGateway
    acme: Customer
    beta: Customer

    async def status(self, name: str) -> str:
        tenant = "beta" if name in OF_BETA else "acme"
        return str((await self.gateway.messages(f"/{tenant}/{id_of(name)}"))["status"])

    async def until(self, name: str) -> str:
        """The status of a text, once it is the one that it has to have."""
        try:
            return await eventually_told(partial(self.status, name), lambda now: now == STATUSES[name], 30)
        except AssertionError as error:
            raise AssertionError(f"the text {name!r}: {error}") from None

    async def prove_the_lent_account(self) -> None:
        """What the changelog asks of the operator: the trunk of the system names the account that it has."""
        account = KNOWN["accounts"]["beta"]
        body = {"account": account["credentials"]["account_id"]}
        await self.gateway.api("PATCH", f"/trunks/{KNOWN['trunks']['lent']}", body)
        await self.gateway.api("POST", f"/sms/{account['config_id']}/test-credentials")
        shown = await self.gateway.api("GET", f"/sms/{account['config_id']}")
        assert shown["account_proved"] is True


@asynccontextmanager
async def upgraded_with(
    kind: type[FormerGateway], rabbitmq: Broker, mongodb: str, env: dict[str, str]
) -> AsyncIterator[Upgraded]:
    async with kind.told(rabbitmq, mongodb, env) as gateway:
        acme, beta = gateway.customer("acme"), gateway.customer("beta")
        async with acme.reading(), beta.reading():
            yield Upgraded(gateway, acme, beta)
        assert gateway.leaks() == []


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["the former .env as it is", "the former .env, completed"]
)
async def upgraded(
    request: pytest.FixtureRequest, rabbitmq: Broker, mongodb: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Upgraded]:
    """Once as an operator has it who adds nothing to .env, once as `make env`, `make up` and compose complete it."""
    kind: type[FormerGateway]
    if request.param == "the former .env as it is":
        kind, env = WithOneAccount, environment()
    else:
        kind, env = FormerGateway, completed(tmp_path_factory.mktemp("former"))
    async with upgraded_with(kind, rabbitmq, mongodb, env) as upgraded:
        yield upgraded


def completed(directory: Path) -> dict[str, str]:
    (directory / ".env").write_text((DIRECTORY / "former.env").read_text())
    complete(directory)
    return parse((directory / ".env").read_text())


def inbound(number: str, id_: str, text: str) -> list[dict[str, Any]]:
    message = {"id": id_, "owner": number, "applicationId": "a", "time": "2026-11-20T10:00:00Z", "segmentCount": 1}
    message |= {"direction": "in", "to": [number], "from": HANDSET, "text": text}
    about = {"type": "message-received", "time": "2026-11-20T10:00:00Z", "description": "Incoming message received"}
    return [{**about, "to": number, "message": message}]


def carriers_ids(inbox: Inbox) -> Counter[str]:
    """How often a PBX got each text, but for the one that came after the upgrade."""
    ids = (m.json["provider_msg_id"] for m in inbox.messages)
    return Counter(id_ for id_ in ids if id_ != AFTERWARDS)


async def test_the_text_that_a_lent_trunk_brought_another_borrower_waits_until_the_account_is_proved(
    upgraded: Upgraded,
):
    gateway, beta = upgraded.gateway, KNOWN["accounts"]["beta"]
    question = {"did": "+12015550170", "sender": HANDSET, "config_id": beta["config_id"]}
    if not (await gateway.api("GET", f"/sms/{beta['config_id']}"))["account_proved"]:
        explained = await gateway.api("POST", "/explain/inbound", question)
        assert explained["rejection"]["code"] == "account_unproved"
        assert not [m for m in upgraded.acme.inbound.messages if m.json["provider_msg_id"] == "in-lent-after"]

    await upgraded.prove_the_lent_account()

    received = await upgraded.acme.received("in-lent-after", seconds=45)
    assert received["content"] == "For acme, by beta's webhook"


async def test_each_text_that_was_under_way_ends_as_it_should_and_bandwidth_gets_it_once(upgraded: Upgraded):
    assert {name: await upgraded.until(name) for name in STATUSES} == STATUSES

    taken = (await upgraded.gateway.simulator("GET", "/arrivals/counts?tags=all"))["tags"]
    assert taken == {f"{'beta' if name in OF_BETA else 'acme'}/{id_of(name)}": 1 for name in SENT_NOW}
    assert not taken.keys() & set(KNOWN["sent"])
    for each in ("1", "2"):
        assert (await upgraded.gateway.messages(f"/acme/{id_of('list')}.{each}"))["status"] == "delivered"


async def test_every_message_that_lay_in_a_queue_is_accounted_for(upgraded: Upgraded):
    gateway, acme, beta = upgraded.gateway, upgraded.acme, upgraded.beta
    await upgraded.prove_the_lent_account()
    for name in STATUSES:
        await upgraded.until(name)
    await acme.received("in-lent-after", seconds=45)
    await beta.received("in-beta")
    await acme.statuses.first(lambda m: m.json["message_id"] == id_of("ghost"), "the end of nobody's tenant's text")
    await gateway.dead.until(lambda letters: len(letters) >= 3, "the dead letters")
    await gateway.unrouted.until(bool, "the unrouted text")
    # What nobody could match to a text waits two minutes more, in the ladder's new queue.
    waiting = {"sms.config": 1, "sms.wait.2m": 1}
    await eventually(gateway.depths, lambda depths: {name: n for name, n in depths.items() if n} == waiting, 20)

    for inbox, name in ((acme.statuses, "pbx.main.status"), (beta.statuses, "pbx.second.status")):
        told = Counter(m.json["event_id"] for m in inbox.messages)
        assert {message.event_id for message in left(name)} <= told.keys()
        assert set(told.values()) == {1}
    lay_there = [json.loads(message.body)["provider_msg_id"] for message in left("pbx.main.inbound")]
    assert carriers_ids(acme.inbound) == Counter([*lay_there, "in-waiting", "in-lent-after"])
    assert carriers_ids(beta.inbound) == {"in-beta": 1}
    assert [m.headers["x-code"] for m in gateway.dead.messages] == ["not_json", "webhook_unreadable", "not_json"]
    assert [m.headers["x-code"] for m in gateway.unrouted.messages] == ["unrouted_did"]


async def test_no_service_finds_anything_declared_in_another_way(upgraded: Upgraded):
    wrong = ("PRECONDITION_FAILED", "ACCESS_REFUSED", "declaration_refused", "NOT_FOUND", '"level":"error"')

    assert [line for _, line in upgraded.gateway.lines if any(word in line for word in wrong)] == []


@pytest.mark.parametrize(("resource", "collection"), COLLECTIONS.items())
async def test_everything_that_was_configured_is_there(upgraded: Upgraded, resource: str, collection: str):
    shown = (await upgraded.gateway.api("GET", f"/{resource}?top=100"))["items"]

    assert {one["_id"] for one in documents("config", collection)} <= {one["id"] for one in shown}


async def test_webhook_addresses_and_their_credentials_still_hold(upgraded: Upgraded):
    for tenant, account in KNOWN["accounts"].items():
        shown = await upgraded.gateway.api("GET", f"/sms/{account['config_id']}")
        assert (shown["tenant_id"], shown["webhook"]) == (tenant, account["webhook"])

    body = inbound("+12015550145", AFTERWARDS, "Are you still there?")
    assert (await upgraded.acme.webhook(body, authorization="Basic d3Jvbmc6d3Jvbmc=")).status == 401
    assert (await upgraded.acme.webhook(body)).status == 200
    received = await upgraded.acme.received(AFTERWARDS)
    assert (received["route"]["rule_id"], received["route"]["destination"]) == (KNOWN["rules"]["desk"], "205")


async def test_people_and_programs_still_come_in(upgraded: Upgraded):
    gateway, user = upgraded.gateway, KNOWN["user"]
    gateway.keep_private(secrets=[user["password"], KNOWN["api_key"].rpartition("_")[2]])
    body = {"username": user["name"], "password": user["password"]}
    async with gateway.http.post(f"{gateway.url('config')}/api/v1/session", json=body) as answer:
        assert answer.status == 201, await answer.text()
    headers = {"Authorization": f"Bearer {KNOWN['api_key']}"}
    async with gateway.http.get(f"{gateway.url('config')}/api/v1/tenants", headers=headers) as answer:
        assert [tenant["id"] for tenant in (await answer.json())["items"]] == ["acme"]


async def test_old_texts_are_in_the_history(upgraded: Upgraded):
    for document in documents("dispatcher", "messages"):
        shown = await upgraded.gateway.messages(f"/{document['tenant_id']}/{document['message_id']}")
        assert shown["content"] == document["text"]
        assert [step["status"] for step in shown["history"]][: len(document["history"])] == [
            step["status"] for step in document["history"]
        ]


async def test_a_national_block_blocks_now_and_explain_names_the_mask_that_matches_nobody(upgraded: Upgraded):
    question = {"tenant_id": "acme", "did": "+12015550143"}
    blocked = await upgraded.gateway.api("POST", "/explain/inbound", {**question, "sender": BLOCKED})
    premium = await upgraded.gateway.api("POST", "/explain/inbound", {**question, "sender": "+19005550100"})

    assert blocked["blocked"] is True
    assert "in-blocked" not in carriers_ids(upgraded.acme.inbound)
    assert (premium["blocked"], premium["route"]["rule_id"]) == (False, KNOWN["rules"]["desk"])
    named = [verdict["rule_id"] for verdict in premium["verdicts"] if "1900* can match no number" in verdict["reason"]]
    assert named == [KNOWN["rules"]["premium"], ""]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/routing?tenant_id=acme", {"holidays": ["2027-01-01"]}),
        (f"/inbound-rules/{KNOWN['rules']['premium']}", {"name": "Premium numbers, renamed"}),
        (f"/outbound-rules/{KNOWN['rules']['chicago']}", {"name": "Chicago and around"}),
        (f"/trunks/{KNOWN['trunks']['own']}", {"name": "Numbers of Acme"}),
        (f"/sms/{KNOWN['accounts']['acme']['config_id']}", {"name": "Texts of Acme"}),
    ],
)
async def test_what_was_configured_can_be_changed(upgraded: Upgraded, path: str, change: dict[str, Any]):
    shown = await upgraded.gateway.api("PATCH", path, change)

    assert {name: shown[name] for name in change} == change
