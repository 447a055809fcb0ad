"""Every sample webhook becomes exactly the event written down here."""

from datetime import datetime
from pathlib import Path

import pytest

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.bandwidth.codes import CODES
from sms_common.carriers.protocol import ParsedWebhook
from sms_common.errors import Code
from sms_common.messages import (
    CarrierNotice,
    DeliveryError,
    DeliveryReceipt,
    ErrorClass,
    InboundMedia,
    InboundMessage,
    MsgType,
    Status,
)

SAMPLES = Path(__file__).parents[3] / "data" / "webhooks"
MEDIA = "https://messaging.bandwidth.com/api/v2/users/5500001/media/"
HANDSET = "Message delivered to handset."
SMS, MMS, GROUP = "1783674000123vsozm773jfj2gerk", "1783674050123bdvbm7ipvkttxonj", "1783674120123ockbxynzmsdappsq"

at = datetime.fromisoformat
notice = CarrierNotice
FAILED_AT = at("2026-07-10T09:00:02.502003Z")
SPANISH = "¿Podrían confirmar la cita de mañana a las 10:30, por favor? "


def receipt(
    event,
    status,
    occurred_at,
    *,
    description,
    message_id=SMS,
    recipient="+14045550121",
    sender="+12025550143",
    reference="gw-1/01J8Z3T0V9",
    error=None,
):
    return DeliveryReceipt(
        carrier_message_id=message_id,
        carrier_event=event,
        recipient=recipient,
        sender=sender,
        status=status,
        occurred_at=occurred_at,
        reference=reference,
        segments=1,
        error=error,
        description=description,
    )


def failed(carrier_code, error_class, code, description, *, occurred_at=FAILED_AT, **fields):
    error = DeliveryError(error_class, code, str(carrier_code), description, CODES[carrier_code].advice)
    return receipt("message-failed", Status.FAILED, occurred_at, description=description, error=error, **fields)


def inbound(
    message_id,
    text,
    occurred_at,
    *,
    event="message-received",
    did="+12025550143",
    recipients=None,
    msg_type=MsgType.SMS,
    media=(),
    segments=1,
):
    return InboundMessage(
        carrier_message_id=message_id,
        carrier_event=event,
        sender="+14045550121",
        did=did,
        recipients=recipients or (did,),
        msg_type=msg_type,
        text=text,
        media=tuple(InboundMedia(MEDIA + path, content_type) for path, content_type in media),
        occurred_at=occurred_at,
        segments=segments,
    )


