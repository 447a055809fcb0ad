"""The control API: what it sets, what it shows, whom it lets in."""

import asyncio

import pytest

from carrier_simulator import MessageOutcome, SimulatorSettings
from carrier_simulator.carrier.journal import Journal
from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, account, basic

OTHER_APPLICATION = APPLICATION.replace("0f", "1f", 1)


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


async def test_old_arrivals_are_forgotten_with_their_counts(start):
    api = await start(arrivals_limit=2)
    for tag in ("a", "a", None, "b", "c"):
        await api.send(tag=tag)

    _, counts = await api.control("GET", "/arrivals/counts?tags=all")
    _, body = await api.control("GET", "/arrivals")

    assert (counts["accepted"], counts["forgotten"], counts["tags"], counts["untagged"]) == (5, 3, {"b": 1, "c": 1}, 0)
    assert [arrival["sequence"] for arrival in body["arrivals"]] == [4, 5]


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


async def test_an_account_is_added_shown_masked_and_used(api, receiver):
    document = account(receiver.url).model_dump(mode="json")
    document |= {
        "account_id": "77",
        "credentials": [{"client_id": "second", "client_secret": "second-secret"}],
        "users": [],
    }

    status, shown = await api.control("PUT", "/accounts/77", document)
    api.authorization = f"Bearer {(await api.token('second', 'second-secret'))['access_token']}"

    assert (status, shown["credentials"][0]["client_secret"]) == (200, "**********")
    assert (await api.send(account_id="77"))[0] == 202
    _, accounts = await api.control("GET", "/accounts")
    assert {one["account_id"] for one in accounts} == {ACCOUNT, "77"}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/accounts/77", []),
        ("/accounts/77", {"account_id": "78"}),
        ("/accounts/77", {"rate": -1}),
        ("/accounts/77", {"applications": [{"application_id": "x"}]}),
        ("/accounts/77", {"applications": [{"application_id": APPLICATION, "inbound_url": "ftp://x"}]}),
        ("/accounts/77", {"colour": "red"}),
        ("/accounts/a%20b", {}),
        ("/clock", {"advance": -1}),
        ("/inbound", {"from": HANDSET, "to": []}),
        ("/inbound", {"from": HANDSET, "to": OWN, "account_id": ACCOUNT}),
        ("/inbound", {"from": HANDSET, "to": OWN, "media": "x"}),
        ("/inbound", {"from": HANDSET, "to": OWN, "media": ["a/b.png"]}),
        ("/webhooks", {"account_id": ACCOUNT, "application_id": OTHER_APPLICATION, "direction": "inbound", "body": 1}),
        ("/webhooks", {"account_id": "nobody", "application_id": APPLICATION, "direction": "inbound", "body": 1}),
    ],
    ids=str,
)
async def test_what_cannot_be_used_is_refused_with_a_reason(api, path, document):
    method = "PUT" if path.startswith("/accounts") else "POST"

    status, body = await api.control(method, path, document)

    assert status == 400
    assert body["error"]


async def test_a_refusal_does_not_repeat_secrets(api):
    document = {"credentials": [{"client_id": "x", "client_secret": {"value": "canary-secret"}}]}

    _, body = await api.control("PUT", "/accounts/77", document)

    assert "canary-secret" not in str(body)


async def test_a_body_that_is_not_json_is_refused(api):
    status, _, body = await api.call("POST", "/_simulator/outcomes", authorization=None, data=b"{")

    assert (status, body["error"]) == (400, "the body is not JSON")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": None}, None),
        ({"omit_text": True}, "absent"),
        ({}, ""),
        ({"text": "ж" * 71}, "ж" * 71),
    ],
    ids=["null", "absent", "empty", "two-segments"],
)
async def test_inbound_text_may_be_null_absent_or_long(api, receiver, fields, expected):
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, **fields})
    [event] = await receiver.events(1)

    assert event["message"].get("text", "absent") == expected
    assert event["message"]["segmentCount"] == (2 if expected and len(expected) == 71 else 1)


