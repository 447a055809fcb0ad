import pytest

from tests.config.world import CREDENTIALS

pytestmark = pytest.mark.loopback
TENANTS = "/api/v1/tenants"


async def test_a_tenant_is_made_with_defaults_and_read_back(api):
    made = await api.call("POST", TENANTS, {"name": " Acme Inc. "})

    assert made.status == 201
    assert made.headers["Location"] == f"{TENANTS}/{made.json['id']}"
    assert made.headers["ETag"] == '"1"'
    assert made.json == {
        "id": made.json["id"],
        "version": 1,
        "created_at": "2026-03-01T12:00:00Z",
        "created_by": "bootstrap",
        "updated_at": "2026-03-01T12:00:00Z",
        "updated_by": "bootstrap",
        "name": "Acme Inc.",
        "country": "US",
        "foreign_without_plus": False,
        "time_zone": None,
        "pbx_id": "main",
        "default_config_id": None,
    }
    assert (await api.get(f"{TENANTS}/{made.json['id']}")).json == made.json


async def test_a_tenant_keeps_the_id_it_was_given(api):
    given = {"id": "acme-1_x", "name": "A", "country": "gb", "time_zone": "Europe/London", "pbx_id": "pbx2"}

    made = await api.made(TENANTS, given)

    assert {**given, "country": "GB"}.items() <= made.items()


async def test_a_tenant_may_have_foreign_numbers_read_without_their_plus(api):
    tenant = await api.made(TENANTS, {"id": "acme", "name": "A", "foreign_without_plus": True})
    trunk = {"name": "T", "brand": "Bandwidth", "tenant_id": "acme", "dids": "447700900123"}

    assert tenant["foreign_without_plus"] is True
    assert (await api.made("/api/v1/trunks", trunk))["dids"] == "+447700900123"

    refused = await api.call("PATCH", f"{TENANTS}/acme", {"foreign_without_plus": "yes"})
    assert refused.field_errors().keys() == {"foreign_without_plus"}


async def test_an_id_is_given_once(api, acme):
    again = await api.call("POST", TENANTS, {"id": "acme", "name": "Other"})

    assert (again.status, again.json["code"], again.field_errors()) == (409, "conflict", {"id": "is taken"})
    assert (await api.get(f"{TENANTS}/acme")).json["name"] == "Acme"


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({}, "name", "is required"),
        ({"name": ""}, "name", "must have 1 to 64 characters"),
        ({"name": "   "}, "name", "must have 1 to 64 characters"),
        ({"name": "x" * 65}, "name", "must have 1 to 64 characters"),
        ({"name": "a\u0000b"}, "name", "holds an invisible character (U+0000 control character) at place 2"),
        ({"name": "a\nb"}, "name", "holds an invisible character (U+000A control character) at place 2"),
        ({"name": 5}, "name", "must be text"),
        ({"name": None}, "name", "must be text"),
        ({"name": {"$ne": ""}}, "name", "must be text"),
        ({"name": ["a"]}, "name", "must be text"),
        ({"id": "a.b"}, "id", "has a form or characters that are not allowed here"),
        ({"id": "-"}, "id", "has a form or characters that are not allowed here"),
        ({"id": "a#"}, "id", "has a form or characters that are not allowed here"),
        ({"id": "x" * 65}, "id", "has a form or characters that are not allowed here"),
        ({"id": {"$gt": ""}}, "id", "must be text"),
        ({"country": "XX"}, "country", "is not a country of ISO 3166, such as US"),
        ({"country": "USA"}, "country", "has a form or characters that are not allowed here"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "is not the name of a time zone, such as America/New_York"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "is not the name of a time zone, such as America/New_York"),
        ({"pbx_id": "a.b"}, "pbx_id", "has a form or characters that are not allowed here"),
        ({"default_config_id": "x"}, "default_config_id", "a new tenant has no configuration yet"),
        ({"nonsense": 1}, "nonsense", "is not a field that can be set here"),
        ({"created_by": "me"}, "created_by", "is not a field that can be set here"),
    ],
)
async def test_a_tenant_that_cannot_be_is_refused_by_field(api, given, field, sentence):
    answer = await api.call("POST", TENANTS, {"name": "A", **given} if given else {})

    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
    assert answer.field_errors() == {field: sentence}


