"""Message history, asked from the dispatcher for the caller's tenant and no other."""

import json

import pytest

from tests.config.fake_dispatcher import MESSAGE, MESSAGES, TOKEN, Dispatcher, served
from tests.config.world import make_settings

pytestmark = pytest.mark.loopback


@pytest.fixture
def dispatcher():
    return Dispatcher()


@pytest.fixture
async def settings(dispatcher):
    async with served(dispatcher) as url:
        yield make_settings(dispatcher_url=url, dispatcher_read_token=TOKEN)


async def test_a_page_of_ones_own_tenant(ann, dispatcher):
    answer = await ann.get(f"{MESSAGES}?status=delivered&direction=OUT&skip=10&top=5&since=2026-03-01T00:00:00%2B01:00")

    assert answer.status == 200
    assert answer.json == {"count": 7, "items": [MESSAGE]}
    expected = {"tenant_id": "acme", "status": "delivered", "direction": "OUT", "skip": "10", "top": "5"}
    assert dispatcher.asked == [
        (MESSAGES, {**expected, "since": "2026-02-28T23:00:00Z", "orderby": "time desc"}),
    ]


async def test_a_count_that_is_not_the_whole_is_said_to_be(ann, dispatcher):
    dispatcher.answer = (200, json.dumps({"count": 1000, "more": True, "items": [MESSAGE]}))

    assert (await ann.get(MESSAGES)).json == {"count": 1000, "more": True, "items": [MESSAGE]}


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("(312) 555-0100", "+13125550100"),
        ("%2B13125550100", "+13125550100"),
        ("0044 20 7946 0000", "+442079460000"),
        ("SHOP", "SHOP"),
        ("user@example.com", "user@example.com"),
        ("%2B5215555550100", "+525555550100"),
        ("3125550100.0", "+13125550100"),
        ("789", "789"),
    ],
)
async def test_a_number_is_found_however_it_is_typed(ann, dispatcher, typed, asked):
    await ann.get(f"{MESSAGES}?number={typed}")

    assert dispatcher.asked[0][1]["number"] == asked


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=sleeping", "status"),
        ("number=5550100", "number"),
        ("number=447911123456", "number"),
        ("direction=UP", "direction"),
        ("since=yesterday", "since"),
        ("until=2026-03-01", "until"),
        ("top=0", "top"),
        ("top=101", "top"),
        ("skip=-1", "skip"),
        ("orderby=name", "orderby"),
        ("colour=red", "colour"),
        ("search=" + "x" * 65, "search"),
    ],
)
async def test_a_wrong_parameter_is_told_and_nobody_is_asked(ann, dispatcher, query, field):
    answer = await ann.get(f"{MESSAGES}?{query}")

    assert (answer.status, set(answer.field_errors())) == (422, {field})
    assert dispatcher.asked == []


async def test_one_message(ann, dispatcher):
    assert (await ann.get(f"{MESSAGES}/m1")).json == MESSAGE
    assert (await ann.get(f"{MESSAGES}/nothing")).status == 404
    assert dispatcher.asked[0] == (f"{MESSAGES}/acme/m1", {})


async def test_a_message_id_cannot_lead_elsewhere(ann, dispatcher):
    answer = await ann.get(f"{MESSAGES}/..%2Fglobex%2Fm1")

    assert answer.status == 404
    assert [path for path, _ in dispatcher.asked] in ([], [f"{MESSAGES}/acme/../globex/m1"])


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/m1"])
async def test_another_tenants_history_is_not_found(api, ann, dispatcher, path):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})

    asked = [await ann.get(f"{path}?tenant_id={tenant}") for tenant in ("globex", "nobody")]

    assert [answer.status for answer in asked] == [404, 404]
    assert asked[0].json["message"] == asked[1].json["message"]
    assert dispatcher.asked == []


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/m1"])
async def test_who_acts_for_all_tenants_says_which(api, acme, boss, dispatcher, path):
    unsaid = await boss.get(path)
    by_query = await boss.get(f"{path}?tenant_id=acme")
    by_header = await boss.get(path, **{"X-Tenant": "acme"})

    assert (unsaid.status, set(unsaid.field_errors())) == (422, {"tenant_id"})
    assert (by_query.status, by_header.status) == (200, 200)


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/m1"])
async def test_it_needs_a_credential_with_the_scope_read(anyone, acme, key_for, path):
    reader, sender = await key_for("read", tenants=["acme"]), await key_for("send", tenants=["acme"])

    assert (await anyone.get(path)).status == 401
    assert (await sender.get(path)).status == 403
    assert (await reader.get(path)).status == 200
