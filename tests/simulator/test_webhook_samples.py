"""What the simulator posts, held against every stored sample, key by key."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from carrier_simulator import InboundPart, InboundRequest, MessageOutcome
from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, OWN_TOO, TOLL_FREE

SAMPLES = Path(__file__).parents[1] / "data" / "webhooks"
MEDIA = ["https://media.example.net/out/receipt.png"]
TAG = "gw-1/01J8Z3T0V9"
GROUP = [HANDSET, "+13125550132", "+13035550165"]


def sample(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def comparable(body: Any) -> Any:
    """Return the body with ids, times and the ids inside media URLs replaced by their form."""
    if isinstance(body, list):
        return [comparable(event) for event in body]
    message = body["message"]
    times = {name: _form(body[name]) for name in ("time", "eventTime") if name in body}
    media = {"media": [url.rsplit("/", 1)[-1] for url in message["media"]]} if "media" in message else {}
    return {**body, **times, "message": {**message, "id": len(message["id"]), "time": _form(message["time"]), **media}}


def _form(time: str) -> str:
    return "".join("9" if char.isdigit() else char for char in time)


def failed(code: int, **fields):
    return MessageOutcome(final="failed", error_code=code), fields


OUTBOUND = {
    "message-sending-mms": (MessageOutcome(), {"media": MEDIA}, 0),
    "message-sent-mms": (MessageOutcome(), {"media": MEDIA}, 1),
    "message-delivered-mms": (MessageOutcome(), {"media": MEDIA}, 2),
    "message-sent-sms": (MessageOutcome(), {}, 0),
    "message-delivered-sms": (MessageOutcome(), {}, 1),
    "message-delivered-toll-free": (MessageOutcome(carrier_name="AT&T"), {"from": TOLL_FREE}, 1),
    "message-failed-4432-forbidden-country": (*failed(4432, to="+525555501234"), 1),
    "message-failed-4410-media-unavailable": (*failed(4410, media=MEDIA), 2),
    "message-failed-4411-media-too-large": (*failed(4411, media=MEDIA), 2),
    "message-failed-4795-toll-free-unverified": (*failed(4795, **{"from": TOLL_FREE}), 1),
    **{
        name: (*failed(int(name.split("-")[2])), 1)
        for name in (
            "message-failed-4360-expired",
            "message-failed-4470-spam",
            "message-failed-4476-unregistered-10dlc",
            "message-failed-4770-carrier-spam",
            "message-failed-4775-opted-out",
            "message-failed-4780-volume-tmobile",
            "message-failed-4794-carrier-expired",
            "message-failed-5211-bandwidth-busy",
            "message-failed-5600-carrier-queue-full",
            "message-failed-9902-dlr-timeout",
            "message-failed-9999-unknown",
        )
    },
    "edge-single-object-not-array": (MessageOutcome(shape="object"), {}, 1),
    "edge-two-events-in-one-array": (MessageOutcome(shape="batch"), {}, 0),
    "edge-unknown-type": (MessageOutcome(extra_type="message-frobnicated"), {}, 1),
}


@pytest.mark.parametrize(("name", "provoked"), OUTBOUND.items(), ids=OUTBOUND)
async def test_a_status_webhook_is_the_sample_but_for_ids_and_times(api, receiver, name, provoked):
    outcome, fields, position = provoked
    expected = sample(name)
    api.simulator.script(outcome, to="*")

    status, _, body = await api.send(tag=TAG, **fields)
    await receiver.events(position + 1)

    posted = receiver.received[position].body
    if name == "edge-unknown-type":
        posted[0]["description"] = expected[0]["description"]
    assert status == 202
    assert comparable(posted) == comparable(expected)
    event = posted[0] if isinstance(posted, list) else posted
    assert event["message"]["id"] == body["id"]
    assert event["message"]["time"] == body["time"]


@pytest.mark.parametrize("suffix", ["1", "2", "failed"])
async def test_a_group_gets_one_final_per_recipient_under_one_id(api, receiver, suffix):
    api.simulator.script(MessageOutcome(final="failed", error_code=4720), to=GROUP[2])
    name, number = {
        "1": ("message-delivered-group-mms-recipient-1", GROUP[0]),
        "2": ("message-delivered-group-mms-recipient-2", GROUP[1]),
        "failed": ("message-failed-group-mms-recipient-3", GROUP[2]),
    }[suffix]

    _, _, answer = await api.send(to=GROUP, media=MEDIA, tag=TAG)
    events = await receiver.events(9)

    finals = [event for event in events if event["type"] in ("message-delivered", "message-failed")]
    assert {event["message"]["id"] for event in finals} == {answer["id"]}
    assert sorted(event["to"] for event in finals) == sorted(GROUP)
    [mine] = [event for event in finals if event["to"] == number]
    assert comparable([mine]) == comparable(sample(name))


async def test_the_plain_description_and_times_without_fraction_are_the_sample(api, receiver):
    expected = sample("message-delivered-sms-ok-description")
    api.simulator.script(MessageOutcome(description="ok", time_digits=0), to="*")

    await api.send()
    posted = [(await receiver.events(2))[1]]

    assert posted[0]["message"].pop("priority") == "default"  # the one field the sample leaves out
    assert comparable(posted) == comparable(expected)


def photo(name: str) -> InboundPart:
    return InboundPart(filename=name)


INBOUND = {
    "message-received-sms": {"text": "Is the office open on Friday?"},
    "message-received-stop": {"text": "STOP"},
    "message-received-sms-with-carrier-name": {"text": "Thanks", "carrier_name": "Verizon"},
    "message-received-sms-ucs2-multisegment": {
        "text": sample("message-received-sms-ucs2-multisegment")[0]["message"]["text"]
    },
    "message-received-mms": {"text": "Photo of the damage", "media": ["IMG_2041.jpg"]},
    "message-received-mms-media-only": {"media": ["voice_note.amr"], "smil": False},
    "message-received-group-mms": {
        "text": "Lunch at noon?",
        "to": [OWN, "+13125550132", "+13035550165"],
        "media": ["menu.png"],
        "smil": False,
    },
}


@pytest.mark.parametrize(("name", "fields"), INBOUND.items(), ids=INBOUND)
async def test_an_inbound_webhook_is_the_sample_but_for_ids_and_times(api, receiver, name, fields):
    api.simulator.receive(InboundRequest.model_validate({"from": HANDSET, "to": OWN, **fields}))

    await receiver.events(1)

    assert receiver.received[0].path == "/inbound"
    assert comparable(receiver.received[0].body) == comparable(sample(name))


async def test_each_own_number_of_a_group_gets_its_own_message(api, receiver):
    to = [OWN, OWN_TOO, "+13125550132"]
    request = {"from": HANDSET, "to": to, "text": "Lunch at noon?", "media": ["menu.png"], "smil": False}

    status, body = await api.control("POST", "/inbound", request)
    events = await receiver.events(2)

    assert (status, [message["to"] for message in body["messages"]]) == (202, [OWN, OWN_TOO])
    by_owner = {event["to"]: event for event in events}
    assert comparable([by_owner[OWN_TOO]]) == comparable(sample("message-received-group-mms-second-owned-number"))
    assert len({event["message"]["id"] for event in events}) == 2


async def test_a_message_read_over_rcs_is_the_sample(api, receiver):
    await api.call(
        "POST",
        f"/api/v2/users/{ACCOUNT}/messages/multiChannel",
        json={
            "to": HANDSET,
            "channelList": [
                {"from": "ExampleAgent", "applicationId": APPLICATION, "channel": "RBM", "content": {"text": "Hi"}}
            ],
            "tag": "gw-1/rbm-1",
        },
    )

    await receiver.events(3)

    assert [entry.event["type"] for entry in receiver.received] == ["message-sent", "message-delivered", "message-read"]
    assert comparable(receiver.received[2].body) == comparable(sample("message-read-rbm"))


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")))
async def test_any_body_can_be_delivered_as_it_is(api, receiver, name):
    body = sample(name)

    status, _ = await api.control(
        "POST",
        "/webhooks",
        {"account_id": ACCOUNT, "application_id": APPLICATION, "direction": "inbound", "body": body},
    )
    await receiver.events(1)

    assert (status, receiver.received[0].body) == (202, body)


async def test_webhooks_carry_the_two_documented_headers(api, receiver):
    await api.send()

    await receiver.events(1)

    headers = receiver.received[0].headers
    assert headers["User-Agent"] == "BandwidthAPI/v2"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Authorization" not in headers


async def test_only_the_events_an_application_asked_for_are_posted(start, receiver):
    api = await start(application={"events": ["message-delivered"]})

    await api.send(media=MEDIA)
    await api.simulator.wait_for_attempts(1, kind="message-delivered")
    await api.send(text="next")
    await receiver.events(2)

    assert [entry.event["type"] for entry in receiver.received] == ["message-delivered"] * 2


async def test_the_owner_of_a_delivered_event_can_be_the_recipient_as_in_bandwidths_examples(start, receiver):
    api = await start(application={"delivered_owner": "recipient"})

    await api.send()
    sent, delivered = await receiver.events(2)

    assert (sent["message"]["owner"], delivered["message"]["owner"]) == (OWN, HANDSET)


async def test_an_application_without_urls_gets_nothing(start, receiver):
    api = await start(application={"inbound_url": None, "outbound_url": None})

    await api.send()
    api.simulator.receive(InboundRequest.model_validate({"from": HANDSET, "to": OWN, "text": "x"}))
    status, _ = await api.control(
        "POST", "/webhooks", {"account_id": ACCOUNT, "application_id": APPLICATION, "direction": "inbound", "body": 1}
    )
    await asyncio.sleep(0)

    assert (status, receiver.received, api.simulator.webhooks.pending) == (400, [], 0)
