"""The carrier and the simulated Bandwidth understand each other: tokens, sends, faults, and webhooks of both flows."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from carrier_simulator import Fault, InboundRequest, MessageOutcome, SimulatedAccount, SimulatorSettings, running
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import WebhookRequest, Window
from sms_common.configuration import CallbackCredentials
from sms_common.errors import (
    Code,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    SendFailure,
    TemporaryFailure,
    Throttled,
    WebhookUnauthorized,
)
from sms_common.messages import CarrierEvent, CarrierNotice, InboundMessage, MsgType, OutboundMessage, Status

pytestmark = pytest.mark.loopback

OWN, OWN_TOO, HANDSET = "+12025550143", "+12025550144", "+14045550121"
CALLBACK = CallbackCredentials(username="bandwidth", password=SecretStr("callback-word"))


@dataclass
class Door:
    """A web server that does with a webhook what the gateway's edge does, and keeps the events."""

    carrier: Bandwidth
    url: str = ""
    events: list[CarrierEvent] = field(default_factory=list)
    refused: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        webhook = WebhookRequest(headers, await request.read())
        try:
            self.carrier.authenticate(webhook, CALLBACK)
        except WebhookUnauthorized:
            self.refused += 1
            return web.Response(status=401, headers=self.carrier.challenge())
        async with self.changed:
            self.events.extend(self.carrier.parse(webhook.body).events)
            self.changed.notify_all()
        return web.Response()

    async def wait_for(self, count) -> list[Any]:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.events) >= count)
        return self.events


@pytest.fixture
async def door():
    door = Door(Bandwidth())
    app = web.Application()
    app.router.add_post("/", door.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield door
    await runner.cleanup()


@pytest.fixture
def settings():
    return {}


@pytest.fixture
async def simulator(door, settings, credentials):
    callback = {"username": CALLBACK.username, "password": CALLBACK.password.get_secret_value()}
    application = {
        "application_id": credentials["application_id"],
        "inbound_url": door.url,
        "outbound_url": door.url,
        "inbound_credentials": callback,
        "outbound_credentials": callback,
        "numbers": [OWN, OWN_TOO],
        "events": ["message-sending", "message-sent", "message-delivered", "message-failed"],
    }
    account = {
        "account_id": credentials["account_id"],
        "credentials": [{"client_id": credentials["api_token"], "client_secret": credentials["api_secret"]}],
        "users": [{"username": "old-user", "password": "old-word"}],
        "applications": [application],
    }
    quick = {"sent_delay": 0, "final_delay": 0.01, "webhook_retry_delays": (0.01,), **settings}
    async with running(SimulatorSettings(**quick)) as simulator:
        simulator.put_account(SimulatedAccount.model_validate(account))
        yield simulator


@pytest.fixture
async def carrier(simulator, http):
    options = {"messaging_url": simulator.messaging_url, "token_url": simulator.token_url, "total_timeout": 5}
    carrier = Bandwidth(http, options)
    yield carrier
    await carrier.close()


def text(**changes):
    fields = {"reference": "gw-1/a", "sender": OWN, "recipients": (HANDSET,), "text": "Hello", **changes}
    return OutboundMessage(**fields)


@pytest.mark.parametrize(
    "settings",
    [{"webhook_authentication": "challenge"}, {"webhook_authentication": "preemptive"}],
    ids=["challenge", "at-once"],
)
async def test_a_text_goes_out_and_its_receipts_come_back(carrier, simulator, door, account):
    accepted = await carrier.send(text(text="Hola 👋" * 30), account())
    events = await door.wait_for(2)

    assert accepted.segments == 4
    assert {(event.carrier_event, event.status) for event in events} == {
        ("message-sent", Status.SENT),
        ("message-delivered", Status.DELIVERED),
    }
    assert {event.carrier_message_id for event in door.events} == {accepted.carrier_message_id}
    assert {event.reference for event in door.events} == {"gw-1/a"}
    assert {(event.recipient, event.sender) for event in door.events} == {(HANDSET, OWN)}
    challenged = simulator.settings.webhook_authentication == "challenge"
    assert (door.refused > 0) == challenged


async def test_a_group_message_has_one_id_and_a_receipt_for_each_recipient(carrier, door, account):
    recipients = (HANDSET, "+13125550132", "+13035554720")
    accepted = await carrier.send(text(recipients=recipients, media_urls=("https://m.example/a.png",)), account())
    await door.wait_for(9)

    finals = {event.recipient: event for event in door.events if event.status.final}
    assert {recipient: event.status for recipient, event in finals.items()} == {
        HANDSET: Status.DELIVERED,
        "+13125550132": Status.DELIVERED,
        "+13035554720": Status.FAILED,
    }
    assert finals["+13035554720"].error.code is Code.RECIPIENT_INVALID
    assert {event.carrier_message_id for event in door.events} == {accepted.carrier_message_id}


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        pytest.param(MessageOutcome(shape="object"), ["message-sent", "message-delivered"], id="bare-object"),
        pytest.param(MessageOutcome(shape="batch"), ["message-sent", "message-delivered"], id="two-in-one"),
        pytest.param(MessageOutcome(time_digits=0), ["message-sent", "message-delivered"], id="whole-seconds"),
        pytest.param(MessageOutcome(time_digits=3), ["message-sent", "message-delivered"], id="milliseconds"),
        pytest.param(MessageOutcome(copies=2, progress=False), ["message-delivered"] * 2, id="duplicates"),
    ],
)
async def test_every_manner_of_telling_is_understood(outcome, kinds, carrier, simulator, door, account):
    simulator.script(outcome, to=HANDSET)
    await carrier.send(text(), account())
    await door.wait_for(len(kinds))

    assert sorted(event.carrier_event for event in door.events) == sorted(kinds)
    assert all(abs(event.occurred_at - datetime.now(UTC)) < timedelta(minutes=1) for event in door.events)