async def test_every_wrong_field_is_named_at_once(api):
    answer = await api.call("POST", TENANTS, {"country": 7, "pbx_id": True, "x": 1})

    assert set(answer.field_errors()) == {"name", "country", "pbx_id", "x"}


async def test_a_patch_changes_what_it_names_and_nothing_else(api, acme, clock):
    clock.pass_time(hours=1)

    changed = await api.call("PATCH", f"{TENANTS}/acme", {"name": "Acme Ltd"})

    assert changed.status == 200
    assert changed.headers["ETag"] == '"2"'
    assert changed.json == {**acme, "name": "Acme Ltd", "version": 2, "updated_at": "2026-03-01T13:00:00Z"}


async def test_a_put_sets_everything_and_what_is_absent_has_its_default(api):
    await api.made(TENANTS, {"id": "a", "name": "A", "country": "GB", "time_zone": "Europe/London"})

    put = await api.call("PUT", f"{TENANTS}/a", {"name": "B"})

    assert (put.status, put.json["name"], put.json["country"], put.json["time_zone"]) == (200, "B", "US", None)


async def test_what_was_read_can_be_written_back_changed(api, acme):
    answer = await api.call("PUT", f"{TENANTS}/acme", {**acme, "name": "New"})

    assert (answer.status, answer.json["name"], answer.json["version"]) == (200, "New", 2)


async def test_what_can_only_be_read_cannot_be_changed(api, acme):
    answer = await api.call("PATCH", f"{TENANTS}/acme", {"id": "other", "created_by": "me", "name": "New"})

    assert answer.status == 422
    assert answer.field_errors() == {"id": "can only be read", "created_by": "can only be read"}


async def test_a_change_that_changes_nothing_makes_no_version_and_no_audit_record(api, acme):
    answer = await api.call("PATCH", f"{TENANTS}/acme", {"name": "Acme"})

    assert answer.json == acme
    assert (await api.get("/api/v1/audit")).json["count"] == 1


async def test_the_default_configuration_is_one_of_the_tenant(api, acme, sms):
    await api.made(TENANTS, {"id": "other", "name": "Other"})

    mine = await api.call("PATCH", f"{TENANTS}/acme", {"default_config_id": sms["id"]})
    theirs = await api.call("PATCH", f"{TENANTS}/other", {"default_config_id": sms["id"]})

    assert mine.json["default_config_id"] == sms["id"]
    assert theirs.field_errors() == {"default_config_id": "is not an SMS configuration of this tenant"}


async def test_a_tenant_without_its_deleted_default_has_none(api, acme, sms):
    await api.call("PATCH", f"{TENANTS}/acme", {"default_config_id": sms["id"]})

    deleted = await api.call("DELETE", f"/api/v1/sms/{sms['id']}")

    assert deleted.status == 204
    assert (await api.get(f"{TENANTS}/acme")).json["default_config_id"] is None


@pytest.mark.parametrize("how", [("DELETE", ""), ("POST", "/destroy")], ids=["delete", "destroy"])
async def test_an_empty_tenant_can_be_deleted(api, acme, how):
    method, action = how

    deleted = await api.call(method, f"{TENANTS}/acme{action}")

    assert (deleted.status, deleted.text) == (204, "")
    assert (await api.get(f"{TENANTS}/acme")).status == 404


