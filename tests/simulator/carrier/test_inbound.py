"""Texts from handsets, as a test asks for them."""

import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN

OTHER_APPLICATION = APPLICATION.replace("0f", "1f", 1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": None}, None),
        ({"omit_text": True}, "absent"),
        ({}, ""),
        ({"text": "ж" * 71}, "ж" * 71),
    ],
    ids=["null", "absent", "empty", "two-segments"],
)
async def test_inbound_text_may_be_null_absent_or_long(api, receiver, fields, expected):
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, **fields})
    [event] = await receiver.events(1)

    assert event["message"].get("text", "absent") == expected
    assert event["message"]["segmentCount"] == (2 if expected and len(expected) == 71 else 1)


async def test_inbound_can_be_doubled_renamed_bare_and_without_fractions(api, receiver):
    fields = {"message_id": "my-id", "copies": 2, "shape": "object", "time_digits": 0, "text": "x"}

    status, body = await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, **fields})
    await receiver.events(2)

    assert (status, body["messages"][0]["message_id"]) == (202, "my-id")
    assert receiver.received[0].raw == receiver.received[1].raw
    assert [attempt.number for attempt in await api.simulator.wait_for_attempts(2)] == [1, 1]
    assert receiver.received[0].body["message"]["id"] == "my-id"
    assert "." not in receiver.received[0].body["time"]


async def test_inbound_goes_to_a_named_application_when_no_account_lists_the_number(api, receiver):
    named = {"account_id": ACCOUNT, "application_id": APPLICATION}

    status, _ = await api.control("POST", "/inbound", {"from": HANDSET, "to": "+12025559999", "text": "x", **named})
    [event] = await receiver.events(1)

    assert (status, event["to"]) == (202, "+12025559999")


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "+12025559999"},
        {"account_id": ACCOUNT, "application_id": OTHER_APPLICATION},
        {"account_id": "nobody", "application_id": APPLICATION},
        {"to": [OWN, "+12025550144"], "message_id": "one"},
    ],
    ids=["nobodys-number", "unknown-application", "unknown-account", "one-id-for-two"],
)
async def test_inbound_to_nobody_is_refused(api, fields):
    status, body = await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "text": "x", **fields})

    assert status == 400
    assert body["error"]
