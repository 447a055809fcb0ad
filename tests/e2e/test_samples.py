"""Bandwidth's webhooks, every stored one, through the public door to what the PBX is told.

A receipt is made to speak of a text that was really sent by putting that text's id, as Bandwidth gave it, into it;
nothing else in a sample is touched. The tag in the samples is a stranger's, so the id is what must match.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.e2e.customer import Customer
from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.e2e

SAMPLES = Path(__file__).parents[1] / "data" / "webhooks"
OWN, SECOND, TOLL_FREE = "+12025550143", "+12025550144", "+18885550177"
HANDSET, FRIEND, COLLEAGUE = "+14045550121", "+13125550132", "+13035550165"
ABROAD = "+525555501234"
AGENT = "ExampleAgent"


class Receipt(NamedTuple):
    """What the PBX is told: the status, and of a failure our code, its class and Bandwidth's code."""

    status: str
    code: str | None = None
    error_class: str | None = None
    carrier_code: str | None = None


class Text(NamedTuple):
    """The text that the PBX is given; `did` None: nobody owns the number, so it waits in sms.unrouted."""

    content: str
    msg_type: str = "SMS"
    did: str | None = OWN
    media: tuple[str, ...] = ()
    recipients: tuple[str, ...] = (OWN,)
    segments: int = 1


DELIVERED = Receipt("delivered")
_LONG = "¿Podrían confirmar la cita de mañana a las 10:30, por favor? "
MEDIA = "https://messaging.bandwidth.com/api/v2/users/5500001/media/"

RECEIPTS = {
    "edge-single-object-not-array": DELIVERED,
    "edge-two-events-in-one-array": DELIVERED,
    "message-delivered-mms": DELIVERED,
    "message-delivered-sms": DELIVERED,
    "message-delivered-sms-ok-description": DELIVERED,
    "message-delivered-toll-free": DELIVERED,
    "message-failed-4360-expired": Receipt("failed", "expired", "permanent", "4360"),
    "message-failed-4410-media-unavailable": Receipt("failed", "media_rejected", "permanent", "4410"),
    "message-failed-4411-media-too-large": Receipt("failed", "media_rejected", "permanent", "4411"),
    "message-failed-4432-forbidden-country": Receipt("failed", "destination_not_allowed", "permanent", "4432"),
    "message-failed-4470-spam": Receipt("failed", "spam_blocked", "policy", "4470"),
    "message-failed-4476-unregistered-10dlc": Receipt("failed", "sender_not_registered", "policy", "4476"),
    "message-failed-4770-carrier-spam": Receipt("failed", "spam_blocked", "policy", "4770"),
    "message-failed-4775-opted-out": Receipt("failed", "opted_out", "policy", "4775"),
    "message-failed-4780-volume-tmobile": Receipt("failed", "volume_limit", "policy", "4780"),
    "message-failed-4794-carrier-expired": Receipt("failed", "recipient_unreachable", "permanent", "4794"),
    "message-failed-4795-toll-free-unverified": Receipt("failed", "sender_not_registered", "policy", "4795"),
    "message-failed-5211-bandwidth-busy": Receipt("failed", "carrier_busy", "temporary", "5211"),
    "message-failed-5600-carrier-queue-full": Receipt("failed", "carrier_busy", "temporary", "5600"),
    "message-failed-9902-dlr-timeout": Receipt("failed", "no_receipt", "unknown", "9902"),
    "message-failed-9999-unknown": Receipt("failed", "unclassified", "unknown", "9999"),
    "message-read-rbm": DELIVERED,
    "message-sending-mms": Receipt("sent"),
    "message-sent-mms": Receipt("sent"),
    "message-sent-sms": Receipt("sent"),
}
OF_A_GROUP = {
    "message-delivered-group-mms-recipient-1": (HANDSET, DELIVERED),
    "message-delivered-group-mms-recipient-2": (FRIEND, DELIVERED),
    "message-failed-group-mms-recipient-3": (COLLEAGUE, Receipt("failed", "recipient_invalid", "permanent", "4720")),
}
TEXTS = {
    "message-received-group-mms": Text(
        "Lunch at noon?", "MMS", OWN, ("1772460600123gk6d2lgifgxunlm5/0/menu.png",), (OWN, FRIEND, COLLEAGUE)
    ),
    "message-received-group-mms-second-owned-number": Text(
        "Lunch at noon?", "MMS", SECOND, ("17724606001247hd7ppfd32xumfsz/0/menu.png",), (OWN, SECOND, FRIEND)
    ),
    "message-received-mms": Text("Photo of the damage", "MMS", media=("17724605001237vvoaw226iryo2sz/1/IMG_2041.jpg",)),
    "message-received-mms-media-only": Text("", "MMS", media=("1772460540123jg6euogesi2oeqqk/0/voice_note.amr",)),
    "message-received-rbm-text": Text("Hello from RCS", did=None, recipients=(AGENT,)),
    "message-received-sms": Text("Is the office open on Friday?"),
    "message-received-sms-ucs2-multisegment": Text(f"Hola 👋 {_LONG}{_LONG}", segments=2),
    "message-received-sms-with-carrier-name": Text("Thanks"),
    "message-received-stop": Text("STOP"),
    "requested-location-response-rbm": Text("geo:35.7721,-78.6386", did=None, recipients=(AGENT,)),
    "suggestion-response-rbm": Text("Yes", did=None, recipients=(AGENT,)),
}
KEPT = ("edge-unknown-type", "tfv-blocked", "tfv-request-failure", "tfv-unverified", "tfv-verified")


