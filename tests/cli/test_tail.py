"""`tail` shows what passes, masked, and hears only what it was asked for."""

from datetime import UTC, datetime

import pytest

from sms_common.broker import Listener, Outgoing
from sms_common.events import (
    CancelRequest,
    CarrierInboundEvent,
    CarrierReceiptEvent,
    ConfigChanged,
    InboundEvent,
    LaneEntry,
    OutboundRequest,
)
from sms_common.messages import Status
from sms_common.testing.broker import FakeBroker
from sms_common.testing.queues import FakeListener
from sms_common.topology import SMS, base, pbx
from tests.cli.test_send import status
from tests.cli.world import Command
from tests.common.broker.test_parked import INBOUND

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TEXT = InboundEvent.model_validate({**INBOUND, "tenant_id": "acme", "content": "a private text"})
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


class Passing(FakeBroker):
    """A broker on which these messages pass once so many listen."""

    def __init__(self, listeners: int, *messages: Outgoing) -> None:
        super().__init__()
        self._left = listeners
        self._messages = messages

    async def listen(self, key: str, listener: Listener) -> FakeListener:
        listening = await super().listen(key, listener)
        self._left -= 1
        if not self._left:
            await self.declare(base())
            await self.declare(pbx("main", ["acme", "other"]))
            for message in self._messages:
                await self.publish(message)
        return listening


def event(key: str, event: object) -> Outgoing:
    return Outgoing(SMS, key, event.encode(), event.TYPE, "e")  # type: ignore[attr-defined]


INBOUND_KEY = "sms.inbound.acme.12025550123"


async def test_statuses_and_inbound_texts_are_shown_masked():
    broker = Passing(2, status("m1", Status.SENT), event(INBOUND_KEY, TEXT), event("sms.outbound.acme", REQUEST))
    ended = await Command(broker=broker)("tail", "--count", "2")
    assert ended.status == 0
    first, second = sorted(ended.out.splitlines(), key=lambda line: "m1" in line and "sent" in line, reverse=True)
    assert "sms.status" in first
    assert "sent" in first
    assert "+1312***0100 to +1202***0123" in second
    assert "14 characters" in second
    assert "private" not in ended.out
    assert ended.err == "listening\n"


async def test_texts_and_numbers_are_shown_when_asked_for():
    ended = await Command(broker=Passing(1, event(INBOUND_KEY, TEXT)))("tail", "--inbound", "--show", "--count", "1")
    assert "+13125550100 to +12025550123" in ended.out
    assert '"a private text"' in ended.out


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


async def test_only_the_statuses_and_the_tenant_that_are_asked_for_are_heard():
    others = [status("m1", Status.SENT), status("m2", Status.FAILED, "other")]
    broker = Passing(2, *others, status("m3", Status.FAILED), status("m4", Status.REJECTED))
    arguments = ["--tenant", "acme", "--status", "failed", "--status", "rejected"]
    ended = await Command(broker=broker)("tail", *arguments, "--count", "2", "--json")
    assert {line["event"]["message_id"] for line in ended.lines} == {"m3", "m4"}
    assert ended.lines[0]["event"]["to"] == "+1312***0100"


async def test_json_may_show_all_and_bears_what_is_no_json():
    messages = [event(INBOUND_KEY, TEXT), Outgoing(SMS, INBOUND_KEY, b"\xff", "x", "e")]
    ended = await Command(broker=Passing(1, *messages))("tail", "--inbound", "--count", "2", "--json", "--show")
    assert ended.lines[0]["event"]["content"] == "a private text"
    assert ended.lines[1] == {"key": INBOUND_KEY, "type": "x", "event": "<1 bytes>"}