@pytest.mark.parametrize(
    ("text_sent", "recipients"),
    [("Hola 👋" * 30, (HANDSET,)), ("Hello", (HANDSET, "+13125550132"))],
    ids=["text", "group"],
)
async def test_a_message_whose_answer_was_lost_is_found_in_the_list(carrier, simulator, account, text_sent, recipients):
    simulator.add_fault(Fault(kind="cut", stage="after"))
    lost = text(text=text_sent, recipients=recipients)
    with pytest.raises(OutcomeUnknown):
        await carrier.send(lost, account())
    await carrier.send(text(text="Something else"), account())
    window = Window(datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=1))

    found = await carrier.find_sent(lost, account(), window)

    assert found == [arrival.id for arrival in simulator.arrivals() if arrival.text == text_sent]
    assert len(found) == 1


async def test_an_event_of_a_new_type_is_a_notice(carrier, simulator, door, account):
    simulator.script(MessageOutcome(extra_type="message-frobnicated", progress=False), to=HANDSET)
    await carrier.send(text(), account())
    await door.wait_for(2)

    (notice,) = [event for event in door.events if isinstance(event, CarrierNotice)]
    assert (notice.kind, notice.known) == ("message-frobnicated", False)


@pytest.mark.parametrize(
    ("request_fields", "text", "msg_type", "media"),
    [
        pytest.param({"text": "Hi"}, "Hi", MsgType.SMS, [], id="sms"),
        pytest.param({"text": None}, "", MsgType.SMS, [], id="null-text"),
        pytest.param({"omit_text": True}, "", MsgType.SMS, [], id="no-text"),
        pytest.param(
            {"text": "see", "media": [{"filename": "IMG_1.jpg"}]},
            "see",
            MsgType.MMS,
            ["image/jpeg"],
            id="mms-with-smil",
        ),
    ],
)
async def test_a_text_from_a_handset_is_understood(request_fields, text, msg_type, media, simulator, door):
    simulator.receive(InboundRequest.model_validate({"from": HANDSET, "to": [OWN], **request_fields}))
    (message,) = await door.wait_for(1)

    assert isinstance(message, InboundMessage)
    assert (message.sender, message.did, message.recipients) == (HANDSET, OWN, (OWN,))
    assert (message.text, message.msg_type) == (text, msg_type)
    assert [part.content_type for part in message.media] == media


