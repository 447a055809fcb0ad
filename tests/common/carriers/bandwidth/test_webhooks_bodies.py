"""What a webhook's body may lack, and what happens to bodies and elements that cannot be understood."""

import json
from datetime import UTC, datetime

import pytest

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.bandwidth.webhooks import MAX_ELEMENTS
from sms_common.errors import Code, WebhookUnreadable
from sms_common.messages import CarrierNotice, ErrorClass, InboundMedia, MsgType
from tests.cases import cases

NOON = "2026-07-10T12:00:00Z"
UNSET = object()


def event(kind="message-delivered", *, message=None, **fields):
    """A usable event; a field given as UNSET is left out."""
    inner = {"id": "id-1", "time": NOON, "to": ["+14045550121"], "from": "+12025550143", "segmentCount": 1}
    inner.update(message or {})
    outer = {"type": kind, "time": NOON, "to": "+14045550121", "description": "ok", "message": inner, **fields}
    return {
        key: {k: v for k, v in value.items() if v is not UNSET} if isinstance(value, dict) else value
        for key, value in outer.items()
        if value is not UNSET
    }


def parse(*elements):
    return Bandwidth().parse(json.dumps(elements).encode())


def only(*elements):
    (found,) = parse(*elements).events
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-07-10T09:00:03Z", datetime(2026, 7, 10, 9, 0, 3, tzinfo=UTC), id="no-fraction"),
        pytest.param("2026-07-10T09:00:03.502Z", datetime(2026, 7, 10, 9, 0, 3, 502000, tzinfo=UTC), id="milliseconds"),
        pytest.param(
            "2026-07-10T09:00:03.502003Z", datetime(2026, 7, 10, 9, 0, 3, 502003, tzinfo=UTC), id="microseconds"
        ),
        pytest.param(
            "2026-07-10T09:00:03.502003123Z", datetime(2026, 7, 10, 9, 0, 3, 502003, tzinfo=UTC), id="nanoseconds"
        ),
        pytest.param("2026-07-10T05:00:03-04:00", datetime(2026, 7, 10, 9, 0, 3, tzinfo=UTC), id="offset"),
        pytest.param("2026-07-10T09:00:03", datetime(2026, 7, 10, 9, 0, 3, tzinfo=UTC), id="no-zone-means-utc"),
    ],
)
def test_times_come_with_any_number_of_fraction_digits(text, expected):
    assert only(event(time=text)).occurred_at == expected


@pytest.mark.parametrize("time", [UNSET, None, "", "yesterday", 1783674000, "0001-01-01T00:00:00+14:00"])
def test_an_unusable_event_time_gives_way_to_the_messages(time):
    assert only(event(time=time)).occurred_at == datetime.fromisoformat(NOON)


@pytest.mark.parametrize("tag", ["", None, UNSET, 17])
def test_a_tag_that_is_empty_or_no_text_is_no_reference(tag):
    assert only(event(message={"tag": tag})).reference is None


@pytest.mark.parametrize("text", [None, UNSET, "", True, ["a"], {"body": "a"}])
def test_an_inbound_message_may_have_no_text(text):
    assert only(event("message-received", message={"text": text})).text == ""


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [
        pytest.param(
            {"to": "+13035550165", "message": {"to": ["+14045550121", "+13035550165"]}}, "+13035550165", id="outer"
        ),
        pytest.param({"to": ["+13035550165"]}, "+13035550165", id="outer-list-of-one"),
        pytest.param({"to": UNSET}, "+14045550121", id="missing-and-only-one-inside"),
        pytest.param({"to": None, "message": {"to": "+13035550165"}}, "+13035550165", id="inner-bare-string"),
    ],
)
def test_the_outer_to_is_the_recipient(fields, recipient):
    assert only(event(**fields)).recipient == recipient


def test_an_outbound_messages_sender_is_from_and_never_owner():
    found = only(event(message={"owner": "+14045550121", "from": "+12025550143"}))

    assert found.sender == "+12025550143"


@pytest.mark.parametrize("segments", [2**64 - 1, -1, True])
def test_an_impossible_number_of_segments_is_left_out(segments):
    assert only(event(message={"segmentCount": segments})).segments is None


def test_a_receipt_needs_neither_sender_nor_segments_nor_description():
    found = only(event(description=UNSET, message={"from": UNSET, "segmentCount": "many", "to": UNSET}))

    assert (found.sender, found.segments, found.description) == ("", None, None)


