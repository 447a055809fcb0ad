"""The people: who may make whom, what passwords must be, and that somebody can always log in."""

import pytest

from sms_config.model.records import UserRecord
from tests.config.people import USERS, Browser, system_admin, tenant_admin
from tests.config.world import PASSWORD

pytestmark = pytest.mark.loopback

OTHER = "another long password"


@pytest.fixture
async def globex(api):
    return await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})


async def test_a_user_is_made_shown_and_listed_without_the_password(api, acme, store):
    made = await api.made(USERS, tenant_admin("Ann", "acme"))
    listed = await api.get(f"{USERS}?search=ann&disabled=false&role=tenant_admin")

    assert {name: made[name] for name in ("name", "role", "tenant_id", "disabled", "last_login_at")} == {
        "name": "Ann",
        "role": "tenant_admin",
        "tenant_id": "acme",
        "disabled": False,
        "last_login_at": None,
    }
    assert listed.json == {"count": 1, "items": [made]}
    assert "argon2" not in listed.text
    assert PASSWORD not in listed.text
    kept = store.records[UserRecord][made["id"]].password_hash
    assert kept.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"password": "short"}, "password", "must have 12 to 256 characters"),
        ({"password": "x" * 257}, "password", "must have 12 to 256 characters"),
        (
            {"password": "twelve chars\n!"},
            "password",
            "holds an invisible character (U+000A control character) at place 13",
        ),
        ({"name": "SomeLongUserName", "password": "somelongusername"}, "password", "must not be the user's name"),
        ({"password": None}, "password", "must be text"),
        ({"password": 123456789012}, "password", "must be text"),
        ({"name": ""}, "name", "has a form or characters that are not allowed here"),
        ({"name": "a b"}, "name", "has a form or characters that are not allowed here"),
        ({"name": "-a"}, "name", "has a form or characters that are not allowed here"),
        ({"name": "x" * 65}, "name", "has a form or characters that are not allowed here"),
        ({"role": "dealer"}, "role", "must be one of system_admin, tenant_admin"),
        ({"role": "tenant_admin"}, "tenant_id", "is required for a tenant administrator"),
        ({"role": "tenant_admin", "tenant_id": "nobody"}, "tenant_id", "is not a known tenant"),
        ({"tenant_id": "acme"}, "tenant_id", "must be empty: a system administrator acts in all tenants"),
        ({"disabled": "no"}, "disabled", "must be true or false"),
        ({"generation": 7}, "generation", "is not a field that can be set here"),
    ],
)
async def test_bad_input_is_told_beside_its_field(api, acme, values, field, message):
    answer = await api.call("POST", USERS, system_admin("boss") | values)

    assert answer.status == 422, answer.text
    assert answer.field_errors()[field] == message
    assert (await api.get(USERS)).json["count"] == 0


async def test_a_required_field_that_is_missing_is_told(api):
    answer = await api.call("POST", USERS, {"name": "x"})

    assert answer.field_errors() == {"role": "is required", "password": "is required"}


async def test_a_name_is_taken_whatever_its_case_and_tenant(api, acme, globex):
    await api.made(USERS, tenant_admin("ann", "acme"))

    answer = await api.call("POST", USERS, tenant_admin("ANN", "globex"))

    assert (answer.status, answer.json["code"], answer.field_errors()) == (409, "conflict", {"name": "is taken"})


async def test_a_tenant_administrator_makes_its_like_and_nobody_else(ann, globex):
    own = await ann.call("POST", USERS, {"name": "al", "role": "tenant_admin", "password": PASSWORD})
    other = await ann.call("POST", USERS, tenant_admin("bob", "globex"))
    more = await ann.call("POST", USERS, system_admin("eve"))

    assert (own.status, own.json["tenant_id"]) == (201, "acme")
    assert (other.status, other.field_errors()) == (422, {"tenant_id": "is not a known tenant"})
    assert (more.status, more.json["code"]) == (403, "forbidden")


async def test_nobody_raises_their_own_rights(ann, globex):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]

    raised = await ann.call("PATCH", f"{USERS}/{me['id']}", {"role": "system_admin", "tenant_id": None})
    moved = await ann.call("PATCH", f"{USERS}/{me['id']}", {"tenant_id": "globex"})

    assert (raised.status, moved.status) == (403, 422)
    assert (await ann.get(f"{USERS}/{me['id']}")).json == me


