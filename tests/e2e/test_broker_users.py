"""A PBX with a broker user of its own, on a gateway whose services have theirs: all that it needs, and no more."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractChannel

from sms_common.broker_rights import pbx_user
from tests.e2e.customer import HANDSET, Customer
from tests.eventually import eventually_told

pytestmark = pytest.mark.e2e


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("own", pbx="main") as customer:
        yield customer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pbx(customer: Customer) -> AsyncIterator[AbstractChannel]:
    """The PBX main, reading its queues as its own user."""
    url = customer.gateway.amqp_url(pbx_user("main"))
    async with await aio_pika.connect(url, heartbeat=0) as connection:
        channel = await connection.channel()
        for name, inbox in (("pbx.main.status", customer.statuses), ("pbx.main.inbound", customer.inbound)):
            queue = await channel.get_queue(name, ensure=False)
            await queue.consume(inbox.take)
        yield channel


def request(tenant: str) -> dict[str, str]:
    message_id = str(uuid.uuid4())
    return {"message_id": message_id, "tenant_id": tenant, "extension": "101", "to": HANDSET, "text": "Hello there"}


async def ask(pbx: AbstractChannel, body: dict[str, str], key: str, **headers: Any) -> str:
    exchange = await pbx.get_exchange("pbx.main.requests", ensure=False)
    message = aio_pika.Message(json.dumps(body).encode(), delivery_mode=2, headers=headers)
    await exchange.publish(message, key)
    return body["message_id"]


async def test_its_text_goes_out_and_an_answer_comes_in(customer: Customer, pbx: AbstractChannel):
    message_id = await ask(pbx, request(customer.tenant), f"sms.outbound.{customer.tenant}")
    assert (await customer.final(message_id))["status"] == "delivered"
    assert customer.course(message_id)[0] == "accepted"
    carrier_id = await customer.text_in("and an answer to it")
    assert (await customer.received(carrier_id))["content"] == "and an answer to it"


async def test_what_it_asks_in_the_name_of_anothers_tenant_is_refused_and_told_to_it_alone(
    customer: Customer, pbx: AbstractChannel, new_customer
):
    async with new_customer("victim") as victim:
        own, others = f"sms.outbound.{customer.tenant}", f"sms.outbound.{victim.tenant}"
        everywhere = [own, others, "sms.carrier.bandwidth.x", f"sms.status.{victim.tenant}.delivered", "sms.outbound"]
        asked = [
            await ask(pbx, request(victim.tenant), key, **{header: everywhere})
            for key in (own, others, "sms.outbound", "anything")
            for header in ("CC", "BCC")
        ]
        for message_id in asked:
            assert (await customer.final(message_id))["error"]["code"] == "tenant_mismatch"
        await ask(pbx, request(victim.tenant), others)
        await eventually_told(lambda: depth(victim, "sms.refused"), lambda found: found == 1)

        await victim.final(await victim.send(HANDSET, "one of its own, to know that all before was read"))
        heard = {message.json["message_id"] for message in victim.statuses.messages}
        assert heard & set(asked) == set()
        assert await depth(victim, "sms.carrier") == 0


async def depth(customer: Customer, queue: str) -> int:
    return customer.gateway.depths()[queue]
