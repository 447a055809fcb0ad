"""What a file wants of rules, extensions, hours and limits."""

from typing import Any

import pytest

from sms_config.storage.testing import InMemoryStore
from tests.cli.bulk.files import ACME, Api, changed, exported, put, written
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


RULES: dict[str, Any] = {
    **ACME,
    "extensions": [
        {
            "tenant": "acme",
            "extension": "101",
            "permission": "ALLOW",
            "caller_ids": [{"number": "(201) 555-0102", "trunk": "BW"}, {"number": "3015550101", "trunk": "Shared"}],
            "groups": ["sales", "all"],
        }
    ],
    "inbound_rules": [
        {
            "tenant": "acme",
            "name": "Sales",
            "did_numbers": "2015550100 - 2015550109",
            "caller_mask": "212 555 0100; 1404*******",
            "configs": ["Second", "Main"],
            "channels": ["MMS", "SMS"],
            "office": {"destination": "100-109"},
            "outside": {"kind": "voicemail", "destination": "100"},
            "own_hours": {"monday": [{"opens": "09:00", "closes": "17:00"}]},
        }
    ],
    "outbound_rules": [
        {
            "tenant": "acme",
            "name": "Abroad",
            "prefixes": "44; +49",
            "extensions": "101\n103-109",
            "categories": ["otp", "conversational"],
            "closed": "hold",
            "routes": [{"config": "Main", "caller_id": "2015550103"}, {"config": "Lent", "weight": 2}],
        }
    ],
    "routing": [
        {
            "tenant": "acme",
            "hours": {"friday": [{"opens": "09:30", "closes": "00:00"}]},
            "holidays": ["2026-12-25", "2026-01-01"],
            "blocked_senders": "(900) 555-0100\n303 555-****; Bank of America",
            "unlisted_extensions": "ALLOW",
        }
    ],
    "trunks": [
        *ACME["trunks"],
        {
            "name": "Shared",
            "brand": "Bandwidth",
            "account": "5500001",
            "pools": [
                {"tenant": "acme", "dids": "301 555 0100 - 301 555 0149", "default_did": "3015550100"},
                {"tenant": "globex", "dids": "3015550150"},
            ],
        },
    ],
    "tenants": [*ACME["tenants"], {"id": "globex", "name": "Globex"}],
    "sms": [
        *ACME["sms"],
        {
            "tenant": "acme",
            "name": "Lent",
            "trunk": "Shared",
            "limits": {"segments_per_second": 5, "campaign_id": "C1"},
        },
    ],
}


EVERYTHING = 11


def by_name(entries: Any) -> Any:
    """A section in an order of its own: what was made within a millisecond comes in any."""
    return sorted(entries, key=lambda one: str(one.get("name"))) if isinstance(entries, list) else entries