def test_every_sample_has_its_row():
    rows = [*RECEIPTS, *OF_A_GROUP, *TEXTS, *KEPT]

    assert sorted(rows) == sorted(path.stem for path in SAMPLES.glob("*.json"))
    assert len(rows) == 44


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def message_of(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    event = document[0] if isinstance(document, list) else document
    message: dict[str, Any] = event["message"]
    return message


def about(body: bytes, carrier_id: str) -> bytes:
    """The same webhook about another message."""
    return re.sub(rb'("id": ")[^"]*', rb"\g<1>" + carrier_id.encode(), body)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def customer(gateway: Gateway) -> AsyncIterator[Customer]:
    """The customer of the samples, about whose texts Bandwidth itself says nothing more."""
    silence = {"final": "none", "progress": False}
    for number in (HANDSET, FRIEND, COLLEAGUE, ABROAD):
        await gateway.simulator("POST", "/outcomes", {"to": number, "outcome": silence})
    async with Customer.of(gateway, "samples", [OWN, SECOND, TOLL_FREE]) as customer:
        yield customer


async def sent(customer: Customer, message: dict[str, Any]) -> dict[str, Any]:
    """Send the text that a sample speaks of, and return the event that says it is with Bandwidth."""
    fields: dict[str, Any] = {"media": message["media"]} if message.get("media") else {}
    if message["from"] == TOLL_FREE:
        fields["from"] = TOLL_FREE
    to = message["to"]
    message_id = await customer.send(to, "what the receipt is about", group=len(to) > 1, **fields)
    return await customer.told(message_id, "submitted")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def submitted(customer: Customer) -> dict[str, dict[str, Any]]:
    """A text at Bandwidth for each receipt, by the receipt's name."""
    texts = await asyncio.gather(*(sent(customer, message_of(sample(name))) for name in RECEIPTS))
    return dict(zip(RECEIPTS, texts, strict=True))


def said(event: dict[str, Any]) -> Receipt:
    error = event.get("error", {})
    return Receipt(event["status"], error.get("code"), error.get("class"), error.get("carrier_code"))


@pytest.mark.parametrize("name", RECEIPTS)
async def test_a_receipt_becomes_a_status(customer, submitted, name):
    text, expected = submitted[name], RECEIPTS[name]

    answer = await customer.webhook(about(sample(name), text["provider_msg_id"]))

    assert (answer.status, answer.body) == (200, b"")
    event = await customer.told(text["message_id"], expected.status)
    assert said(event) == expected
    assert event["final"] is (expected.status != "sent")
    assert event["provider_msg_id"] == text["provider_msg_id"]
    assert (event.get("error") or {"advice": "-"})["advice"]


async def test_the_receipts_of_a_group_become_a_status_for_each_recipient_and_one_for_the_group(customer):
    bodies = {name: sample(name) for name in OF_A_GROUP}
    text = await sent(customer, message_of(bodies["message-failed-group-mms-recipient-3"]))

    for name, body in bodies.items():
        answer = await customer.webhook(about(body, text["provider_msg_id"]))
        assert answer.status == 200, name

    group = await customer.final(text["message_id"])
    assert said(group) == Receipt("failed", "group_partly_failed", "permanent")
    members = [m.json for m in customer.statuses.messages if m.json.get("parent_id") == text["message_id"]]
    assert {event["to"]: said(event) for event in members} == dict(OF_A_GROUP.values())
    assert len({event["message_id"] for event in members}) == 3


async def test_a_receipt_is_matched_by_our_tag_even_if_bandwidths_id_is_not_known(customer):
    text = await sent(customer, message_of(sample("message-delivered-sms")))
    tag = f"{customer.tenant}/{text['message_id']}"
    body = about(sample("message-delivered-sms"), "17836740001230000000000").replace(b"gw-1/01J8Z3T0V9", tag.encode())

    assert (await customer.webhook(body)).status == 200

    assert said(await customer.final(text["message_id"])) == DELIVERED


@pytest.mark.parametrize("name", TEXTS)
async def test_a_text_of_a_handset_reaches_the_pbx_or_waits_for_an_owner(customer, name):
    body, expected = sample(name), TEXTS[name]
    carrier_id = message_of(body)["id"]

    answer = await customer.webhook(body)

    assert (answer.status, answer.body) == (200, b"")
    if expected.did is None:
        waiting = await customer.gateway.unrouted.first(
            lambda m: m.json["provider_msg_id"] == carrier_id, "the text in sms.unrouted"
        )
        assert waiting.headers["x-code"] == "unrouted_did"
        event = waiting.json
    else:
        event = await customer.received(carrier_id, expected.did)
        assert event["tenant_id"] == customer.tenant
    assert (event["sender"], event["direction"]) == (HANDSET, "IN")
    assert event["did"] == event["receiver"] == (expected.did or AGENT)
    assert tuple(event["recipients"]) == expected.recipients
    assert (event["content"], event["msg_type"], event["segments"]) == (
        expected.content,
        expected.msg_type,
        expected.segments,
    )
    assert [item["url"] for item in event["media"]] == [MEDIA + path for path in expected.media]


@pytest.mark.parametrize("name", KEPT)
async def test_what_nobody_acts_on_is_kept_as_it_came(customer, name):
    body = sample(name)

    answer = await customer.webhook(body)

    assert (answer.status, answer.body) == (200, b"")
    letter = await customer.gateway.dead.first(lambda m: m.body == body, "the dead letter")
    assert (letter.headers["x-code"], letter.headers["x-config-id"]) == (
        "webhook_not_handled",
        customer.config["id"],
    )