async def test_a_group_text_comes_once_for_each_own_number(simulator, door):
    simulator.receive(
        InboundRequest.model_validate({"from": HANDSET, "to": [OWN, OWN_TOO, "+13125550132"], "text": "Hi"})
    )
    messages = await door.wait_for(2)

    assert {message.did for message in messages} == {OWN, OWN_TOO}
    assert {message.recipients for message in messages} == {(OWN, OWN_TOO, "+13125550132")}
    assert len({message.carrier_message_id for message in messages}) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "taken"),
    [
        pytest.param(Fault(kind="error"), TemporaryFailure, 0, id="500"),
        pytest.param(Fault(kind="error", status=503, retry_after="7"), TemporaryFailure, 0, id="503"),
        pytest.param(Fault(kind="html"), OutcomeUnknown, 0, id="502-html"),
        pytest.param(Fault(kind="html", stage="after"), OutcomeUnknown, 1, id="502-html-after-accepting"),
        pytest.param(Fault(kind="empty"), OutcomeUnknown, 0, id="503-empty"),
        pytest.param(Fault(kind="cut"), OutcomeUnknown, 0, id="cut"),
        pytest.param(Fault(kind="cut", stage="after"), OutcomeUnknown, 1, id="cut-after-accepting"),
        pytest.param(Fault(kind="cut_midway", stage="after"), OutcomeUnknown, 1, id="answer-cut-after-accepting"),
        pytest.param(Fault(kind="queue_full"), Throttled, 0, id="429"),
        pytest.param(Fault(kind="unauthorized", times=2), Misconfigured, 0, id="401"),
        pytest.param(Fault(kind="not_found"), PermanentFailure, 0, id="404"),
        pytest.param(Fault(kind="error", endpoint="token"), TemporaryFailure, 0, id="token-500"),
        pytest.param(Fault(kind="cut", endpoint="token"), TemporaryFailure, 0, id="token-cut"),
        pytest.param(Fault(kind="unauthorized", endpoint="token"), Misconfigured, 0, id="token-401"),
    ],
)
async def test_a_fault_is_classed_by_what_may_have_been_sent(fault, kind, taken, carrier, simulator, account):
    simulator.add_fault(fault)

    with pytest.raises(SendFailure) as caught:
        await carrier.send(text(), account())

    assert type(caught.value) is kind
    assert len(simulator.arrivals()) == taken
    if fault.retry_after:
        assert isinstance(caught.value, TemporaryFailure)
        assert caught.value.retry_after == 7.0


async def test_a_slow_answer_is_waited_for_and_too_slow_a_one_is_lost(carrier, simulator, http, account):
    simulator.add_fault(Fault(kind="slow", stage="after", delay=0.2, times=2))
    hasty = Bandwidth(
        http,
        {
            "messaging_url": simulator.messaging_url,
            "token_url": simulator.token_url,
            "total_timeout": 0.15,
            "connect_timeout": 0.1,
        },
    )

    assert (await carrier.send(text(), account())).carrier_message_id
    with pytest.raises(OutcomeUnknown):
        await hasty.send(text(), account())
    await hasty.close()
    assert len(simulator.arrivals()) == 2


async def test_a_token_that_ended_at_bandwidth_is_replaced(carrier, simulator, account):
    await carrier.send(text(), account())
    simulator.clock.advance(3601)
    await carrier.send(text(), account())

    assert (simulator.bandwidth.tokens.issued, len(simulator.arrivals())) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"api_secret": "wrong"}, Misconfigured, id="secret"),
        pytest.param({"account_id": "5500009"}, Misconfigured, id="account"),
        pytest.param({"application_id": "11111111-2222-4333-8444-555555555555"}, SendFailure, id="application"),
    ],
)
async def test_wrong_credentials_are_a_matter_for_a_person(changes, kind, carrier, simulator, account):
    with pytest.raises(kind) as caught:
        await carrier.send(text(), account(**changes))

    assert simulator.arrivals() == []
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"basic_until": None}, {"basic_until": datetime(2020, 1, 1, tzinfo=UTC)}], ids=["before", "after"]
)
async def test_basic_works_until_bandwidth_ends_it(carrier, simulator, account):
    old = account(auth="basic", api_token=None, api_secret=None, username="old-user", password="old-word")
    if simulator.settings.basic_until is None:
        assert (await carrier.send(text(), old)).carrier_message_id
    else:
        with pytest.raises(Misconfigured):
            await carrier.send(text(), old)
    assert simulator.bandwidth.tokens.issued == 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"recipients": ("+1invalid",)}, "E164", id="number"),
        pytest.param(
            {"recipients": tuple(f"+1404555{n:04}" for n in range(100, 111))}, "HTTP 400", id="eleven-recipients"
        ),
        pytest.param({"text": "x" * 2049}, "HTTP 400", id="text-too-long"),
    ],
)
async def test_what_bandwidth_refuses_is_told_without_numbers_and_texts(
    changes, complaint, carrier, simulator, account
):
    with pytest.raises(PermanentFailure, match=complaint) as caught:
        await carrier.send(text(**changes), account())

    assert [private for private in ("+1invalid", "4045550100", "xxxx", OWN) if private in str(caught.value)] == []
    assert simulator.arrivals() == []


async def test_high_priority_and_expiration_are_understood(carrier, simulator, account):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await carrier.send(text(high_priority=True, expires_at=tomorrow), account())

    (arrival,) = simulator.arrivals()
    assert (arrival.priority, arrival.expires_at) == ("high", int(tomorrow.timestamp()))
