"""Processes that are killed, stopped and started again: nothing is lost, nothing is sent twice, everything is found."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.amqp import Message
from tests.e2e.conftest import NewCustomer
from tests.e2e.customer import HANDSET, Customer
from tests.e2e.gateway import Gateway
from tests.eventually import eventually_told

pytestmark = pytest.mark.e2e

MANY = 300
DEAF = "+13125550204"
RECEIPTS_AFTER = 10
"""Seconds, so that no receipt tells the next dispatcher what the killed one did."""
LEASE = 60
"""Seconds after which a claim is taken for dead; the next look is up to half of that later."""


def numbers(count: int) -> list[str]:
    return [f"+1312556{n:04d}" for n in range(count)]


async def send_at_once(customer: Customer, text: str, count: int = MANY) -> list[str]:
    """Send as a service does, to whose recipients texts leave side by side; returns the message_ids."""
    return await asyncio.gather(*(customer.send(to, f"{text}, {to[-4:]}", category="otp") for to in numbers(count)))


async def arrivals(customer: Customer) -> Counter[str]:
    """How often Bandwidth took each text of the customer, by message_id."""
    counts = await customer.gateway.simulator("GET", "/arrivals/counts?tags=all")
    own = f"{customer.tenant}/"
    return Counter({tag.removeprefix(own): n for tag, n in counts["tags"].items() if tag.startswith(own)})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer: NewCustomer) -> AsyncIterator[Customer]:
    async with new_customer("restarts") as customer:
        yield customer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def interrupted(customer: Customer) -> list[str]:
    """The message_ids of many texts in whose midst the dispatcher was killed; a new one is at work.

    The first of them was being handed to a Bandwidth that did not take it.
    """
    gateway = customer.gateway
    await customer.fault(kind="cut", delay=30, to=DEAF)
    first = await customer.send(DEAF, "the one that gets nowhere")
    await eventually_told(lambda: gateway.simulator("GET", "/faults"), lambda faults: not faults)
    await customer.fault(kind="slow", stage="after", delay=0.2, times=None)
    script = {"to": "*", "outcome": {"progress": False, "delay": RECEIPTS_AFTER}}
    await gateway.simulator("POST", "/outcomes", script)
    message_ids = await send_at_once(customer, "in the midst")
    await gateway.until_arrived(MANY // 3, account_id=customer.credentials["account_id"])
    await gateway.kill("dispatcher")
    at_the_kill = await arrivals(customer)
    assert MANY // 3 <= len(at_the_kill) < MANY
    await gateway.simulator("DELETE", "/faults")
    await gateway.start("dispatcher")
    return [first, *message_ids]


async def test_what_bandwidth_took_before_and_after_a_kill_of_the_dispatcher_it_took_once_and_delivered(
    customer, interrupted
):
    def nothing_is_on_its_way(_: list[Message]) -> bool:
        return all(customer.course(message_id)[-1:] != ["submitted"] for message_id in interrupted)

    taken = await arrivals(customer)
    await customer.finals(taken)
    await customer.statuses.until(nothing_is_on_its_way, "the end of what was submitted")
    assert set((await arrivals(customer)).values()) == {1}


async def test_a_second_dispatcher_takes_over_from_one_that_is_killed(customer, interrupted, measured):
    gateway, before = customer.gateway, (await arrivals(customer)).total()
    await gateway.start_another("dispatcher", "second dispatcher")
    await customer.fault(kind="slow", stage="after", delay=0.2, times=None)
    interrupted += await send_at_once(customer, "take over")
    await gateway.until_arrived(before + MANY // 3, account_id=customer.credentials["account_id"])
    await gateway.kill("dispatcher")
    began = time.monotonic()
    await gateway.simulator("DELETE", "/faults")

    await customer.told(await customer.send(HANDSET, "behind all those"), "submitted")

    measured["take-over by a second dispatcher"] = f"{time.monotonic() - began:.1f} s"
    assert set((await arrivals(customer)).values()) == {1}
    await gateway.start("dispatcher")
    await gateway.stop("second dispatcher")


async def test_texts_that_come_in_while_ingress_is_killed_reach_the_pbx_once(customer):
    gateway = customer.gateway
    texts = (customer.text_in(f"while ingress dies, {n:04d}", f"+1415556{n:04d}") for n in range(MANY))
    posting = asyncio.gather(*texts)
    await gateway.until_webhooks(MANY // 6, direction="inbound", answered=2, to=customer.dids[0])
    await gateway.kill("ingress")
    carrier_ids = set(await posting)
    await gateway.start("ingress")

    def came(messages: list[Message]) -> bool:
        return carrier_ids <= {m.json["provider_msg_id"] for m in messages}

    await customer.inbound.until(came, "every text")
    events = {m.json["event_id"]: m.json for m in customer.inbound.messages}
    mine = Counter(e["content"] for e in events.values() if e["content"].startswith("while ingress dies"))
    assert mine == Counter(f"while ingress dies, {n:04d}" for n in range(MANY))


async def test_sigterm_lets_the_dispatcher_end_what_is_under_way(customer, measured):
    gateway = customer.gateway
    await customer.fault(kind="slow", stage="after", delay=1.5, times=None)
    await gateway.simulator("DELETE", "/outcomes")
    await gateway.simulator("POST", "/outcomes", {"to": "*", "outcome": {"final": "none", "progress": False}})
    before = (await arrivals(customer)).total()
    message_ids = await send_at_once(customer, "under way at the end", 20)
    await gateway.until_arrived(before + 20, account_id=customer.credentials["account_id"])

    status, seconds = await gateway.stop("dispatcher")

    measured["drain of the dispatcher, 20 calls of 1.5 s"] = f"{seconds:.1f} s"
    assert (status, seconds < 10) == (0, True)
    for message_id in message_ids:
        await customer.told(message_id, "submitted", seconds=1)
    await gateway.simulator("DELETE", "/faults")
    await gateway.simulator("DELETE", "/outcomes")
    await gateway.start("dispatcher")
    assert set((await arrivals(customer)).values()) == {1}


@pytest.mark.parametrize("service", ["ingress", "config"])
async def test_sigterm_ends_a_service_soon(customer, measured, service):
    status, seconds = await customer.gateway.stop(service)

    measured[f"drain of {service}"] = f"{seconds:.1f} s"
    await customer.gateway.start(service)
    assert (status, seconds < 10) == (0, True)


async def test_a_second_start_finds_everything_in_place(gateway: Gateway, new_customer: NewCustomer):
    async with new_customer("returning") as customer:
        open_end = await customer.send("+13125559000", "no word about this yet")
        submitted = await customer.told(open_end, "submitted")
        before = await everything(gateway, customer, open_end)
    unread = await customer.text_in("read this after the holidays")
    await gateway.until_webhooks(1, message_id=unread, answered=200)
    for service in ("dispatcher", "ingress", "config"):
        await gateway.stop(service)
    published = await customer.send(HANDSET, "written while nobody was in")

    await gateway.start("ingress", "dispatcher", "config")

    assert await everything(gateway, customer, open_end) == before
    async with customer.reading():
        assert (await customer.received(unread))["content"] == "read this after the holidays"
        assert (await customer.final(published))["status"] == "delivered"
        receipt = receipt_for(submitted)
        assert (await customer.webhook(receipt)).status == 200
        assert (await customer.final(open_end))["status"] == "delivered"


async def everything(gateway: Gateway, customer: Customer, message_id: str) -> list[Any]:
    """What an administrator and a reader of a message see."""
    pages = [await gateway.api("GET", f"/{what}?top=100") for what in ("tenants", "trunks", "sms", "api-keys", "audit")]
    return [*pages, await gateway.messages(f"/{customer.tenant}/{message_id}")]


def receipt_for(event: dict[str, Any], **more: str) -> bytes:
    """Bandwidth's word that a text was delivered; with `more` about the message."""
    moment = "2026-07-10T09:00:00Z"
    message = {"id": event["provider_msg_id"], "time": moment, "to": [event["to"]], "from": event["from"], **more}
    return json.dumps([{"type": "message-delivered", "time": moment, "to": event["to"], "message": message}]).encode()


