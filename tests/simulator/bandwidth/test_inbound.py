"""Inbound messages and their webhooks."""

import pytest

from carrier_simulator import InboundRequest
from tests.simulator.bandwidth.webhook_samples import comparable, sample
from tests.simulator.conftest import HANDSET, OWN, OWN_TOO


async def test_inbound_media_is_really_there_with_its_smil_part_first(api, receiver):
    parts = ["photo.png", {"filename": "note.txt", "content_type": "text/plain", "content": "aGVsbG8="}, "blob.zzz"]
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "media": parts})
    [event] = await receiver.events(1)
    fetched = [await api.call("GET", url) for url in event["message"]["media"]]

    assert [url.rsplit("/", 2)[1:] for url in event["message"]["media"]] == [
        ["0", "0.smil"],
        ["1", "photo.png"],
        ["2", "note.txt"],
        ["3", "blob.zzz"],
    ]
    assert [(status, headers["Content-Type"]) for status, headers, _ in fetched] == [
        (200, "application/smil"),
        (200, "image/png"),
        (200, "text/plain"),
        (200, "application/octet-stream"),
    ]
    assert b'src="photo.png"' in fetched[0][2]
    assert fetched[1][2].startswith(b"\x89PNG")
    assert fetched[2][2] == b"hello"
    assert (await api.call("GET", event["message"]["media"][0], authorization=None))[0] == 401


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
