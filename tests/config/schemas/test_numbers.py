"""The numbers of a trunk: read with the country of the tenant, and each in one pool only."""

import pytest

from tests.config.world import TRUNK

pytestmark = pytest.mark.loopback


TRUNKS = "/api/v1/trunks"


async def test_national_numbers_are_read_with_the_country_of_the_tenant(api):
    await api.made("/api/v1/tenants", {"id": "uk", "name": "UK", "country": "GB"})

    made = await api.made(TRUNKS, {**TRUNK, "tenant_id": "uk", "dids": "020 7946 0000"})

    assert made["dids"] == "+442079460000"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2025550150-59", "+12025550150-+12025550159"),
        ("2025550150.0; 2025550151.0", "+12025550150;+12025550151"),
        ("sip:+12025550150@pbx.example.com", "+12025550150"),
        ("789", "789"),
    ],
)
async def test_numbers_of_a_trunk_are_read_as_they_were_meant(api, acme, written, kept):
    made = await api.made(TRUNKS, {"name": "T", "brand": "bandwidth", "tenant_id": "acme", "dids": written})

    assert made["dids"] == kept


@pytest.mark.parametrize(
    ("field", "written", "part"),
    [
        ("dids", "20255501401", "a digit too many for a US number; write + before a foreign number"),
        ("dids", "2025550150;5550151", "Entry 2 of the numbers: 55***51 lacks its area code"),
        ("dids", "447911123456", "seems to be a foreign number without its plus; write +44"),
        ("dids", "2025550150-49", "same number of digits"),
        ("default_did", "2025550150.5", "decimals"),
    ],
)
async def test_a_slip_in_a_trunks_numbers_is_told_beside_its_field(api, acme, field, written, part):
    given = {"name": "T", "brand": "bandwidth", "tenant_id": "acme", "dids": "2025550150", field: written}

    answer = await api.call("POST", TRUNKS, given)

    assert part in answer.field_errors()[field]


@pytest.mark.parametrize(
    ("dids", "named"),
    [
        ("2015550150", "+12015550150 overlaps +12015550100-+12015550199"),
        ("2015550000-2015550100", "+12015550000-+12015550100 overlaps +12015550100-+12015550199"),
        ("2015550199-2015550299", "+12015550199-+12015550299 overlaps +12015550100-+12015550199"),
        ("2015550000-2015550999", "+12015550000-+12015550999 overlaps +12015550100-+12015550199"),
    ],
)
async def test_pools_may_not_overlap_and_the_other_range_is_named(api, trunk, dids, named):
    answer = await api.call("POST", TRUNKS, {**TRUNK, "name": "Other", "tenant_id": "acme", "dids": dids})

    assert (answer.status, answer.json["code"]) == (409, "number_overlap")
    assert answer.field_errors() == {"dids": f"{named} of the trunk Main trunk ({trunk['id']})"}


async def test_many_overlaps_are_told_briefly(api, acme):
    for n in range(8):
        await api.made(TRUNKS, {**TRUNK, "name": f"T{n}", "tenant_id": "acme", "dids": f"20155501{n}0"})

    answer = await api.call("POST", TRUNKS, {**TRUNK, "tenant_id": "acme", "dids": "2015550100-2015550199"})

    assert answer.json["message"].endswith("; and 3 more.")
    assert len(answer.json["errors"]) == 8


async def test_another_tenants_range_is_told_only_where_it_meets(api, trunk, key_for):
    await api.made("/api/v1/tenants", {"id": "other", "name": "O"})
    other = await key_for("config", tenants=["other"])

    answer = await other.call("POST", TRUNKS, {**TRUNK, "dids": "2015550000-2015550105"})

    assert answer.field_errors() == {"dids": "+12015550100-+12015550105 already belongs to another tenant"}
    assert trunk["id"] not in answer.text


async def test_a_change_may_not_run_into_another_pool(api, trunk):
    second = await api.made(TRUNKS, {**TRUNK, "name": "Second", "tenant_id": "acme", "dids": "2015550200"})

    answer = await api.call("PATCH", f"{TRUNKS}/{second['id']}", {"dids": "2015550199-2015550200"})

    assert answer.status == 409
