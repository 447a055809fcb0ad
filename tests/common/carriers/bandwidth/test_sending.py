"""Requests equal the recorded ones, and recorded answers mean what they say; over real HTTP to a stand-in."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from aiohttp import web

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import Account
from sms_common.errors import Code, Misconfigured, PermanentFailure, SendFailure, Throttled
from sms_common.messages import Accepted, OutboundMessage

pytestmark = pytest.mark.loopback

SAMPLES = Path(__file__).parents[3] / "data" / "http"
TEN = datetime(2026, 7, 10, 10, 0, tzinfo=UTC)


def text(**changes):
    fields = {
        "reference": "gw-1/01J8Z3T0V9",
        "sender": "+12025550143",
        "recipients": ("+14045550121",),
        "text": "Hello World",
        **changes,
    }
    return OutboundMessage(**fields)


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def recorded(name):
    """The recorded answer as one the stand-in can give."""
    response = sample(name)["response"]
    headers = {key: value for key, value in response["headers"].items() if key != "Content-Type"}
    return web.json_response(response["body"], status=response["status"], headers=headers)


ACCEPTED = {
    "create-message-sms-202": text(),
    "create-message-mms-202": text(media_urls=("https://media.example.net/out/receipt.png",)),
    "create-message-group-202": text(recipients=("+14045550121", "+13125550132", "+13035550165")),
    "create-message-priority-expiration-202": text(sender="+18885550177", high_priority=True, expires_at=TEN),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_request_is_the_recorded_one_and_its_answer_an_acceptance(name, bandwidth, stand_in, account):
    stand_in.answers.append(recorded(name))

    result = await bandwidth.send(ACCEPTED[name], account())

    (call,) = stand_in.messages
    assert call.path == sample(name)["request"]["path"]
    assert call.body == sample(name)["request"]["body"]
    assert result == Accepted(sample(name)["response"]["body"]["id"], 1)


async def test_an_answer_to_a_single_recipient_is_read_the_same(bandwidth, stand_in, account):
    stand_in.answers.append(recorded("create-message-to-as-string-202"))

    assert await bandwidth.send(text(), account()) == Accepted("1783674000123vsozm773jfj2gerk", 1)


@pytest.mark.parametrize(
    ("name", "kind", "code", "carrier_code"),
    [
        ("create-message-400-field-error", PermanentFailure, Code.CARRIER_REFUSED, "request-validation"),
        ("create-message-400-no-field-errors", PermanentFailure, Code.CARRIER_REFUSED, "request-validation"),
        ("create-message-401", Misconfigured, Code.CREDENTIALS_REFUSED, "unauthorized"),
        ("create-message-403", Misconfigured, Code.CREDENTIALS_REFUSED, "forbidden"),
        ("create-message-415", PermanentFailure, Code.CARRIER_REFUSED, "unsupported-content-type"),
        ("create-message-429-queue-full", Throttled, Code.CARRIER_BUSY, "max-message-queue-size-exceeded"),
        ("wrong-path-404-other-shape", PermanentFailure, Code.CARRIER_REFUSED, "404"),
    ],
)
async def test_a_recorded_refusal_is_one_failure(name, kind, code, carrier_code, bandwidth, stand_in, account):
    stand_in.answers.extend([recorded(name), recorded(name)])

    with pytest.raises(SendFailure) as caught:
        await bandwidth.send(text(recipients=("+1invalid",)), account())

    failure = caught.value
    assert (type(failure), failure.code, failure.carrier_code) == (kind, code, carrier_code)
    assert "invalid'" not in failure.reason


async def test_a_recorded_retry_after_is_honoured(bandwidth, stand_in, account):
    stand_in.answers.append(recorded("list-messages-429"))

    with pytest.raises(Throttled) as caught:
        await bandwidth.send(text(), account())

    assert caught.value.retry_after == 300.0


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        pytest.param({}, {}, id="plain"),
        pytest.param(
            {"text": None, "media_urls": ("https://m.example/a.png",)},
            {"media": ["https://m.example/a.png"]},
            id="media",
        ),
        pytest.param(
            {"text": "", "media_urls": ("https://m.example/a",)}, {"media": ["https://m.example/a"]}, id="empty-text"
        ),
        pytest.param({"text": "Hola 👋 €\n"}, {"text": "Hola 👋 €\n"}, id="unicode"),
        pytest.param({"high_priority": True}, {"priority": "high"}, id="high"),
        pytest.param(
            {"expires_at": datetime(2026, 7, 10, 6, 0, 0, 999999, tzinfo=timezone(timedelta(hours=-4)))},
            {"expiration": "2026-07-10T06:00:00-04:00"},
            id="expiration-with-offset",
        ),
        pytest.param({"sender": "Example Co"}, {"from": "Example Co"}, id="alphanumeric-sender"),
    ],
)
async def test_only_what_is_asked_for_is_in_the_request(changes, fields, bandwidth, stand_in, account):
    await bandwidth.send(text(**changes), account())

    expected = {
        "applicationId": "0f1e2d3c-4b5a-4678-9abc-def012345678",
        "to": ["+14045550121"],
        "from": "+12025550143",
        "tag": "gw-1/01J8Z3T0V9",
        **({"text": "Hello World"} if "text" not in changes else {}),
        **fields,
    }
    assert stand_in.messages[0].body == expected


async def test_the_request_is_json_with_a_bearer_token(bandwidth, stand_in, account):
    await bandwidth.send(text(), account())

    headers = stand_in.messages[0].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer canary-token-1"


async def test_the_account_id_cannot_lead_to_another_path(bandwidth, stand_in, account):
    await bandwidth.send(text(), account(account_id="../55 00/é?x#y"))

    assert stand_in.messages[0].path == "/api/v2/users/..%2F55%2000%2F%C3%A9%3Fx%23y/messages"


async def test_a_text_that_is_no_unicode_is_refused_before_it_leaves(bandwidth, stand_in, account):
    with pytest.raises(PermanentFailure) as caught:
        await bandwidth.send(text(text="\ud83d alone"), account())

    assert caught.value.code is Code.INVALID_REQUEST
    assert (stand_in.messages, stand_in.token_calls) == ([], [])


@pytest.mark.parametrize("name", ["account_id", "application_id", "api_token", "api_secret"])
@pytest.mark.parametrize("value", [None, ""], ids=["absent", "empty"])
async def test_a_missing_credential_stops_the_lane_before_anything_leaves(name, value, bandwidth, stand_in, account):
    incomplete = account(**{name: value})

    with pytest.raises(Misconfigured, match=name) as caught:
        await bandwidth.send(text(), incomplete)

    assert caught.value.code is Code.CONFIG_INCOMPLETE
    assert bandwidth.declaration.missing(incomplete.credentials) == [name]
    assert (stand_in.messages, stand_in.token_calls) == ([], [])


async def test_credentials_may_go_by_their_older_names(bandwidth, stand_in, account):
    older = account(api_token=None, api_secret=None, username="older-user", password="older-word")

    await bandwidth.send(text(), older)

    assert bandwidth.declaration.missing(older.credentials) == []
    assert stand_in.token_calls[0].authorization == _basic("older-user", "older-word")
    assert dict(Bandwidth.declaration.aliases) == {"username": "api_token", "password": "api_secret"}


async def test_an_account_may_ask_for_basic(bandwidth, stand_in, account):
    await bandwidth.send(text(), account(auth="basic"))

    assert stand_in.messages[0].authorization == _basic("canary-client", "canary-secret")
    assert stand_in.token_calls == []


async def test_a_process_may_ask_for_basic(http, stand_in, account):
    carrier = Bandwidth(http, {"messaging_url": f"{stand_in.url}/api/v2", "basic_auth": True})

    await carrier.send(text(), account(auth="oauth2"))

    assert stand_in.messages[0].authorization == _basic("canary-client", "canary-secret")


async def test_a_refused_basic_password_is_not_tried_twice(bandwidth, stand_in, account):
    stand_in.answers.append(recorded("create-message-401"))

    with pytest.raises(Misconfigured):
        await bandwidth.send(text(), account(auth="basic"))

    assert len(stand_in.messages) == 1


async def test_a_redirect_is_not_followed(bandwidth, stand_in, account):
    stand_in.answers.append(web.Response(status=307, headers={"Location": f"{stand_in.url}/elsewhere"}))

    with pytest.raises(SendFailure) as caught:
        await bandwidth.send(text(), account())

    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert len(stand_in.messages) == 1


async def test_a_cancelled_send_is_cancelled(bandwidth, stand_in, account):
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hang():
        arrived.set()
        await never.wait()

    stand_in.answers.append(hang)
    sending = asyncio.create_task(bandwidth.send(text(), account()))
    await arrived.wait()
    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    never.set()


async def test_accounts_are_told_apart(bandwidth, stand_in, account):
    await asyncio.gather(
        bandwidth.send(text(), account(account_id="one")), bandwidth.send(text(), account(account_id="two"))
    )

    assert {call.path for call in stand_in.messages} == {"/api/v2/users/one/messages", "/api/v2/users/two/messages"}


async def test_an_account_shows_no_secret(account):
    assert "canary" not in repr(account())
    assert isinstance(account(), Account)


def _basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
