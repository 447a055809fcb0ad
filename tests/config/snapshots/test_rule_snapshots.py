"""The rules of tenants in the dispatcher's snapshot."""

from datetime import UTC, datetime

import pytest

from sms_common.configuration import DispatcherSnapshot
from sms_common.messages import MsgType
from sms_common.rules import InboundQuery
from sms_config.model.rule_records import InboundRuleRecord
from tests.config.world import DISPATCHER, INGRESS

pytestmark = pytest.mark.loopback
INGRESS_PATH = "/internal/v1/snapshot/ingress"
DISPATCHER_PATH = "/internal/v1/snapshot/dispatcher"


@pytest.fixture
def read(api):
    async def snapshot(path, **headers):
        credential = INGRESS if path == INGRESS_PATH else DISPATCHER
        return await api.with_credential(credential).get(path, headers=headers)

    return snapshot


async def test_the_dispatcher_gets_the_rules_of_tenants_that_have_any(api, sms, trunk, clock, read):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    rule = {"tenant_id": "acme", "did_numbers": "2015550100-2015550109", "office": {"destination": "200-209"}}
    older = await api.made("/api/v1/inbound-rules", {"name": "Older", "outside": {"kind": "discard"}, **rule})
    clock.pass_time(seconds=1)
    await api.made("/api/v1/inbound-rules", {"name": "Younger", **rule})
    route = {"config_id": sms["id"], "caller_id": "2015550101"}
    out = {"tenant_id": "acme", "name": "Out", "extensions": "101", "groups": ["sales"], "routes": [route]}
    await api.made("/api/v1/outbound-rules", out)
    caller = {"number": "2015550102", "trunk_id": trunk["id"]}
    await api.made("/api/v1/extensions", {"tenant_id": "acme", "extension": "101", "caller_ids": [caller]})
    hours = {"monday": [{"opens": "09:00", "closes": "00:00"}]}
    clocked = {"time_zone": "America/New_York", "hours": hours, "holidays": ["2026-03-03"], "blocked_senders": "90000"}
    await api.call("PATCH", "/api/v1/routing?tenant_id=acme", clocked)

    snapshot = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)

    assert [rules.tenant_id for rules in snapshot.rules] == ["acme"]
    rules = snapshot.rules_of("acme")
    monday, night = datetime(2026, 3, 2, 15, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC)
    asked = [InboundQuery("+12125550100", "+12015550103", MsgType.SMS, sms["id"], at) for at in (monday, night)]
    office, outside = [rules.inbound_rules.decide(query) for query in asked]
    assert (office.rule_id, office.destination, outside.kind) == (older["id"], "203", "discard")
    assert [rule.age for rule in rules.inbound] == [0, 1]
    assert rules.outbound[0].routes[0].caller_id == "+12015550101"
    extension = rules.extension("101")
    assert extension is not None
    assert extension.caller_id(trunk["id"]) == "+12015550102"
    assert rules.schedule.time_zone == "America/New_York"
    assert rules.inbound_rules.decide(InboundQuery("90000", "+12015550103", MsgType.SMS, "c", monday)).blocked


async def test_each_change_of_a_rule_reaches_the_snapshot_and_leaves_the_others(api, sms, read):
    async def rules():
        snapshot = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)
        return {one.tenant_id: ([rule.name for rule in one.inbound], one.blocked_senders) for one in snapshot.rules}

    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    await api.made("/api/v1/inbound-rules", {"name": "Theirs", "tenant_id": "globex"})
    made = await api.made("/api/v1/inbound-rules", {"name": "Ours", "tenant_id": "acme"})
    seen = [await rules()]
    for method, path, body in (
        ("PATCH", f"/api/v1/inbound-rules/{made['id']}", {"name": "Renamed"}),
        ("PATCH", "/api/v1/routing?tenant_id=acme", {"blocked_senders": "90000"}),
        ("DELETE", f"/api/v1/inbound-rules/{made['id']}", None),
        ("PATCH", "/api/v1/routing?tenant_id=acme", {"blocked_senders": ""}),
    ):
        await api.call(method, path, body)
        seen.append(await rules())

    assert [one.get("acme") for one in seen] == [
        (["Ours"], ""),
        (["Renamed"], ""),
        (["Renamed"], "90000"),
        ([], "90000"),
        None,
    ]
    assert {str(one["globex"]) for one in seen} == {"(['Theirs'], '')"}


async def test_a_rule_that_the_engine_would_not_take_costs_nobody_else_a_rule(api, sms, store, read):
    made = [await api.made("/api/v1/inbound-rules", {"tenant_id": "acme", "name": name}) for name in ("Bad", "Good")]
    record = store.records[InboundRuleRecord][made[0]["id"]]
    broken = record.model_copy(update={"did_numbers": "###"})
    store.records[InboundRuleRecord][made[0]["id"]] = broken

    snapshot = DispatcherSnapshot.model_validate_json((await read(DISPATCHER_PATH)).text)

    assert [rule.name for rule in snapshot.rules_of("acme").inbound] == ["Good"]
