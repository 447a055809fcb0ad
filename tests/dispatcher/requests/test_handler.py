"""What happens to a request: the statuses that the PBX reads, what is sent, what is parked."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from sms_common.messages import Status
from tests.dispatcher.builders import DID, HANDSET, NOW, config, snapshot

MINIMAL = {"message_id": "m-1", "tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}


async def test_the_five_field_body_is_accepted_and_submitted(rig):
    await rig.publish(MINIMAL)

    assert rig.story() == ["accepted", "submitted"]
    (sent,) = rig.carrier.sent
    assert (sent.message.reference, sent.message.sender, sent.message.recipients) == ("acme/m-1", DID, (HANDSET,))


@pytest.mark.parametrize("rig", ["through the queue"], indirect=True)
async def test_it_is_told_before_it_goes_to_its_lane(rig):
    await rig.publish(MINIMAL)

    assert [m.type for m in rig.broker.published[1:]] == ["sms.status.v1", "sms.lane.v1", "sms.status.v1"]


async def test_publishing_to_the_queue_by_its_name_works_too(rig):
    await rig.publish(MINIMAL, exchange="", key="sms.outbound")

    assert rig.story() == ["accepted", "submitted"]


async def test_a_status_says_what_was_really_used_and_echoes_what_came(rig):
    await rig.send(conversation_id="c-1", client_ref="r-1", metadata={"ticket": 7})

    event = rig.statuses()[-1]
    assert (event.sender, event.to, event.provider_msg_id, event.segments) == (DID, HANDSET, "fake-1", 1)
    assert (event.extension, event.conversation_id, event.client_ref, event.metadata) == (
        "101",
        "c-1",
        "r-1",
        {"ticket": 7},
    )


async def test_the_same_request_again_repeats_its_status_and_sends_nothing(rig):
    await rig.send()
    await rig.send()

    assert rig.story() == ["accepted", "submitted", "submitted"]
    assert len(rig.carrier.sent) == 1
    assert len({event.event_id for event in rig.statuses()}) == 2


async def test_the_order_of_fields_makes_no_other_request(rig):
    await rig.publish(MINIMAL)
    await rig.publish(dict(reversed(MINIMAL.items())))

    assert "rejected" not in rig.story()


async def test_another_request_under_the_same_id_is_a_conflict_and_leaves_the_first_alone(rig):
    await rig.send()
    await rig.send(text="Another text")

    assert [(e.status, e.error.code if e.error else None) for e in rig.statuses()] == [
        (Status.ACCEPTED, None),
        (Status.SUBMITTED, None),
        (Status.REJECTED, "id_conflict"),
    ]
    assert len(rig.carrier.sent) == 1
    assert (await rig.ledger.find("acme", "m-1")).status is Status.SUBMITTED


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        pytest.param({"to": "12"}, "rejected", "invalid_number", "to", id="invalid number"),
        pytest.param({"text": None}, "rejected", "no_content", "text", id="no text, no media"),
        pytest.param({"text": "x" * 2049}, "rejected", "text_too_long", "text", id="text over 2048"),
        pytest.param(
            {"to": [f"+1404555{n}" for n in range(1000, 1011)], "group": True},
            "rejected",
            "too_many_recipients",
            "to",
            id="11 group recipients",
        ),
        pytest.param({"expires_at": NOW - timedelta(seconds=1)}, "expired", "expired", "expires_at", id="expired"),
        pytest.param({"config_id": "nope"}, "rejected", "unknown_config", "config_id", id="unknown configuration"),
        pytest.param({"from": "+13035550100"}, "rejected", "sender_not_allowed", "from", id="foreign sender"),
    ],
)
async def test_a_bad_request_ends_in_one_final_status_with_code_field_and_sentence(rig, changes, status, code, field):
    await rig.send(**changes)

    (event,) = rig.statuses()
    assert (event.status, event.final, event.error.code, event.error.field) == (status, True, code, field)
    assert event.reason.endswith(".")
    assert (rig.carrier.sent, rig.dead()) == ([], [])


async def test_a_refused_request_is_remembered_and_repeated(rig):
    await rig.send(to="12")
    await rig.send(to="12")

    assert rig.story() == ["rejected", "rejected"]
    assert (await rig.ledger.find("acme", "m-1")).status is Status.REJECTED


async def test_a_disabled_configuration_rejects(rig):
    await rig.use(snapshot(config(enabled=False)))
    await rig.send()

    assert rig.statuses()[0].error.code == "config_disabled"


async def test_an_unknown_tenant_is_told_to_the_default_pbx(rig):
    await rig.publish({**MINIMAL, "tenant_id": "ghost"}, key="sms.outbound.ghost")

    (event,) = rig.statuses()
    assert (event.status, event.error.code, event.tenant_id) == (Status.REJECTED, "unknown_tenant", "ghost")


@pytest.mark.parametrize("key", ["sms.outbound.acme", "sms.outbound.acme.x", "sms.outbound.acme.x.y.z"])
async def test_a_tenant_other_than_the_keys_is_refused_and_told_to_the_keys_tenant(rig, key):
    await rig.publish({**MINIMAL, "tenant_id": "other"}, key=key)

    (event,) = rig.statuses()
    assert (event.error.code, event.tenant_id, rig.carrier.sent) == ("tenant_mismatch", "acme", [])
    assert event.sequence == 0
    assert await rig.ledger.find("other", "m-1") is None


@pytest.mark.parametrize("body", [{**MINIMAL, "tenant_id": "other"}, {**MINIMAL, "tenant_id": "other", "to": {}}])
async def test_what_comes_under_the_key_of_nobody_is_told_to_the_default_pbx_only(rig, body):
    await rig.publish(body, key="sms.outbound.")

    (told,) = rig.broker.waiting("pbx.main.status")
    assert told.routing_key == "sms.status.-.rejected"


@pytest.mark.parametrize(
    ("body", "type_", "code", "field", "told"),
    [
        pytest.param(b"hello", "", "not_json", None, "pbx-1", id="not JSON"),
        pytest.param(b'{"text": "\xff"}', "", "not_utf8", None, "pbx-1", id="not UTF-8"),
        pytest.param(b"[]", "", "invalid_request", None, "pbx-1", id="not an object"),
        pytest.param(b" " * (256 * 1024 + 1), "", "body_too_large", None, "pbx-1", id="over 256 KiB"),
        pytest.param(orjson.dumps(MINIMAL), "sms.outbound.v9", "unknown_type", "type", "m-1", id="unknown version"),
        pytest.param(
            orjson.dumps({**MINIMAL, "type": "sms.fax.v1"}), "", "unknown_type", "type", "m-1", id="unknown type inside"
        ),
        pytest.param(orjson.dumps({**MINIMAL, "to": {}}), "", "invalid_request", "to", "m-1", id="object as recipient"),
        pytest.param(
            orjson.dumps({**MINIMAL, "send_after": "soon"}), "", "invalid_request", "send_after", "m-1", id="no time"
        ),
        pytest.param(orjson.dumps({**MINIMAL, "media": 7}), "", "invalid_request", "media", "m-1", id="no media list"),
        pytest.param(
            orjson.dumps({**MINIMAL, "media": "ftp://x"}), "", "invalid_media", "media.0.url", "m-1", id="no address"
        ),
        pytest.param(
            orjson.dumps({k: v for k, v in MINIMAL.items() if k != "extension"}),
            "",
            "invalid_request",
            "extension",
            "m-1",
            id="neither extension nor sender",
        ),
        pytest.param(
            orjson.dumps({**MINIMAL, "message_id": "a b"}), "", "invalid_request", "message_id", "a b", id="unusable id"
        ),
        pytest.param(
            orjson.dumps({k: v for k, v in MINIMAL.items() if k != "message_id"}),
            "",
            "invalid_request",
            "message_id",
            "pbx-1",
            id="no id",
        ),
    ],
)
async def test_what_cannot_be_read_is_parked_and_told_to_its_tenant(rig, body, type_, code, field, told):
    await rig.publish(body, type_=type_)

    assert rig.dead() == [code]
    (event,) = rig.statuses()
    assert (event.status, event.error.code, event.error.field) == (Status.REJECTED, code, field)
    assert (event.message_id, event.tenant_id, event.sequence, event.final) == (told, "acme", 0, True)
    assert rig.broker.waiting("sms.dead")[0].body == body
    await rig.send(message_id="after")
    assert rig.story("after") == ["accepted", "submitted"]


async def test_what_names_no_tenant_anywhere_is_parked_and_told_to_nobody(rig):
    await rig.publish(b"hello", exchange="", key="sms.outbound")

    assert (rig.dead(), rig.statuses()) == (["not_json"], [])


async def test_an_extension_may_be_a_number_and_media_a_list_of_addresses(rig):
    await rig.publish({**MINIMAL, "extension": 101, "text": None, "media": ["https://a.example/1.png"]})

    assert rig.carrier.sent[0].message.media_urls == ("https://a.example/1.png",)


async def test_each_recipient_of_a_list_gets_a_message_and_statuses_of_its_own(rig):
    await rig.send(to=[HANDSET, "+13125550132", "junk"])

    assert {(e.message_id, e.parent_id) for e in rig.statuses()} == {(f"m-1.{n}", "m-1") for n in (1, 2, 3)}
    assert rig.story("m-1.1") == rig.story("m-1.2") == ["accepted", "submitted"]
    assert rig.story("m-1.3") == ["rejected"]
    assert len(rig.carrier.sent) == 2


async def test_a_repeated_list_sends_nothing_again(rig):
    await rig.send(to=[HANDSET, "+13125550132"])
    await rig.send(to=[HANDSET, "+13125550132"])

    assert len(rig.carrier.sent) == 2


async def test_a_list_whose_recording_was_cut_short_is_completed_when_it_comes_again(rig):
    await rig.send(to=[HANDSET, "+13125550132"])
    del rig.ledger.entries["acme/m-1.2"]
    await rig.send(to=[HANDSET, "+13125550132"])

    assert rig.story("m-1.2")[-2:] == ["accepted", "submitted"]


async def test_a_group_is_one_call(rig):
    await rig.send(to=[HANDSET, "+13125550132"], group=True)

    (sent,) = rig.carrier.sent
    assert sent.message.recipients == (HANDSET, "+13125550132")
    assert rig.story("m-1") == ["accepted", "submitted"]


async def test_marketing_travels_in_a_lane_of_its_own_that_is_remembered(rig):
    await rig.send(category="marketing")

    assert rig.story() == ["accepted", "submitted"]
    assert [m.routing_key for m in rig.broker.published_to("")] == ["sms.lane.cfg.bulk"]
    assert await rig.ledger.bulk_lanes() == ["cfg"]


async def test_nothing_is_lost_while_the_store_is_away(rig):
    rig.ledger.away = True
    publishing = asyncio.create_task(rig.send())
    await asyncio.sleep(0)
    rig.ledger.away = False
    await publishing

    assert rig.story() == ["accepted", "submitted"]