@pytest.mark.parametrize(
    ("error_code", "expected"),
    [
        pytest.param(4775, ("4775", ErrorClass.POLICY, Code.OPTED_OUT), id="number"),
        pytest.param("4775", ("4775", ErrorClass.POLICY, Code.OPTED_OUT), id="digits"),
        pytest.param(UNSET, ("", ErrorClass.UNKNOWN, Code.UNCLASSIFIED), id="missing"),
        pytest.param("opted out", ("", ErrorClass.UNKNOWN, Code.UNCLASSIFIED), id="words"),
        pytest.param(True, ("", ErrorClass.UNKNOWN, Code.UNCLASSIFIED), id="true"),
        pytest.param("9" * 5000, ("", ErrorClass.UNKNOWN, Code.UNCLASSIFIED), id="endless"),
    ],
)
def test_a_failure_is_classed_by_its_error_code(error_code, expected):
    error = only(event("message-failed", errorCode=error_code, description="message-delivered")).error

    assert (error.carrier_code, error.error_class, error.code) == expected


def test_an_error_code_on_any_other_event_means_nothing():
    assert only(event("message-delivered", errorCode=0)).error is None


def test_numbers_in_a_description_are_masked():
    assert only(event(description="'+14045550121' is\n invalid")).description == "'+1404***0121' is invalid"


@pytest.mark.parametrize(
    ("media", "shown"),
    [
        pytest.param(
            ["https://m.example/0/0.smil", "https://m.example/1/a.JPG"], [("1/a.JPG", "image/jpeg")], id="smil"
        ),
        pytest.param(
            ["https://m.example/0/0.xml", "https://m.example/1/b.3gp"], [("1/b.3gp", "video/3gpp")], id="smil-as-xml"
        ),
        pytest.param(
            ["https://m.example/0/card.vcf?x=a.smil#b.xml"], [("0/card.vcf?x=a.smil#b.xml", "text/vcard")], id="query"
        ),
        pytest.param(["https://m.example/0/noending"], [("0/noending", None)], id="no-ending"),
        pytest.param(["https://m.example/0/part.unheard"], [("0/part.unheard", None)], id="unknown-ending"),
        pytest.param("https://m.example/0/c.png", [("0/c.png", "image/png")], id="bare-string"),
        pytest.param([None, 7, "", "https://m.example/0/d.gif"], [("0/d.gif", "image/gif")], id="odd-items"),
        pytest.param(["https://m.example/0/0.smil"], [], id="layout-only"),
    ],
)
def test_layout_parts_are_not_media_and_endings_give_the_type(media, shown):
    found = only(event("message-received", message={"media": media, "text": "x"}))

    assert found.media == tuple(InboundMedia(f"https://m.example/{path}", kind) for path, kind in shown)
    assert found.msg_type is MsgType.MMS


@pytest.mark.parametrize("value", [None, {}, 5, [{"fileUrl": 7}], UNSET])
def test_a_message_without_usable_media_is_an_sms(value):
    found = only(
        event("message-received", message={"media": value, "content": {"media": value if value is not UNSET else 0}})
    )

    assert (found.media, found.msg_type) == ((), MsgType.SMS)


def test_rcs_media_arrive_from_the_content():
    content = {
        "text": "see",
        "media": {"fileUrl": "https://m.example/0/e.png", "thumbnailUrl": "https://m.example/t.png"},
    }
    found = only(event("message-received", message={"content": content}))

    assert (found.text, found.media) == ("see", (InboundMedia("https://m.example/0/e.png", "image/png"),))


def test_a_group_message_is_an_mms_even_without_media():
    found = only(event("message-received", message={"to": ["+12025550143", "+13125550132"], "text": "hi"}))

    assert (found.msg_type, found.recipients) == (MsgType.MMS, ("+12025550143", "+13125550132"))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        pytest.param({"latitude": "35.7721", "longitude": "-78.6386"}, "geo:35.7721,-78.6386", id="strings"),
        pytest.param({"latitude": 0.00001, "longitude": 180}, "geo:0.00001,180", id="numbers"),
        pytest.param({"latitude": "-90", "longitude": "0"}, "geo:-90,0", id="edges"),
    ],
)
def test_a_location_becomes_a_geo_uri(place, text):
    assert only(event("requested-location-response", message={"locationResponse": place})).text == text


@pytest.mark.parametrize(
    "place",
    [
        UNSET,
        {},
        {"latitude": "91", "longitude": "0"},
        {"latitude": "nan", "longitude": "0"},
        {"latitude": "here", "longitude": "0"},
        {"latitude": "1e999", "longitude": "0"},
        {"latitude": [1], "longitude": "0"},
    ],
)
def test_a_location_that_is_no_place_cannot_be_read(place):
    with pytest.raises(WebhookUnreadable, match="holds no place"):
        parse(event("requested-location-response", message={"locationResponse": place}))


