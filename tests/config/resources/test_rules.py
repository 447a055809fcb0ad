"""Rules, extensions and a tenant's clock over the API: what is taken, what is refused and beside which field."""

from typing import Any

import pytest

from sms_config.resources import rules
from tests.config.world import CREDENTIALS, TRUNK

pytestmark = pytest.mark.loopback
INBOUND, OUTBOUND, EXTENSIONS = "/api/v1/inbound-rules", "/api/v1/outbound-rules", "/api/v1/extensions"
ROUTING = "/api/v1/routing"
MONDAY = {"monday": [{"opens": "09:00", "closes": "17:00"}]}


@pytest.fixture
async def globex(api):
    """Another tenant with everything of its own."""
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    trunk = await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "globex", "dids": "3015550100-3015550199"})
    sms = await api.made("/api/v1/sms", {"name": "Theirs", "provider_id": trunk["id"], "credentials": CREDENTIALS})
    return {"trunk": trunk["id"], "sms": sms["id"]}


def inbound(**values):
    return {"tenant_id": "acme", "name": "Sales", **values}


def outbound(sms, **values):
    return {"tenant_id": "acme", "name": "Abroad", "prefixes": "44", "routes": [{"config_id": sms["id"]}], **values}


async def test_an_inbound_rule_has_the_defaults_of_a_pbx(api, sms):
    made = await api.made(INBOUND, inbound())

    assert {name: made[name] for name in ("enabled", "priority", "channels", "config_ids", "did_numbers")} == {
        "enabled": True,
        "priority": 1000,
        "channels": ["SMS", "MMS"],
        "config_ids": [],
        "did_numbers": "",
    }
    assert made["office"] == {"kind": "extension", "destination": "0"}
    assert (made["outside"], made["holiday"], made["own_hours"], made["version"]) == (None, None, None, 1)
    assert (made["tenant_id"], made["created_by"]) == ("acme", "bootstrap")


async def test_a_rule_is_kept_in_international_form_and_can_be_written_back(api, sms):
    given = inbound(
        did_numbers="(201) 555-0100 - (201) 555-0109; 0012015550120",
        caller_mask="212 555 0100;1404*******;Shop",
        config_ids=[sms["id"]],
        channels=["SMS", "SMS"],
        outside={"kind": "ring_group", "destination": "800"},
        own_hours=MONDAY,
    )

    made = await api.made(INBOUND, given)
    again = await api.call("PUT", f"{INBOUND}/{made['id']}", made)

    assert made["did_numbers"] == "+12015550100-+12015550109;+12015550120"
    assert made["caller_mask"] == "+12125550100;+1404*******;Shop"
    assert made["channels"] == ["SMS"]
    assert made["own_hours"]["monday"] == MONDAY["monday"]
    assert (again.status, again.json) == (200, made)


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"name": ""}, "name", "1 to 64"),
        ({"name": "x" * 65}, "name", "1 to 64"),
        ({"priority": 0}, "priority", "must be 1 or more"),
        ({"channels": []}, "channels", "needs at least one"),
        ({"channels": ["FAX"]}, "channels.0", "SMS, MMS"),
        ({"did_numbers": "abc-def-ghij"}, "did_numbers", "no number"),
        ({"did_numbers": "Shop"}, "did_numbers", "no number"),
        ({"did_numbers": "2015550199-2015550200"}, "did_numbers", "not the tenant's: +12015550199-+12015550200"),
        ({"did_numbers": "3015550100"}, "did_numbers", "not the tenant's: +13015550100"),
        ({"did_numbers": "120155502**"}, "did_numbers", "not the tenant's: +12015550200-+12015550299"),
        ({"did_numbers": "1**********"}, "did_numbers", "not the tenant's"),
        ({"did_numbers": "***********"}, "did_numbers", "too many"),
        ({"did_numbers": "100-2000"}, "did_numbers", "same number of digits"),
        ({"caller_mask": "12a4*"}, "caller_mask", "digits and *"),
        ({"caller_mask": ";".join(["12125550100"] * 400)}, "caller_mask", "4000 characters"),
        ({"config_ids": ["nothing"]}, "config_ids.0", "not an SMS configuration"),
        ({"office": {"kind": "fax", "destination": "1"}}, "office.kind", "extension"),
        ({"office": {"kind": "extension", "destination": ""}}, "office.destination", "is required"),
        ({"office": {"kind": "extension", "destination": "1;2"}}, "office.destination", "not a list"),
        ({"office": {"destination": "100-199"}}, "office.destination", "needs a single DID range"),
        (
            {"did_numbers": "2015550100-2015550109", "holiday": {"destination": "100-119"}},
            "holiday.destination",
            "10 numbers and the destination range 20",
        ),
        ({"own_hours": {"monday": [{"opens": "9", "closes": "17:00"}]}}, "own_hours.monday.0.opens", "such as 09:00"),
        ({"own_hours": {"monday": [{"opens": "18:00", "closes": "17:00"}]}}, "own_hours.monday.0", "after it opens"),
        ({"own_hours": {"someday": []}}, "own_hours.someday", "not a field"),
        ({"age": 1}, "age", "not a field"),
    ],
)
async def test_a_wrong_inbound_rule_is_refused_beside_its_field(api, sms, globex, store, values, field, said):
    answer = await api.call("POST", INBOUND, inbound(**values))

    assert answer.status == 422
    assert said in answer.field_errors()[field]
    assert (await api.get(INBOUND)).json["count"] == 0


