"""Everything that is wrong with a request is reported at once, and a dry run writes nothing."""

import pytest

from tests.config.world import PASSWORD

pytestmark = pytest.mark.loopback

TRUNKS, USERS, TENANTS = "/api/v1/trunks", "/api/v1/users", "/api/v1/tenants"


_TRUNK = {"name": " ", "brand": "Bandwidth"}
_USER = {"name": "a b", "role": "tenant_admin", "password": "short", "tenant_id": "gone"}
_EXTENSION = {"extension": "1 0 1 x !", "caller_ids": [{"number": "+12025550140", "trunk_id": "gone"}]}


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        (TRUNKS, {**_TRUNK, "dids": "nonsense"}, {"name", "dids"}),
        (TRUNKS, {**_TRUNK, "default_did": "+12025550199"}, {"name", "default_did"}),
        (TRUNKS, {**_TRUNK, "brand": "Nobody", "dids": "nonsense"}, {"name", "brand"}),
        (USERS, _USER, {"name", "password", "tenant_id"}),
        ("/api/v1/extensions", _EXTENSION, {"extension", "caller_ids.0.trunk_id"}),
        (TENANTS, {"id": "acme", "name": " "}, {"id", "name"}),
    ],
)
async def test_what_is_wrong_with_a_new_object_is_told_at_once(api, acme, path, body, fields):
    tenant = {} if path == TENANTS else {"tenant_id": "acme"}

    answer = await api.call("POST", path, {**tenant, **body})

    assert answer.status in {409, 422}
    assert set(answer.field_errors()) == fields
    assert (await api.get(path)).json["count"] == (1 if path == TENANTS else 0)


async def test_what_is_wrong_with_a_change_is_told_at_once(api, trunk):
    answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"name": "", "dids": "nonsense", "hostname": "a b"})

    assert set(answer.field_errors()) == {"name", "dids", "hostname"}
    assert (await api.get(f"{TRUNKS}/{trunk['id']}")).json == trunk


async def test_a_field_that_is_judged_by_a_wrong_one_is_not_blamed(api, trunk):
    answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"dids": "nonsense", "default_did": "+13125550100"})

    assert set(answer.field_errors()) == {"dids"}


async def test_a_dry_run_reports_what_is_wrong_and_writes_nothing(api, acme, trunk):
    dry_run = {"X-Trial": "1"}
    right = {"name": "second", "brand": "Bandwidth", "tenant_id": "acme"}
    user = {"name": "ann", "role": "tenant_admin", "tenant_id": "acme", "password": PASSWORD}

    made = await api.call("POST", TRUNKS, right, headers=dry_run)
    wrong = await api.call("POST", TRUNKS, {**right, "name": ""}, headers=dry_run)
    changed = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"name": "other"}, headers=dry_run)
    person = await api.call("POST", USERS, user, headers=dry_run)

    assert (made.status, changed.status, person.status) == (201, 200, 201)
    assert wrong.field_errors() == {"name": "must have 1 to 64 characters"}
    assert [(await api.get(path)).json["count"] for path in (TRUNKS, USERS)] == [1, 0]
    assert (await api.get(f"{TRUNKS}/{trunk['id']}")).json == trunk
