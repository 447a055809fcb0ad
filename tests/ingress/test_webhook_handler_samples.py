"""Every stored webhook of Bandwidth is handled: which events and dead letters come of it."""

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "data" / "webhooks"

pytestmark = pytest.mark.loopback

RECEIPT, INBOUND, DEAD = "sms.carrier.receipt.v1", "sms.carrier.inbound.v1", "webhook"
EXCEPTIONS = {
    "edge-two-events-in-one-array": [RECEIPT, RECEIPT],
    "edge-single-object-not-array": [RECEIPT],
    "edge-unknown-type": [DEAD],
    "requested-location-response-rbm": [INBOUND],
    "suggestion-response-rbm": [INBOUND],
    "tfv-blocked": [DEAD],
    "tfv-request-failure": [DEAD],
    "tfv-unverified": [DEAD],
    "tfv-verified": [DEAD],
}


def expected(name: str) -> list[str]:
    return EXCEPTIONS.get(name) or ([INBOUND] if name.startswith("message-received") else [RECEIPT])


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
async def test_a_sample_is_answered_200_and_becomes(ingress, broker, sample):
    body = sample.read_bytes()

    answer = await ingress.post(body)

    assert (answer.status, answer.body) == (200, b"")
    assert [message.type for message in broker.published] == expected(sample.stem)
    for message in broker.published:
        if message.type == DEAD:
            assert (message.exchange, message.body) == ("sms.dead", body)
            assert message.headers["x-code"] == "webhook_not_handled"
        else:
            assert message.exchange == "sms"
            assert json.loads(message.body)["config_id"] == "open"


async def test_the_receipts_of_a_group_are_told_apart_and_repeats_are_not(ingress, broker):
    names = [
        "message-delivered-group-mms-recipient-1",
        "message-delivered-group-mms-recipient-2",
        "message-failed-group-mms-recipient-3",
    ]
    for name in names * 2:
        await ingress.post((SAMPLES / f"{name}.json").read_bytes())

    events = [json.loads(message.body) for message in broker.published]
    assert len({event["carrier_message_id"] for event in events}) == 1
    assert len({event["event_id"] for event in events}) == 3


async def test_every_sample_has_been_seen():
    assert len(list(SAMPLES.glob("*.json"))) == 44
