"""Numbers and configurations that rules use are kept."""

import pytest

from sms_config.model.rule_records import InboundRuleRecord
from tests.config.world import TRUNK

pytestmark = pytest.mark.loopback
INBOUND, OUTBOUND, EXTENSIONS = "/api/v1/inbound-rules", "/api/v1/outbound-rules", "/api/v1/extensions"


def inbound(**values):
    return {"tenant_id": "acme", "name": "Sales", **values}


def outbound(sms, **values):
    return {"tenant_id": "acme", "name": "Abroad", "prefixes": "44", "routes": [{"config_id": sms["id"]}], **values}


class TestInUse:
    @pytest.fixture
    async def used(self, api, sms, trunk):
        await api.made(INBOUND, inbound(config_ids=[sms["id"]], did_numbers="2015550110-2015550119"))
        route = {"config_id": sms["id"], "caller_id": "2015550130"}
        await api.made(OUTBOUND, outbound(sms, routes=[route]))
        caller = {"number": "2015550140", "trunk_id": trunk["id"]}
        await api.made(EXTENSIONS, {"tenant_id": "acme", "extension": "101", "caller_ids": [caller]})

    async def test_a_configuration_that_a_rule_uses_is_kept(self, api, sms, used):
        answer = await api.call("DELETE", f"/api/v1/sms/{sms['id']}")

        assert (answer.status, answer.json["code"]) == (409, "in_use")
        assert answer.json["message"] == (
            "It is used by the inbound rule Sales, outbound rule Abroad; change or delete these first."
        )

    async def test_a_trunk_whose_numbers_are_used_is_kept(self, api, trunk):
        await api.made(INBOUND, inbound(did_numbers="2015550110"))

        answer = await api.call("POST", f"/api/v1/trunks/{trunk['id']}/destroy")

        assert (answer.status, answer.json["code"]) == (409, "in_use")

    async def test_a_tenant_with_rules_is_kept(self, api, acme):
        await api.made(INBOUND, inbound())
        await api.made(EXTENSIONS, {"tenant_id": "acme", "extension": "1"})

        answer = await api.call("DELETE", "/api/v1/tenants/acme")

        assert (answer.status, answer.json["message"]) == (
            409,
            "The tenant still has 1 inbound rules, 1 extensions; delete these first.",
        )

    @pytest.mark.parametrize(
        ("dids", "label"),
        [
            ("2015550100-2015550115;2015550120-2015550199", "inbound rule Sales"),
            ("2015550100-2015550129;2015550131-2015550199", "outbound rule Abroad"),
            ("2015550100-2015550139;2015550141-2015550199", "extension 101"),
        ],
    )
    async def test_numbers_that_are_used_do_not_leave_the_pool(self, api, trunk, used, dids, label):
        answer = await api.call("PATCH", f"/api/v1/trunks/{trunk['id']}", {"dids": dids})

        assert (answer.status, answer.json["code"]) == (409, "in_use")
        assert answer.json["message"] == f"It is used by the {label}; change or delete these first."
        assert label in answer.field_errors()["dids"]

    async def test_numbers_that_are_not_used_may_leave_the_pool(self, api, trunk, used):
        answer = await api.call("PATCH", f"/api/v1/trunks/{trunk['id']}", {"dids": "2015550100-2015550140"})

        assert answer.status == 200

    async def test_what_was_lost_before_does_not_stand_in_the_way(self, api, trunk, used, store):
        (rule,) = store.records[InboundRuleRecord].values()
        store.records[InboundRuleRecord][rule.id] = rule.model_copy(update={"did_numbers": "+13015550100"})

        smaller = {"dids": "2015550120-2015550140", "default_did": None}
        answer = await api.call("PATCH", f"/api/v1/trunks/{trunk['id']}", smaller)

        assert answer.status == 200, answer.text

    async def test_a_configuration_does_not_leave_the_trunk_of_its_caller_ids(self, api, sms, used):
        other = await api.made("/api/v1/trunks", {**TRUNK, "name": "Other", "tenant_id": "acme", "dids": "2015550200"})

        answer = await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"provider_id": other["id"]})

        assert (answer.status, answer.json["code"]) == (409, "in_use")
        assert "outbound rule Abroad" in answer.field_errors()["provider_id"]
