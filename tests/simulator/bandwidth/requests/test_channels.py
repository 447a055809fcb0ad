"""Multi-channel messages: the samples, the rules of their parts, and which channel is taken."""

import re
from typing import Any

import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, Api
from tests.simulator.samples import ID, sample

PATH = f"/api/v2/users/{ACCOUNT}/messages/multiChannel"
REPLY = {"type": "REPLY", "text": "Yes", "postbackData": "Y29uZmlybTo0Mg=="}
CARD = {"title": "A card", "media": {"fileUrl": "https://media.example.net/a.png", "height": "SHORT"}}


def channel(name: str, **content: Any) -> dict[str, Any]:
    sender = "ExampleAgent" if name == "RBM" else OWN
    return {"from": sender, "applicationId": APPLICATION, "channel": name, "content": content}


async def send(api: Api, *channels: Any, **fields: Any) -> Any:
    return await api.call("POST", PATH, json={"to": HANDSET, "channelList": list(channels), **fields})


async def test_an_accepted_message_is_answered_as_the_sample(start):
    api = await start(frozen=True)
    api.simulator.clock.advance(3600)
    request, response = sample("multichannel-202")

    status, _, body = await api.call("POST", request["path"], json=request["body"])

    assert status == 202
    assert ID.fullmatch(body["data"]["id"])
    assert {**body["data"], "id": ""} == {**response["body"]["data"], "id": ""}
    assert (body["links"], body["errors"]) == ([], [])


async def test_a_refused_message_is_answered_as_the_sample(api):
    request, response = sample("multichannel-400")

    status, _, body = await api.call("POST", request["path"], json=request["body"])

    assert (status, body) == (400, response["body"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"authorization": None, "json": {}}, (401, "unauthorized")),
        ({"data": b"{}", "headers": {"Content-Type": "text/xml"}}, (415, "unsupported-content-type")),
        ({"json": []}, (400, "request-validation")),
    ],
    ids=["401", "415", "400"],
)
async def test_errors_have_the_shape_of_this_call(api, options, expected):
    status, _, body = await api.call("POST", PATH, **options)

    assert (status, body["errors"][0]["type"]) == expected
    assert (body["links"], body["data"], set(body["errors"][0])) == ([], None, {"type", "description", "source"})


async def test_a_wrong_method_has_the_shape_of_this_call(api):
    status, _, body = await api.call("PUT", PATH)

    assert (status, body["errors"][0]["type"]) == (405, "method-not-allowed")


async def test_an_html_fault_is_not_wrapped(api):
    await api.control("POST", "/faults", {"kind": "html", "endpoint": "multichannel"})

    assert (await send(api, channel("SMS", text="x")))[0] == 502


