"""Trunks of the system that are lent to tenants: each tenant has its own numbers on them and sees nothing else."""

from typing import Any

import pytest

from sms_common.configuration import DispatcherSnapshot
from tests.config.world import CREDENTIALS, TRUNK

pytestmark = pytest.mark.loopback
TRUNKS, SMS = "/api/v1/trunks", "/api/v1/sms"
POOLS: list[dict[str, Any]] = [
    {"tenant_id": "acme", "dids": "2015550100 - 2015550199; 001 201 555 0300", "default_did": "2015550100"},
    {"tenant_id": "globex", "dids": "+12015550200-+12015550299", "default_did": None},
]


@pytest.fixture
async def globex(api):
    return await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})


@pytest.fixture
async def lent(api, acme, globex):
    return await api.made(TRUNKS, {**TRUNK, "pools": POOLS})


@pytest.fixture
async def of_acme(key_for, lent):
    return await key_for("config", "read", tenants=["acme"])


async def test_the_system_sees_every_pool_and_no_owner(lent):
    assert (lent["tenant_id"], lent["dids"], lent["default_did"]) == (None, "", None)
    assert lent["pools"] == [
        {"tenant_id": "acme", "dids": "+12015550100-+12015550199;+12015550300", "default_did": "+12015550100"},
        {"tenant_id": "globex", "dids": "+12015550200-+12015550299", "default_did": None},
    ]


async def test_a_tenant_sees_its_own_numbers_and_nobody_elses(lent, of_acme):
    read = await of_acme.get(f"{TRUNKS}/{lent['id']}")
    listed = (await of_acme.get(TRUNKS)).json

    assert (read.json["dids"], read.json["default_did"]) == ("+12015550100-+12015550199;+12015550300", "+12015550100")
    assert [pool["tenant_id"] for pool in read.json["pools"]] == ["acme"]
    assert listed == {"count": 1, "items": [read.json]}
    assert "globex" not in read.text


async def test_one_who_asks_for_a_tenant_sees_what_it_sees(api, lent):
    shown = (await api.get(f"{TRUNKS}/{lent['id']}", headers={"X-Tenant": "globex"})).json

    assert [pool["tenant_id"] for pool in shown["pools"]] == ["globex"]


async def test_a_number_that_others_have_is_not_found_by_searching(lent, of_acme):
    assert (await of_acme.get(f"{TRUNKS}?search=5550200")).json["count"] == 0


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"name": "Mine"}), ("PUT", {**TRUNK}), ("DELETE", None)])
async def test_a_tenant_only_reads_what_is_lent_to_it(lent, of_acme, method, body):
    answer = await of_acme.call(method, f"{TRUNKS}/{lent['id']}", body)

    assert (answer.status, answer.json["code"]) == (403, "forbidden")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_tenant_is_not_told_what_others_changed_of_what_is_lent_to_it(api, lent, of_acme, method):
    await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"name": "Renamed"})
    body = {"name": "Mine"} if method == "PATCH" else None

    answer = await of_acme.call(method, f"{TRUNKS}/{lent['id']}", body, headers={"If-Match": '"1"'})

    assert (answer.status, answer.json["code"], answer.json["errors"]) == (403, "forbidden", [])


async def test_a_tenant_lends_nothing(acme, key_for):
    answer = await (await key_for("config", tenants=["acme"])).call("POST", TRUNKS, {**TRUNK, "pools": []})

    assert answer.status == 403


async def test_it_is_not_found_by_a_tenant_that_it_is_not_lent_to(api, lent, key_for):
    await api.made("/api/v1/tenants", {"id": "third", "name": "Third"})
    third = await key_for("config", tenants=["third"])

    answers = [await third.call(method, f"{TRUNKS}/{lent['id']}") for method in ("GET", "DELETE")]
    refused = await third.call("POST", SMS, {"name": "x", "provider_id": lent["id"]})

    assert [answer.status for answer in answers] == [404, 404]
    assert refused.field_errors() == {"provider_id": "is not a known trunk"}


async def test_a_trunk_that_is_read_can_be_written_back(api, lent):
    answer = await api.call("PUT", f"{TRUNKS}/{lent['id']}", lent)

    assert (answer.status, answer.json) == (200, lent)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tenant_id": "acme"}, "tenant_id"),
        ({"dids": "2015550400"}, "dids"),
        ({"default_did": "2015550100"}, "default_did"),
        ({"pools": [{"tenant_id": "nobody"}]}, "pools.0.tenant_id"),
        ({"pools": [POOLS[0], {"tenant_id": "acme"}]}, "pools.1.tenant_id"),
        ({"pools": [{"tenant_id": "acme", "dids": "12"}]}, "pools.0.dids"),
        ({"pools": [{"tenant_id": "acme", "dids": "2015550100", "default_did": "2015550101"}]}, "pools.0.default_did"),
    ],
)
async def test_a_wrong_pool_is_refused_beside_its_field(api, acme, globex, given, field):
    answer = await api.call("POST", TRUNKS, {**TRUNK, "pools": POOLS, **given})

    assert answer.status == 422
    assert list(answer.field_errors()) == [field]