async def test_what_gets_no_receipt_in_time_is_undetermined_until_one_comes(customer):
    gateway = customer.gateway
    await gateway.restart("dispatcher", DISPATCHER_RECEIPT_WINDOW_HOURS="0.0003")
    try:
        await customer.fault(kind="cut", to="+13125550203")
        lost = await customer.send("+13125550203", "lost on the way, maybe")
        silent = await customer.send("+13125559000", "nobody says a word")
        ends = [await customer.final(message_id) for message_id in (lost, silent)]
        submitted = await customer.told(silent, "submitted")
    finally:
        await gateway.restart("dispatcher")

    assert [(end["status"], end["error"]["code"]) for end in ends] == [("undetermined", "no_receipt")] * 2
    assert customer.course(lost) == ["accepted", "unknown", "undetermined"]
    assert (await customer.webhook(receipt_for(submitted))).status == 200
    await customer.told(silent, "delivered")
    assert customer.course(silent) == ["accepted", "submitted", "undetermined", "delivered"]


async def test_after_a_kill_every_text_has_ended_or_its_answer_is_known_to_be_lost(customer, interrupted):
    """Comes last: a claim that died before its call is recognised once its lease is over."""

    def settled(_: list[Message]) -> bool:
        return all({*customer.course(message_id)} & {"delivered", "unknown"} for message_id in interrupted)

    await customer.statuses.until(settled, "the end of every text", 2 * LEASE)
    taken = await arrivals(customer)
    assert [taken[message_id] for message_id in interrupted[:1]] == [0]
    assert {taken[message_id] for message_id in interrupted} <= {0, 1}
    for message_id in interrupted:
        assert customer.course(message_id)[-1] == ("delivered" if taken[message_id] else "unknown")

    lost = await customer.told(interrupted[0], "unknown")
    assert (lost["error"]["code"], lost["error"]["class"]) == ("outcome_unknown", "unknown")
    receipt = receipt_for(
        {**lost, "provider_msg_id": "it-was-sent-all-the-same"}, tag=f"{customer.tenant}/{interrupted[0]}"
    )
    assert (await customer.webhook(receipt)).status == 200
    assert (await customer.final(interrupted[0]))["status"] == "delivered"
