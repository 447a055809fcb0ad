"""What PBXs were seen to write: it is sent as meant, or answered with a sentence. Nobody waits for ever."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from sms_common.messages import MsgType, Status
from sms_common.telemetry import metrics
from sms_dispatcher.ledger.entries import EntryKind
from tests.dispatcher.builders import DID, HANDSET, arrived, config, receipt, request, snapshot
from tests.dispatcher.rules import BACKUP_DID, rule, ruled

CASES = Path(__file__).parents[2] / "data" / "cases"
SECOND_DID = "+12025550144"
A, B = "+13125550100", "+13125550111"
MINIMAL = {"message_id": "m-1", "tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}


def case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())["input"]


def recipients(rig) -> list[tuple[str, ...]]:
    return [sent.message.recipients for sent in rig.carrier.sent]


def refusal(rig) -> tuple[str, str | None]:
    event = rig.statuses()[-1]
    assert event.status is Status.REJECTED
    assert event.reason.endswith(".")
    return event.error.code, event.error.field


# -- cases 5, 8, 10 and 22


@pytest.mark.parametrize("body", [*case("05-null-and-empty-optional"), case("10-php-empty-map")[0]], ids=json.dumps)
async def test_a_text_with_empty_optional_fields_is_sent(rig, body):
    await rig.publish(body)

    assert (rig.story(), recipients(rig)) == (["accepted", "submitted"], [("+13125550100",)])


async def test_metadata_that_is_a_list_of_something_stays_refused(rig):
    await rig.publish({**MINIMAL, "metadata": ["a"]})

    assert refusal(rig) == ("invalid_request", "metadata")


@pytest.mark.parametrize("body", case("08-json-numbers"), ids=json.dumps)
async def test_whole_numbers_are_read_as_their_digits(rig, body):
    await rig.publish(body)

    assert recipients(rig)[0] == ("+13125550100",)
    assert {event.status for event in rig.statuses()} == {Status.ACCEPTED, Status.SUBMITTED}
    assert {event.message_id.split(".")[0] for event in rig.statuses()} == {str(body["message_id"])}
    assert rig.carrier.sent[0].message.text == str(body["text"])
    echoed = rig.statuses()[-1]
    assert (echoed.client_ref, echoed.conversation_id) == (
        "77" if "client_ref" in body else None,
        "77" if "conversation_id" in body else None,
    )


async def test_a_number_with_an_exponent_is_refused_since_it_has_lost_digits(rig):
    await rig.publish(orjson.dumps({**MINIMAL, "to": "HERE"}).replace(b'"HERE"', b"1.31255e10"))

    assert refusal(rig) == ("invalid_request", "to.0")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_byte_order_mark_changes_nothing(rig, encoding):
    await rig.publish(json.dumps({**MINIMAL, "send_after": "2026-11-24T18:00:00Z"}).encode(encoding))
    await rig.publish(json.dumps({"type": "sms.cancel.v1", "message_id": "m-1", "tenant_id": "acme"}).encode(encoding))

    assert (rig.story(), rig.dead()) == (["accepted", "held", "canceled"], [])


async def test_a_request_behind_a_byte_order_mark_is_read_as_without_it(rig):
    given = case("22-byte-order-mark")
    await rig.publish(bytes.fromhex(given["amqp_body_hex_prefix"]) + json.dumps(given["then"]).encode())

    assert (rig.story(), recipients(rig)) == (["accepted", "submitted"], [("+13125550100",)])


async def test_several_numbers_in_one_text_are_a_list(rig):
    await rig.publish({**MINIMAL, "to": f"{A};{B}"})

    assert recipients(rig) == [(A,), (B,)]


async def test_a_request_needs_no_extension_when_it_names_its_sender(rig):
    body = {name: value for name, value in MINIMAL.items() if name != "extension"}
    await rig.publish({**body, "from": SECOND_DID})

    assert rig.story() == ["accepted", "submitted"]
    assert (rig.carrier.sent[0].message.sender, rig.statuses()[-1].extension) == (SECOND_DID, None)


# -- one line and one count a rejection


def counted(result: str) -> float:
    return metrics.registry.get_sample_value("smsgw_requests_total", {"result": result}) or 0.0


@pytest.mark.parametrize(
    ("body", "key", "code", "field"),
    [
        pytest.param({**MINIMAL, "to": "12"}, "sms.outbound.acme", "invalid_number", "to", id="refused"),
        pytest.param({**MINIMAL, "group": "x"}, "sms.outbound.acme", "invalid_request", "group", id="unreadable"),
        pytest.param(
            {**MINIMAL, "tenant_id": "other"}, "sms.outbound.acme", "tenant_mismatch", "tenant_id", id="mismatch"
        ),
    ],
)
async def test_a_rejection_is_one_line_in_the_log_and_one_in_the_count(rig, body, key, code, field):
    before = counted("rejected")
    with capture_logs() as logs:
        await rig.publish(body, key=key)

    (line,) = [line for line in logs if line["event"] == "request.rejected"]
    assert (line["tenant_id"], line["message_id"], line["code"], line["field"]) == ("acme", "m-1", code, field)
    assert "Hello" not in str(line)
    assert counted("rejected") == before + 1


async def test_a_conflict_and_each_refused_number_of_a_list_are_lines_too(rig):
    await rig.send()
    with capture_logs() as logs:
        await rig.send(text="other")
        await rig.send(message_id="m-2", to=[HANDSET, "x", "y"])

    assert [(line["message_id"], line["code"]) for line in logs if line["event"] == "request.rejected"] == [
        ("m-1", "id_conflict"),
        ("m-2.2", "invalid_number"),
        ("m-2.3", "invalid_number"),
    ]


async def test_a_body_in_another_charset_is_answered_by_what_can_be_read_of_it(rig):
    await rig.publish(
        json.dumps({**MINIMAL, "text": "grün"}, ensure_ascii=False).encode("latin-1"), exchange="", key="sms.outbound"
    )

    assert [(event.message_id, event.tenant_id, event.error.code) for event in rig.statuses()] == [
        ("m-1", "acme", "not_utf8")
    ]


async def test_what_no_tenant_can_be_told_of_is_logged_without_what_it_says(rig):
    with capture_logs() as logs:
        await rig.publish(b'"secret', exchange="", key="sms.outbound")
        await rig.publish({**MINIMAL, "tenant_id": "x\ny", "message_id": "+1 312"}, exchange="", key="sms.outbound")

    lines = [line for line in logs if line["event"] == "request.rejected"]
    assert [(line["tenant_id"], line["message_id"], line["code"]) for line in lines] == [
        (None, None, "not_json"),
        (None, None, "invalid_request"),
    ]


async def test_a_text_that_is_accepted_or_comes_again_is_counted_as_such(rig):
    accepted, repeated = counted("accepted"), counted("repeated")
    await rig.send()
    await rig.send()

    assert (counted("accepted") - accepted, counted("repeated") - repeated) == (1, 1)


# -- case 4: the number it is sent as is left out


@pytest.mark.parametrize(
    ("body", "to"),
    list(zip(case("04-reply-all-to-own-number")["requests"], [(A, B), (A, B), (A,), (A,), None, None], strict=True)),
    ids=json.dumps,
)
async def test_who_answers_all_does_not_write_to_itself(rig, body, to):
    await rig.carrier_says(arrived(sender=A, recipients=(DID, B), msg_type=MsgType.MMS))
    await rig.publish({**body, "message_id": "m-1"})

    if to is None:
        assert (refusal(rig), recipients(rig)) == (("to_own_number", "to"), [])
    else:
        assert (rig.story("m-1")[-1], recipients(rig)) == ("submitted", [to])
        assert (rig.statuses()[-1].to, rig.statuses()[-1].message_id) == (to if len(to) > 1 else A, "m-1")


async def test_a_text_of_one_who_is_left_is_an_sms_and_no_group(rig):
    await rig.send(to=[A, DID], group=True)

    entry = await rig.ledger.find("acme", "m-1")
    assert (entry.kind, entry.msg_type, entry.encoding) == (EntryKind.SINGLE, MsgType.SMS, "GSM-7")


async def test_the_others_of_a_list_keep_their_places_and_only_they_are_told_of(rig):
    await rig.send(to=[A, DID, B])
    await rig.send(to=[A, DID, B])

    assert {event.message_id for event in rig.statuses()} == {"m-1.1", "m-1.3"}
    assert recipients(rig) == [(A,), (B,)]


async def test_ten_others_and_the_own_number_are_a_group_of_ten(rig):
    others = [f"+1312555{n:04}" for n in range(10)]
    await rig.send(to=[*others, DID], group=True)

    assert recipients(rig) == [tuple(others)]


async def test_a_repeat_is_known_whatever_the_default_number_has_become(rig):
    await rig.send(to=[A, DID, B], group=True)
    await rig.use(snapshot(config(default_did=SECOND_DID)))
    await rig.send(to=[A, DID, B], group=True)
    await rig.send(message_id="m-2", to=[A, DID], group=True, **{"from": SECOND_DID})

    assert recipients(rig) == [(A, B), (A, DID)]


async def test_a_further_route_that_would_write_to_its_own_sender_is_not_kept(rig):
    await rig.use(ruled(rule("cfg", "backup")))
    await rig.send(to=[A, BACKUP_DID], group=True)
    await rig.send(message_id="m-2", to=[A, B], group=True)

    one, other = rig.ledger.entries["acme/m-1"], rig.ledger.entries["acme/m-2"]
    assert (one.config_id, one.to, one.next_routes) == ("cfg", (A, BACKUP_DID), ())
    assert [route.config_id for route in other.next_routes] == ["backup"]


# -- groups


async def test_a_group_is_refused_where_the_carrier_has_none(rig):
    limits = replace(rig.carrier.declaration.limits, group_recipients=1)
    rig.carrier.declaration = replace(rig.carrier.declaration, limits=limits)
    await rig.send(to=[A, B], group=True)

    assert refusal(rig) == ("group_not_supported", "group")


async def test_a_name_sends_no_group(rig):
    await rig.use(snapshot(config(sender_id="ACME")))
    await rig.send(to=[A, B], group=True)

    assert refusal(rig) == ("group_not_supported", "group")


# -- receipts and conversations under another spelling


@pytest.mark.parametrize("spelled", ["13125550100", "+1 312 555-0100", "0013125550100", "tel:+13125550100"])
async def test_a_groups_receipt_is_matched_however_its_number_is_spelled(rig, spelled):
    await rig.send(to=[A, B], group=True)
    await rig.carrier_says(receipt(recipient=spelled))
    await rig.carrier_says(receipt(recipient=B, event_id="e-2"))

    assert rig.story("m-1.1") == ["delivered"]
    assert rig.story("m-1")[-1] == "delivered"


async def test_a_group_of_mexican_numbers_hears_of_them_in_the_old_form(rig):
    await rig.send(to=["+525512345678", B], group=True)
    await rig.carrier_says(receipt(recipient="+5215512345678"))

    assert rig.story("m-1.1") == ["delivered"]


async def test_a_groups_receipt_for_somebody_else_is_kept_with_a_reason(rig):
    await rig.send(to=[A, B], group=True)
    await rig.carrier_says(receipt(recipient="+13125550199"))

    assert (rig.dead(), rig.story()) == (["unmatched_receipt"], ["accepted", "submitted"])


@pytest.mark.parametrize("sender", ["", "unknown", "12345", "user@example.com", "Bank of America"])
async def test_a_text_of_an_unusual_sender_reaches_the_pbx(rig, sender):
    await rig.carrier_says(arrived(sender=sender))

    assert [event.sender for event in rig.inbound()] == [sender]


# -- case 18: who cannot be answered


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("SUPPORT", "That is a name, not a phone number"),
        ("Bank of America", "That is a name, not a phone number"),
        ("user@example.com", "That is an e-mail address, not a phone number"),
        ("tel:+1-312-555-0100;ext=12", "That address holds an extension"),
        ("3125550100x12", "That holds an extension"),
        ("7726", "A short code of 3 or 4 digits cannot be answered"),
        ("911", "A short code of 3 or 4 digits cannot be answered"),
    ],
)
async def test_who_cannot_be_answered_is_said_in_a_sentence_of_its_own(rig, to, says):
    await rig.send(to=to)

    assert refusal(rig) == ("invalid_number", "to")
    assert rig.statuses()[-1].reason.startswith(says)


@pytest.mark.parametrize(
    ("body", "sent"), list(zip(case("18-uri-forms"), [True, False, False, False, True, True], strict=True)), ids=repr
)
async def test_what_address_books_and_phones_put_around_a_number_is_read_or_named(rig, body, sent):
    await rig.publish(body)

    assert recipients(rig) == ([("+13125550100",)] if sent else [])
    assert sent or refusal(rig) == ("invalid_number", "to")


async def test_a_short_code_of_five_digits_is_answered(rig):
    await rig.send(to="54321")

    assert recipients(rig) == [("54321",)]


# -- what a former version recorded


async def test_a_request_that_a_former_version_recorded_is_known_again(rig):
    body = {**MINIMAL, "text": "", "media": ["https://a.example/1.png"], "client_ref": ""}
    await rig.publish(body)
    as_before = request(**body).model_copy(update={"text": "", "client_ref": ""}).fingerprint()
    rig.ledger.entries["acme/m-1"] = rig.ledger.entries["acme/m-1"].replace(fingerprint=as_before)
    await rig.publish(body)

    assert rig.story() == ["accepted", "submitted", "submitted"]
    assert len(rig.carrier.sent) == 1
