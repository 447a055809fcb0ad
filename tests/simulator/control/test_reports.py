"""What the control API shows, and waiting for it."""

import asyncio

import pytest

from tests.simulator.conftest import ACCOUNT, HANDSET, OWN


async def test_arrivals_show_what_was_accepted_and_how_often_its_tag_came(api):
    await api.send(tag="once", text="Hello")
    await api.send(tag="twice", to=[HANDSET, "+14045550122"], priority="high", expiration="2099-01-01T00:00:00Z")
    await api.send(tag="twice")
    await api.send()

    _, body = await api.control("GET", "/arrivals?tag=twice")
    _, counts = await api.control("GET", "/arrivals/counts?tags=all")

    assert (body["total"], body["forgotten"], len(body["arrivals"])) == (2, 0, 2)
    first = body["arrivals"][0]
    assert (first["tag_count"], first["kind"], first["segments"], first["priority"]) == (2, "mms", 1, "high")
    assert (first["from"], first["to"], first["expiration"]) == (OWN, [HANDSET, "+14045550122"], "2099-01-01T00:00:00Z")
    assert [status["to"] for status in first["statuses"]] == first["to"]
    assert counts == {
        "accepted": 4,
        "forgotten": 0,
        "untagged": 1,
        "distinct_tags": 2,
        "duplicates": {"twice": 2},
        "tags": {"once": 1, "twice": 2},
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("?tag_prefix=a-", 2),
        ("?to=%2B14045550122", 1),
        ("?sender=%2B12025550144", 1),
        ("?account_id=5500001&after=1", 2),
        ("?account_id=nobody", 0),
        ("?message_id=x", 0),
        ("?limit=1", 3),
    ],
)
async def test_arrivals_can_be_filtered(api, query, count):
    await api.send(tag="a-1")
    await api.send(tag="a-2", to="+14045550122")
    await api.send(**{"from": "+12025550144"})

    _, body = await api.control("GET", f"/arrivals{query}")

    assert body["total"] == count
    assert len(body["arrivals"]) == (1 if "limit" in query else count)


async def test_webhook_requests_show_status_and_duration(api, receiver):
    receiver.answers.append(503)
    await api.send(tag="t")
    await api.simulator.wait_for_attempts(2, tag="t")

    _, body = await api.control("GET", "/webhooks?tag=t&type=message-sent&answered=503&direction=outbound")

    [attempt] = body["webhooks"]
    assert (attempt["status"], attempt["try"], attempt["error"], attempt["authorized"]) == (503, 1, None, False)
    assert (attempt["to"], attempt["url"]) == (HANDSET, f"{receiver.url}/outbound")
    assert attempt["duration"] > 0
    assert (await api.control("GET", f"/webhooks?message_id={attempt['message_id']}&to=x"))[1]["total"] == 0
    assert (await api.control("GET", "/webhooks?after=1"))[1]["webhooks"][0]["sequence"] == 2


async def test_waiting_ends_when_enough_has_happened(api):
    waits = [
        asyncio.create_task(api.control("POST", "/wait", {"arrivals": 2, "where": {"tag_prefix": "t"}})),
        asyncio.create_task(
            api.control("POST", "/wait", {"webhooks": 2, "where": {"type": "message-delivered", "answered": 2}})
        ),
    ]
    await api.send(tag="t1")
    await api.send(tag="t2")
    await api.send(tag="other")

    assert await waits[0] == (200, {"met": True, "seen": 2})
    status, body = await waits[1]
    assert (status, body["met"]) == (200, True)
    assert (await api.control("POST", "/wait", {"arrivals": 3}))[0] == 200


async def test_waiting_ends_with_408_when_too_little_happens(api):
    await api.send()

    assert await api.control("POST", "/wait", {"arrivals": 2, "timeout": 0.01}) == (408, {"met": False, "seen": 1})
    with pytest.raises(TimeoutError, match="1 of 2 messages"):
        await api.simulator.wait_for_arrivals(2, within=0.01)
    with pytest.raises(TimeoutError, match="0 of 1 webhooks"):
        await api.simulator.wait_for_attempts(1, within=0.01, tag="none")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"arrivals": 1, "webhooks": 1},
        {"arrivals": 0},
        {"arrivals": 1, "where": {"colour": "x"}},
        {"webhooks": 1, "where": {"direction": "up"}},
    ],
)
async def test_waiting_for_nonsense_is_refused(api, body):
    assert (await api.control("POST", "/wait", body))[0] == 400


async def test_the_overview_counts(api):
    await api.send(tag="t")
    await api.send(to=["+1invalid"])
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "text": "x"})
    await api.simulator.wait_for_attempts(3)

    status, state = await api.control("GET", "")

    assert status == 200
    assert (state["accepted"], state["received"], state["tokens"]["calls"]) == (1, 1, 1)
    assert state["queues"][ACCOUNT] == {"messages": 0, "segments": 0, "rate": 0, "depth_seconds": 900}
    assert state["webhooks"]["requests"] == 3
    assert state["answers"] == {"token 200": 1, "messages 202": 1, "messages 400": 1}