async def test_inbound_can_be_doubled_renamed_bare_and_without_fractions(api, receiver):
    fields = {"message_id": "my-id", "copies": 2, "shape": "object", "time_digits": 0, "text": "x"}

    status, body = await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, **fields})
    await receiver.events(2)

    assert (status, body["messages"][0]["message_id"]) == (202, "my-id")
    assert receiver.received[0].raw == receiver.received[1].raw
    assert [attempt.number for attempt in await api.simulator.wait_for_attempts(2)] == [1, 1]
    assert receiver.received[0].body["message"]["id"] == "my-id"
    assert "." not in receiver.received[0].body["time"]


async def test_inbound_goes_to_a_named_application_when_no_account_lists_the_number(api, receiver):
    named = {"account_id": ACCOUNT, "application_id": APPLICATION}

    status, _ = await api.control("POST", "/inbound", {"from": HANDSET, "to": "+12025559999", "text": "x", **named})
    [event] = await receiver.events(1)

    assert (status, event["to"]) == (202, "+12025559999")


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "+12025559999"},
        {"account_id": ACCOUNT, "application_id": OTHER_APPLICATION},
        {"account_id": "nobody", "application_id": APPLICATION},
        {"to": [OWN, "+12025550144"], "message_id": "one"},
    ],
    ids=["nobodys-number", "unknown-application", "unknown-account", "one-id-for-two"],
)
async def test_inbound_to_nobody_is_refused(api, fields):
    status, body = await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "text": "x", **fields})

    assert status == 400
    assert body["error"]


async def test_the_clock_can_be_moved_over_http(start):
    api = await start(frozen=True)

    assert await api.control("POST", "/clock", {"advance": 3600}) == (200, {"time": "2026-07-10T10:00:00.123000Z"})


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


async def test_the_state_is_cleared_but_accounts_and_tokens_stay(api):
    await api.send(tag="t")
    api.simulator.script(MessageOutcome(final="none"), to="*")
    await api.control("POST", "/faults", {"kind": "error"})
    await api.simulator.wait_for_attempts(2)

    assert await api.control("DELETE", "/state") == (204, b"")

    _, state = await api.control("GET", "")
    assert (state["accepted"], state["webhooks"]["requests"], state["answers"], state["tokens"]["calls"]) == (
        0,
        0,
        {},
        0,
    )
    assert (await api.send(tag="again"))[0] == 202
    await api.simulator.wait_for_attempts(1, kind="message-delivered")


async def test_the_control_token_is_asked_for_when_there_is_one(start):
    api = await start(control_token="let-me-in")
    wrong = [{}, {"headers": {"Authorization": "Bearer wrong"}}, {"headers": {"Authorization": basic("a", "b")}}]

    for options in wrong:
        assert (await api.control("GET", "", **options))[0] == 403
    assert (await api.control("GET", "", headers={"Authorization": "Bearer let-me-in"}))[0] == 200


async def test_health_is_open_to_all(start):
    api = await start(control_token="let-me-in")

    assert (await api.call("GET", "/healthz", authorization=None))[2] == {"status": "ok"}


async def test_an_unknown_control_path_is_404(api):
    assert (await api.control("GET", "/nothing"))[0] == 404


def test_settings_do_not_show_the_control_token(monkeypatch):
    monkeypatch.setenv("SIMULATOR_CONTROL_TOKEN", "canary")
    monkeypatch.setenv("SIMULATOR_ACCOUNTS", '[{"account_id": "1"}]')
    monkeypatch.setenv("SIMULATOR_WEBHOOK_RETRY_DELAYS", "[1, 2]")

    settings = SimulatorSettings()

    assert "canary" not in repr(settings)
    assert settings.accounts[0].account_id == "1"
    assert settings.webhook_retry_delays == (1, 2)


async def test_a_journal_keeps_its_limit_and_counts_all():
    journal: Journal[Entry] = Journal(limit=2)
    gone = [journal.append(Entry(number)) for number in (1, 2, 3)]

    assert (len(journal), journal.total, journal.forgotten, gone[2] and gone[2].sequence) == (2, 3, 1, 1)
    assert [entry.sequence for entry in journal] == [2, 3]


class Entry:
    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