@pytest.mark.parametrize("dids", ["120155501**", "1201555010*", "2015550100-2015550199", "2015550100;2015550199", ""])
async def test_numbers_inside_the_pool_are_taken_however_they_are_written(api, sms, dids):
    assert (await api.call("POST", INBOUND, inbound(did_numbers=dids))).status == 201


async def test_a_range_may_span_neighbouring_pools_of_two_trunks(api, sms):
    await api.made("/api/v1/trunks", {**TRUNK, "name": "Next", "tenant_id": "acme", "dids": "2015550200-2015550299"})

    assert (await api.call("POST", INBOUND, inbound(did_numbers="2015550100-2015550299"))).status == 201


async def test_every_wrong_field_is_told_at_once(api, sms):
    answer = await api.call(
        "POST", INBOUND, inbound(did_numbers="3015550100", config_ids=["x"], office={"destination": ""})
    )

    assert set(answer.field_errors()) == {"did_numbers", "config_ids.0", "office.destination"}


async def test_an_outbound_rule_is_made_with_its_routes(api, sms):
    route = {"config_id": sms["id"], "strip_digits": 1, "prepend": "+44", "caller_id": "201 555 0101", "weight": 3}

    made = await api.made(OUTBOUND, outbound(sms, routes=[route], strategy="RANDOMLY", closed="hold", lengths=[12, 11]))

    assert made["routes"] == [{**route, "enabled": True, "caller_id": "+12015550101"}]
    assert (made["strategy"], made["closed"], made["lengths"]) == ("RANDOMLY", "hold", [11, 12])


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"prefixes": ""}, "prefixes", "at least one condition"),
        ({"prefixes": "44;x"}, "prefixes", "must be digits"),
        ({"lengths": [0]}, "lengths.0", "must be 1 or more"),
        ({"extensions": "1*a"}, "extensions", "digits and *"),
        ({"categories": ["spam"]}, "categories.0", "conversational"),
        ({"closed": "ignore"}, "closed", "block, hold"),
        ({"strategy": "FASTEST"}, "strategy", "PRIORITIZED"),
        ({"routes": []}, "routes", "needs at least one"),
        ({"routes": [{"config_id": "x"}] * 7}, "routes", "may have 6 entries"),
        ({"routes": [{"config_id": "nothing"}]}, "routes.0.config_id", "not an SMS configuration"),
        ({"routes": [{"config_id": "SMS", "weight": 0}]}, "routes.0.weight", "must be 1 or more"),
        ({"routes": [{"config_id": "SMS", "strip_digits": 10}]}, "routes.0.strip_digits", "must be 9 or less"),
        ({"routes": [{"config_id": "SMS", "prepend": "a"}]}, "routes.0.prepend", "form"),
        ({"routes": [{"config_id": "SMS", "caller_id": "abc"}]}, "routes.0.caller_id", "phone number"),
        (
            {"routes": [{"config_id": "SMS"}, {"config_id": "SMS", "caller_id": "3015550100"}]},
            "routes.1.caller_id",
            "not one",
        ),
    ],
)
async def test_a_wrong_outbound_rule_is_refused_beside_its_field(api, sms, globex, values, field, said):
    routes = [{**route, "config_id": sms["id"] if route["config_id"] == "SMS" else route["config_id"]}
              for route in values.get("routes", [{"config_id": "SMS"}])]  # fmt: skip
    answer = await api.call("POST", OUTBOUND, outbound(sms, **{**values, "routes": routes}))

    assert answer.status == 422
    assert said in answer.field_errors()[field]


async def test_another_tenants_configuration_trunk_and_numbers_are_not_ones_own(api, sms, globex):
    rule = await api.call("POST", OUTBOUND, outbound(sms, routes=[{"config_id": globex["sms"]}]))
    caller = {"number": "3015550100", "trunk_id": globex["trunk"]}
    extension = await api.call("POST", EXTENSIONS, {"tenant_id": "acme", "extension": "1", "caller_ids": [caller]})

    assert rule.field_errors() == {"routes.0.config_id": "is not an SMS configuration of this tenant"}
    assert extension.field_errors() == {"caller_ids.0.trunk_id": "is not a trunk of this tenant"}