@pytest.mark.parametrize(
    "content",
    [
        {"text": "x" * 3270, "suggestions": [REPLY] * 11},
        {"media": [{"fileUrl": "https://media.example.net/" + "a" * 974}]},
        {"orientation": "VERTICAL", "cardContent": {**CARD, "suggestions": [REPLY] * 4}},
        {"cardWidth": "SMALL", "cardContents": [CARD, {"description": "d"}]},
        {"text": "x", "suggestions": [{**REPLY, "type": "DIAL_PHONE", "phoneNumber": HANDSET}]},
        {"text": "x", "suggestions": [{**REPLY, "type": "OPEN_URL", "url": "https://example.net"}]},
    ],
    ids=["text", "media", "card", "carousel", "dial", "open"],
)
async def test_rbm_content_at_its_limits_is_accepted(api, content):
    status, _, body = await send(api, channel("RBM", **content))

    assert status == 202, body


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ("text", "channelList[0].channel"),
        ({}, "channelList[0].channel"),
        (channel("FAX", text="x"), "channelList[0].channel"),
        ({**channel("SMS", text="x"), "from": 5}, "channelList[0].from"),
        ({**channel("SMS", text="x"), "applicationId": "x"}, "channelList[0].applicationId"),
        ({**channel("SMS"), "content": None}, "channelList[0].content"),
        (channel("SMS"), "channelList[0].content.text"),
        (channel("SMS", text="x" * 2049), "channelList[0].content.text"),
        (channel("MMS"), "channelList[0].content"),
        (channel("MMS", media="x"), "channelList[0].content.media"),
        (channel("MMS", media=["https://media.example.net/a.png"]), "channelList[0].content.media[0].fileUrl"),
        (channel("MMS", media=[{"fileUrl": "https://x.net/" + "a" * 1000}]), "channelList[0].content.media[0].fileUrl"),
        (channel("RBM"), "channelList[0].content"),
        (channel("RBM", text="x" * 3271), "channelList[0].content.text"),
        (channel("RBM", cardContents=[CARD]), "channelList[0].content.cardContents"),
        (channel("RBM", cardContent={}), "channelList[0].content.cardContents[0]"),
        (channel("RBM", cardContent={"title": "x" * 201}), "channelList[0].content.cardContents[0].title"),
        (channel("RBM", text="x", suggestions=[REPLY] * 12), "channelList[0].content.suggestions"),
        (channel("RBM", text="x", suggestions=["x"]), "channelList[0].content.suggestions[0].type"),
        (channel("RBM", text="x", suggestions=[{**REPLY, "text": ""}]), "channelList[0].content.suggestions[0].text"),
        (
            channel("RBM", text="x", suggestions=[{**REPLY, "postbackData": "#"}]),
            "channelList[0].content.suggestions[0].postbackData",
        ),
        (
            channel("RBM", text="x", suggestions=[{**REPLY, "postbackData": None}]),
            "channelList[0].content.suggestions[0].postbackData",
        ),
        (
            channel("RBM", text="x", suggestions=[{**REPLY, "type": "SHOW_LOCATION", "latitude": "1"}]),
            "channelList[0].content.suggestions[0].longitude",
        ),
    ],
    ids=lambda value: re.sub(r"\W+", "-", value)[-40:] if isinstance(value, str) else "",
)
async def test_a_broken_part_is_named(api, item, field):
    status, _, body = await send(api, item)

    assert status == 400
    assert field in [error["source"]["field"] for error in body["errors"]]


@pytest.mark.parametrize("fields", [{"to": [HANDSET]}, {"to": None}, {"channelList": []}, {"channelList": "x"}])
async def test_one_recipient_and_one_to_four_channels_are_needed(api, fields):
    assert (await send(api, channel("SMS", text="x"), **fields))[0] == 400
    assert (await send(api, *[channel("SMS", text="x")] * 5))[0] == 400


@pytest.mark.parametrize(
    ("to", "channels", "taken"),
    [
        (HANDSET, ["RBM", "SMS"], "RBM"),
        ("+14045559012", ["RBM", "SMS"], "SMS"),
        ("+14045559012", ["RBM", "MMS"], "MMS"),
        (HANDSET, ["SMS", "RBM"], "SMS"),
    ],
)
async def test_the_first_channel_that_reaches_the_handset_is_taken(api, receiver, to, channels, taken):
    items = [channel(name, text="x") for name in channels]
    status, _, body = await send(api, *items, to=to, tag="t", expiration="2099-01-01T00:00:00Z", priority="high")
    await api.simulator.wait_for_attempts(1, kind="message-delivered")

    event = receiver.received[-1].event if taken != "RBM" else receiver.received[1].event
    assert (status, body["data"]["expiration"]) == (202, "2099-01-01T00:00:00Z")
    assert event["message"]["channel"] == taken
    assert event["message"]["from"] == ("ExampleAgent" if taken == "RBM" else OWN)
    kinds = [entry.event["type"] for entry in receiver.received]
    assert ("message-sending" in kinds) == (taken == "MMS")


async def test_a_handset_no_channel_reaches_is_a_failure(api):
    await send(api, channel("RBM", text="x"), to="+14045559012", tag="none")

    [attempt] = await api.simulator.wait_for_attempts(1, tag="none")

    assert (attempt.webhook.kind, b'"errorCode":4753' in attempt.webhook.body) == ("message-failed", True)
