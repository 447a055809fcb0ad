"""Faults strike Bandwidth's calls: at which call, at which moment."""

import asyncio
import time

import aiohttp
import pytest

from carrier_simulator import Fault
from tests.simulator.conftest import ACCOUNT, HANDSET, OWN

BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
ANSWERS = {
    "error": (500, "application/json"),
    "html": (502, "text/html"),
    "empty": (503, "application/json"),
    "queue_full": (429, "application/json"),
    "unauthorized": (401, "application/json"),
    "not_found": (404, "application/json"),
}


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize(("kind", "answer"), ANSWERS.items(), ids=ANSWERS)
async def test_a_bad_answer_comes_before_or_after_accepting(api, kind, answer, stage):
    status, _ = await api.control("POST", "/faults", {"kind": kind, "stage": stage, "retry_after": "7"})
    assert status == 201

    status, headers, body = await api.send(tag="struck")
    accepted = [arrival.tag for arrival in api.simulator.arrivals()]

    assert (status, headers["Content-Type"], headers["Retry-After"]) == (answer[0], answer[1], "7")
    assert accepted == (["struck"] if stage == "after" else [])
    assert (await api.send())[0] == 202
    if kind == "queue_full":
        assert body["type"] == "max-message-queue-size-exceeded"
    if kind == "not_found":
        assert set(body) == {"timestamp", "status", "error", "message", "path"}
    if kind == "empty":
        assert body == b""


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize("kind", ["cut", "cut_midway"])
async def test_a_cut_connection_leaves_the_client_without_an_answer(api, kind, stage):
    await api.token()
    await api.send()
    api.simulator.add_fault(Fault(kind=kind, stage=stage))

    with pytest.raises(BROKEN):
        await api.send(tag="cut")

    assert len(api.simulator.arrivals(tag="cut")) == (1 if stage == "after" else 0)
    assert (await api.send())[0] == 202


@pytest.mark.parametrize("stage", ["before", "after"])
async def test_a_slow_answer_comes_later_and_the_message_is_accepted_then_or_at_once(api, stage):
    api.simulator.add_fault(Fault(kind="slow", stage=stage, delay=0.2))
    await api.token()
    began = time.monotonic()

    sending = asyncio.create_task(api.send(tag="slow"))
    await api.simulator.wait_for_arrivals(1, tag="slow")
    accepted_after = time.monotonic() - began
    status, _, _ = await sending

    assert (status, time.monotonic() - began >= 0.2) == (202, True)
    assert (accepted_after >= 0.2) == (stage == "before")


async def test_a_fault_of_its_own_status_and_delay(api):
    api.simulator.add_fault(Fault(kind="error", status=503, delay=0.02))

    began = time.monotonic()
    status, _, _ = await api.send()

    assert status == 503
    assert time.monotonic() - began >= 0.02


async def test_a_fault_after_accepting_waits_for_a_message_that_is_accepted(api):
    api.simulator.add_fault(Fault(kind="error", stage="after"))

    assert (await api.send(to=["+1invalid"]))[0] == 400
    assert (await api.send())[0] == 500


@pytest.mark.parametrize(
    ("endpoint", "method", "path"),
    [
        ("list", "GET", f"/api/v2/users/{ACCOUNT}/messages?sourceTn=%2B12025550143"),
        ("media", "GET", f"/api/v2/users/{ACCOUNT}/media"),
        ("media", "PUT", f"/api/v2/users/{ACCOUNT}/media/a.png"),
        ("multichannel", "POST", f"/api/v2/users/{ACCOUNT}/messages/multiChannel"),
        ("token", "POST", "/api/v1/oauth2/token"),
    ],
    ids=["list", "media-list", "media-upload", "multichannel", "token"],
)
async def test_every_call_can_fail(api, endpoint, method, path):
    await api.token()
    api.authorization = "Bearer x"
    api.simulator.add_fault(Fault(kind="html", endpoint=endpoint))

    status, _, _ = await api.call(method, path)

    assert status == 502
    _, state = await api.control("GET", "")
    assert state["answers"][f"{endpoint} 502"] == 1


async def test_a_token_call_can_be_down_and_come_back(api):
    api.simulator.add_fault(Fault(kind="cut", endpoint="token", times=1))

    with pytest.raises(BROKEN):
        await api.token()

    assert (await api.token())["token_type"] == "Bearer"


async def test_a_fault_can_be_for_one_account_recipient_sender_or_tag(api):
    targets = {"account_id": ACCOUNT, "to": HANDSET, "sender": OWN, "tag": "t"}
    for name, value in targets.items():
        api.simulator.faults.clear()
        api.simulator.add_fault(Fault(kind="error", **{name: "other" if name != "account_id" else "0"}))
        api.simulator.add_fault(Fault(kind="empty", **{name: value}))
        assert (await api.send(tag="t"))[0] == 503, name


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"to": 5, "from": 5, "tag": 5}', b'{"to": "+14045550121"}'])
async def test_a_broken_request_can_be_struck_too(api, body):
    api.simulator.add_fault(Fault(kind="empty"))
    headers = {"Content-Type": "application/json"}

    status, _, _ = await api.call("POST", f"/api/v2/users/{ACCOUNT}/messages", data=body, headers=headers)

    assert status == 503
