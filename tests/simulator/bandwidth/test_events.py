"""Status webhooks, held against every stored sample, key by key."""

import pytest

from carrier_simulator import MessageOutcome
from tests.simulator.bandwidth.webhook_samples import comparable, sample
from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, TOLL_FREE

MEDIA = ["https://media.example.net/out/receipt.png"]
TAG = "gw-1/01J8Z3T0V9"
GROUP = [HANDSET, "+13125550132", "+13035550165"]


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


async def test_the_owner_of_a_delivered_event_can_be_the_recipient_as_in_bandwidths_examples(start, receiver):
    api = await start(application={"delivered_owner": "recipient"})

    await api.send()
    sent, delivered = await receiver.events(2)

    assert (sent["message"]["owner"], delivered["message"]["owner"]) == (OWN, HANDSET)
