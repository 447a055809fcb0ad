"""What every carrier must do, whoever it is: the fake used by other tests passes the same tests as Bandwidth."""

import asyncio
import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from sms_common.carriers import CARRIERS
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.declaration import CarrierLimits, CredentialField, CredentialPattern
from sms_common.carriers.protocol import Account, Carrier, WebhookRequest
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
    WebhookUnreadable,
)
from sms_common.messages import Accepted, DeliveryReceipt, OutboundMessage, Status
from sms_common.testing.carriers import FakeCarrier

pytestmark = pytest.mark.loopback

NOON = datetime(2026, 7, 10, 12, tzinfo=UTC)
CREDENTIALS = CallbackCredentials(username="caller", password=SecretStr("word"))
RECEIPT = DeliveryReceipt("id-1", "message-delivered", "+14045550121", "+12025550143", Status.DELIVERED, NOON, "ref")


class FakeUnderTest:
    """The fake, scripted."""

    def __init__(self, _http, _url):
        self.carrier = FakeCarrier()

    def webhook(self):
        return self.carrier.webhook(RECEIPT)

    def next_send_ends_in(self, failure):
        self.carrier.script("+14045550121", failure)


STATUS: dict[type[SendFailure], int] = {
    Throttled: 429,
    Misconfigured: 403,
    TemporaryFailure: 503,
    PermanentFailure: 400,
    OutcomeUnknown: 502,
}


class BandwidthUnderTest:
    """Bandwidth's carrier, with a stand-in that answers what the failure stands for."""

    def __init__(self, http, url):
        self.carrier = Bandwidth(http, {"messaging_url": url, "basic_auth": True})
        self.status = 202

    def webhook(self):
        message = {"id": "id-1", "from": "+12025550143", "tag": "ref"}
        event = {"type": "message-delivered", "time": "2026-07-10T12:00:00Z", "to": "+14045550121", "message": message}
        return json.dumps([event]).encode()

    def next_send_ends_in(self, failure):
        self.status = STATUS[type(failure)]

    async def answer(self, _request):
        body = {"id": "sent-1"} if self.status == 202 else {"type": "t", "description": "d"}
        return web.json_response(body, status=self.status)


@pytest.fixture(params=[FakeUnderTest, BandwidthUnderTest], ids=["fake", "bandwidth"])
async def subject(request):
    async def answer(http_request):
        return await under_test.answer(http_request)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        under_test = request.param(http, f"http://127.0.0.1:{runner.addresses[0][1]}")
        yield under_test
        await under_test.carrier.close()
    await runner.cleanup()


def message():
    return OutboundMessage("ref", "+12025550143", ("+14045550121",), "Hello")


def account():
    names = ("account_id", "application_id", "api_token", "api_secret")
    return Account("cfg-1", {name: SecretStr(f"the-{name}") for name in names})


def test_a_carrier_says_who_it_is_and_what_it_takes(subject):
    carrier: Carrier = subject.carrier

    assert carrier.name.isidentifier()
    limits = carrier.declaration.limits
    assert isinstance(limits, CarrierLimits)
    assert all(limit > 0 for limit in (limits.text, limits.media, limits.group_recipients))


def test_a_declaration_holds_together(subject):
    declared = subject.carrier.declaration
    names = [*declared.names, *declared.aliases]

    assert len(set(names)) == len(names)
    assert declared.account in declared.shown
    assert declared.secrets
    assert set(re.findall(r"{\w*}", "".join(step.text for step in declared.setup))) <= {"{webhook}", "{callback_user}"}


def test_missing_credentials_are_named(subject):
    required = subject.carrier.declaration.missing({})

    assert subject.carrier.declaration.missing({name: SecretStr("x") for name in required}) == []


def test_wrong_or_missing_webhook_credentials_are_refused_and_the_challenge_asks_for_them(subject):
    good, bad = (base64.b64encode(f"caller:{word}".encode()).decode() for word in ("word", "wrong"))

    subject.carrier.authenticate(WebhookRequest({"authorization": f"Basic {good}"}, b""), CREDENTIALS)
    for headers in ({}, {"authorization": f"Basic {bad}"}, {"authorization": "ünïcödé"}):
        with pytest.raises(WebhookUnauthorized):
            subject.carrier.authenticate(WebhookRequest(headers, b""), CREDENTIALS)
    subject.carrier.authenticate(WebhookRequest({}, b""), None)
    assert "WWW-Authenticate" in subject.carrier.challenge()


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad", "\u00a0", "\n", "\u3164"], ids=ascii)
def test_no_credential_may_hold_what_nobody_sees_and_the_sentence_does_not_hold_it(unseen, subject):
    names = {*subject.carrier.declaration.names, *subject.carrier.declaration.aliases}

    wrong = subject.carrier.declaration.faults({name: SecretStr(f"hush{unseen}hush") for name in names})

    assert set(wrong) == names
    assert all("at place 5" in said and "hush" not in said for said in wrong.values())


