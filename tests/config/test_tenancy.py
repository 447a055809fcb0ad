"""Another tenant's object is never found, changed or counted: every route of the table is tried."""

from datetime import timedelta

import pytest

from sms_config.api_keys import ApiKeys
from sms_config.audit import Audit
from sms_config.changes import Changes
from sms_config.configs import ConfigOptions, SmsConfigs
from sms_config.first_administrator import FirstAdministrator
from sms_config.history import History
from sms_config.keyring import KeyRing, new_entry
from sms_config.records import now_utc
from sms_config.routes import Resources, Route, routes
from sms_config.sessions import Doorkeeper, Sessions
from sms_config.tenants import Tenants
from sms_config.testing import InMemoryStore
from sms_config.trunks import Trunks
from sms_config.users import Users
from tests.config.people import tenant_admin
from tests.config.world import TRUNK, quick_passwords

pytestmark = pytest.mark.loopback


def table() -> list[Route]:
    store = InMemoryStore()
    changes = Changes(store, lambda: None)
    options = ConfigOptions("https://x", timedelta(0))
    configs = SmsConfigs(store, changes, KeyRing.parse(new_entry("k")), {}, options)
    users, sessions, now = Users(store, changes, quick_passwords()), Sessions(store, now_utc), now_utc
    return routes(
        Resources(
            tenants=Tenants(store, changes),
            trunks=Trunks(store, changes, {}),
            configs=configs,
            api_keys=ApiKeys(store, changes),
            audit=Audit(store),
            users=users,
            sessions=sessions,
            doorkeeper=Doorkeeper(store, quick_passwords(), sessions, now),
            first_administrator=FirstAdministrator(store, users, sessions, now, "https://x"),
            history=History(store, "https://x", None),
        )
    )


# The others are for who is nobody yet; their own tests are in test_sessions.
TABLE = [route for route in table() if route.scope is not None]
OF_ONE = [route for route in TABLE if "{id}" in route.path and "/messages" not in route.path]  # these: test_history
LISTS = [route for route in TABLE if route.columns is not None]
CREATIONS = [route for route in TABLE if route.method == "POST" and "{id}" not in route.path]


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def a_body_for(route: Route, name: str):
    if route.body is None:
        return None
    return {"name": name} if "name" in route.body.model_fields else {}


@pytest.fixture
async def theirs(api, acme, trunk, sms):
    """The id of one object of acme under each address, and what is stored of them."""
    key = await api.made("/api/v1/api-keys", {"name": "acme", "scopes": ["read"], "tenants": ["acme"]})
    user = await api.made("/api/v1/users", tenant_admin("ann", "acme"))
    audit = await api.get("/api/v1/audit?tenant_id=acme&top=1")
    return {
        "tenants": "acme",
        "trunks": trunk["id"],
        "sms": sms["id"],
        "api-keys": key["id"],
        "audit": audit.json["items"][0]["id"],
        "users": user["id"],
        "messages": "any",
    }


@pytest.fixture
async def globex(api, key_for):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    return await key_for("admin", "config", tenants=["globex"])


def test_the_table_covers_the_resources():
    assert {route.path.split("/")[3] for route in OF_ONE} == {"tenants", "trunks", "sms", "api-keys", "users", "audit"}
    assert len(LISTS) == 6
    assert len(CREATIONS) == 5


@pytest.mark.parametrize("route", OF_ONE, ids=named)
async def test_an_object_of_another_tenant_is_not_found_and_not_changed(api, theirs, globex, store, route):
    path = route.path.replace("{id}", theirs[route.path.split("/")[3]])
    before = {kind: dict(records) for kind, records in store.records.items()}

    answer = await globex.call(route.method, path, a_body_for(route, "Taken over"))

    forbidden = (route.path, route.method) in {
        ("/api/v1/tenants/{id}", "DELETE"),
        ("/api/v1/tenants/{id}/destroy", "POST"),
    }
    assert (answer.status, answer.json["code"]) == ((403, "forbidden") if forbidden else (404, "not_found"))
    after = {kind: dict(records) for kind, records in store.records.items()}
    for kind, records in before.items():
        assert {i: r for i, r in after[kind].items() if kind.COLLECTION != "api_keys"} == {
            i: r for i, r in records.items() if kind.COLLECTION != "api_keys"
        }


@pytest.mark.parametrize("route", OF_ONE, ids=named)
async def test_an_unknown_object_gets_the_same_answer_as_another_tenants(api, theirs, globex, route):
    body = a_body_for(route, "x")
    there = await globex.call(route.method, route.path.replace("{id}", theirs[route.path.split("/")[3]]), body)
    nowhere = await globex.call(route.method, route.path.replace("{id}", "nothing"), body)

    for answer in (there, nowhere):
        answer.json.pop("request_id")
    assert (there.status, there.json) == (nowhere.status, nowhere.json)


@pytest.mark.parametrize("route", LISTS, ids=named)
async def test_lists_hold_and_count_ones_own_tenants_only(api, theirs, globex, route):
    everything = (await api.get(route.path)).json
    answer = (await globex.get(route.path)).json

    assert "acme" in str(everything)
    assert "acme" not in str(answer)
    assert answer["count"] == len(answer["items"]) < everything["count"]


@pytest.mark.parametrize("route", LISTS, ids=named)
async def test_a_filter_does_not_reach_into_another_tenant(theirs, globex, route):
    own = {"tenants": "id", "api-keys": "name"}.get(route.path.split("/")[3], "tenant_id")

    assert (await globex.get(f"{route.path}?filter={own} eq acme")).json == {"count": 0, "items": []}


@pytest.mark.parametrize("route", CREATIONS, ids=named)
async def test_nothing_is_made_in_another_tenant(api, theirs, globex, store, route):
    bodies = {
        "tenants": {"name": "x", "id": "new"},
        "trunks": {**TRUNK, "tenant_id": "acme"},
        "sms": {"name": "x", "provider_id": theirs["trunks"]},
        "api-keys": {"name": "x", "scopes": ["read"], "tenants": ["acme"]},
        "users": tenant_admin("x", "acme"),
    }
    before = {kind: len(records) for kind, records in store.records.items()}

    answer = await globex.call("POST", route.path, bodies[route.path.split("/")[3]])

    assert answer.status in {403, 422}
    assert {kind: len(records) for kind, records in store.records.items()} == before


@pytest.mark.parametrize("route", TABLE, ids=named)
async def test_every_route_asks_for_a_credential_and_its_scope(anyone, theirs, key_for, route):
    path = route.path.replace("{id}", theirs[route.path.split("/")[3]])
    weak = await key_for("send", tenants=["acme"])
    body = a_body_for(route, "x")

    assert (await anyone.call(route.method, path, body)).status == 401
    assert (await weak.call(route.method, path, body)).status == 403
