"""The rules of a message request."""

import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET

TEN = [f"+1404555{number:04}" for number in range(100, 110)]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "a" * 2048},
        {"text": "😀" * 2048},
        {"to": TEN},
        {"to": "+442071838750"},
        {"from": "12345"},
        {"from": "+123456"},
        {"from": "Acme-Co_1 &"},
        {"tag": "t" * 1024},
        {"tag": ""},
        {"priority": "high"},
        {"priority": None},
        {"media": ["https://media.example.net/" + "a" * 4070]},
        {"media": ["https://media.example.net/a.png"] * 10, "text": None},
        {"media": ["ftp://media.example.net/a.png"]},
        {"expiration": "2099-01-01T00:00:00-05:00"},
        {"expiration": "2099-01-01T00:00:00.123456789Z"},
        {"applicationId": APPLICATION.upper()},
        {"unknown": True},
    ],
    ids=lambda fields: str(fields)[:40],
)
async def test_a_request_at_its_limits_is_accepted(api, fields):
    status, _, body = await api.send(**fields)

    assert status == 202, body


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": None}, "to"),
        ({"to": []}, "to"),
        ({"to": ""}, "to"),
        ({"to": {"number": HANDSET}}, "to"),
        ({"to": [HANDSET, HANDSET]}, "to"),
        ({"to": [*TEN, "+14045550199"]}, "to"),
        ({"to": ["14045550121"]}, "to"),
        ({"to": ["+1404555012"]}, "to"),
        ({"to": ["+11045550121"]}, "to"),
        ({"to": [HANDSET, 5]}, "to"),
        ({"to": "+٤٤٢٠٧١٨٣٨٧٥٠"}, "to"),
        ({"from": None}, "from"),
        ({"from": ""}, "from"),
        ({"from": "+1"}, "from"),
        ({"from": "Way too long id"}, "from"),
        ({"from": 12345}, "from"),
        ({"applicationId": None}, "applicationId"),
        ({"applicationId": ACCOUNT}, "applicationId"),
        ({"applicationId": 7}, "applicationId"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "a" * 2049}, "text"),
        ({"media": "https://media.example.net/a.png"}, "media"),
        ({"media": ["https://media.example.net/a.png"] * 11}, "media"),
        ({"media": ["https://media.example.net/" + "a" * 4071]}, "media"),
        ({"media": ["/a.png"]}, "media"),
        ({"media": ["https://[broken"]}, "media"),
        ({"media": ["https://media.example.net/a b"]}, "media"),
        ({"media": [None]}, "media"),
        ({"tag": "t" * 1025}, "tag"),
        ({"tag": 5}, "tag"),
        ({"priority": "urgent"}, "priority"),
        ({"expiration": "tomorrow"}, "expiration"),
        ({"expiration": 5}, "expiration"),
        ({"expiration": "2099-02-30T00:00:00Z"}, "expiration"),
        ({"expiration": "2099-01-01T00:00:00"}, "expiration"),
        ({"expiration": "2020-01-01T00:00:00Z"}, "expiration"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_broken_field_is_named(api, fields, field):
    status, _, body = await api.send(**fields)

    assert (status, body["type"]) == (400, "request-validation")
    assert {error["fieldName"] for error in body["fieldErrors"]} == {field}


async def test_every_broken_field_is_named_at_once(api):
    _, _, body = await api.send(to=["+1invalid"], tag=5, priority="urgent")

    assert [error["fieldName"] for error in body["fieldErrors"]] == ["to", "tag", "priority"]


@pytest.mark.parametrize(
    ("fields", "segments"),
    [
        ({"text": "a" * 160}, 1),
        ({"text": "a" * 161}, 2),
        ({"text": "ж" * 71}, 2),
        ({"text": "a" * 2048}, 14),
        ({"text": "a" * 2048, "to": TEN[:2]}, 1),
        ({"text": "a" * 2048, "media": ["https://media.example.net/a.png"]}, 1),
    ],
    ids=["160", "161", "ucs2", "2048", "group", "mms"],
)
async def test_segments_are_counted_for_sms_and_are_one_for_mms(api, fields, segments):
    _, _, body = await api.send(**fields)

    assert body["segmentCount"] == segments


async def test_a_message_without_text_is_answered_without_it(api):
    _, _, body = await api.send(text=None, media=["https://media.example.net/a.png"])

    assert "text" not in body
    assert "tag" not in body