@pytest.mark.parametrize(("owned", "change"), [(True, {"pools": []}), (False, {"pools": None})])
async def test_an_own_trunk_is_never_lent_and_a_lent_one_never_owned(api, trunk, lent_elsewhere, owned, change):
    record = trunk if owned else lent_elsewhere

    answer = await api.call("PATCH", f"{TRUNKS}/{record['id']}", change)

    assert (answer.status, list(answer.field_errors())) == (422, ["pools"])


@pytest.fixture
async def lent_elsewhere(api, acme):
    return await api.made(TRUNKS, {**TRUNK, "pools": [{"tenant_id": "acme", "dids": "3015550100"}]})


class TestOverlaps:
    async def test_two_pools_of_one_trunk(self, api, acme, globex):
        pools = [POOLS[0], {"tenant_id": "globex", "dids": "2015550150"}]

        answer = await api.call("POST", TRUNKS, {**TRUNK, "pools": pools})

        assert (answer.status, answer.json["code"]) == (409, "number_overlap")
        said = "+12015550150 overlaps +12015550100-+12015550199 of the pool of acme"
        assert answer.field_errors() == {"pools.1.dids": said}

    async def test_a_lent_pool_and_one_of_another_trunk(self, api, lent):
        pools = [{"tenant_id": "acme", "dids": "2015550250"}]

        answer = await api.call("POST", TRUNKS, {**TRUNK, "pools": pools})

        said = f"of the trunk Main trunk ({lent['id']}, lent to globex)"
        assert answer.status == 409
        assert answer.field_errors()["pools.0.dids"].endswith(said)

    async def test_a_tenants_own_pool_and_another_tenants_lent_one(self, lent, of_acme):
        answer = await of_acme.call("POST", TRUNKS, {**TRUNK, "dids": "2015550190-2015550210"})

        assert answer.status == 409
        assert "lent to acme" in answer.json["message"]
        assert "+12015550200-+12015550210 already belongs to another tenant" in answer.json["message"]
        assert "globex" not in answer.text