def test_a_tapped_suggestion_without_a_text_is_an_empty_message():
    assert only(event("suggestion-response", message={"suggestionResponse": None})).text == ""


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        pytest.param("message-recalled", "message-recalled", id="new"),
        pytest.param("a b\n<c>\x00é", "a_b__c___", id="unsafe-characters"),
        pytest.param("x" * 500, "x" * 64, id="endless"),
    ],
)
def test_an_unknown_type_becomes_a_notice_with_a_harmless_name(kind, shown):
    assert only({"type": kind}) == CarrierNotice(shown, known=False)


def test_a_verification_notice_masks_the_number_wherever_it_stands():
    found = only(
        {
            "accountId": "1",
            "phoneNumber": "+18885550177",
            "status": "UNVERIFIED",
            "errors": ["+18885550177 is bad", 4, {}],
        }
    )

    assert found.facts == {"number": "+1888***0177", "status": "UNVERIFIED", "errors": "+1888***0177 is bad; 4"}


def test_one_bad_element_does_not_lose_the_good_ones():
    parsed = parse(event(message={"id": "first"}), "noise", event(message={"id": UNSET}), event(message={"id": "last"}))

    assert [found.carrier_message_id for found in parsed.events] == ["first", "last"]
    assert parsed.unreadable == (
        "Element 1: it is not an object.",
        "Element 2: `message.id` is missing or unusable.",
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"\xff\xfe", "not JSON", id="not-utf8"),
        pytest.param(b"<html>", "not JSON", id="html"),
        pytest.param(b'[{"type": NaN}]', "not JSON", id="nan"),
        pytest.param(b"[" * 100_000, "not JSON", id="bottomless"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "not JSON", id="deep"),
        pytest.param(b'{"type":' * 5_000 + b"1" + b"}" * 5_000, "not JSON", id="deep-objects"),
        pytest.param(b"null", "neither an array nor an object", id="null"),
        pytest.param(b'"message-delivered"', "neither an array nor an object", id="string"),
        pytest.param(b"[]", "empty array", id="empty-array"),
        pytest.param(b"{}", "it has no `type`", id="empty-object"),
        pytest.param(b"[[[]]]", "not an object", id="arrays"),
        pytest.param(json.dumps([{"type": "x"}] * (MAX_ELEMENTS + 1)).encode(), "1001 elements", id="too-many"),
        pytest.param(b'[{"type": "message-delivered"}]', "`message` is not an object", id="no-message"),
        pytest.param(b'[{"type": 5}]', "it has no `type`", id="type-no-text"),
        pytest.param(
            b'{"accountId": "1", "phoneNumber": 5, "status": "VERIFIED"}', "no `type`", id="verification-without-number"
        ),
        pytest.param(
            b'{"accountId": "1", "phoneNumber": "+18885550177"}', "no `type`", id="verification-without-outcome"
        ),
    ],
)
def test_a_body_without_one_usable_event_cannot_be_read(body, reason):
    with pytest.raises(WebhookUnreadable, match=reason) as caught:
        Bandwidth().parse(body)

    assert caught.value.code is Code.WEBHOOK_UNREADABLE


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        pytest.param("message-delivered", {"message": {"id": {"a": 5}}}, "message.id", id="id-no-text"),
        pytest.param("message-delivered", {"message": {"id": "x" * 300}}, "message.id", id="id-endless"),
        pytest.param("message-delivered", {"to": UNSET, "message": {"to": []}}, "`to`", id="no-recipient"),
        pytest.param(
            "message-delivered", {"to": UNSET, "message": {"to": ["+14045550121", "+13035550165"]}}, "`to`", id="which"
        ),
        pytest.param("message-delivered", {"to": "9" * 300, "message": {"to": UNSET}}, "`to`", id="recipient-endless"),
    ],
)
def test_what_an_event_cannot_do_without_is_named_and_no_number_with_it(kind, fields, reason):
    with pytest.raises(WebhookUnreadable, match=reason) as caught:
        parse(event(kind, **fields))

    assert "4045550121" not in str(caught.value)


def test_as_many_elements_as_allowed_are_read():
    assert len(parse(*[event()] * MAX_ELEMENTS).events) == MAX_ELEMENTS


# -- delivered with what there is


def read(case_input):
    return Bandwidth().parse(json.dumps(case_input).encode())


@pytest.mark.parametrize(
    ("webhook", "sender"),
    list(zip(cases("16-unusable-from"), ["unknown", "unknown", "12345"], strict=True)),
    ids=["empty", "null", "a number"],
)
def test_a_text_with_an_unusable_sender_is_delivered(webhook, sender):
    (event,) = read(webhook).events

    assert (event.sender, event.text) == (sender, "hi")


