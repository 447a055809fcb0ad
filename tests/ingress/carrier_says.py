"""What a carrier says in a webhook, and the configuration that it is for."""

from datetime import UTC, datetime

from sms_common.carriers.protocol import ParsedWebhook
from sms_common.configuration import WebhookEndpoint
from sms_common.messages import (
    CarrierEvent,
    DeliveryError,
    DeliveryReceipt,
    ErrorClass,
    InboundMedia,
    InboundMessage,
    MsgType,
    Status,
)
from sms_common.testing.carriers import FakeCarrier

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
THEN = datetime(2026, 11, 24, 12, 59, 58, 123000, tzinfo=UTC)
ENDPOINT = WebhookEndpoint(config_id="c1", tenant_id="t1", carrier="fake", tokens=())

RECEIPT = DeliveryReceipt(
    carrier_message_id="m1",
    carrier_event="message-failed",
    recipient="+14045550121",
    sender="+12025550143",
    status=Status.FAILED,
    occurred_at=THEN,
    reference="t1/x",
    segments=2,
    error=DeliveryError(ErrorClass.POLICY, "opted_out", "4775", "rejected", "Do not send again."),
    description="rejected",
)
INBOUND = InboundMessage(
    carrier_message_id="m2",
    carrier_event="message-received",
    sender="+14045550121",
    did="+12025550143",
    recipients=("+12025550143", "+13125550132"),
    msg_type=MsgType.MMS,
    text="héllo 😀",
    media=(InboundMedia("https://media.example.net/1.jpg", "image/jpeg"),),
    occurred_at=THEN,
    segments=1,
)


class Saying(FakeCarrier):
    """A carrier that reads whatever it is told to read."""

    def __init__(self, *events: CarrierEvent, unreadable: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._parsed = ParsedWebhook(events, unreadable)

    def parse(self, body: bytes) -> ParsedWebhook:
        return self._parsed