class TestUse:
    async def test_each_tenant_sends_and_receives_on_its_own_numbers(self, api, lent, of_acme, dispatcher_snapshot):
        mine = await of_acme.made(SMS, {"name": "Acme", "provider_id": lent["id"], "credentials": CREDENTIALS})
        theirs = await api.made(SMS, {"name": "Globex", "provider_id": lent["id"], "tenant_id": "globex"})

        snapshot = DispatcherSnapshot.model_validate(await dispatcher_snapshot())

        first, second = snapshot.config(mine["id"]), snapshot.config(theirs["id"])
        assert first is not None
        assert second is not None
        assert (first.tenant_id, first.default_did) == ("acme", "+12015550100")
        assert (second.tenant_id, second.default_did) == ("globex", None)
        owners = [snapshot.owner_of(number) for number in ("+12015550300", "+12015550250", "+12015550400")]
        assert [pool and pool.tenant_id for pool in owners] == ["acme", "globex", None]

    @pytest.mark.parametrize(("tenant", "status"), [(None, 422), ("globex", 201), ("third", 422)])
    async def test_whose_configuration_it_is_must_be_said(self, api, lent, tenant, status):
        await api.made("/api/v1/tenants", {"id": "third", "name": "Third"})

        answer = await api.call("POST", SMS, {"name": "x", "provider_id": lent["id"], "tenant_id": tenant})

        assert answer.status == status

    async def test_a_tenant_makes_no_configuration_for_another_borrower(self, lent, of_acme):
        answer = await of_acme.call("POST", SMS, {"name": "x", "provider_id": lent["id"], "tenant_id": "globex"})

        assert (answer.status, list(answer.field_errors())) == (422, ["tenant_id"])

    async def test_a_trunk_is_not_taken_from_one_who_uses_it(self, api, lent, of_acme):
        await of_acme.made(SMS, {"name": "Acme", "provider_id": lent["id"]})

        answer = await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": [POOLS[1]]})
        kept = await api.call("DELETE", f"{TRUNKS}/{lent['id']}")
        tenant = await api.call("DELETE", "/api/v1/tenants/globex")

        assert (answer.status, answer.json["code"]) == (409, "in_use")
        said = "1 SMS configurations of the tenant acme are on this trunk (Acme); change these first."
        assert answer.json["message"] == said
        assert kept.status == 409
        assert (tenant.status, tenant.json["message"]) == (409, "The tenant still has 1 trunks; delete these first.")

    async def test_numbers_that_a_rule_uses_stay_lent(self, api, lent):
        await api.made("/api/v1/inbound-rules", {"tenant_id": "globex", "name": "Sales", "did_numbers": "2015550210"})

        smaller = [POOLS[0], {**POOLS[1], "dids": "2015550211-2015550299"}]
        answer = await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": smaller})

        assert (answer.status, list(answer.field_errors())) == (409, ["pools.1.dids"])
        assert "inbound rule Sales" in answer.json["message"]

    @pytest.mark.parametrize("place", [0, 1], ids=["the order turned", "the order kept"])
    async def test_a_refusal_names_the_pool_by_its_place_in_the_request(self, api, lent, of_acme, place):
        await api.made("/api/v1/inbound-rules", {"tenant_id": "globex", "name": "Sales", "did_numbers": "2015550210"})
        await api.made(SMS, {"name": "G", "provider_id": lent["id"], "tenant_id": "globex", "sender_id": "2015550290"})
        fields = []
        for taken in ("2015550211-2015550299", "2015550200-2015550289"):
            pools = [POOLS[0]]
            pools.insert(place, {**POOLS[1], "dids": taken})
            answer = await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": pools})
            assert (answer.status, answer.json["code"]) == (409, "in_use")
            fields += answer.field_errors()

        assert fields == [f"pools.{place}.dids"] * 2

    @pytest.mark.parametrize(
        ("sender", "status"),
        [("2015550250", 422), ("2015550150", 201), ("SHOP", 201), ("12345", 422), (None, 201)],
        ids=["another's", "one's own", "a name", "a short code", "none"],
    )
    async def test_on_a_shared_trunk_nobody_sends_as_another(self, lent, of_acme, sender, status):
        given = {"name": "Acme", "provider_id": lent["id"], "sender_id": sender}

        answer = await of_acme.call("POST", SMS, given)

        assert answer.status == status
        assert status == 201 or list(answer.field_errors()) == ["sender_id"]

    async def test_a_number_that_a_configuration_sends_as_stays_lent(self, api, lent, of_acme):
        await of_acme.made(SMS, {"name": "Acme", "provider_id": lent["id"], "sender_id": "2015550150"})

        smaller = [{**POOLS[0], "dids": "2015550100-2015550149"}, POOLS[1]]
        answer = await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": smaller})

        assert (answer.status, answer.json["code"]) == (409, "in_use")
        assert "send as a number that would be taken away (Acme)" in answer.json["message"]

    async def test_everyone_concerned_is_told_of_a_change(self, api, lent, store):
        store.waiting.clear()

        await api.call("PATCH", f"{TRUNKS}/{lent['id']}", {"pools": [POOLS[1]]})

        told = [(one.tenant_id, one.kind, one.action) for one in store.waiting.values()]
        assert told == [("acme", "trunk", "updated"), ("globex", "trunk", "updated")]

    async def test_what_is_the_systems_is_audited_for_the_system(self, api, lent, of_acme, key_for):
        auditor = await key_for("admin", tenants=["acme"])

        everyone = (await api.get(f"/api/v1/audit?object_id={lent['id']}")).json
        theirs = (await auditor.get(f"/api/v1/audit?object_id={lent['id']}")).json

        assert (everyone["count"], theirs["count"]) == (1, 0)


SHARED_LIMITS: list[dict[str, Any]] = [
    {"account_segments_per_second": 1},
    {"campaign_id": "C1"},
    {"campaign_segments_per_minute": 1},
    {"brand_id": "B1"},
    {"brand_segments_per_day": 1},
]


@pytest.mark.parametrize("limits", SHARED_LIMITS, ids=lambda limits: next(iter(limits)))
async def test_what_all_share_on_a_lent_trunk_no_tenant_limits(api, lent, of_acme, limits):
    (field,) = limits
    new = {"name": "x", "provider_id": lent["id"]}
    made = await api.made(SMS, {**new, "tenant_id": "acme", "limits": {**limits, "burst": 2}})

    refused = [
        await of_acme.call("POST", SMS, {**new, "limits": limits}),
        await of_acme.call("PATCH", f"{SMS}/{made['id']}", {"limits": {"burst": 2}}),
    ]
    own = await of_acme.call("PATCH", f"{SMS}/{made['id']}", {"limits": {**made["limits"], "segments_per_second": 3}})

    assert [(answer.status, answer.json["errors"][0]["field"]) for answer in refused] == [(422, f"limits.{field}")] * 2
    assert (own.status, own.json["limits"]["segments_per_second"], own.json["limits"][field]) == (200, 3, limits[field])


async def test_limits_of_an_own_account_do_not_come_along_to_a_lent_trunk(api, acme, lent, of_acme):
    own = await api.made(TRUNKS, {**TRUNK, "tenant_id": "acme"})
    limits = {"account_segments_per_second": 1}
    made = (await of_acme.call("POST", SMS, {"name": "x", "provider_id": own["id"], "limits": limits})).json

    moved = await of_acme.call("PATCH", f"{SMS}/{made['id']}", {"provider_id": lent["id"]})
    freed = await of_acme.call("PATCH", f"{SMS}/{made['id']}", {"provider_id": lent["id"], "limits": {}})

    assert (moved.status, moved.json["errors"][0]["field"]) == (422, "limits.account_segments_per_second")
    assert freed.status == 200
