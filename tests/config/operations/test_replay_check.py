"""Which parked texts may be replayed: they go to whom their number belongs, and to nobody else."""

import json
from pathlib import Path

import pytest

from sms_common.events import InboundEvent
from sms_common.topology import CARRIER, UNROUTED
from sms_config.operations.replay_refusals import ReplayRefusal
from tests.config.unrouted import UNROUTED_MESSAGES, unowned
from tests.config.world import TRUNK

pytestmark = pytest.mark.loopback
CODES = Path(__file__).parents[3] / "docs" / "codes.md"


class TestInboundTexts:
    """A text that nobody got goes the way of a new one, to whom its number belongs and to nobody else."""

    REPLAY = f"{UNROUTED_MESSAGES}/replay"

    @pytest.fixture
    async def globex(self, api, acme):
        return await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})

    @pytest.fixture
    async def numbers(self, api, globex):
        """Acme's own trunk with the number of the text."""
        return await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "acme", "dids": "+12025550123"})

    async def test_one_whose_number_nobody_owns_stays_and_says_so(self, api, broker, globex):
        await broker.publish(unowned())

        (item,) = (await api.get(UNROUTED_MESSAGES)).json["items"]
        answers = [
            (await api.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": tenant})).json
            for tenant in (None, "acme", "globex")
        ]

        left = {"id": "i1", "code": "no_owner", "says": "Nobody owns its number: add it to a trunk, then replay it."}
        assert (item["stuck_code"], item["stuck"]) == ("no_owner", left["says"])
        assert answers == [{"done": [], "left": [left], "absent": []}] * 3
        assert len(broker.waiting(UNROUTED)) == 1

    async def test_it_goes_to_the_dispatcher_for_the_owner_and_for_nobody_else(self, api, broker, numbers):
        await broker.publish(unowned())

        wrong = await api.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": "globex"})
        right = await api.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": "acme"})

        assert [(left["code"], left["says"]) for left in wrong.json["left"]] == [
            ("not_its_number", "Its number is not globex's.")
        ]
        assert (right.json["done"], broker.waiting(UNROUTED)) == (["i1"], [])
        (sent,) = broker.waiting(CARRIER)
        assert (sent.type, json.loads(sent.body)["tenant_id"]) == (InboundEvent.TYPE, "acme")

    async def test_one_that_came_by_anothers_webhook_needs_a_person_who_knows(self, api, broker, numbers):
        await broker.publish(unowned())

        (item,) = (await api.get(UNROUTED_MESSAGES)).json["items"]
        alone = await api.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert (item["stuck_code"], [left["code"] for left in alone.json["left"]]) == (
            "anothers_webhook",
            ["anothers_webhook"],
        )

    async def test_one_that_came_by_the_owners_webhook_needs_nobody(self, api, broker, numbers):
        sms = await api.made("/api/v1/sms", {"name": "Main", "provider_id": numbers["id"]})
        await broker.publish(unowned(config_id=sms["id"]))

        (item,) = (await api.get(UNROUTED_MESSAGES)).json["items"]
        answer = await api.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert (item["stuck_code"], answer.json["done"]) == (None, ["i1"])
        assert json.loads(broker.waiting(CARRIER)[0].body).get("tenant_id") is None

    async def test_a_name_that_is_no_number_belongs_to_whose_webhook_it_came_by(self, api, broker, numbers):
        given = {"name": "Main", "provider_id": numbers["id"], "sender_id": "54321"}
        sms = await api.made("/api/v1/sms", given)
        await broker.publish(unowned(config_id=sms["id"], did="54321"))

        wrong = await api.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": "globex"})
        right = await api.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert ([left["code"] for left in wrong.json["left"]], right.json["done"]) == (["not_its_number"], ["i1"])

    async def test_a_tenant_replays_its_own_and_names_none(self, api, broker, key_for, numbers):
        await broker.publish(unowned(key="sms.inbound.acme.12025550123"))
        theirs = await key_for("operate", tenants=["acme"])

        refused = await theirs.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": "acme"})
        answer = await theirs.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert (refused.status, answer.json["done"]) == (403, ["i1"])
        assert json.loads(broker.waiting(CARRIER)[0].body)["tenant_id"] == "acme"

    @pytest.mark.parametrize("gone", [False, True], ids=["its configuration", "the one that is left"])
    async def test_one_of_a_configuration_that_is_switched_off_stays(self, api, broker, numbers, gone):
        sms = await api.made("/api/v1/sms", {"name": "Main", "provider_id": numbers["id"], "enabled": False})
        config_id = "gone" if gone else sms["id"]
        await broker.publish(unowned(config_id=config_id, key="sms.inbound.acme.12025550123"))

        off = await api.call("POST", self.REPLAY, {"ids": ["i1"]})
        await api.call("POST", f"/api/v1/sms/{sms['id']}/enable")
        on = await api.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert ([left["code"] for left in off.json["left"]], on.json["done"]) == (["config_disabled"], ["i1"])

    async def test_one_by_another_borrowers_webhook_waits_for_the_proof(self, api, broker, globex):
        pools = [{"tenant_id": "acme", "dids": "+12025550123"}, {"tenant_id": "globex", "dids": "+12025550124"}]
        lent = await api.made("/api/v1/trunks", {**TRUNK, "pools": pools})
        sms = await api.made("/api/v1/sms", {"name": "G", "provider_id": lent["id"], "tenant_id": "globex"})
        await broker.publish(unowned(config_id=sms["id"]))

        (item,) = (await api.get(UNROUTED_MESSAGES)).json["items"]
        stays = await api.call("POST", self.REPLAY, {"ids": ["i1"]})
        named = await api.call("POST", self.REPLAY, {"ids": ["i1"], "tenant_id": "acme"})

        assert item["stuck_code"] == "account_unproved"
        assert [left["code"] for left in stays.json["left"]] == ["account_unproved"]
        assert named.json["done"] == ["i1"]

    async def test_one_whose_number_has_gone_to_another_tenant_stays(self, api, broker, numbers):
        await broker.publish(unowned(key="sms.inbound.globex.12025550123"))

        answer = await api.call("POST", self.REPLAY, {"ids": ["i1"]})

        assert [left["code"] for left in answer.json["left"]] == ["anothers_webhook"]


def test_every_code_of_what_stays_is_explained_to_operators():
    explained = CODES.read_text().partition("## Why a parked message stays\n")[2].partition("\n## ")[0]

    assert [code.value for code in ReplayRefusal if f"\n| `{code.value}` |" not in explained] == []