def test_the_form_of_a_credential_is_told_in_a_sentence(subject):
    declared = subject.carrier.declaration
    for name, pattern in ((field.name, field.pattern) for field in declared.credentials if field.pattern):
        assert pattern.sentence.startswith("must ")
        assert declared.faults({name: SecretStr("'quoted'")}) == {name: pattern.sentence}


def test_a_carrier_may_take_more_than_ascii_and_never_what_nobody_sees():
    pattern = CredentialPattern(re.compile(r".{3,}"), "must be long", ascii_only=False)
    password = CredentialField("password", "Password", secret=True, pattern=pattern)

    said = [password.fault(text) for text in ("pässwörd mit Leerzeichen", "pä\u200bss", "ab")]

    assert said[0] is None
    assert said[1] is not None
    assert "place 3" in said[1]
    assert said[2] == "must be long"


def test_a_webhook_is_read_the_same_every_time(subject):
    body = subject.webhook()

    assert subject.carrier.parse(body).events == (RECEIPT,)
    assert subject.carrier.parse(body) == subject.carrier.parse(body)


def test_a_bad_element_costs_no_good_one(subject):
    body = json.dumps([*json.loads(subject.webhook()), "noise"]).encode()
    parsed = subject.carrier.parse(body)

    assert parsed.events == (RECEIPT,)
    assert len(parsed.unreadable) == 1


@pytest.mark.parametrize("body", [b"", b"not json", b"null", b'"text"', b"[]", b'["noise"]', b"[" * 10_000])
def test_a_body_without_an_event_cannot_be_read(body, subject):
    with pytest.raises(WebhookUnreadable):
        subject.carrier.parse(body)


async def test_a_message_that_is_taken_gets_the_carriers_id(subject):
    result = await subject.carrier.send(message(), account())

    assert isinstance(result, Accepted)
    assert result.carrier_message_id


@pytest.mark.parametrize(
    "failure",
    [
        TemporaryFailure(Code.CARRIER_ERROR, "Busy."),
        Throttled(Code.CARRIER_BUSY, "Full."),
        Misconfigured(Code.CREDENTIALS_REFUSED, "Refused."),
        PermanentFailure(Code.CARRIER_REFUSED, "No."),
        OutcomeUnknown(Code.OUTCOME_UNKNOWN, "Lost."),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_message_that_is_not_taken_ends_in_one_send_failure(failure, subject):
    subject.next_send_ends_in(failure)

    with pytest.raises(SendFailure) as caught:
        await subject.carrier.send(message(), account())

    assert (type(caught.value), caught.value.code) == (type(failure), failure.code)


@pytest.mark.parametrize("name", CARRIERS)
def test_the_table_makes_each_carrier_without_a_network(name):
    assert CARRIERS[name]().name == name


# What only the fake can do.


async def test_the_fake_goes_through_a_script_and_stays_at_its_end():
    fake = FakeCarrier()
    fake.script("+14045550121", TemporaryFailure(Code.CARRIER_BUSY, "Later."), Accepted("second"))

    with pytest.raises(TemporaryFailure):
        await fake.send(message(), account())
    assert [await fake.send(message(), account()) for _ in range(2)] == [Accepted("second")] * 2


async def test_the_fake_can_hold_a_send_until_it_is_let_go():
    fake, go = FakeCarrier(), asyncio.Event()

    async def wait(_message: OutboundMessage) -> Accepted:
        await go.wait()
        return Accepted("held")

    fake.script("+14045550121", wait)
    sending = asyncio.create_task(fake.send(message(), account()))
    await fake.wait_until_sent(1)
    assert not sending.done()
    go.set()
    assert await sending == Accepted("held")


async def test_the_fake_remembers_what_it_was_asked():
    fake = FakeCarrier(None, {"url": "x"})
    group: Any = OutboundMessage("g", "+12025550143", ("+13125550132", "+14045550121"), "Hi")
    fake.script("+14045550121", Accepted("group"))
    fake.require("key")

    assert await fake.send(group, account()) == Accepted("group")
    assert [sent.message for sent in fake.sent] == [group]
    assert fake.declaration.missing({}) == ["key"]
    await fake.close()
    assert fake.closed
