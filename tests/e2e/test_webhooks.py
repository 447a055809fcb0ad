"""What the public door answers, as the world outside sees it."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.conftest import NewCustomer
from tests.e2e.customer import HANDSET, Answer, Customer, basic, post
from tests.eventually import eventually_told

pytestmark = pytest.mark.e2e

LIMIT = 256 * 1024
NOTICE = b'[{"type": "message-frobnicated", "message": {"id": "%b"}}]'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("webhooks") as customer:
        yield customer


class Row(NamedTuple):
    """A request that is refused: what differs from a proper webhook, and the answer."""

    status: int
    path: str | None = None
    method: str = "POST"
    body: bytes = b"[]"
    headers: Mapping[str, str] = {}
    authorization: str | None = "right"
    answers: Mapping[str, str] = {}


CHALLENGE = {"WWW-Authenticate": 'Basic realm="sms-gateway", charset="UTF-8"'}
REFUSED = {
    "an unknown token": Row(404, path="/webhooks/bandwidth/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "a token without its end": Row(404, path="{path}"[:-1]),
    "an unknown carrier": Row(404, path="/webhooks/flowroute/{token}"),
    "something behind the token": Row(404, path="{path}/more"),
    "no webhook": Row(404, path="/"),
    "the health of an inner port": Row(404, path="/healthz", method="GET"),
    "metrics": Row(404, path="/metrics", method="GET"),
    "GET": Row(405, method="GET", answers={"Allow": "POST"}),
    "PUT": Row(405, method="PUT", answers={"Allow": "POST"}),
    "no credentials": Row(401, authorization=None, answers=CHALLENGE),
    "a wrong password": Row(401, authorization=basic("bandwidth", "wrong"), answers=CHALLENGE),
    "a wrong user": Row(401, authorization=basic("flowroute", "wrong"), answers=CHALLENGE),
    "another scheme": Row(401, authorization="Bearer abc", answers=CHALLENGE),
    "no Base64": Row(401, authorization="Basic ???", answers=CHALLENGE),
    "a compressed body": Row(415, body=gzip.compress(b"[]"), headers={"Content-Encoding": "gzip"}),
    "a body one byte too large": Row(413, body=b" " * (LIMIT + 1)),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused(customer, name):
    row = REFUSED[name]
    url = customer.config["webhook"]
    path = url.removeprefix(customer.gateway.url("ingress"))
    if row.path is not None:
        path = path[:-1] if row.path == "{path}"[:-1] else row.path.format(path=path, token=path.rpartition("/")[2])
    headers = dict(row.headers)
    if row.authorization is not None:
        headers["Authorization"] = basic(**customer.callback) if row.authorization == "right" else row.authorization

    answer = await post(customer.gateway, path, row.body, headers, row.method)

    assert (answer.status, answer.body) == (row.status, b"")
    assert {name: answer.headers.get(name) for name in row.answers} == row.answers
    assert answer.headers["Server"] == "sms-gateway"


async def test_a_body_that_does_not_say_its_length_is_cut_off_at_the_limit(customer):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 4096 + 1):
            yield b" " * 4096

    url, headers = customer.config["webhook"], {"Authorization": basic(**customer.callback)}
    async with customer.gateway.http.post(url, data=endless(), headers=headers) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"hello, is anybody there?", "webhook_unreadable", id="no JSON"),
        pytest.param(
            b'[{"type": "message-received", "message": {"text": "ol\xe9"}}]', "webhook_unreadable", id="no UTF-8"
        ),
        pytest.param(b"", "webhook_unreadable", id="nothing"),
        pytest.param(b"[]", "webhook_unreadable", id="no events"),
        pytest.param(b"42", "webhook_unreadable", id="a number"),
        pytest.param(b"[null]", "webhook_unreadable", id="no object"),
        pytest.param(b'[{"type": "message-delivered"}]', "webhook_unreadable", id="no message"),
        pytest.param(b"[" * 100_000, "webhook_unreadable", id="very deep"),
        pytest.param(NOTICE % b"unknown-type", "webhook_not_handled", id="an unknown type"),
        pytest.param((NOTICE % b"full").ljust(LIMIT), "webhook_not_handled", id="as large as may be"),
    ],
)
async def test_what_cannot_be_used_is_answered_200_and_kept_byte_for_byte(customer, body, code):
    answer = await customer.webhook(body)

    assert (answer.status, answer.body) == (200, b"")
    letter = await customer.gateway.dead.first(
        lambda m: m.body == body and m.headers.get("x-config-id") == customer.config["id"], "the dead letter"
    )
    assert (letter.headers["x-code"], letter.headers["x-tenant-id"]) == (code, customer.tenant)
    assert letter.headers["x-reason"]


def received(customer: Customer, number: int, **message: Any) -> list[dict[str, Any]]:
    """A text to the customer, as Bandwidth posts it."""
    identifier = f"{customer.tenant}-{number}"
    inner = {"id": identifier, "to": [customer.dids[0]], "from": HANDSET, "text": f"posted text {number}", **message}
    moment = "2026-07-10T09:00:00Z"
    return [{"type": "message-received", "time": moment, "to": customer.dids[0], "message": {"time": moment, **inner}}]


async def test_what_can_be_used_of_an_array_is_used_and_the_whole_is_kept(customer):
    body = json.dumps([*received(customer, 1), {"type": "message-received"}, *received(customer, 2)]).encode()

    assert (await customer.webhook(body)).status == 200

    for number in (1, 2):
        assert (await customer.received(f"{customer.tenant}-{number}"))["content"] == f"posted text {number}"
    await customer.gateway.dead.first(lambda m: m.body == body, "the dead letter")


async def test_a_configuration_without_callback_credentials_takes_webhooks_without(new_customer):
    async with new_customer("trusting", with_callback=False) as customer:
        answer = await customer.webhook(received(customer, 1))

        assert answer.status == 200
        await customer.received(f"{customer.tenant}-1")


async def test_a_rotated_url_works_besides_the_new_one_while_its_grace_lasts(new_customer):
    async with new_customer("rotating") as customer:
        old, path = customer.config["webhook"], f"/sms/{customer.config['id']}/rotate-webhook"
        new = (await customer.gateway.api("POST", path, {"grace_seconds": 3600}))["webhook"]
        customer.gateway.keep_private(secrets=[new.rpartition("/")[2]])
        headers = {"Authorization": basic(**customer.callback)}

        async def status(url: str) -> int:
            return (await post(customer.gateway, url, b"[]", headers)).status

        assert await eventually_told(lambda: status(new), lambda found: found != 404) == 200
        assert await status(old) == 200

        newest = (await customer.gateway.api("POST", path, {"grace_seconds": 0}))["webhook"]
        customer.gateway.keep_private(secrets=[newest.rpartition("/")[2]])
        assert await eventually_told(lambda: status(newest), lambda found: found != 404) == 200
        assert (await status(new), await status(old)) == (404, 404)


async def test_a_text_to_a_configuration_that_is_switched_off_waits_with_the_reason(new_customer):
    async with new_customer("pausing") as customer:
        await customer.gateway.api("POST", f"/sms/{customer.config['id']}/disable")
        while True:  # until the dispatcher has heard of it; what it took just before waits in the lane
            message_id = await customer.send(HANDSET, "may I go out now?")
            told = await customer.told(message_id, "rejected", "queued", "delivered")
            if told["status"] == "rejected":
                break
        assert told["error"]["code"] == "config_disabled"

        assert (await customer.webhook(received(customer, 1))).status == 200

        waiting = await customer.gateway.unrouted.first(
            lambda m: m.json["provider_msg_id"] == f"{customer.tenant}-1", "the text in sms.unrouted"
        )
        assert waiting.headers["x-code"] == "config_disabled"


async def test_the_webhook_of_a_deleted_configuration_is_gone(new_customer: NewCustomer):
    async with new_customer("leaving") as customer:
        await customer.gateway.api("DELETE", f"/sms/{customer.config['id']}")

        async def answer() -> Answer:
            return await customer.webhook(b"[]")

        await eventually_told(answer, lambda answer: answer.status == 404)


async def test_without_rabbitmq_the_answer_is_503_and_nothing_is_lost(customer):
    gateway = customer.gateway
    await customer.final(await customer.send(HANDSET, "all is well so far"))
    gateway.shut_out()
    try:
        answer = await eventually_told(
            lambda: customer.webhook(received(customer, 10)), lambda answer: answer.status != 200
        )
        assert (answer.status, answer.body, answer.headers["Retry-After"]) == (503, b"", "5")
        inbound = await customer.text_in("a text in the dark")
        await gateway.until_webhooks(1, message_id=inbound, answered=503)
        outbound = await customer.send(HANDSET, "an answer in the dark")
        assert (await customer.webhook(b"[]", authorization=None)).status == 401
    finally:
        gateway.let_in()

    await gateway.ready("ingress", "dispatcher")
    assert (await customer.received(inbound))["content"] == "a text in the dark"
    assert (await customer.final(outbound))["status"] == "delivered"


async def test_before_its_first_configuration_ingress_answers_503(customer: Customer):
    gateway = customer.gateway
    await gateway.stop("config")
    await gateway.stop("ingress")
    await gateway.begin("ingress")
    try:

        async def answer() -> Answer | None:
            with suppress(aiohttp.ClientConnectionError):
                return await customer.webhook(received(customer, 20))
            return None

        refused = await eventually_told(answer, lambda answer: answer is not None)
        assert refused is not None
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    finally:
        await gateway.begin("config")
        await gateway.ready("config", "ingress")

    assert (await customer.webhook(received(customer, 21))).status == 200
    await customer.received(f"{customer.tenant}-21")


async def test_without_the_config_service_everything_else_goes_on(customer):
    gateway = customer.gateway
    await gateway.kill("config")
    try:
        inbound = await customer.text_in("who needs a control plane")
        outbound = await customer.send(HANDSET, "nobody for the moment")

        await customer.received(inbound)
        assert (await customer.final(outbound))["status"] == "delivered"
    finally:
        await gateway.start("config")
