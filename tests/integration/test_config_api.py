"""The API of the control plane on a real MongoDB: what is only true when documents and transactions are real."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from bson import json_util
from pydantic import SecretStr
from pymongo import MongoClient

from sms_config.main import build_app
from sms_config.model.keyring import new_entry
from sms_config.resources.key_rotation import rewrap
from sms_config.settings import ConfigSettings
from sms_config.storage.store import MongoStore
from tests.config.world import BOOTSTRAP, CREDENTIALS, DISPATCHER, INGRESS, TRUNK, Api, make_settings
from tests.stack import Database

pytestmark = pytest.mark.integration
SMS = "/api/v1/sms"
TRUNKS = "/api/v1/trunks"
CANARIES = {
    "account_id": "canary-account-4711",
    "application_id": "canary-application-4712",
    "api_token": "canary-token-4713",
    "api_secret": "canary-secret-4714",
}
PASSWORD = "canary-password-4715"


@pytest.fixture
async def processes(database: Database) -> AsyncIterator[Any]:
    """Start config processes on one database."""
    opened: list[Any] = []

    async def start(settings: ConfigSettings) -> Api:
        store = await MongoStore(SecretStr(database.url), database.name).__aenter__()
        await store.prepare()
        client: TestClient[Any, Any] = TestClient(
            TestServer(build_app(settings, store, wake=lambda: None, waiting_for=lambda: None))
        )
        await client.start_server()
        opened.extend((client.close, lambda: store.__aexit__(None, None, None)))
        return Api(client, BOOTSTRAP)

    yield start
    for close in opened:
        await close()


@pytest.fixture
def settings() -> ConfigSettings:
    return make_settings()


@pytest.fixture
async def api(processes: Any, settings: ConfigSettings) -> Any:
    return await processes(settings)


@pytest.fixture
async def trunk(api: Api) -> Any:
    await api.made("/api/v1/tenants", {"id": "acme", "name": "Acme"})
    return await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme", "dids": "2015550100-2015550199"})


def dump(database: Database) -> str:
    """Everything in the database as text, binary values as they lie there."""
    client: MongoClient[Any]
    with MongoClient(database.url) as client:
        here: Any = client[database.name]
        documents = [list(here[name].find()) for name in here.list_collection_names()]
    return json_util.dumps(documents) + repr(documents)


async def test_the_raw_database_holds_no_secret_no_token_and_no_key(api, trunk, database):
    body = {"provider_id": trunk["id"], "credentials": CANARIES, "callback": {"username": "u", "password": PASSWORD}}
    sms = await api.made(SMS, {"name": "Canaries", **body})
    rotated = await api.call("POST", f"{SMS}/{sms['id']}/rotate-webhook")
    changed = await api.call(
        "PATCH", f"{SMS}/{sms['id']}", {"credentials": {"api_secret": CANARIES["api_secret"] + "-2"}}
    )
    key = await api.made("/api/v1/api-keys", {"name": "k", "scopes": ["read"]})
    gone = await api.made(SMS, {"name": "Gone", **body})
    await api.call("DELETE", f"{SMS}/{gone['id']}")

    raw = dump(database)

    tokens = [shown["webhook"].rsplit("/", 1)[1] for shown in (sms, rotated.json, gone)]
    hidden = [
        *CANARIES.values(),
        PASSWORD,
        *tokens,
        key["key"],
        key["key"].split("_", 2)[2],
        BOOTSTRAP,
        INGRESS,
        DISPATCHER,
    ]
    assert changed.status == 200
    assert "Canaries" in raw
    assert [value for value in hidden if value in raw] == []


async def test_what_is_written_is_what_the_snapshots_say(api, trunk):
    sms = await api.made(SMS, {"name": "N", "provider_id": trunk["id"], "credentials": CREDENTIALS})

    snapshot = (await api.with_credential(DISPATCHER).get("/internal/v1/snapshot/dispatcher")).json

    assert [(config["id"], config["credentials"]) for config in snapshot["configs"]] == [(sms["id"], CREDENTIALS)]


async def test_of_overlapping_pools_saved_at_once_one_is_taken(processes, api, trunk, settings):
    other = await processes(settings)
    answers = await asyncio.gather(
        *(
            one.call(
                "POST",
                TRUNKS,
                {**TRUNK, "name": f"{n} of {place}", "tenant_id": "acme", "dids": f"2015550200-20155502{n}9"},
            )
            for n in range(4)
            for place, one in enumerate((api, other))
        )
    )

    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


async def test_of_trunks_called_alike_saved_at_once_one_is_taken(processes, api, trunk, settings):
    other = await processes(settings)
    answers = await asyncio.gather(
        *(
            one.call("POST", TRUNKS, {**TRUNK, "name": name, "tenant_id": "acme", "dids": ""})
            for name in ("Second", "SECOND", " second\u200b")
            for one in (api, other)
        )
    )

    assert sorted(answer.status for answer in answers) == [201] + [409] * 5


async def test_of_changes_of_one_version_made_at_once_one_is_taken(processes, api, trunk, settings):
    other = await processes(settings)
    answers = await asyncio.gather(
        *(
            one.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"name": f"Name {n}", "version": 1})
            for n, one in enumerate((api, other, api, other))
        )
    )

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert (await api.get(f"/api/v1/audit?filter=object_id eq {trunk['id']}")).json["count"] == 2


async def test_a_trunk_and_a_configuration_that_needs_it_do_not_miss_each_other(processes, api, trunk, settings):
    """However a deletion and a creation meet, no configuration is left without its trunk."""
    other = await processes(settings)
    deleted, made = await asyncio.gather(
        api.call("DELETE", f"{TRUNKS}/{trunk['id']}"),
        other.call("POST", SMS, {"name": "N", "provider_id": trunk["id"]}),
    )

    assert (deleted.status, made.status) in {(204, 422), (409, 201)}


async def test_a_rule_and_the_end_of_what_it_names_do_not_miss_each_other(processes, api, trunk, settings):
    """However a deletion and a rule meet, no rule is left without its configuration."""
    other = await processes(settings)
    sms = await api.made(SMS, {"name": "N", "provider_id": trunk["id"]})
    rule = {"tenant_id": "acme", "name": "Out", "prefixes": "44", "routes": [{"config_id": sms["id"]}]}

    deleted, made = await asyncio.gather(
        api.call("DELETE", f"{SMS}/{sms['id']}"), other.call("POST", "/api/v1/outbound-rules", rule)
    )

    assert (deleted.status, made.status) in {(204, 422), (409, 201)}


async def test_an_extension_made_twice_at_once_is_there_once(processes, api, trunk, settings):
    other = await processes(settings)
    given = {"tenant_id": "acme", "extension": "101"}

    answers = await asyncio.gather(*(one.call("POST", "/api/v1/extensions", given) for one in (api, other, api)))

    assert sorted(answer.status for answer in answers) == [201, 409, 409]


async def test_rules_of_another_process_are_in_the_next_snapshot_each_as_it_is(processes, api, trunk, settings):
    other = await processes(settings)
    caller = {"number": "2015550101", "trunk_id": trunk["id"]}
    await api.made("/api/v1/extensions", {"tenant_id": "acme", "extension": "101", "caller_ids": [caller]})
    rules = [await api.made("/api/v1/inbound-rules", {"tenant_id": "acme", "name": name}) for name in ("A", "B")]

    async def seen():
        snapshot = (await api.with_credential(DISPATCHER).get("/internal/v1/snapshot/dispatcher")).json
        (found,) = snapshot["rules"]
        return [rule["name"] for rule in found["inbound"]], len(found["extensions"]), found["schedule"]["time_zone"]

    hours = {"monday": [{"opens": "09:00", "closes": "17:00"}]}
    states = [await seen()]
    await other.call("PATCH", f"/api/v1/inbound-rules/{rules[0]['id']}", {"name": "Changed", "own_hours": hours})
    states.append(await seen())
    await other.call("DELETE", f"/api/v1/inbound-rules/{rules[1]['id']}")
    await other.call("PATCH", "/api/v1/routing?tenant_id=acme", {"time_zone": "Europe/London", "hours": hours})
    states.append(await seen())

    assert states == [(["A", "B"], 1, "UTC"), (["Changed", "B"], 1, "UTC"), (["Changed"], 1, "Europe/London")]


async def test_a_lent_trunk_serves_each_borrower_on_real_documents(api, trunk):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    pools = [{"tenant_id": "acme", "dids": "3015550100"}, {"tenant_id": "globex", "dids": "3015550101"}]
    lent = await api.made(TRUNKS, {**TRUNK, "name": "Lent", "pools": pools})
    key = await api.made("/api/v1/api-keys", {"name": "k", "scopes": ["config"], "tenants": ["globex"]})
    globex = api.with_credential(key["key"])

    made = await globex.made(SMS, {"name": "N", "provider_id": lent["id"], "limits": {"segments_per_second": 2.5}})
    listed = (await globex.get(TRUNKS)).json

    assert (made["tenant_id"], made["limits"]["segments_per_second"]) == ("globex", 2.5)
    assert [(one["name"], one["dids"]) for one in listed["items"]] == [("Lent", "+13015550101")]
    assert (await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": pools[:1]})).status == 409


async def test_a_change_by_another_process_is_in_the_next_snapshot(processes, api, trunk, settings):
    other = await processes(settings)
    ingress = api.with_credential(INGRESS)
    path = "/internal/v1/snapshot/ingress"
    before = await ingress.get(path)

    await other.made(SMS, {"name": "N", "provider_id": trunk["id"]})
    after = await ingress.get(path, headers={"If-None-Match": before.headers["ETag"]})
    unchanged = await ingress.get(path, headers={"If-None-Match": after.headers["ETag"]})

    assert (after.status, len(after.json["endpoints"]), unchanged.status) == (200, 1, 304)


async def test_a_key_is_rotated_while_the_service_runs(processes, api, trunk, settings, database):
    """Start with a new first key, rewrap, and the old key can go."""
    sms = await api.made(SMS, {"name": "N", "provider_id": trunk["id"], "credentials": CREDENTIALS})
    old = settings.key_ring.get_secret_value()
    new = new_entry("k2")
    both, only_new = make_settings(key_ring=f"{new},{old}"), make_settings(key_ring=new)
    async with MongoStore(SecretStr(database.url), database.name) as store:
        assert await rewrap(store, both.keys, lambda _: None)

    later = await processes(only_new)

    snapshot = (await later.with_credential(DISPATCHER).get("/internal/v1/snapshot/dispatcher")).json
    assert snapshot["configs"][0]["credentials"] == CREDENTIALS
    assert (await later.get(f"{SMS}/{sms['id']}")).json == sms


@pytest.mark.parametrize(
    "query",
    [
        "filter=name eq '$where' and id ne null",
        "search=[$ne]",
        "name[$gt]=",
        "filter=name in ('$ne', '{}')",
        "orderby=name desc,id&skip=1&top=1",
        "filter=created_at gt 1970-01-01",
        "filter=created_at gt 0001-01-01",
        "filter=created_at lt 9999-12-31T23:59:59-12:00",
        "name=%ff%fe",
        "search=%ED%A0%80",
        "name=%00",
    ],
)
async def test_no_query_is_an_operator_or_an_error(api, trunk, query):
    for path in ("tenants", "trunks"):
        assert (await api.get(f"/api/v1/{path}?{query}")).status in {200, 422}


async def test_keys_work_expire_and_are_revoked(api, trunk):
    made = await api.made("/api/v1/api-keys", {"name": "k", "scopes": ["config"], "tenants": ["acme"]})
    key = api.with_credential(made["key"])

    used = await key.get(TRUNKS)
    seen = await api.get(f"/api/v1/api-keys/{made['id']}")
    await api.call("DELETE", f"/api/v1/api-keys/{made['id']}")
    after = await key.get(TRUNKS)

    assert (used.status, used.json["count"], after.status) == (200, 1, 401)
    assert seen.json["last_used_at"] is not None


@pytest.mark.parametrize("object_id", ["a%00b", "%ff", "%ED%A0%80", "$ne", "%7B%22$gt%22:%22%22%7D", "x" * 4000])
async def test_no_id_is_an_operator_or_an_error(api, object_id):
    for path in ("tenants", "trunks", "sms", "api-keys", "audit"):
        assert (await api.get(f"/api/v1/{path}/{object_id}")).status == 404
