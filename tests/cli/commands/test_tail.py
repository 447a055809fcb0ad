"""`tail`: events as they pass."""

from sms_common.broker import Outgoing
from sms_common.events import (
    OutboundRequest,
)
from sms_common.messages import Status
from sms_common.topology import SMS
from tests.cli.commands.passing import INBOUND_KEY, TEXT, Passing, event
from tests.cli.commands.statuses import status
from tests.cli.world import Command

REQUEST = OutboundRequest(
    message_id="r1", tenant_id="acme", extension="101", to=("+13125550100",), text="a private text"
)


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
