import pytest

from tests.config.world import TRUNK

pytestmark = pytest.mark.loopback
TRUNKS = "/api/v1/trunks"


async def test_a_trunk_is_made_with_its_numbers_in_international_form(api, acme):
    given = {
        **TRUNK,
        "tenant_id": "acme",
        "dids": "2015550300; (201) 555-0100 - (201) 555-0199",
        "default_did": "201 555 0100",
    }

    made = await api.made(TRUNKS, given)

    assert made["dids"] == "+12015550100-+12015550199;+12015550300"
    assert (made["default_did"], made["carrier"], made["brand"]) == ("+12015550100", "bandwidth", "Bandwidth")


async def test_a_trunk_needs_no_numbers_and_no_hostname(api, acme):
    made = await api.made(TRUNKS, {"name": "Bare", "brand": "bandwidth", "tenant_id": "acme"})

    assert (made["dids"], made["default_did"], made["hostname"]) == ("", None, None)


async def test_a_brand_of_ones_own_names_its_carrier(api, acme):
    made = await api.made(TRUNKS, {"name": "T", "brand": "Acme Telecom", "carrier": "bandwidth", "tenant_id": "acme"})

    assert (made["brand"], made["carrier"]) == ("Acme Telecom", "bandwidth")


@pytest.mark.parametrize(
    ("given", "field", "part"),
    [
        ({"name": ""}, "name", "1 to 64"),
        ({"brand": None}, "brand", "must be text"),
        ({"brand": "Unheard Of"}, "brand", "none of the carriers known here: bandwidth"),
        ({"carrier": "unheard"}, "carrier", "none of the carriers known here: bandwidth"),
        ({"hostname": "no spaces allowed"}, "hostname", "form or characters"),
        ({"hostname": "a/b"}, "hostname", "form or characters"),
        ({"dids": "hello"}, "dids", "Entry 1"),
        ({"dids": "2015550100;12"}, "dids", "Entry 2"),
        ({"dids": "2015550199-2015550100"}, "dids", "runs backwards"),
        ({"dids": 2015550100}, "dids", "must be text"),
        ({"dids": ["2015550100"]}, "dids", "must be text"),
        ({"dids": "2015550100;" * 2000}, "dids", "may have 20000 characters"),
        ({"dids": "2015550100", "default_did": "2015550101"}, "default_did", "not one of the numbers in dids"),
        ({"default_did": "2015550101"}, "default_did", "not one of the numbers in dids"),
        ({"default_did": "hello"}, "default_did", "digits"),
        ({"tenant_id": "nobody"}, "tenant_id", "is not a known tenant"),
        ({"tenant_id": None}, "tenant_id", "is required with a credential for several tenants"),
        ({"tenant_id": "a.b"}, "tenant_id", "form or characters"),
        ({"id": "mine"}, "id", "not a field that can be set"),
    ],
)
async def test_a_trunk_that_cannot_be_is_refused_by_field(api, acme, given, field, part):
    answer = await api.call("POST", TRUNKS, {**TRUNK, "tenant_id": "acme", **given})

    assert answer.status == 422
    assert list(answer.field_errors()) == [field]
    assert part in answer.field_errors()[field]


async def test_a_key_for_one_tenant_need_not_name_it(api, acme, key_for):
    config = await key_for("config", tenants=["acme"])

    assert (await config.made(TRUNKS, TRUNK))["tenant_id"] == "acme"


async def test_a_key_for_several_tenants_must_name_one(api, acme, key_for):
    await api.made("/api/v1/tenants", {"id": "other", "name": "O"})
    config = await key_for("config", tenants=["acme", "other"])

    refused = await config.call("POST", TRUNKS, TRUNK)

    assert refused.field_errors() == {"tenant_id": "is required with a credential for several tenants"}
    assert (await config.made(TRUNKS, {**TRUNK, "tenant_id": "other"}))["tenant_id"] == "other"


async def test_a_trunk_may_keep_and_change_its_own_numbers(api, trunk):
    answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"dids": "2015550100-2015550149"})

    assert (answer.status, answer.json["dids"]) == (200, "+12015550100-+12015550149")


async def test_numbers_that_lose_the_default_are_refused(api, trunk):
    answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"dids": "2015550150"})

    assert answer.field_errors() == {"default_did": "is not one of the numbers in dids"}


async def test_the_carrier_and_the_tenant_of_a_trunk_never_change(api, trunk):
    answer = await api.call("PATCH", f"{TRUNKS}/{trunk['id']}", {"carrier": "flowroute", "tenant_id": "other"})

    assert answer.field_errors() == {"carrier": "can only be read", "tenant_id": "can only be read"}


async def test_a_trunk_read_can_be_written_back(api, trunk):
    answer = await api.call("PUT", f"{TRUNKS}/{trunk['id']}", {**trunk, "name": "Renamed"})

    assert (answer.status, answer.json["name"], answer.json["dids"]) == (200, "Renamed", trunk["dids"])


async def test_a_trunk_in_use_is_kept_and_a_free_one_deleted(api, trunk, sms):
    kept = await api.call("DELETE", f"{TRUNKS}/{trunk['id']}")
    await api.call("POST", f"/api/v1/sms/{sms['id']}/destroy")
    gone = await api.call("POST", f"{TRUNKS}/{trunk['id']}/destroy")

    assert (kept.status, kept.json["code"]) == (409, "in_use")
    assert "1 SMS configurations (Main)" in kept.json["message"]
    assert gone.status == 204


async def test_trunks_are_found_by_number(api, trunk):
    assert (await api.get(f"{TRUNKS}?search=5550199")).json["count"] == 1
    assert (await api.get(f"{TRUNKS}?filter=brand eq Bandwidth and tenant_id eq acme")).json["count"] == 1