@pytest.mark.parametrize("sender", [UNSET, {"phoneNumber": "x"}, [], ["a", "b"], True, "x" * 300])
def test_whatever_stands_for_a_sender_the_text_is_delivered_and_that_is_remarked(sender):
    parsed = parse(event("message-received", message={"from": sender, "text": "hi"}))

    assert parsed.events[0].sender == "unknown"
    assert "names nobody" in parsed.remarks[0]


@pytest.mark.parametrize(
    ("written", "text"), [(12345, "12345"), (0, "0"), (7.0, "7"), (7.5, ""), (True, ""), (None, "")]
)
def test_a_text_of_digits_may_be_a_number(written, text):
    assert only(event("message-received", message={"text": written})).text == text
    assert only(event("message-received", message={"text": None, "content": {"text": written}})).text == text


def test_a_number_may_be_one_of_json_and_a_recipient_that_is_none_is_remarked():
    members = ["+12025550143", 13125550111, 13125550112.0, None, {"to": "x"}, 1e300]
    parsed = parse(event("message-received", message={"from": 13125550100.0, "to": members, "text": "hi"}))
    (found,) = parsed.events

    assert found.sender == "+13125550100"
    assert found.recipients == ("+12025550143", "+13125550111", "+13125550112")
    assert parsed.remarks == ("Element 0: 3 of its recipients could not be read.",)


@pytest.mark.parametrize("kind", ["message-received", "message-delivered"])
def test_without_a_time_it_is_that_of_its_arrival(kind):
    parsed = parse(event(kind, time=UNSET, message={"time": "soon", "text": "hi"}))

    assert parsed.events[0].occurred_at is None
    assert parsed.remarks == ("Element 0: its time could not be read, so it is that of its arrival.",)


def test_the_owner_says_whose_copy_of_a_group_text_it_is_when_nothing_else_does():
    members = ["+12025550143", "+12025550144", "+13125550111"]
    found = only(event("message-received", to=UNSET, message={"to": members, "owner": "12025550144"}))

    assert (found.did, found.recipients) == ("+12025550144", tuple(members))


@pytest.mark.parametrize("direction", ["out", "OUT", "outbound"])
def test_a_received_text_that_went_out_is_kept_aside_and_not_delivered(direction):
    found = only(event("message-received", message={"direction": direction, "text": "hi"}))

    assert (found.kind, found.known) == ("message-received.out", True)


def test_case_39_is_kept_aside():
    (found,) = read(cases("39-direction-out")).events

    assert isinstance(found, CarrierNotice)


@pytest.mark.parametrize(
    ("webhook", "urls", "lost"),
    list(
        zip(
            cases("42-media-objects"),
            [
                ["https://media.example.com/a.jpg"],
                ["https://media.example.com/a.jpg", "https://media.example.com/b.jpg"],
                [],
            ],
            [False, False, True],
            strict=True,
        )
    ),
    ids=["an object", "mixed", "nothing"],
)
def test_media_may_be_objects_and_what_cannot_be_read_leaves_a_trace(webhook, urls, lost):
    parsed = read(webhook)
    (found,) = parsed.events

    assert [file.url for file in found.media] == urls
    assert found.msg_type is (MsgType.MMS if urls else MsgType.SMS)
    assert any("media could not be read" in remark for remark in parsed.remarks) is lost


@pytest.mark.parametrize(
    ("file", "media"),
    [
        (
            {"mediaUrl": "https://m.example/a", "contentType": "image/png"},
            InboundMedia("https://m.example/a", "image/png"),
        ),
        (" https://m.example/a.gif\n", InboundMedia("https://m.example/a.gif", "image/gif")),
        ("HTTPS://m.example/a.gif", InboundMedia("HTTPS://m.example/a.gif", "image/gif")),
    ],
)
def test_a_file_is_read_in_every_form_that_names_its_address(file, media):
    assert only(event("message-received", message={"media": file})).media == (media,)


def test_an_mms_of_layout_alone_is_remarked():
    parsed = parse(event("message-received", message={"text": "", "media": ["https://m.example/0.smil"]}))

    assert parsed.remarks == ("Element 0: it holds neither a text nor a file for a person.",)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12025550143", "+12025550143"),
        ("+5215555550100", "+525555550100"),
        ("72345", "72345"),
        ("Bank of America", "Bank of America"),
        ("someone@example.com", "someone@example.com"),
        (13125550100, "+13125550100"),
    ],
)
def test_every_number_of_a_webhook_has_one_form(written, number):
    inbound = only(event("message-received", to=written, message={"from": written, "to": [written]}))
    receipt = only(event(to=written, message={"from": written}))

    assert (inbound.sender, inbound.did, inbound.recipients) == (number, number, (number,))
    assert (receipt.recipient, receipt.sender) == (number, number)