async def test_a_password_stays_until_another_is_given_and_the_new_one_ends_every_session(api, ann, clock):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]
    clock.pass_time(minutes=1)
    renamed = await ann.call("PATCH", f"{USERS}/{me['id']}", {"name": "anna"})
    again = await ann.call("PATCH", f"{USERS}/{me['id']}", {"password": PASSWORD, "current_password": PASSWORD})
    assert (renamed.status, again.status) == (200, 200)
    assert (await ann.get("/api/v1/session")).status == 200

    clock.pass_time(minutes=1)
    changed = await ann.call(
        "PUT", f"{USERS}/{me['id']}", tenant_admin("anna", "acme", password=OTHER, current_password=PASSWORD)
    )

    assert changed.status == 200
    assert (await ann.get("/api/v1/session")).status == 401
    assert (await ann.log_in("anna")).status == 401
    assert (await ann.log_in("anna", OTHER)).status == 201
    audit = (await api.get(f"/api/v1/audit?kind=users&object_id={me['id']}")).json["items"]
    assert [record["changes"] for record in audit[:2]] == [["password"], ["name"]]
    assert "argon2" not in str(audit)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "is required to change one's own password"),
        ({"current_password": "not the password"}, "is not the present password"),
        ({"current_password": ""}, "is required to change one's own password"),
    ],
)
async def test_nobody_changes_the_own_password_without_the_present_one(ann, given, said):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]

    answer = await ann.call("PATCH", f"{USERS}/{me['id']}", {"password": OTHER, **given})

    assert (answer.status, answer.field_errors()) == (422, {"current_password": said})
    assert (await ann.log_in("ann")).status == 201


async def test_a_session_left_open_is_no_way_to_guess_the_password(ann):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]
    guess = {"password": OTHER, "current_password": "not the password"}

    answers = [(await ann.call("PATCH", f"{USERS}/{me['id']}", guess)).status for _ in range(11)]

    assert answers == [422] * 10 + [429]


async def test_an_administrator_gives_somebody_else_a_password_without_knowing_the_one_before(api, ann):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]

    answer = await api.call("PATCH", f"{USERS}/{me['id']}", {"password": OTHER})

    assert answer.status == 200
    assert (await ann.log_in("ann", OTHER)).status == 201


async def test_a_password_cannot_be_removed(api, acme):
    made = await api.made(USERS, tenant_admin("ann", "acme"))

    answer = await api.call("PATCH", f"{USERS}/{made['id']}", {"password": None})

    assert answer.field_errors() == {"password": "cannot be removed; disable the user instead"}


async def test_what_was_read_may_be_written_back_and_an_old_version_is_refused(api, acme):
    made = await api.made(USERS, tenant_admin("ann", "acme"))

    same = await api.call("PUT", f"{USERS}/{made['id']}", made)
    await api.call("PATCH", f"{USERS}/{made['id']}", {"disabled": True})
    stale = await api.call("PATCH", f"{USERS}/{made['id']}", {"name": "x", "version": made["version"]})

    assert (same.status, same.json) == (200, made)
    assert (stale.status, stale.json["code"], list(stale.field_errors())) == (409, "version_conflict", ["disabled"])


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("DELETE", None),
        ("PATCH", {"disabled": True}),
        ("PATCH", {"role": "tenant_admin", "tenant_id": "acme"}),
    ],
    ids=["deleted", "disabled", "made less"],
)
async def test_the_last_system_administrator_stays(api, acme, method, body):
    boss = await api.made(USERS, system_admin("boss"))
    await api.made(USERS, system_admin("gone", disabled=True))

    refused = await api.call(method, f"{USERS}/{boss['id']}", body)
    await api.made(USERS, system_admin("second"))
    done = await api.call(method, f"{USERS}/{boss['id']}", body)

    assert (refused.status, refused.json["code"]) == (409, "last_administrator")
    assert done.status in {200, 204}


@pytest.mark.parametrize(("method", "body"), [("DELETE", None), ("PATCH", {"disabled": True})])
async def test_who_is_deleted_or_disabled_is_out_at_once(api, ann, method, body):
    me = (await ann.get(f"{USERS}?name=ann")).json["items"][0]
    await api.call(method, f"{USERS}/{me['id']}", body)

    assert (await ann.get("/api/v1/sms")).status == 401
    assert (await Browser(api).log_in("ann")).status == 401


async def test_a_tenant_with_users_is_not_deleted(api, ann):
    answer = await api.call("DELETE", "/api/v1/tenants/acme")

    assert (answer.status, answer.json["code"]) == (409, "in_use")
    assert "1 users" in answer.json["message"]
