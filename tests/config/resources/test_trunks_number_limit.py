"""Nothing proves that numbers are a tenant's own, so by itself it claims few of them."""

import pytest

from tests.config.world import TRUNK

pytestmark = pytest.mark.loopback
TRUNKS = "/api/v1/trunks"
HUNDRED, ONE_MORE = "2025550100-2025550199", "2025550200"


@pytest.fixture
async def own(key_for, acme):
    return await key_for("config", tenants=["acme"])


@pytest.mark.parametrize(
    ("dids", "status"),
    [
        (HUNDRED, 201),
        (f"{HUNDRED};{ONE_MORE}", 422),
        ("+12010000000-+12010009999", 422),
        (HUNDRED + ";2025550150", 201),
        ("", 201),
    ],
    ids=["a hundred", "one more", "ten thousand", "one of them twice", "none"],
)
async def test_a_tenant_claims_a_hundred_numbers_and_no_more(own, dids, status):
    answer = await own.call("POST", TRUNKS, {**TRUNK, "dids": dids})

    assert answer.status == status
    assert status == 201 or "only a system administrator more" in answer.field_errors()["dids"]


async def test_they_are_counted_in_all_its_trunks(own):
    await own.made(TRUNKS, {**TRUNK, "dids": HUNDRED})
    second = await own.made(TRUNKS, {**TRUNK, "name": "Second"})

    made = await own.call("POST", TRUNKS, {**TRUNK, "name": "Third", "dids": ONE_MORE})
    changed = await own.call("PATCH", f"{TRUNKS}/{second['id']}", {"dids": ONE_MORE})

    said = "would make 101 numbers in the tenant's own trunks; a tenant enters 100 at most, and only a system"
    assert [answer.status for answer in (made, changed)] == [422, 422]
    assert [answer.field_errors()["dids"].startswith(said) for answer in (made, changed)] == [True, True]


@pytest.mark.parametrize("inside", [{}, {"X-Tenant": "acme"}], ids=["all tenants", "within the tenant"])
async def test_a_system_administrator_enters_as_many_as_there_are(boss, acme, inside):
    given = {**TRUNK, "tenant_id": "acme", "dids": "+12010000000-+12010009999"}

    answer = await boss.call("POST", TRUNKS, given, headers=inside)

    assert answer.status == 201


async def test_a_trunk_that_has_more_is_changed_and_made_smaller_but_not_larger(api, own, ann):
    dids = "+12010000000-+12010009999"
    trunk = await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme", "dids": dids})
    path = f"{TRUNKS}/{trunk['id']}"

    changes = [
        {"name": "Renamed"},
        {"default_did": "+12010000000"},
        {"dids": "+12010000000-+12010008999"},
        {"dids": "+12010000000-+12010009000"},
    ]
    answers = [await own.call("PATCH", path, change) for change in changes]
    whole = await ann.call("PUT", path, answers[2].json)

    assert [answer.status for answer in answers] == [200, 200, 200, 422]
    assert whole.status == 200


async def test_a_setting_says_how_many(serve, settings, acme, key_for):
    served = await serve(settings.model_copy(update={"tenant_numbers_max": 0}))
    key = await served.made("/api/v1/api-keys", {"name": "k", "scopes": ["config"], "tenants": ["acme"]})

    answer = await served.with_credential(key["key"]).call("POST", TRUNKS, {**TRUNK, "dids": ONE_MORE})

    assert answer.status == 422
