"""Repeated, reordered and strange receipts, requests and texts: each message ends once, as it should."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.amqp import Message
from tests.e2e.customer import Customer
from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.e2e

RANKS = {"accepted": 10, "queued": 20, "unknown": 35, "submitted": 40, "sent": 50, "delivered": 90, "failed": 90}


class Habit(NamedTuple):
    """How Bandwidth reports on a recipient (the simulator goes by the number's last digits)."""

    number: str
    receipts: int
    """events about it in all its webhooks"""
    final: str = "delivered"


HABITS = {
    "in order": Habit("+13125550101", 2),
    "every webhook twice": Habit("+13125559003", 4),
    "the end before the answer to the request": Habit("+13125559004", 2),
    "the end before message-sent": Habit("+13125559005", 2),
    "failed and then delivered": Habit("+13125559006", 3, "failed"),
    "an event of an unknown type first": Habit("+13125559007", 2),
    "bare objects": Habit("+13125559008", 2),
    "two events in one array": Habit("+13125559009", 2),
    "without our tag": Habit("+13125559010", 2),
    "times without fractions": Habit("+13125559011", 2),
    "late": Habit("+13125559002", 2),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("receipts") as customer:
        yield customer


async def heard(gateway: Gateway) -> float:
    """How many receipts have been dealt with, whatever came of them."""
    return await gateway.counted("dispatcher", "smsgw_receipts_total")


async def until_heard(gateway: Gateway, count: float) -> None:
    await gateway.until_counted(count, "dispatcher", "smsgw_receipts_total")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reported(customer: Customer) -> dict[str, str]:
    """A text to each recipient, by habit, when everything has been said about all of them."""
    before = await heard(customer.gateway)
    texts = (customer.send(habit.number, f"text for {name}") for name, habit in HABITS.items())
    message_ids = dict(zip(HABITS, await asyncio.gather(*texts), strict=True))
    await customer.finals(message_ids.values())
    await until_heard(customer.gateway, before + sum(habit.receipts for habit in HABITS.values()))
    return message_ids


@pytest.mark.parametrize("name", HABITS)
async def test_a_text_ends_once_and_its_status_only_rises_however_bandwidth_reports(customer, reported, name):
    events = customer.events(reported[name])

    assert [event["status"] for event in events if event["final"]] == [HABITS[name].final]
    ranks = [RANKS[event["status"]] for event in events]
    assert ranks == sorted(set(ranks))
    assert events[0]["status"] == "accepted"
    assert len({event["sequence"] for event in events}) == len(events)


async def test_an_event_of_an_unknown_type_is_kept(customer, reported):
    await customer.gateway.dead.first(lambda m: b"message-frobnicated" in m.body, "the dead letter")


async def test_the_ledger_tells_of_a_text_what_the_pbx_was_told(customer, reported):
    message_id = reported["every webhook twice"]

    record = await customer.gateway.messages(f"/{customer.tenant}/{message_id}")

    event = await customer.final(message_id)
    shared = ("status", "final", "delivery", "provider_msg_id", "segments", "extension")
    assert {name: record[name] for name in shared} == {name: event[name] for name in shared}
    assert (record["id"], record["sender"], record["receiver"]) == (message_id, event["from"], event["to"])


async def test_a_request_that_is_published_again_is_sent_once_and_its_status_is_repeated(customer):
    gateway = customer.gateway
    message_id = await customer.send("+13125550102", "only once please")
    await customer.final(message_id)

    for _ in range(3):
        await customer.send("+13125550102", "only once please", message_id=message_id)

    def all_told(messages: list[Message]) -> bool:
        return len([m for m in messages if m.json["message_id"] == message_id and m.json["final"]]) == 4

    await customer.statuses.until(all_told, "the status and three repetitions")
    assert await arrivals_of(gateway, f"{customer.tenant}/{message_id}") == 1


async def test_another_request_under_the_same_id_is_refused_and_changes_nothing(customer):
    message_id = await customer.send("+13125550103", "the first of two")
    await customer.final(message_id)

    await customer.send("+13125550103", "the second of two", message_id=message_id)

    refused = await customer.told(message_id, "rejected")
    assert refused["error"]["code"] == "id_conflict"
    assert await arrivals_of(customer.gateway, f"{customer.tenant}/{message_id}") == 1
    record = await customer.gateway.messages(f"/{customer.tenant}/{message_id}")
    assert record["status"] == "delivered"


async def arrivals_of(gateway: Gateway, tag: str) -> int:
    counts = await gateway.simulator("GET", "/arrivals/counts?tags=all")
    return int(counts["tags"].get(tag, 0))


async def test_a_list_of_recipients_is_a_message_for_each(customer):
    numbers = ["+13125550104", "+13125554720", "not a number"]

    message_id = await customer.send(numbers, "to each of them")

    children = [f"{message_id}.{number}" for number in (1, 2, 3)]
    ends = [await customer.final(child) for child in children]
    assert [(end["to"], end["status"], end["parent_id"]) for end in ends] == [
        (numbers[0], "delivered", message_id),
        (numbers[1], "failed", message_id),
        (numbers[2], "rejected", message_id),
    ]


@pytest.mark.parametrize(
    ("numbers", "status", "code", "members"),
    [
        pytest.param(["+13125550105", "+13125559003"], "delivered", None, ["delivered", "delivered"], id="all"),
        pytest.param(
            ["+13125550105", "+13125554720", "+13125559005"],
            "failed",
            "group_partly_failed",
            ["delivered", "failed", "delivered"],
            id="some",
        ),
        pytest.param(["+13125554720", "+13125554721"], "failed", "recipient_invalid", ["failed", "failed"], id="none"),
    ],
)
async def test_a_group_is_delivered_only_if_everyone_got_it(customer, numbers, status, code, members):
    message_id = await customer.send(numbers, "a word to the group", group=True)

    end = await customer.final(message_id)

    assert (end["status"], end.get("error", {}).get("code")) == (status, code)
    assert [event["status"] for event in customer.events(message_id) if event["final"]] == [status]
    ends = [await customer.final(f"{message_id}.{number}") for number in range(1, len(numbers) + 1)]
    assert [(event["to"], event["status"]) for event in ends] == list(zip(numbers, members, strict=True))
    assert await arrivals_of(customer.gateway, f"{customer.tenant}/{message_id}") == 1


async def test_a_text_whose_webhook_comes_three_times_reaches_the_pbx_once(customer):
    gateway = customer.gateway
    known = await gateway.counted("dispatcher", "smsgw_inbound_total", result="duplicate")

    carrier_id = await customer.text_in("three times the same", copies=3)
    await gateway.until_counted(known + 2, "dispatcher", "smsgw_inbound_total", result="duplicate")

    await customer.received(carrier_id)
    events = [m.json for m in customer.inbound.messages if m.json["provider_msg_id"] == carrier_id]
    assert [event["content"] for event in events] == ["three times the same"]


async def test_a_text_to_a_group_reaches_every_number_of_ours_in_it(customer):
    stranger = "+13035550165"
    body = {
        "from": "+13125550106",
        "to": [customer.dids[0], customer.dids[1], stranger],
        "text": "hello everybody here",
    }
    answer = await customer.gateway.simulator("POST", "/inbound", body)

    assert sorted(message["to"] for message in answer["messages"]) == list(customer.dids[:2])
    events = [await customer.received(message["message_id"]) for message in answer["messages"]]
    assert {event["did"] for event in events} == set(customer.dids[:2])
    assert {tuple(event["recipients"]) for event in events} == {tuple(body["to"])}
    assert {event["msg_type"] for event in events} == {"MMS"}
