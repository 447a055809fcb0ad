"""What becomes of messages: by the last digits, by script, and by the rules of the network."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from carrier_simulator import InboundRequest, MessageOutcome, SimulatedAccount
from carrier_simulator.bandwidth.codes import DESCRIPTIONS
from tests.simulator.conftest import ACCOUNT, APPLICATION, EVERYTHING, HANDSET, OWN, TOLL_FREE, account
from tests.simulator.test_messages_http import SAMPLES

CODES = orjson.loads((SAMPLES.parent / "delivery-error-codes.json").read_bytes())["codes"]
MEDIA = ["https://media.example.net/out/receipt.png"]


def types(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def test_every_documented_code_has_a_number_suffix():
    assert set(DESCRIPTIONS) == {entry["code"] for entry in CODES}


@pytest.mark.parametrize("entry", CODES, ids=lambda entry: str(entry["code"]))
async def test_the_last_four_digits_choose_the_error(api, receiver, entry):
    await api.send(to=f"+1404555{entry['code']}")

    event = (await receiver.events(2))[1]

    assert (event["type"], event["errorCode"]) == ("message-failed", entry["code"])
    assert event["description"]


SUFFIXES = {
    "9001": ["message-sent"],
    "9002": ["message-sent", "message-delivered"],
    "9003": ["message-sent", "message-sent", "message-delivered", "message-delivered"],
    "9004": ["message-delivered", "message-sent"],
    "9005": ["message-delivered", "message-sent"],
    "9006": ["message-sent", "message-failed", "message-delivered"],
    "9007": ["message-sent", "message-frobnicated", "message-delivered"],
    "9008": ["message-sent", "message-delivered"],
    "9010": ["message-sent", "message-delivered"],
    "9011": ["message-sent", "message-delivered"],
    "9012": ["message-sent", "message-delivered"],
    "0121": ["message-sent", "message-delivered"],
}


@pytest.mark.parametrize(("suffix", "expected"), SUFFIXES.items(), ids=SUFFIXES)
async def test_a_suffix_chooses_the_manner(api, receiver, suffix, expected):
    await api.send(to=f"+1404555{suffix}", tag="marked")
    await api.send(to="+14045550199", tag="other")
    await api.simulator.wait_for_attempts(1, tag="other", kind="message-delivered")
    await api.simulator.wait_for_attempts(len(expected), tag="marked")

    marked = [entry.event for entry in receiver.received if entry.event["to"].endswith(suffix)]

    assert types(marked) == expected


async def test_suffix_9000_is_silence(api, receiver):
    await api.send(to="+14045559000")
    await api.send(to="+14045550199")

    events = await receiver.events(2)

    assert {event["to"] for event in events} == {"+14045550199"}


async def test_suffix_9002_answers_after_the_late_delay_and_9902_after_the_receipt_window(start, receiver):
    api = await start(frozen=True, late_delay=30, receipt_window=262_800)
    await api.send(to="+14045559002")
    await api.send(to="+14045559902")
    await receiver.events(2)

    api.simulator.clock.advance(29)
    assert types(await receiver.events(2)) == ["message-sent"] * 2
    api.simulator.clock.advance(1)
    late = (await receiver.events(3))[2]
    assert (late["to"], late["time"]) == ("+14045559002", "2026-07-10T09:00:30.123000Z")
    api.simulator.clock.advance(262_800)
    timed_out = (await receiver.events(4))[3]
    assert (timed_out["errorCode"], timed_out["time"]) == (9902, "2026-07-13T10:00:00.123000Z")


async def test_suffix_9004_posts_the_final_before_the_202_is_answered(api, receiver):
    answered = asyncio.Event()

    async def answer(_):
        order.append("webhook")
        await asyncio.sleep(0)
        assert not answered.is_set()
        return web.Response()

    order: list[str] = []
    receiver.answers.append(answer)

    _, _, body = await api.send(to="+14045559004")
    answered.set()

    assert order == ["webhook"]
    assert receiver.received[0].event["message"]["id"] == body["id"]


async def test_suffix_9008_is_a_bare_object_9009_two_events_and_9010_an_empty_tag(api, receiver):
    for suffix in ("9008", "9009", "9010"):
        await api.send(to=f"+1404555{suffix}", tag=suffix)
        await api.simulator.wait_for_attempts(1, tag=suffix, kind="message-delivered")

    bodies = {entry.event["to"][-4:]: entry.body for entry in receiver.received}
    assert isinstance(bodies["9008"], dict)
    assert types(bodies["9009"]) == ["message-sent", "message-delivered"]
    assert bodies["9010"][0]["message"]["tag"] == ""


async def test_a_tag_script_goes_before_a_number_before_anyone_before_the_suffix(api):
    decide = api.simulator.bandwidth.decide
    scripts = {
        "tag": {"tag": "t", "outcome": {"final": "failed", "error_code": 4001}},
        "to": {"to": "+14045554775", "outcome": {"final": "failed", "error_code": 4002}},
        "anyone": {"to": "*", "outcome": {"final": "failed", "error_code": 4003}},
    }
    for script in scripts.values():
        assert (await api.control("POST", "/outcomes", script))[0] == 201

    assert decide("+14045554775", "t").error_code == 4001
    assert decide("+14045554775", "other").error_code == 4002
    assert decide("+14045554770", None).error_code == 4003
    assert len((await api.control("GET", "/outcomes"))[1]) == 3
    assert await api.control("DELETE", "/outcomes") == (204, b"")
    assert decide("+14045554775", "t").error_code == 4775


async def test_scripts_of_one_target_are_used_up_in_order(api):
    script = api.simulator.script
    script(MessageOutcome(final="failed", error_code=4001), to=HANDSET, times=2)
    script(MessageOutcome(final="none"), to=HANDSET, times=1)

    outcomes = [api.simulator.bandwidth.decide(HANDSET, "t") for _ in range(4)]

    assert [(outcome.final, outcome.error_code) for outcome in outcomes] == [
        ("failed", 4001),
        ("failed", 4001),
        ("none", None),
        ("delivered", None),
    ]
    assert api.simulator.outcomes.listing() == []


@pytest.mark.parametrize(
    "script",
    [
        {"outcome": {}},
        {"to": HANDSET, "tag": "t", "outcome": {}},
        {"to": HANDSET, "outcome": {"final": "failed"}},
        {"to": HANDSET, "outcome": {"error_code": 4001}},
        {"to": HANDSET, "outcome": {"nonsense": 1}},
        {"to": HANDSET, "times": 0, "outcome": {}},
        {"to": HANDSET},
    ],
    ids=[
        "no-target",
        "two-targets",
        "failed-without-code",
        "code-without-failed",
        "unknown-field",
        "zero-times",
        "no-outcome",
    ],
)
async def test_a_script_that_makes_no_sense_is_refused(api, script):
    status, body = await api.control("POST", "/outcomes", script)

    assert status == 400
    assert body["details"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (MessageOutcome(second_final="failed"), ["message-sent", "message-delivered", "message-failed"]),
        (MessageOutcome(final="none", second_final="delivered"), ["message-sent", "message-delivered"]),
        (MessageOutcome(progress=False, delay=0.01), ["message-delivered"]),
        (MessageOutcome(tag="absent"), ["message-sent", "message-delivered"]),
        (MessageOutcome(order="before_sent", final="none"), ["message-sent"]),
    ],
    ids=["contradiction", "only-second", "no-progress", "no-tag", "nothing-to-swap"],
)
async def test_other_outcomes_can_be_scripted(api, receiver, outcome, expected):
    api.simulator.script(outcome, tag="scripted")

    await api.send(tag="scripted")
    events = await receiver.events(len(expected))

    assert types(events) == expected
    assert all(("tag" in event["message"]) == (outcome.tag == "echo") for event in events)


async def test_a_swapped_order_without_a_final_delays_no_answer(api):
    api.simulator.script(MessageOutcome(order="before_answer", final="none"), to=HANDSET)

    assert (await api.send())[0] == 202


@pytest.mark.parametrize("media", [None, ["http://127.0.0.1:9/missing.png"]], ids=["sms", "mms-without-its-media"])
async def test_an_expired_message_fails_4360_and_is_not_sent(start, receiver, media):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="first")
    await api.simulator.wait_for_attempts(2, tag="first")
    await api.send(tag="waits", expiration="2026-07-10T09:00:01Z", media=media)

    api.simulator.clock.advance(1)
    event = (await receiver.events(3))[2]

    assert (event["type"], event["errorCode"]) == ("message-failed", 4360)


async def test_an_unlinked_application_accepts_and_stays_silent(start, receiver):
    api = await start(application={"linked": False})

    assert (await api.send(tag="lost"))[0] == 202
    api.simulator.put_account(account(receiver.url))
    await api.send(tag="found")
    await api.simulator.wait_for_attempts(1, tag="found", kind="message-delivered")

    assert {entry.event["message"]["tag"] for entry in receiver.received} == {"found"}


async def test_a_sender_of_nobody_fails_4407_and_one_of_another_application_4403(start, receiver):
    other = {"application_id": APPLICATION.replace("0f", "1f", 1), "numbers": ["+12025550199"]}
    mine = account(receiver.url).model_dump()["applications"][0]
    api = await start(changes={"applications": [mine, other]})

    await api.send(**{"from": "+12025550100"}, tag="nobody")
    await api.send(**{"from": "+12025550199"}, tag="other")
    await api.simulator.wait_for_attempts(2)

    codes = {entry.event["message"]["tag"]: entry.event["errorCode"] for entry in receiver.received}
    assert codes == {"nobody": 4407, "other": 4403}


async def test_an_application_without_listed_numbers_takes_any_sender(start, receiver):
    api = await start(application={"numbers": []})

    await api.send(**{"from": "+12025550100"})

    assert types(await receiver.events(2)) == ["message-sent", "message-delivered"]


async def test_urls_are_those_of_the_moment_of_delivery(start, receiver):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    await api.send(tag="first")
    await api.simulator.wait_for_attempts(2, tag="first")
    await api.send(tag="second")
    api.simulator.accounts.put(account(f"{receiver.url}/moved", rate=1))

    api.simulator.clock.advance(1)
    await receiver.events(3)

    assert receiver.received[2].path == "/moved/outbound"


def heard(sender: str, to: str, text: str) -> InboundRequest:
    return InboundRequest.model_validate({"from": sender, "to": to, "text": text})


@pytest.mark.parametrize(
    ("texts", "blocked"),
    [
        (["STOP"], True),
        (["stop"], True),
        (["STOP", "START"], False),
        (["Stop", "unstop"], False),
        (["STOP", " UNSTOP"], True),
        (["STOP", "please unstop"], True),
        (["STOP", "HELP"], True),
        (["please STOP"], False),
    ],
    ids=lambda value: " then ".join(value) if isinstance(value, list) else "",
)
async def test_the_toll_free_network_remembers_stop(api, receiver, texts, blocked):
    for text in texts:
        api.simulator.receive(heard(HANDSET, TOLL_FREE, text))
    await receiver.events(len(texts))

    await api.send(**{"from": TOLL_FREE}, tag="after")
    await api.simulator.wait_for_attempts(1, tag="after", kind="message-failed" if blocked else "message-delivered")

    assert [entry.event["message"]["text"] for entry in receiver.received[: len(texts)]] == texts
    assert receiver.received[-1].event.get("errorCode") == (4775 if blocked else None)


async def test_the_first_final_status_is_the_one_that_is_listed(api):
    await api.send(to="+14045559006")
    await api.simulator.wait_for_attempts(1, kind="message-delivered")

    [recipient] = api.simulator.arrivals()[0].recipients

    assert (recipient.status, recipient.error_code) == ("UNDELIVERED", 4720)


async def test_stop_holds_for_that_pair_only_and_not_for_local_numbers(api, receiver):
    api.simulator.receive(heard(HANDSET, TOLL_FREE, "STOP"))
    api.simulator.receive(heard(HANDSET, OWN, "STOP"))

    await api.send(**{"from": TOLL_FREE}, to="+14045550199", tag="other handset")
    await api.send(tag="local number")

    await api.simulator.wait_for_attempts(1, tag="other handset", kind="message-delivered")
    await api.simulator.wait_for_attempts(1, tag="local number", kind="message-delivered")


async def test_events_of_one_recipient_wait_for_the_first_try_of_the_one_before(start, receiver):
    api = await start(frozen=True, webhook_retry_delays=(60,))
    receiver.answers.append(500)
    await api.send(media=MEDIA)

    assert types(await receiver.events(3)) == ["message-sending", "message-sent", "message-delivered"]
    api.simulator.clock.advance(60)

    assert (await receiver.events(4))[3]["type"] == "message-sending"


def test_an_account_masks_its_secrets():
    shown = account().model_dump_json()

    assert "client-secret" not in shown
    assert "user-password" not in shown
    assert SimulatedAccount.model_validate({"account_id": "1"}).applications == ()
    assert set(EVERYTHING) == account().applications[0].events
    assert account().account_id == ACCOUNT
