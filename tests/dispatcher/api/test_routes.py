"""The read API for message history: who may ask, what may be asked, and that nobody sees another tenant's messages."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from sms_common.events import StatusError
from sms_common.messages import ErrorClass, MsgType, Status
from sms_dispatcher.api.routes import MessagesApi
from sms_dispatcher.ledger.entries import EntryKind
from tests.dispatcher.builders import DID, HANDSET, NOW, entry
from tests.dispatcher.memory_ledger import MemoryHistory, MemoryLedger

pytestmark = pytest.mark.loopback

TOKEN = "correct horse"
SECOND = "+13125550132"
OUT = entry(message_id="out", status=Status.DELIVERED, provider_msg_id="carrier-1", segments=1, attempt=1)
IN = entry(
    message_id="in",
    kind=EntryKind.INBOUND,
    status=Status.DELIVERED,
    sender=SECOND,
    to=(DID,),
    created_at=NOW + timedelta(seconds=1),
)
FAILED = entry(
    message_id="failed",
    status=Status.FAILED,
    reason="Opted out.",
    error=StatusError(error_class=ErrorClass.POLICY, code="opted_out", carrier_code="4775"),
    created_at=NOW + timedelta(seconds=2),
)
GROUP = entry(
    message_id="group",
    kind=EntryKind.GROUP,
    to=(HANDSET, SECOND),
    msg_type=MsgType.MMS,
    created_at=NOW + timedelta(seconds=3),
)
PARENT = entry(message_id="list", kind=EntryKind.PARENT, to=(HANDSET, SECOND))
THEIRS = entry(tenant_id="other", message_id="theirs")


@pytest.fixture
def ledger():
    return MemoryLedger(lambda: NOW, timedelta(days=90))


@pytest.fixture
async def client(ledger) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    for known in (OUT, IN, FAILED, GROUP, PARENT, THEIRS):
        await ledger.accept(known)
    app = web.Application()
    MessagesApi(MemoryHistory(ledger), SecretStr(TOKEN)).add_to(app)
    async with TestClient(TestServer(app), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


async def ids(client, **query):
    answer = await client.get("/api/v1/messages", params={"tenant_id": "acme", **query})
    body = await answer.json()
    assert answer.status == 200, body
    return body["count"], [item["id"] for item in body["items"]]


ALL = ["group", "failed", "in", "out"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (4, ALL)),
        ({"orderby": "time"}, (4, ALL[::-1])),
        ({"orderby": "time asc"}, (4, ALL[::-1])),
        ({"skip": 1, "top": 2}, (4, ALL[1:3])),
        ({"skip": 9}, (4, [])),
        ({"direction": "IN"}, (1, ["in"])),
        ({"direction": "OUT", "status": "failed"}, (1, ["failed"])),
        ({"number": SECOND}, (2, ["group", "in"])),
        ({"number": " 13125550132"}, (2, ["group", "in"])),
        ({"search": "out"}, (1, ["out"])),
        ({"config_id": "nope"}, (0, [])),
        ({"since": "2026-11-24T12:00:02Z"}, (2, ["group", "failed"])),
        ({"until": "2026-11-24T13:00:01+01:00"}, (1, ["out"])),
        ({"tenant_id": "other"}, (1, ["theirs"])),
        ({"tenant_id": "nobody"}, (0, [])),
    ],
    ids=str,
)
async def test_a_page_is_counted_filtered_and_sorted(client, query, expected):
    assert await ids(client, **query) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "tenant_id"),
        ("tenant_id=", "tenant_id"),
        ("tenant_id=a.b", "tenant_id"),
        ("tenant_id=acme%0a", "tenant_id"),
        ("tenant_id=acme&tenant_id[$ne]=acme", "tenant_id[$ne]"),
        ("tenant_id=acme&status[$ne]=x", "status[$ne]"),
        ("tenant_id=acme&$where=sleep(1000)", "$where"),
        ("tenant_id=acme&status=received", "status"),
        ("tenant_id=acme&status=%7B%22%24ne%22%3A1%7D", "status"),
        ("tenant_id=acme&direction=in", "direction"),
        ("tenant_id=acme&orderby=text", "orderby"),
        ("tenant_id=acme&skip=-1", "skip"),
        ("tenant_id=acme&skip=100001", "skip"),
        ("tenant_id=acme&skip=9999999999999999999999999", "skip"),
        ("tenant_id=acme&top=0", "top"),
        ("tenant_id=acme&top=101", "top"),
        ("tenant_id=acme&top=many", "top"),
        ("tenant_id=acme&since=yesterday", "since"),
        ("tenant_id=acme&since=2026-11-24T12:00:00", "since"),
        ("tenant_id=acme&since=0001-01-01T00:00:00%2B14:00", "since"),
        ("tenant_id=acme&until=9999-12-31T23:59:59-14:00", "until"),
        ("tenant_id=acme&until=1e300", "until"),
        ("tenant_id=acme&number=" + "1" * 65, "number"),
        ("tenant_id=acme&search=" + "x" * 65, "search"),
        ("tenant_id=acme&config_id=a.b", "config_id"),
        ("tenant_id=acme&kind=parent", "kind"),
    ],
)
async def test_a_query_that_is_not_understood_is_refused_by_field(client, query, field):
    answer = await client.get(f"/api/v1/messages?{query}")
    body = await answer.json()

    assert (answer.status, body["code"]) == (422, "invalid_query")
    assert [error["field"].split(".")[0] for error in body["errors"]] == [field]


@pytest.mark.parametrize("text", ["%00", "%ED%A0%80", "%FF", "%F0%9F%98%80", "$ne", "{}", "a.*", "..", "%2F"])
async def test_odd_characters_find_nothing_and_break_nothing(client, text):
    page = await client.get(f"/api/v1/messages?tenant_id=acme&search={text}&number={text}")
    one = await client.get(f"/api/v1/messages/acme/{text}x")

    assert (page.status, (await page.json())["count"], one.status) == (200, 0, 404)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer ünïcode"],
)
@pytest.mark.parametrize("path", ["/api/v1/messages?tenant_id=acme", "/api/v1/messages/acme/out"])
async def test_without_the_token_there_is_nothing_to_read(client, authorization, path):
    headers = {} if authorization is None else {"Authorization": authorization}
    async with TestClient(client.server) as stranger:
        answer = await stranger.get(path, headers=headers)

        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await answer.json())["code"] == "unauthorized"


async def test_a_record_uses_portsips_words(client):
    record = await (await client.get("/api/v1/messages/acme/in")).json()

    assert {
        name: record[name] for name in ("direction", "status", "delivery", "sender", "receiver", "did", "msg_type")
    } == {
        "direction": "IN",
        "status": "received",
        "delivery": "RECV",
        "sender": SECOND,
        "receiver": DID,
        "did": DID,
        "msg_type": "SMS",
    }


async def test_a_failed_messages_record_says_why_and_when(client):
    record = await (await client.get("/api/v1/messages/acme/failed")).json()

    assert (record["delivery"], record["reason"], record["error"]["class"]) == ("ERR", "Opted out.", "policy")
    assert record["history"] == [
        {
            "status": "failed",
            "at": "2026-11-24T12:00:00.000Z",
            "sequence": 1,
            "code": "opted_out",
            "carrier_code": "4775",
        }
    ]


async def test_a_groups_record_names_every_recipient(client):
    record = await (await client.get("/api/v1/messages/acme/group")).json()

    assert (record["receiver"], record["recipients"]) == (f"{HANDSET};{SECOND}", [HANDSET, SECOND])


@pytest.mark.parametrize(
    "path", ["acme/theirs", "acme/nothing", "nobody/out", "other/out", "acme%2Fout/x", "acme/out%2F"]
)
async def test_what_is_not_there_and_what_is_somebody_elses_look_the_same(client, path):
    answer = await client.get(f"/api/v1/messages/{path}")

    assert (answer.status, (await answer.json())["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/messages?tenant_id=acme", "/api/v1/messages/acme/out"])
async def test_a_store_that_is_away_is_503_with_a_time_to_come_back(client, ledger, path):
    ledger.away = True
    answer = await client.get(path)

    assert (answer.status, answer.headers["Retry-After"], (await answer.json())["code"]) == (
        503,
        "5",
        "store_unavailable",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_the_api_only_reads(client, method):
    answer = await client.request(method, "/api/v1/messages/acme/out")

    assert answer.status == 405
