"""What PBXs were seen to write: it is sent as meant, or answered with a sentence. Nobody waits for ever."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from sms_common.broker import Delivery
from sms_common.errors import Code, UnreadableEvent
from sms_common.events import StatusEvent
from sms_common.messages import MsgType, Status
from sms_common.telemetry import metrics
from sms_dispatcher.ledger.entries import Echo, EntryKind, conversation_id
from sms_dispatcher.requests import refusals
from tests.dispatcher.builders import DID, HANDSET, NOW, arrived, config, receipt, request, snapshot
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


# -- every request is answered


@pytest.mark.parametrize(
    ("written", "told"),
    [
        *[(body["message_id"], body["message_id"][:64]) for body in case("08-message-id-never-told")],
        ("", "pbx-1"),
        (None, "pbx-1"),
        (True, "true"),
        (1.5, "1.5"),
        (10**70, "1" + "0" * 63),
        (["a"], '["a"]'),
        ({"id": 1}, '{"id": 1}'),
        ("a\nb\u202e", "a\ufffdb\ufffd"),
        ("\U0001f389" * 80, "\U0001f389" * 63),
    ],
    ids=repr,
)
async def test_whatever_the_message_id_is_its_request_is_answered_with_it(rig, written, told):
    await rig.publish(json.dumps({**MINIMAL, "message_id": written}).encode())

    (event,) = rig.statuses()
    assert (event.message_id, event.status, event.tenant_id) == (told, Status.REJECTED, "acme")
    assert (event.error.code, event.error.field) == ("invalid_request", "message_id")
    assert event.reason.startswith("message_id ")
    (parked,) = rig.broker.waiting("sms.dead")
    assert json.loads(parked.body)["message_id"] == written
    assert len((rig.broker.waiting("pbx.main.status")[0].correlation_id or "").encode()) <= 255


async def test_a_cancel_with_an_unusable_id_is_answered_too(rig):
    await rig.publish({"message_id": "{m-1}", "tenant_id": "acme"}, key="sms.outbound.acme.cancel")

    assert [(event.message_id, event.error.code) for event in rig.statuses()] == [("{m-1}", "invalid_request")]


@pytest.mark.parametrize("tenant", ["", "  ", None, 7.5, ["acme"]])
async def test_who_published_under_its_own_key_is_answered_whatever_the_tenant_in_the_body(rig, tenant):
    await rig.publish({**MINIMAL, "tenant_id": tenant})

    assert [(event.tenant_id, event.error.field) for event in rig.statuses()] == [("acme", "tenant_id")]


async def test_a_refused_request_repeats_its_numbers_as_they_were_written(rig):
    await rig.publish({**MINIMAL, "to": [13125550100, "x"], "from": 12025550143, "group": "perhaps"})

    (event,) = rig.statuses()
    assert (event.to, event.sender) == (("13125550100", "x"), "12025550143")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ECHOED = ("message_id", "tenant_id", "to", "from", "extension", "conversation_id", "client_ref", "metadata")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ECHOED, ANYTHING)), st.none() | st.just("acme"))
def test_whatever_a_request_holds_its_refusal_can_be_told(partial, key_tenant):
    error = UnreadableEvent(Code.INVALID_REQUEST, "It is wrong.", partial=partial)
    delivery = Delivery("sms.outbound.acme", "sms.outbound.acme", orjson.dumps("body"))

    event = refusals.unreadable(error, delivery, key_tenant, NOW)

    assert event is not None or key_tenant is None
    if event is not None:
        assert StatusEvent.model_validate_json(event.encode()) == event
        assert len(event.message_id.encode()) <= 255
        assert event.message_id.isprintable()


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


@pytest.mark.parametrize(
    ("to", "asked"),
    [
        pytest.param([A, B], True, id="the group, by its id"),
        pytest.param([B, A, SECOND_DID], True, id="everybody in it, by its id"),
        pytest.param([A, B, SECOND_DID], False, id="everybody in it"),
        pytest.param([A, B, "+13125550122"], True, id="one more than the group, by its id"),
    ],
)
async def test_a_group_is_answered_from_the_number_that_it_wrote_to(rig, to, asked):
    await rig.carrier_says(
        arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID, B), msg_type=MsgType.MMS, carrier_message_id="g1")
    )
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    conversation = rig.inbound()[0].conversation_id
    await rig.send(to=to, group=True, conversation_id=conversation if asked else None)

    (sent,) = rig.carrier.sent
    assert (sent.message.sender, set(sent.message.recipients)) == (SECOND_DID, {*to} - {SECOND_DID})


async def test_a_single_text_is_answered_from_the_number_of_its_conversation(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    await rig.send(to=A, conversation_id=rig.inbound()[0].conversation_id)

    assert rig.carrier.sent[0].message.sender == SECOND_DID


@pytest.mark.parametrize("to", [A, [A, B]], ids=["one of it", "a message to each of it"])
async def test_who_answers_some_of_a_group_does_so_from_the_number_that_it_wrote_to(rig, to):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID, B, "+13125550122")))
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    await rig.send(to=to, conversation_id=rig.inbound()[0].conversation_id)

    assert {sent.message.sender for sent in rig.carrier.sent} == {SECOND_DID}


async def test_a_conversation_of_the_pbxs_own_decides_nothing(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.send(to=A, conversation_id="thread 7")

    assert rig.carrier.sent[0].message.sender == SECOND_DID


async def test_a_group_that_is_new_leaves_from_the_default_number(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.send(to=[A, B], group=True, conversation_id="unknown")

    assert rig.carrier.sent[0].message.sender == DID


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


@pytest.mark.parametrize("first", ["+5215512345678", "5215512345678", "+525512345678"])
async def test_one_person_has_one_conversation_and_can_be_answered(rig, first):
    await rig.carrier_says(arrived(sender=first, did="12025550144", recipients=("12025550144",)))
    await rig.carrier_says(
        arrived(sender="+525512345678", did=SECOND_DID, recipients=(SECOND_DID,), carrier_message_id="in-2")
    )
    one, two = rig.inbound()
    await rig.send(to=one.sender, conversation_id=one.conversation_id)

    assert (one.sender, one.did, one.conversation_id) == (two.sender, two.did, two.conversation_id)
    (sent,) = rig.carrier.sent
    assert (sent.message.sender, sent.message.recipients) == (SECOND_DID, ("+525512345678",))


@pytest.mark.parametrize("kept", [("+5215512345678", SECOND_DID), ("525512345678", "12025550144")])
async def test_a_conversation_that_a_former_version_recorded_goes_on(rig, kept):
    sender, did = kept
    await rig.carrier_says(arrived(sender="+525512345678", did=SECOND_DID, recipients=(SECOND_DID,)))
    ((key, entry),) = rig.ledger.entries.items()
    former = conversation_id("former", (sender, did))
    rig.ledger.entries[key] = entry.replace(sender=sender, to=(did,), echo=Echo(conversation_id=former))
    await rig.carrier_says(arrived(sender="+525512345678", carrier_message_id="later"))
    await rig.send(to="+525512345678", conversation_id=former)

    assert rig.carrier.sent[0].message.sender == SECOND_DID


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
