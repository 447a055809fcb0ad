"""`send`: the request that is published, and waiting for its statuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_common.broker import Delivery
from sms_common.events import OutboundRequest
from sms_common.messages import Status
from sms_common.testing.broker import FakeBroker
from sms_common.topology import NO_TENANT, OUTBOUND, pbx
from tests.cli.commands.statuses import TO, WHO, sent, status
from tests.cli.world import Command


async def answering(broker: FakeBroker, *statuses: Status, tenant: str = "acme", **fields: Any) -> None:
    """Have every request answered with these statuses, among those of another message."""

    async def answer(delivery: Delivery) -> None:
        request = OutboundRequest.model_validate_json(delivery.body)
        for one in statuses:
            await broker.publish(status("another", one, tenant))
            for _ in range(2):  # a status may come twice
                await broker.publish(status(request.message_id, one, tenant, **fields))

    await broker.declare(pbx("main", [tenant]))
    await broker.consume(OUTBOUND, answer, prefetch=5)


async def test_the_smallest_command_sends_the_smallest_request(smsgw: Command, broker: FakeBroker):
    ended = await smsgw("send", TO, "Hello", *WHO)
    request = sent(broker)
    assert (ended.status, ended.out) == (0, f"{request.message_id}\n")
    assert request == OutboundRequest(
        message_id=request.message_id, tenant_id="acme", extension="101", to=(TO,), text="Hello"
    )


async def test_every_field_of_a_request_can_be_given(smsgw: Command, broker: FakeBroker):
    begun = datetime.now(UTC)
    arguments = ["--from", "+12025550143", "--config", "c1", "--media", "https://m.example.com/a.jpg", "--group"]
    arguments += [
        "--category",
        "marketing",
        "--send-after",
        "+10m",
        "--expires-at",
        "2036-05-04T09:00:00Z",
        "--id",
        "m1",
    ]
    ended = await smsgw("send", f"{TO}, +13125550101", "-", *WHO, *arguments, "--json", answer="from a pipe")
    request = sent(broker)
    assert ended.json == {"message_id": "m1", "tenant_id": "acme"}
    assert (request.to, request.text, request.group) == ((TO, "+13125550101"), "from a pipe", True)
    assert (request.sender, request.config_id, request.category) == ("+12025550143", "c1", "marketing")
    assert [one.url for one in request.media] == ["https://m.example.com/a.jpg"]
    assert request.send_after is not None
    assert timedelta(minutes=10) <= request.send_after - begun < timedelta(minutes=11)
    assert request.expires_at == datetime(2036, 5, 4, 9, tzinfo=UTC)


async def test_tenant_and_extension_may_come_from_the_environment(smsgw: Command, broker: FakeBroker):
    ended = await smsgw("send", TO, "Hello", env={"SMSGW_TENANT": "acme", "SMSGW_EXTENSION": "101"})
    assert ended.status == 0
    assert sent(broker).extension == "101"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param([TO, "Hi", "--extension", "101"], "--tenant", id="no tenant"),
        pytest.param([TO, "Hi", "--tenant", "acme"], "--extension", id="no extension"),
        pytest.param([TO, "Hi", *WHO, "--send-after", "soon"], "send_after", id="no time"),
        pytest.param([TO, "Hi", *WHO, "--id", "a b"], "message_id", id="no id"),
        pytest.param([TO, "Hi", *WHO, "--media", "ftp://x"], "media", id="no media URL"),
        pytest.param([TO, "Hi", *WHO, "--category", "spam"], "spam", id="no category"),
        pytest.param([], "to", id="nobody"),
    ],
)
async def test_a_request_that_is_none_is_refused_before_it_is_sent(
    smsgw: Command, broker: FakeBroker, arguments: list[str], told: str
):
    ended = await smsgw("send", *arguments)
    assert ended.status == 2
    assert told in ended.err
    assert broker.waiting(OUTBOUND) == []


async def test_a_broker_that_does_not_take_it_is_a_failure(smsgw: Command, broker: FakeBroker):
    broker.blocked = True
    ended = await smsgw("send", TO, "Hello", *WHO)
    assert (ended.status, ended.err) == (1, "error: The broker blocks publishers.\n")


async def test_waiting_tells_each_status_once_until_the_final_one(smsgw: Command, broker: FakeBroker):
    await answering(broker, Status.ACCEPTED, Status.SUBMITTED, Status.DELIVERED, segments=2)
    ended = await smsgw("send", TO, "Hello", *WHO, "--wait")
    assert ended.status == 0
    told = [line.split()[1] for line in ended.out.splitlines()[1:]]
    assert told == ["accepted", "submitted", "delivered"]
    assert "+1312***0100" in ended.out
    assert TO not in ended.out


async def test_an_end_that_is_no_delivery_is_a_failure_with_its_reason(smsgw: Command, broker: FakeBroker):
    error = {"class": "permanent", "code": "recipient_invalid", "carrier_code": "4720", "advice": "Correct the number."}
    await answering(broker, Status.FAILED, error=error, reason="The network refused it.")
    ended = await smsgw("send", TO, "Hello", *WHO, "--wait")
    assert ended.status == 1
    for word in ("recipient_invalid", "carrier code 4720", "The network refused it.", "Correct the number."):
        assert word in ended.out


async def test_a_rejection_without_a_known_tenant_is_heard_too(smsgw: Command, broker: FakeBroker):
    await answering(broker, Status.REJECTED, tenant=NO_TENANT)
    ended = await smsgw("send", TO, "Hello", *WHO, "--wait", "--json", "--show")
    assert ended.status == 1
    assert [line.get("status") for line in ended.lines] == [None, "rejected"]
    assert ended.lines[1]["to"] == TO


@pytest.mark.parametrize(("last", "exit_status"), [(Status.DELIVERED, 0), (Status.FAILED, 1)])
async def test_a_list_has_ended_when_each_of_its_messages_has(
    smsgw: Command, broker: FakeBroker, last: Status, exit_status: int
):
    async def answer(delivery: Delivery) -> None:
        parent = OutboundRequest.model_validate_json(delivery.body).message_id
        await broker.publish(status(parent, Status.ACCEPTED))
        await broker.publish(status(f"{parent}.1", Status.DELIVERED, parent_id=parent))
        await broker.publish(status(f"{parent}.2", last, parent_id=parent))

    await broker.declare(pbx("main", ["acme"]))
    await broker.consume(OUTBOUND, answer, prefetch=5)
    ended = await smsgw("send", f"{TO},+13125550101", "Hello", *WHO, "--wait")
    assert ended.status == exit_status
    assert len(ended.out.splitlines()) == 4


async def test_waiting_ends_in_time_and_says_where_to_look_later(smsgw: Command, broker: FakeBroker):
    ended = await smsgw("send", TO, "Hello", *WHO, "--id", "m1", "--wait", "--wait-seconds", "0.1")
    assert ended.status == 1
    assert "smsgw messages show m1 --tenant acme" in ended.err


@pytest.mark.parametrize("between", [",", ";", "\n", "\t", " , "], ids=ascii)
async def test_recipients_are_pasted_from_a_sheet(smsgw: Command, broker: FakeBroker, between: str):
    await smsgw("send", f"{TO}{between}+13125550101{between}", "Hello", *WHO)

    assert list(sent(broker).to) == [TO, "+13125550101"]