class TestRules:
    async def test_a_file_makes_rules_extensions_hours_limits_and_lent_pools(self, admin: Command, api: Api):
        ended = await put(admin, RULES)

        assert ended.status == 0, ended.err
        snapshot = await api.snapshot()
        rules = snapshot.rules_of("acme")
        configs = {config.name: config for config in snapshot.configs_of("acme")}
        main, second, lent = (configs[name] for name in ("Main", "Second", "Lent"))
        assert rules.inbound[0].config_ids == {main.id, second.id}
        assert [route.config_id for route in rules.outbound[0].routes] == [main.id, lent.id]
        extension = rules.extension("101")
        assert extension is not None
        assert extension.caller_id(lent.trunk_id) == "+13015550101"
        assert (rules.schedule.time_zone, len(rules.schedule.holidays)) == ("America/New_York", 2)
        assert rules.blocked_senders == "+19005550100;+1303555****;Bank of America"
        assert (rules.outbound[0].prefixes, rules.outbound[0].extensions) == ("+44;+49", "101;103-109")
        assert rules.unlisted_extensions == "ALLOW"
        assert (lent.default_did, lent.limits.segments_per_second, lent.limits.campaign_id) == ("+13015550100", 5, "C1")
        assert [pool.tenant_id for pool in snapshot.pools if pool.trunk_id == lent.trunk_id] == ["acme", "globex"]
        assert "account: '5500001'" in (await admin("config", "export")).out

    async def test_importing_again_changes_nothing(self, admin: Command, store: InMemoryStore):
        await put(admin, RULES)
        before = store.number

        ended = await put(admin, RULES, env={})

        assert (ended.status, ended.out) == (0, f"0 changes, {EVERYTHING} unchanged\n"), ended.err
        assert store.number == before

    async def test_what_was_exported_makes_the_same_elsewhere(self, admin: Command, api: Api):
        await put(admin, RULES)
        content = await exported(admin)
        again = await put(admin, content, env={})
        for entry in content["sms"]:
            entry["callback"] = None  # its password would have to come from somewhere
        await put(admin, {"version": 1}, "--prune")
        emptied = await api.snapshot()
        await put(admin, content, env={})
        remade = await exported(admin)

        assert again.out == f"0 changes, {EVERYTHING} unchanged\n"
        assert (emptied.tenants, emptied.rules) == ((), ())
        assert {section: by_name(entries) for section, entries in remade.items()} == {
            section: by_name(entries) for section, entries in content.items()
        }
        assert content["inbound_rules"][0]["did_numbers"] == "+12015550100-+12015550109"
        assert by_name(content["sms"])[0]["limits"] == {"segments_per_second": 5.0, "campaign_id": "C1"}

    async def test_a_plan_shows_the_change_of_a_rule(self, admin: Command):
        await put(admin, RULES)
        written(changed(inbound_rules=[{**RULES["inbound_rules"][0], "priority": 5}]))

        ended = await admin("config", "diff", "in.yaml", "--json")

        (step,) = ended.json["steps"]
        assert (step["kind"], step["name"], step["fields"]) == ("inbound rule", "acme/Sales", {"priority": 5})

    async def test_numbers_move_from_one_pool_to_another_with_their_rule(self, admin: Command, api: Api):
        await put(admin, RULES)
        trunks = [
            {**ACME["trunks"][0], "dids": "+12015550101-+12015550103;+14045550100-+14045550109"},
            RULES["trunks"][1],
        ]
        trunks[0]["default_did"] = "+12015550101"
        moved = [{**RULES["inbound_rules"][0], "did_numbers": "+14045550100-+14045550109"}]

        ended = await put(admin, {**RULES, "trunks": trunks, "inbound_rules": moved})

        assert ended.status == 0, ended.err
        assert (await api.snapshot()).pools[0].numbers == "+12015550101-+12015550103;+14045550100-+14045550109"
        assert (await put(admin, {**RULES, "trunks": trunks, "inbound_rules": moved})).out.startswith("0 changes")

    async def test_a_mask_that_can_match_nobody_is_refused_with_the_way_to_write_it(self, admin: Command):
        ended = await put(admin, {**RULES, "routing": [{"tenant": "acme", "blocked_senders": "ACME\n1202555XXXX"}]})

        assert ended.status == 1
        assert "Entry 2: 1202555XXXX can match no number; write * for one digit" in ended.err

    async def test_a_rule_that_names_what_is_not_there_changes_nothing(self, admin: Command, api: Api):
        rule = {**RULES["outbound_rules"][0], "routes": [{"config": "Gone"}]}

        ended = await put(admin, {**RULES, "outbound_rules": [rule]})

        assert ended.status == 1
        said = "outbound rule acme/Abroad names the SMS configuration acme/Gone, which does not exist"
        assert said in ended.err
        assert (await api("GET", "/tenants"))["count"] == 0

    async def test_a_file_of_one_tenant_uses_a_lent_trunk_and_does_not_hold_it(self, admin: Command, api: Api):
        await put(admin, RULES)

        content = await exported(admin, "--tenant", "acme")
        ended = await put(admin, content, "--prune", env={})

        assert [trunk["name"] for trunk in content["trunks"]] == ["BW"]
        assert by_name(content["sms"])[0]["trunk"] == "Shared"
        assert ended.out.startswith("0 changes"), ended.out