EXPECTED = {
    "edge-single-object-not-array": [
        receipt("message-delivered", Status.DELIVERED, at("2026-07-10T09:00:03.502003Z"), description=HANDSET)
    ],
    "edge-two-events-in-one-array": [
        receipt("message-sent", Status.SENT, at("2026-07-10T09:00:01.002003Z"), description="Message sent to carrier"),
        receipt("message-delivered", Status.DELIVERED, at("2026-07-10T09:00:03.502003Z"), description=HANDSET),
    ],
    "edge-unknown-type": [notice(kind="message-frobnicated", known=False, facts={"carrier_message_id": SMS})],
    "message-delivered-group-mms-recipient-1": [
        receipt(
            "message-delivered",
            Status.DELIVERED,
            at("2026-07-10T09:02:11.502003Z"),
            message_id=GROUP,
            description=HANDSET,
        )
    ],
    "message-delivered-group-mms-recipient-2": [
        receipt(
            "message-delivered",
            Status.DELIVERED,
            at("2026-07-10T09:02:12.502003Z"),
            message_id=GROUP,
            recipient="+13125550132",
            description=HANDSET,
        )
    ],
    "message-delivered-mms": [
        receipt(
            "message-delivered",
            Status.DELIVERED,
            at("2026-07-10T09:01:12.502003Z"),
            message_id=MMS,
            description=HANDSET,
        )
    ],
    "message-delivered-sms-ok-description": [
        receipt("message-delivered", Status.DELIVERED, at("2026-03-10T09:00:03Z"), reference=None, description="ok")
    ],
    "message-delivered-sms": [
        receipt("message-delivered", Status.DELIVERED, at("2026-07-10T09:00:03.502003Z"), description=HANDSET)
    ],
    "message-delivered-toll-free": [
        receipt(
            "message-delivered",
            Status.DELIVERED,
            at("2026-07-10T09:02:03.502003Z"),
            message_id="1783674090123gwnd76l7vvmfxlpl",
            sender="+18885550177",
            description=HANDSET,
        )
    ],
    "message-failed-4360-expired": [
        failed(4360, ErrorClass.PERMANENT, Code.EXPIRED, "message-not-sent-expiration-date-passed")
    ],
    "message-failed-4410-media-unavailable": [
        failed(4410, ErrorClass.PERMANENT, Code.MEDIA_REJECTED, "media-unavailable", message_id=MMS)
    ],
    "message-failed-4411-media-too-large": [
        failed(4411, ErrorClass.PERMANENT, Code.MEDIA_REJECTED, "rejected-message-size-limit-exceeded", message_id=MMS)
    ],
    "message-failed-4432-forbidden-country": [
        failed(
            4432, ErrorClass.PERMANENT, Code.DESTINATION_NOT_ALLOWED, "forbidden to country", recipient="+525555501234"
        )
    ],
    "message-failed-4470-spam": [failed(4470, ErrorClass.POLICY, Code.SPAM_BLOCKED, "rejected-spam-detected")],
    "message-failed-4476-unregistered-10dlc": [
        failed(4476, ErrorClass.POLICY, Code.SENDER_NOT_REGISTERED, "source TN not registered to a 10DLC campaign")
    ],
    "message-failed-4770-carrier-spam": [
        failed(4770, ErrorClass.POLICY, Code.SPAM_BLOCKED, "destination-spam-detected")
    ],
    "message-failed-4775-opted-out": [
        failed(4775, ErrorClass.POLICY, Code.OPTED_OUT, "destination-rejected-due-to-user-opt-out")
    ],
    "message-failed-4780-volume-tmobile": [failed(4780, ErrorClass.POLICY, Code.VOLUME_LIMIT, "volume-violation-tmo")],
    "message-failed-4794-carrier-expired": [
        failed(4794, ErrorClass.PERMANENT, Code.RECIPIENT_UNREACHABLE, "destination-rejected-expired")
    ],
    "message-failed-4795-toll-free-unverified": [
        failed(4795, ErrorClass.POLICY, Code.SENDER_NOT_REGISTERED, "tfn-not-verified", sender="+18885550177")
    ],
    "message-failed-5211-bandwidth-busy": [
        failed(5211, ErrorClass.TEMPORARY, Code.CARRIER_BUSY, "temporary-app-error-app-busy")
    ],
    "message-failed-5600-carrier-queue-full": [
        failed(5600, ErrorClass.TEMPORARY, Code.CARRIER_BUSY, "destination-carrier-queue-full")
    ],
    "message-failed-9902-dlr-timeout": [failed(9902, ErrorClass.UNKNOWN, Code.NO_RECEIPT, "delivery-receipt-expired")],
    "message-failed-9999-unknown": [failed(9999, ErrorClass.UNKNOWN, Code.UNCLASSIFIED, "unknown-error")],
    "message-failed-group-mms-recipient-3": [
        failed(
            4720,
            ErrorClass.PERMANENT,
            Code.RECIPIENT_INVALID,
            "invalid-destination-address",
            occurred_at=at("2026-07-10T09:02:13.502003Z"),
            message_id=GROUP,
            recipient="+13035550165",
        )
    ],
    "message-read-rbm": [
        receipt(
            "message-read",
            Status.DELIVERED,
            at("2026-07-10T10:00:08.900000Z"),
            message_id="1783677600123oia6abhijsrnuslm",
            sender="ExampleAgent",
            reference="gw-1/rbm-1",
            description="Message read by recipient.",
        )
    ],
    "message-received-group-mms-second-owned-number": [
        inbound(
            "17724606001247hd7ppfd32xumfsz",
            "Lunch at noon?",
            at("2026-03-02T14:10:00.801100Z"),
            did="+12025550144",
            recipients=("+12025550143", "+12025550144", "+13125550132"),
            msg_type=MsgType.MMS,
            media=(("17724606001247hd7ppfd32xumfsz/0/menu.png", "image/png"),),
        )
    ],
    "message-received-group-mms": [
        inbound(
            "1772460600123gk6d2lgifgxunlm5",
            "Lunch at noon?",
            at("2026-03-02T14:10:00.774100Z"),
            recipients=("+12025550143", "+13125550132", "+13035550165"),
            msg_type=MsgType.MMS,
            media=(("1772460600123gk6d2lgifgxunlm5/0/menu.png", "image/png"),),
        )
    ],
    "message-received-mms-media-only": [
        inbound(
            "1772460540123jg6euogesi2oeqqk",
            "",
            at("2026-03-02T14:09:00.774100Z"),
            msg_type=MsgType.MMS,
            media=(("1772460540123jg6euogesi2oeqqk/0/voice_note.amr", "audio/amr"),),
        )
    ],
    "message-received-mms": [
        inbound(
            "17724605001237vvoaw226iryo2sz",
            "Photo of the damage",
            at("2026-03-02T14:08:20.774100Z"),
            msg_type=MsgType.MMS,
            media=(("17724605001237vvoaw226iryo2sz/1/IMG_2041.jpg", "image/jpeg"),),
        )
    ],
    "message-received-rbm-text": [
        inbound(
            "1783677660123shnqafjmfwtz35ud", "Hello from RCS", at("2026-07-10T10:01:09.100000Z"), did="ExampleAgent"
        )
    ],
    "message-received-sms-ucs2-multisegment": [
        inbound(
            "1772460370048z2nvj7yfdtfduppl",
            "Hola 👋 " + SPANISH + SPANISH,
            at("2026-03-02T14:06:11.501233Z"),
            segments=2,
        )
    ],
    "message-received-sms-with-carrier-name": [
        inbound("1772460666118uhcz5av4mqgltcrt", "Thanks", at("2026-03-02T14:11:07.218402Z"))
    ],
    "message-received-sms": [
        inbound("177246030611855uika4lg4w4c7zo", "Is the office open on Friday?", at("2026-03-02T14:05:07.218402Z"))
    ],
    "message-received-stop": [inbound("17724604198707q5hcbndbbppktiu", "STOP", at("2026-03-02T14:07:00.000111Z"))],
    "message-sending-mms": [
        receipt(
            "message-sending",
            Status.SENT,
            at("2026-07-10T09:01:00.802003Z"),
            message_id=MMS,
            description="Message is sending to carrier.",
        )
    ],
    "message-sent-mms": [
        receipt(
            "message-sent",
            Status.SENT,
            at("2026-07-10T09:01:01.002003Z"),
            message_id=MMS,
            description="Message sent to carrier",
        )
    ],
    "message-sent-sms": [
        receipt("message-sent", Status.SENT, at("2026-07-10T09:00:01.002003Z"), description="Message sent to carrier")
    ],
    "requested-location-response-rbm": [
        inbound(
            "1783677780123qk73ngwhla5ozvj6",
            "geo:35.7721,-78.6386",
            at("2026-07-10T10:03:09.100000Z"),
            event="requested-location-response",
            did="ExampleAgent",
        )
    ],
    "suggestion-response-rbm": [
        inbound(
            "1783677720123hnj4l3qxtprb43gg",
            "Yes",
            at("2026-07-10T10:02:09.100000Z"),
            event="suggestion-response",
            did="ExampleAgent",
        )
    ],
    "tfv-blocked": [
        notice(
            kind="toll_free_verification",
            known=True,
            facts={
                "number": "+1888***0177",
                "status": "UNVERIFIED",
                "blocked": "true",
                "blocked_reason": "Number was used for unwanted traffic",
                "ticket": "2b9d6c1e-7f11-4f7e-9f65-1d0f6a2f0003",
            },
        )
    ],
    "tfv-request-failure": [
        notice(
            kind="toll_free_verification",
            known=True,
            facts={
                "number": "+1888***0177",
                "error_code": "400",
                "error_message": "cannot process request.",
                "errors": "businessContact: must not be empty",
                "ticket": "2b9d6c1e-7f11-4f7e-9f65-1d0f6a2f0004",
            },
        )
    ],
    "tfv-unverified": [
        notice(
            kind="toll_free_verification",
            known=True,
            facts={
                "number": "+1888***0177",
                "status": "UNVERIFIED",
                "decline_reason": "Business name does not match records",
                "denial_code": "1103",
                "resubmit_allowed": "true",
                "further_reasons": "Contact e-mail is not on the business domain",
                "ticket": "2b9d6c1e-7f11-4f7e-9f65-1d0f6a2f0002",
            },
        )
    ],
    "tfv-verified": [
        notice(
            kind="toll_free_verification",
            known=True,
            facts={"number": "+1888***0177", "status": "VERIFIED", "ticket": "2b9d6c1e-7f11-4f7e-9f65-1d0f6a2f0001"},
        )
    ],
}


def test_every_sample_file_is_in_the_table():
    assert {sample.stem for sample in SAMPLES.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_webhook_becomes_its_event(name):
    parsed = Bandwidth().parse((SAMPLES / f"{name}.json").read_bytes())

    assert parsed == ParsedWebhook(tuple(EXPECTED[name]))
