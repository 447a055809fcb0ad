"""How a text ends when Bandwidth, its networks or the way to it fail: the right status, and never a second text.

All cases are played at once, each with a recipient of its own, and looked at one by one.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.customer import HANDSET, Customer

pytestmark = pytest.mark.e2e

LATER = 1.0
"""Seconds until Bandwidth's receipts where the way the call ended is to be told first."""


class Case(NamedTuple):
    """One failure, and what the PBX is told."""

    number: str
    fault: dict[str, Any] | None
    told: tuple[str, ...]
    """statuses after accepted; the last one stays"""
    code: str | None = None
    """of the error in the first of them that has one"""
    arrivals: int = 1
    """how often Bandwidth took the text"""


SETTLED = ("submitted", "sent", "delivered")
AFTERWARDS = ("unknown", "sent", "delivered")
RETRIED = ("queued", *SETTLED)

CASES = {
    "500 before accepting": Case("+13125550201", {"kind": "error"}, RETRIED, "carrier_error"),
    "500 after accepting": Case(
        "+13125550202", {"kind": "error", "stage": "after"}, ("queued", "sent", "delivered"), "carrier_error"
    ),
    "cut before accepting": Case("+13125550203", {"kind": "cut"}, ("unknown",), "outcome_unknown", arrivals=0),
    "cut after accepting": Case("+13125550204", {"kind": "cut", "stage": "after"}, AFTERWARDS, "outcome_unknown"),
    "half an answer": Case("+13125550205", {"kind": "cut_midway", "stage": "after"}, AFTERWARDS, "outcome_unknown"),
    "a slow answer": Case("+13125550206", {"kind": "slow", "delay": 2}, SETTLED),
    "a proxy's 502 in HTML": Case("+13125550207", {"kind": "html"}, ("unknown",), "outcome_unknown", arrivals=0),
    "a proxy's 502 after accepting": Case(
        "+13125550208", {"kind": "html", "stage": "after"}, AFTERWARDS, "outcome_unknown"
    ),
    "a 503 without a body": Case("+13125550209", {"kind": "empty"}, ("unknown",), "outcome_unknown", arrivals=0),
    "a token that is refused once": Case("+13125550210", {"kind": "unauthorized"}, SETTLED),
    "a 404": Case("+13125550211", {"kind": "not_found"}, ("failed",), "carrier_refused", arrivals=0),
    "a landline": Case("+13125554720", None, ("submitted", "sent", "failed"), "recipient_invalid"),
    "a recipient who opted out": Case("+13125554775", None, ("submitted", "sent", "failed"), "opted_out"),
    "a network that is busy": Case("+13125555600", None, ("submitted", "sent", "failed"), "carrier_busy"),
    "no receipt from the network": Case("+13125559902", None, ("submitted", "sent", "failed"), "no_receipt"),
    "silence": Case("+13125559000", None, ("submitted",)),
    "silence after message-sent": Case("+13125559001", None, ("submitted", "sent")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(new_customer) -> AsyncIterator[Customer]:
    async with new_customer("outcomes") as customer:
        yield customer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(customer: Customer) -> dict[str, str]:
    """The message_id of each case, once it has got as far as it will."""

    async def play(case: Case) -> str:
        if case.fault is not None:
            await customer.fault(to=case.number, **case.fault)
            script = {"to": case.number, "outcome": {"delay": LATER}}
            await customer.gateway.simulator("POST", "/outcomes", script)
        message_id = await customer.send(case.number, f"text to {case.number[-4:]}, please")
        await customer.told(message_id, case.told[-1])
        return message_id

    return dict(zip(CASES, await asyncio.gather(*map(play, CASES.values())), strict=True))


@pytest.mark.parametrize("name", CASES)
async def test_a_text_ends_as_it_should(customer, played, name):
    case, events = CASES[name], customer.events(played[name])

    told = [event["status"] for event in events]
    # Receipts that come close to one another or to the answer may overtake: what is lower is left out then.
    optional = {"sent", "unknown", "submitted"} - {case.told[-1]}
    assert [status for status in told if status not in optional] == [
        status for status in ("accepted", *case.told) if status not in optional
    ]
    assert set(told) <= {"accepted", *case.told}
    codes = [event["error"]["code"] for event in events if event.get("error")]
    assert codes[:1] == ([case.code] if case.code else [])
    record = await customer.gateway.messages(f"/{customer.tenant}/{played[name]}")
    assert record["status"] == case.told[-1]


@pytest.mark.parametrize("name", CASES)
async def test_bandwidth_took_the_text_once_or_never(customer, played, name):
    tag = f"{customer.tenant}/{played[name]}"

    counts = await customer.gateway.simulator("GET", "/arrivals/counts?tags=all")

    assert counts["tags"].get(tag, 0) == CASES[name].arrivals


async def test_a_429_holds_up_its_own_lane_and_no_other_until_the_carriers_wish_is_over(customer, new_customer):
    async with new_customer("throttled") as throttled:
        await throttled.fault(kind="queue_full", retry_after="3")

        message_id = await throttled.send(HANDSET, "please wait a moment")
        queued = await throttled.told(message_id, "queued")
        second_id = await throttled.send(HANDSET, "stands behind the other")
        elsewhere = await customer.send(HANDSET, "is not held up by that")

        await customer.final(elsewhere)
        await throttled.told(second_id, "accepted")
        assert throttled.course(second_id) == ["accepted"]
        assert (queued["error"]["code"], queued["error"]["class"]) == ("carrier_busy", "temporary")
        submitted = await throttled.told(message_id, "submitted")
        assert submitted["attempt"] == 2
        await throttled.finals([message_id, second_id])
        arrivals = await throttled.gateway.simulator(
            "GET", f"/arrivals?account_id={throttled.credentials['account_id']}"
        )
        assert arrivals["total"] == 2


async def test_while_no_token_is_to_be_had_texts_wait_and_then_they_are_sent(new_customer):
    async with new_customer("tokenless") as customer:
        gateway = customer.gateway
        await gateway.simulator("POST", "/faults", {"endpoint": "token", "kind": "error", "times": None})

        message_id = await customer.send(HANDSET, "there is no token yet")
        queued = await customer.told(message_id, "queued")
        await gateway.simulator("DELETE", "/faults")

        assert (queued["error"]["code"], queued["error"]["class"]) == ("carrier_unreachable", "temporary")
        assert (await customer.final(message_id))["status"] == "delivered"


async def test_refused_credentials_keep_the_texts_and_the_right_ones_send_them(new_customer):
    async with new_customer("mistyped") as customer:
        right = customer.credentials["api_secret"]
        path = f"/sms/{customer.config['id']}"
        wrong = {"credentials": {"api_secret": "canary-mistyped-secret"}}
        customer.gateway.keep_private(secrets=["canary-mistyped-secret"])
        await customer.gateway.api("PATCH", path, wrong)
        message_id = await customer.send(HANDSET, "who am I, Bandwidth?")
        while (first := await customer.told(message_id, "queued", "submitted"))["status"] == "submitted":
            message_id = await customer.send(HANDSET, "who am I, Bandwidth?")  # the dispatcher has not heard of it yet
        assert (first["error"]["code"], first["error"]["class"]) == ("credentials_refused", "temporary")

        await customer.gateway.api("PATCH", path, {"credentials": {"api_secret": right}})

        assert (await customer.final(message_id))["status"] == "delivered"


async def test_a_customer_may_have_a_lost_answer_told_as_failed_at_once(new_customer):
    async with new_customer("impatient", failure_policy="fail") as customer:
        await customer.fault(kind="cut")

        end = await customer.final(await customer.send(HANDSET, "now or never, please"))

        assert (end["status"], end["error"]["code"], end["error"]["class"]) == ("failed", "outcome_unknown", "unknown")


async def test_a_text_is_held_until_its_time_and_can_be_withdrawn_until_then(customer):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    held = await customer.send(HANDSET, "not before tomorrow", send_after=tomorrow.isoformat())
    await customer.told(held, "held")

    cancel = {"message_id": held, "tenant_id": customer.tenant}
    await customer.gateway.client.publish(cancel, f"sms.outbound.{customer.tenant}.cancel")

    assert (await customer.final(held))["status"] == "canceled"
    assert customer.course(held) == ["accepted", "held", "canceled"]