async def test_an_extension_is_made_once_in_its_tenant(api, trunk, globex):
    caller = {"number": "2015550101", "trunk_id": trunk["id"], "description": "Sales"}
    given = {
        "tenant_id": "acme",
        "extension": "101",
        "permission": "ALLOW",
        "caller_ids": [caller],
        "groups": ["b", "a"],
    }

    made = await api.made(EXTENSIONS, given)
    again = await api.call("POST", EXTENSIONS, given)
    elsewhere = await api.call("POST", EXTENSIONS, {"tenant_id": "globex", "extension": "101"})

    assert made["caller_ids"] == [{**caller, "number": "+12015550101"}]
    assert made["groups"] == ["a", "b"]
    assert (again.status, again.field_errors()) == (409, {"extension": "is taken"})
    assert elsewhere.status == 201


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"extension": ""}, "extension", "form"),
        ({"extension": "1 2"}, "extension", "form"),
        ({"permission": "MAYBE"}, "permission", "DISABLE, ALLOW"),
        ({"caller_ids": [{"number": "2015550200", "trunk_id": "TRUNK"}]}, "caller_ids.0.number", "not one"),
        ({"caller_ids": [{"number": "x", "trunk_id": "TRUNK"}]}, "caller_ids.0.number", "phone number"),
        ({"caller_ids": [{"number": n, "trunk_id": "TRUNK"} for n in ("2015550101", "+12015550101")]},
         "caller_ids.1.number", "twice"),
        ({"groups": ["x" * 65]}, "groups.0", "1 to 64"),
    ],
)  # fmt: skip
async def test_a_wrong_extension_is_refused_beside_its_field(api, trunk, values, field, said):
    given = {"tenant_id": "acme", "extension": "101", **values}
    if "caller_ids" in given:
        given["caller_ids"] = [{**entry, "trunk_id": trunk["id"]} for entry in given["caller_ids"]]

    answer = await api.call("POST", EXTENSIONS, given)

    assert answer.status == 422
    assert said in answer.field_errors()[field]


@pytest.mark.parametrize("what", ["inbound", "outbound", "extension", "routing"])
async def test_the_second_of_two_who_change_it_is_told_what_the_first_did(api, sms, what):
    paths: dict[str, Any] = {
        "inbound": (INBOUND, inbound(), {"priority": 5}),
        "outbound": (OUTBOUND, outbound(sms), {"priority": 5}),
        "extension": (EXTENSIONS, {"tenant_id": "acme", "extension": "1"}, {"groups": ["a"]}),
        "routing": (ROUTING, None, {"holidays": ["2026-12-25"]}),
    }
    path, given, change = paths[what]
    where = f"{path}?tenant_id=acme" if given is None else f"{path}/{(await api.made(path, given))['id']}"
    read = (await api.get(where)).json

    first = await api.call("PATCH", where, {**change, "version": read["version"]})
    second = await api.call("PATCH", where, {**change, "version": read["version"]})

    assert first.status == 200
    assert (second.status, second.json["code"]) == (409, "version_conflict")
    assert set(second.field_errors()) == set(change)


async def test_rules_are_listed_in_the_order_of_their_priority_and_found_by_number(api, sms, clock):
    for name, priority in (("late", 1000), ("first", 10), ("later", 1000)):
        await api.made(INBOUND, inbound(name=name, priority=priority, did_numbers="2015550101"))
        clock.pass_time(seconds=1)

    listed = (await api.get(f"{INBOUND}?search=5550101")).json

    assert [rule["name"] for rule in listed["items"]] == ["first", "late", "later"]
    assert (await api.get(f"{INBOUND}?filter=enabled eq false")).json["count"] == 0


async def test_a_tenant_has_so_many_rules_and_no_more(api, acme, monkeypatch, serve, settings):
    monkeypatch.setattr(
        "sms_config.main.INBOUND_RULES",
        rules.RuleKind(**{**_fields(rules.INBOUND_RULES), "max_count": 1}),
    )
    small = await serve(settings)
    await small.made(INBOUND, inbound())

    answer = await small.call("POST", INBOUND, inbound())

    assert (answer.status, answer.json["message"]) == (409, "A tenant may have 1 inbound rules.")


def _fields(kind):
    return {name: getattr(kind, name) for name in ("record", "new", "write", "max_count", "read", "check_unique")}


async def test_changes_of_rules_are_audited_and_announced(api, sms, store):
    made = await api.made(INBOUND, inbound())
    await api.call("PATCH", f"{INBOUND}/{made['id']}", {"priority": 7, "own_hours": MONDAY})
    await api.call("DELETE", f"{INBOUND}/{made['id']}")

    found = (await api.get(f"/api/v1/audit?object_id={made['id']}")).json["items"]
    trail = sorted(found, key=lambda one: one["version"])

    assert [(one["action"], one["tenant_id"]) for one in trail] == [
        ("created", "acme"),
        ("updated", "acme"),
        ("deleted", "acme"),
    ]
    assert trail[1]["changes"] == ["own_hours", "priority"]
    announced = [(one.kind, one.action) for one in store.waiting.values() if one.object_id == made["id"]]
    assert announced == [("inbound_rule", "created"), ("inbound_rule", "updated"), ("inbound_rule", "deleted")]
