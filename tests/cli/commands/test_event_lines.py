"""The line of each kind of event."""

import pytest

from sms_common.broker import Outgoing
from sms_common.events import (
    CancelRequest,
    CarrierInboundEvent,
    CarrierReceiptEvent,
    ConfigChanged,
    LaneEntry,
    OutboundRequest,
)
from sms_common.topology import SMS
from tests.cli.commands.passing import NOW, Passing, event
from tests.cli.world import Command

REQUEST = OutboundRequest(
    message_id="r1", tenant_id="acme", extension="101", to=("+13125550100",), text="a private text"
)
CARRIER = {"event_id": "e", "carrier": "bandwidth", "config_id": "c1", "tenant_id": "acme", "carrier_message_id": "p1"}
RECEIPT = CarrierReceiptEvent.model_validate(
    {
        **CARRIER,
        "carrier_event": "message-sent",
        "recipient": "+13125550100",
        "sender": "+12025550123",
        "status": "sent",
        "occurred_at": NOW,
        "received_at": NOW,
    }
)
ARRIVED = CarrierInboundEvent.model_validate(
    {
        **CARRIER,
        "carrier_event": "message-received",
        "sender": "+13125550100",
        "did": "+12025550123",
        "msg_type": "SMS",
        "text": "a private text",
        "occurred_at": NOW,
        "received_at": NOW,
    }
)
CHANGE = ConfigChanged(
    event_id="e", tenant_id="acme", change="updated", kind="trunk", object_id="t1", version="4", occurred_at=NOW
)
WITHDRAWAL = CancelRequest(message_id="r1", tenant_id="acme")


@pytest.mark.parametrize(
    ("arguments", "message", "words"),
    [
        pytest.param(["--outbound"], event("sms.outbound.acme", REQUEST), ["r1", "to +1312***0100"], id="a request"),
        pytest.param(
            ["--outbound"], event("sms.outbound.acme.cancel", WITHDRAWAL), ["r1", "withdraw"], id="a withdrawal"
        ),
        pytest.param(["--carrier"], event("sms.carrier.bandwidth.c1", RECEIPT), ["p1", "message-sent"], id="a receipt"),
        pytest.param(
            ["--carrier"], event("sms.carrier.bandwidth.c1", ARRIVED), ["p1", "14 characters"], id="an arrival"
        ),
        pytest.param(
            ["--carrier"],
            event("sms.carrier.x", LaneEntry(tenant_id="a", message_id="m", queued_at=NOW)),
            ["sms.lane"],
            id="another event",
        ),
        pytest.param(["--changes"], event("sms.config.acme.updated", CHANGE), ["trunk t1 updated"], id="a change"),
        pytest.param(
            ["--changes", "-t", "acme"], event("sms.config.acme.updated", CHANGE), ["trunk t1"], id="a tenant's change"
        ),
        pytest.param(
            ["--statuses"],
            Outgoing(SMS, "sms.status.acme.sent", b"?", "sms.status.v1", "e"),
            ["cannot be read"],
            id="unreadable",
        ),
    ],
)
async def test_every_kind_of_event_has_its_line(arguments: list[str], message: Outgoing, words: list[str]):
    ended = await Command(broker=Passing(1, message))("tail", *arguments, "--count", "1")
    for word in words:
        assert word in ended.out
    assert "private" not in ended.out
    assert "5550100" not in ended.out