async def test_a_tenant_that_still_has_something_is_kept(api, acme, sms, key_for):
    await key_for("read", tenants=["acme"])

    answer = await api.call("DELETE", f"{TENANTS}/acme")

    assert (answer.status, answer.json["code"]) == (409, "in_use")
    assert (
        answer.json["message"] == "The tenant still has 1 SMS configurations, 1 trunks, 1 API keys; delete these first."
    )


async def test_moving_a_tenant_to_another_pbx_takes_an_admin_of_all(api, acme, key_for):
    config = await key_for("config", tenants=["acme"])
    local_admin = await key_for("admin", tenants=["acme"])

    for key in (config, local_admin):
        assert (await key.call("PATCH", f"{TENANTS}/acme", {"pbx_id": "mine"})).status == 403
        assert (await key.call("PATCH", f"{TENANTS}/acme", {"name": "Acme 2", "pbx_id": "main"})).status == 200
    assert (await api.call("PATCH", f"{TENANTS}/acme", {"pbx_id": "mine"})).json["pbx_id"] == "mine"


async def test_only_a_key_for_all_tenants_adds_or_removes_tenants(api, acme, key_for):
    local_admin = await key_for("admin", tenants=["acme"])

    assert (await local_admin.call("POST", TENANTS, {"name": "Mine"})).status == 403
    assert (await local_admin.call("DELETE", f"{TENANTS}/acme")).status == 403


class TestLists:
    @pytest.fixture(autouse=True)
    async def five(self, api, clock):
        for name in ("Echo", "alpha", "Delta", "bravo", "Charlie"):
            await api.made(TENANTS, {"id": name.lower(), "name": name, "country": "GB" if name == "Delta" else "US"})
            clock.pass_time(minutes=1)

    async def names(self, api, query):
        answer = await api.get(f"{TENANTS}?{query}")
        assert answer.status == 200, answer.text
        return answer.json["count"], [item["name"] for item in answer.json["items"]]

    @pytest.mark.parametrize(
        ("query", "count", "names"),
        [
            ("", 5, ["Echo", "alpha", "Delta", "bravo", "Charlie"]),
            ("orderby=created_at desc", 5, ["Charlie", "bravo", "Delta", "alpha", "Echo"]),
            ("orderby=id", 5, ["alpha", "bravo", "Charlie", "Delta", "Echo"]),
            ("orderby=country,id desc", 5, ["Delta", "Echo", "Charlie", "bravo", "alpha"]),
            ("top=2", 5, ["Echo", "alpha"]),
            ("skip=3", 5, ["bravo", "Charlie"]),
            ("skip=1&top=2", 5, ["alpha", "Delta"]),
            ("skip=99", 5, []),
            ("search=A", 4, ["alpha", "Delta", "bravo", "Charlie"]),
            ("search=.*", 0, []),
            ("country=GB", 1, ["Delta"]),
            ("filter=country eq GB", 1, ["Delta"]),
            ("filter=country ne GB and name contains 'A'", 3, ["alpha", "bravo", "Charlie"]),
            ("filter=id in (echo, delta)", 2, ["Echo", "Delta"]),
            ("filter=time_zone eq null&top=1", 5, ["Echo"]),
            ("filter=created_at ge 2026-03-01T12:03:00Z", 2, ["bravo", "Charlie"]),
        ],
    )
    async def test_lists_filter_search_order_and_page(self, api, query, count, names):
        assert await self.names(api, query) == (count, names)

    async def test_a_list_that_cannot_be_made_names_each_parameter(self, api):
        answer = await api.get(f"{TENANTS}?top=0&orderby=password&x[$ne]=1")

        assert answer.status == 422
        assert set(answer.field_errors()) == {"top", "orderby", "x[$ne]"}


async def test_credentials_are_no_tenant_field(api):
    answer = await api.call("POST", TENANTS, {"name": "A", "credentials": CREDENTIALS})

    assert answer.field_errors() == {"credentials": "is not a field that can be set here"}
    assert CREDENTIALS["api_secret"] not in answer.text
