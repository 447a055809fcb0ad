"""Another tenant's object is never found, changed or counted: every route of the table is tried."""

from http import HTTPStatus

import pytest

from sms_config.http.app import ROUTES
from sms_config.http.routes import ApiRoute
from sms_config.main import build_app
from sms_config.storage.testing import InMemoryStore
from tests.config.people import tenant_admin
from tests.config.world import TRUNK, make_settings

pytestmark = pytest.mark.loopback


def table() -> tuple[ApiRoute, ...]:
    """What the service serves."""
    return build_app(make_settings(), InMemoryStore(), wake=lambda: None, waiting_for=lambda: None)[ROUTES]


# Their tenancy has tests of its own: test_sessions, test_message_history, test_parking, test_server_sent_events and
# below. Carriers are nobody's and the same for all.
ELSEWHERE = {"carriers", "session", "set-up", "messages", "dead-letters", "unrouted", "explain", "events"}
TABLE = [route for route in table() if route.scope is not None and route.path.split("/")[3] not in ELSEWHERE]
OF_ONE = [route for route in TABLE if "{id}" in route.path]
LISTS = [route for route in TABLE if route.columns is not None]
CREATIONS = [route for route in TABLE if route.method == "POST" and route.status == HTTPStatus.CREATED]


def named(route: ApiRoute) -> str:
    return f"{route.method} {route.path}"


def a_body_for(route: ApiRoute, name: str):
    if route.body is None:
        return None
    if "extension" in route.body.model_fields:
        return {"extension": "999"}
    return {"name": name} if "name" in route.body.model_fields else {}


@pytest.fixture
async def theirs(api, acme, trunk, sms):
    """The id of one object of acme under each address, and what is stored of them."""
    key = await api.made("/api/v1/api-keys", {"name": "acme", "scopes": ["read"], "tenants": ["acme"]})
    user = await api.made("/api/v1/users", tenant_admin("ann", "acme"))
    inbound = await api.made("/api/v1/inbound-rules", {"name": "acme", "tenant_id": "acme"})
    route = {"config_id": sms["id"]}
    outbound = await api.made(
        "/api/v1/outbound-rules", {"name": "acme", "tenant_id": "acme", "prefixes": "1", "routes": [route]}
    )
    extension = await api.made("/api/v1/extensions", {"extension": "101", "tenant_id": "acme"})
    audit = await api.get("/api/v1/audit?tenant_id=acme&top=1")
    return {
        "tenants": "acme",
        "trunks": trunk["id"],
        "sms": sms["id"],
        "api-keys": key["id"],
        "audit": audit.json["items"][0]["id"],
        "users": user["id"],
        "messages": "any",
        "inbound-rules": inbound["id"],
        "outbound-rules": outbound["id"],
        "extensions": extension["id"],
        "routing": "any",
    }


@pytest.fixture
async def globex(api, key_for):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    return await key_for("admin", "config", tenants=["globex"])


async def test_the_table_covers_every_operation_of_the_openapi_document(anyone):
    document = (await anyone.get("/api/v1/openapi.json")).json
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if path.split("/")[3] not in ELSEWHERE
    }

    assert {(route.method, route.path) for route in TABLE} == described
    assert {route.path.split("/")[3] for route in OF_ONE} >= {"tenants", "trunks", "sms", "inbound-rules", "extensions"}
    assert {route.path.split("/")[3] for route in LISTS} >= {"outbound-rules", "users", "api-keys", "audit"}


@pytest.mark.parametrize("named_by", ["query", "body", "header"])
async def test_another_tenants_clock_is_not_found_and_not_changed(api, theirs, globex, store, named_by):
    where = "/api/v1/routing?tenant_id=acme" if named_by == "query" else "/api/v1/routing"
    body = {"time_zone": "Europe/Paris", **({"tenant_id": "acme"} if named_by == "body" else {})}
    headers = {"X-Tenant": "acme"} if named_by == "header" else {}
    before = (await api.get("/api/v1/routing?tenant_id=acme")).json

    answers = [await globex.call(method, where, body, headers=headers) for method in ("PATCH", "PUT")]
    if named_by != "body":
        answers.append(await globex.get(where, headers=headers))

    assert {answer.status for answer in answers} == {404}
    assert (await api.get("/api/v1/routing?tenant_id=acme")).json == before


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
        "inbound-rules": {"name": "x", "tenant_id": "acme"},
        "outbound-rules": {"name": "x", "tenant_id": "acme", "prefixes": "1", "routes": [{"config_id": theirs["sms"]}]},
        "extensions": {"extension": "102", "tenant_id": "acme"},
    }
    before = {kind: len(records) for kind, records in store.records.items()}

    answer = await globex.call("POST", route.path, bodies[route.path.split("/")[3]])

    assert answer.status in {403, 422}
    assert {kind: len(records) for kind, records in store.records.items()} == before


@pytest.mark.parametrize("route", TABLE, ids=named)
async def test_every_route_asks_for_a_credential_and_its_scope(anyone, theirs, key_for, route):
    path = route.path.replace("{id}", theirs.get(route.path.split("/")[3], "any"))
    weak = await key_for("send", tenants=["acme"])
    body = a_body_for(route, "x")

    assert (await anyone.call(route.method, path, body)).status == 401
    assert (await weak.call(route.method, path, body)).status == 403
