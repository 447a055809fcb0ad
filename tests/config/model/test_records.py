"""What the records know of themselves: whose they are, whom a change concerns, and what of them may be shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms_config.model.records import LentPool, TenantRecord, TrunkRecord, now_utc

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMPS: dict[str, Any] = {"created_at": AT, "created_by": "ann", "updated_at": AT, "updated_by": "ann"}
ACME = LentPool(tenant_id="acme", dids="+12015550100-+12015550199", default_did="+12015550100")
GLOBEX = LentPool(tenant_id="globex", dids="+12015550200")


def trunk(**values: Any) -> TrunkRecord:
    return TrunkRecord(**{"id": "t1", "name": "T", "brand": "Bandwidth", "carrier": "bandwidth", **STAMPS, **values})


OWN = trunk(tenant_id="acme", dids=ACME.dids, default_did=ACME.default_did)
LENT = trunk(pools=(ACME, GLOBEX), account="5500001")


def test_a_change_is_one_version_later_and_says_by_whom():
    before = TenantRecord(id="acme", name="Acme", country="US", **STAMPS)
    after = before.changed(AT + timedelta(hours=1), "bob", name="New")

    assert (after.name, after.version, after.updated_at, after.updated_by) == ("New", 2, AT + timedelta(hours=1), "bob")
    assert (after.created_at, after.created_by) == (AT, "ann")
    assert (before.name, before.version) == ("Acme", 1)


def test_the_audit_log_has_the_values_and_no_stamps():
    shown = TenantRecord(id="acme", name="Acme", country="US", **STAMPS).public()

    assert (shown["name"], shown["country"]) == ("Acme", "US")
    assert not {"version", *STAMPS} & set(shown)


def test_a_time_is_kept_to_the_millisecond():
    assert now_utc().microsecond % 1000 == 0


@pytest.mark.parametrize(
    ("record", "owner", "concerns"),
    [
        pytest.param(OWN, "acme", ("acme",), id="a tenant's own trunk"),
        pytest.param(LENT, None, ("acme", "globex"), id="a lent trunk"),
        pytest.param(trunk(pools=()), None, (), id="a trunk that is lent to nobody"),
        pytest.param(TenantRecord(id="acme", name="A", country="US", **STAMPS), "acme", ("acme",), id="a tenant"),
    ],
)
def test_whose_it_is_and_whom_a_change_concerns(record, owner, concerns):
    assert (record.owner, record.concerns) == (owner, concerns)


@pytest.mark.parametrize(
    ("record", "tenant", "pool"),
    [(OWN, "acme", ACME), (OWN, "globex", None), (LENT, "globex", GLOBEX), (LENT, "other", None)],
)
def test_the_numbers_of_a_tenant_on_a_trunk(record, tenant, pool):
    assert record.pool_of(tenant) == pool


@pytest.mark.parametrize(
    ("tenancy", "pools", "dids", "default", "account"),
    [
        pytest.param(None, (ACME, GLOBEX), "", None, "5500001", id="who sees all tenants"),
        pytest.param({"acme"}, (ACME,), ACME.dids, ACME.default_did, None, id="one borrower"),
        pytest.param({"acme", "globex"}, (ACME, GLOBEX), f"{ACME.dids};{GLOBEX.dids}", None, None, id="both"),
        pytest.param({"other"}, (), "", None, None, id="a stranger"),
    ],
)
def test_of_a_lent_trunk_nobody_sees_what_is_another_tenants(tenancy, pools, dids, default, account):
    seen = LENT.seen_by(None if tenancy is None else frozenset(tenancy))

    assert (seen.pools, seen.dids, seen.default_did, seen.account) == (pools, dids, default, account)


def test_a_tenants_own_trunk_is_seen_whole():
    assert OWN.seen_by(frozenset({"acme"})) == OWN
