"""What a store, a JSON writer or a clock cannot represent: it is rejected with a code, or kept. It never loops."""

import json

import orjson
import pytest

from sms_common.errors import Code, UnreadableEvent
from sms_common.messages import Status
from tests.dispatcher.builders import HANDSET, arrived, receipt

MINIMAL = {"message_id": "m-1", "tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}
HALF = "\ud83d"  # the first half of a surrogate pair: an emoji that was cut in two


def raw(**changes) -> bytes:
    """As a careless JSON writer spells it: surrogates escaped, NaN and huge numbers as they are."""
    return json.dumps({**MINIMAL, **changes}).encode()


def nested(depth: int) -> bytes:
    return raw(metadata={"a": "DEEP"}).replace(b'"DEEP"', b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        pytest.param(raw(metadata={"n": 2**63}), "invalid_request", "metadata", id="integer beyond 64 bits"),
        pytest.param(raw(metadata={"n": -(2**63) - 1}), "invalid_request", "metadata", id="negative one"),
        pytest.param(raw(metadata={"n": 10**500}), "invalid_request", "metadata", id="integer of 500 digits"),
        pytest.param(raw(metadata={"n": float("nan")}), "invalid_request", "metadata", id="not a number"),
        pytest.param(raw(metadata={"n": float("inf")}), "invalid_request", "metadata", id="infinity"),
        pytest.param(raw(metadata={"n": [1]}), "invalid_request", "metadata", id="metadata that is not flat"),
        pytest.param(raw(metadata={"n": "x" * 4096}), "invalid_request", "metadata", id="metadata over 4 kB"),
        pytest.param(raw(metadata={str(n): n for n in range(65)}), "invalid_request", "metadata", id="65 entries"),
        pytest.param(nested(100), "invalid_request", "metadata", id="100 levels"),
        pytest.param(nested(1000), "not_json", None, id="1000 levels"),
        pytest.param(raw(expires_at="9999-12-31T23:59:59-14:00"), "invalid_request", "expires_at", id="year 10000"),
        pytest.param(raw(expires_at="0001-06-01T00:00:00"), "invalid_request", "expires_at", id="year 1, no time zone"),
        pytest.param(raw(send_after="9999-12-31T23:59:59-14:00"), "invalid_request", "send_after", id="held for ever"),
        pytest.param(raw(send_after="2026-11-24T12:00:00"), "invalid_request", "send_after", id="no time zone"),
        pytest.param(raw(text="Hello " + HALF), "invalid_request", "text", id="half a character in the text"),
        pytest.param(raw(client_ref=HALF), "invalid_request", "client_ref", id="half a character in a reference"),
        pytest.param(raw(metadata={"k": HALF}), "invalid_request", "metadata", id="half a character in metadata"),
        pytest.param(raw(to=[HANDSET, HALF]), "invalid_request", "to", id="half a character in a number"),
        pytest.param(raw(**{"\ud83d": 1}), "invalid_request", None, id="half a character in a name"),
        pytest.param(raw(to=[HANDSET] * 1001), "invalid_request", "to", id="1001 recipients"),
        pytest.param(raw(to=[]), "invalid_request", "to", id="no recipient"),
        pytest.param(
            raw(extension=1).replace(b": 1,", b": " + b"1" * 4500 + b","),
            "not_json",
            None,
            id="a number of 4500 digits",
        ),
    ],
)
async def test_what_cannot_be_kept_is_rejected_once_with_code_and_field_and_parked(rig, body, code, field):
    await rig.publish(body)

    (told,) = rig.statuses("m-1")
    assert (told.status, told.error.code, told.error.field, told.final) == (Status.REJECTED, code, field, True)
    assert (rig.dead(), rig.carrier.sent) == ([code], [])
    assert told.reason.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"text": "a\x00b"}, id="NUL in the text"),
        pytest.param({"metadata": {"a\x00b": "\x00"}}, id="NUL in metadata"),
        pytest.param(
            {"metadata": {"$ref": "x", "$id": 1, "a.b": None, "": True}}, id="names that mean something to MongoDB"
        ),
        pytest.param({"metadata": {"n": 2**63 - 1, "m": -(2**63), "f": 1e308}}, id="the largest numbers"),
        pytest.param({"text": "👩‍👩‍👧" * 100}, id="joined emoji"),
        pytest.param({"client_ref": "x" * 256, "conversation_id": "\u202e" * 256}, id="longest references"),
        pytest.param({"expires_at": "9999-12-31T23:59:59.999999Z"}, id="the last moment there is"),
        pytest.param({"message_id": "A-Za-z0-9_.:-"}, id="every character of an id"),
    ],
)
async def test_odd_but_legal_content_is_sent_and_echoed_as_it_came(rig, changes):
    await rig.send(**changes)

    (entry,) = rig.ledger.entries.values()
    last = rig.statuses()[-1]
    assert [event.status for event in rig.statuses()] == ["accepted", "submitted"]
    for name in ("metadata", "client_ref", "conversation_id"):
        assert getattr(last, name) == changes.get(name)
    assert entry.text == changes.get("text", "Hello")


async def test_the_same_moment_in_another_time_zone_is_the_same_request(rig):
    await rig.send(expires_at="2026-11-24T13:00:00Z")
    await rig.send(expires_at="2026-11-24T15:00:00+02:00")

    assert rig.story() == ["accepted", "submitted", "submitted"]


async def test_a_thousand_recipients_are_a_thousand_messages(rig):
    await rig.send(to=[f"+1404555{n:04}" for n in range(1000)])

    assert len({sent.message.recipients for sent in rig.carrier.sent}) == 1000
    assert {rig.story(f"m-1.{n}")[-1] for n in (1, 1000)} == {"submitted"}


async def test_an_entry_the_store_refuses_for_its_content_is_rejected_and_parked(rig):
    accept = rig.ledger.accept

    async def refuse_some(entry, claim=None):
        if entry.text == "bad":
            raise UnreadableEvent(Code.INVALID_REQUEST, "It cannot be stored.")
        return await accept(entry, claim)

    rig.ledger.accept = refuse_some
    await rig.send(text="bad")
    await rig.send(message_id="m-2")

    assert (rig.story("m-1"), rig.dead(), rig.story("m-2")[-1]) == (["rejected"], ["invalid_request"], "submitted")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(receipt(), id="receipt"),
        pytest.param(arrived(), id="inbound text"),
    ],
)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"segments": 2**64}, id="segments beyond 64 bits"),
        pytest.param({"occurred_at": "0001-01-01T00:00:00+14:00"}, id="a time before time"),
        pytest.param({"occurred_at": "2026-11-24T12:00:00"}, id="a time without zone"),
    ],
)
async def test_a_carriers_event_that_cannot_be_kept_is_parked_at_once(rig, event, changes):
    await rig.send()
    body = orjson.dumps(
        {**orjson.loads(event.encode()), **{k: str(v) if k != "segments" else 0 for k, v in changes.items()}}
    )
    if "segments" in changes:
        body = body.replace(b'"segments":0', b'"segments":%d' % changes["segments"])
    await rig.publish(body, key="sms.carrier.fake.cfg", type_=event.TYPE)

    assert rig.dead() == ["invalid_request"]
    assert rig.story() == ["accepted", "submitted"]


async def test_a_lane_entry_with_a_time_without_zone_claims_nothing(rig):
    body = orjson.dumps({"tenant_id": "acme", "message_id": "m-1", "queued_at": "2026-11-24T12:00:00"})
    await rig.publish(body, exchange="", key="sms.lane.cfg", type_="sms.lane.v1")

    assert rig.dead() == ["invalid_request"]
