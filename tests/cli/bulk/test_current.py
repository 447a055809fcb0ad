"""What is configured is found whole, whatever names former releases took."""

import re

import pytest
import yaml

from sms_config.model.records import SmsConfigRecord, TenantRecord, TrunkRecord
from sms_config.storage.testing import InMemoryStore
from tests.cli.bulk.files import ACME, Api, exported, put, text_of, written
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


class TestObjectsOfOneName:
    """The API refuses a second trunk of a name; what a former release took is still there."""

    @pytest.fixture
    async def twice(self, admin: Command, api: Api, store: InMemoryStore):
        await put(admin, ACME)
        second = await api(
            "POST", "/trunks", {"tenant_id": "acme", "name": "Old", "brand": "Bandwidth", "dids": "2015550150"}
        )
        record = store.records[TrunkRecord][second["id"]]
        store.records[TrunkRecord][second["id"]] = record.model_copy(update={"name": "BW"})
        await api("POST", "/sms", {"name": "Main", "provider_id": second["id"]})

    async def test_they_are_exported_under_names_of_their_own_and_that_is_said(self, admin: Command, twice: None):
        ended = await admin("config", "export")
        content = yaml.safe_load(ended.out)

        assert ended.status == 0
        assert "there are two objects that are called trunk acme/BW; written as BW, BW (2)" in ended.err
        assert "two objects that are called SMS configuration acme/Main" in ended.err
        assert [(trunk["name"], trunk["dids"]) for trunk in content["trunks"]] == [
            ("BW", "+12015550100-+12015550149"),
            ("BW (2)", "+12015550150"),
        ]
        assert [(sms["name"], sms["trunk"]) for sms in content["sms"]] == [
            ("Main", "BW"),
            ("Second", "BW"),
            ("Main (2)", "BW (2)"),
        ]

    async def test_what_was_exported_changes_nothing_here_and_makes_the_same_elsewhere(
        self, admin: Command, twice: None, store: InMemoryStore
    ):
        await admin("config", "export", "in.yaml", "--name-variables")
        env = dict.fromkeys(re.findall(r"_env: (\w+)", text_of("in.yaml")), "secret-1")
        here = await admin("config", "diff", "in.yaml", "--exit-code", "--prune")
        for kind in (TenantRecord, TrunkRecord, SmsConfigRecord):
            store.records[kind] = {}
        elsewhere = await admin("config", "import", "in.yaml", "--yes", env=env)

        assert (here.status, elsewhere.status) == (0, 0), here.err + elsewhere.err
        assert sorted(trunk["name"] for trunk in (await exported(admin))["trunks"]) == ["BW", "BW (2)"]

    async def test_a_file_that_names_one_of_them_is_not_guessed_about(self, admin: Command, twice: None):
        ended = await put(admin, ACME)

        assert ended.status == 1
        assert "trunk acme/BW is the name of 2 objects here" in ended.err


async def test_names_of_old_that_hold_what_nobody_sees_are_exported_clean_and_found_again(
    admin: Command, store: InMemoryStore
):
    await put(admin, ACME)
    for kind in (TenantRecord, TrunkRecord, SmsConfigRecord):
        for record in list(store.records[kind].values()):
            assert isinstance(record, TenantRecord | TrunkRecord | SmsConfigRecord)
            old = record.model_copy(update={"name": f"{record.name[0]}\u200b{record.name[1:]}e\u0301"})
            store.records[kind][record.id] = old

    content = await exported(admin)
    written(content)
    here = await admin("config", "diff", "in.yaml", "--exit-code")

    assert content["trunks"][0]["name"] == content["sms"][0]["trunk"] == "BW\u00e9"
    assert (content["tenants"][0]["name"], content["tenants"][0]["default_config"]) == ("Acme\u00e9", "Main\u00e9")
    assert here.status == 0, here.out


async def test_everything_is_found_on_many_pages(admin: Command, api: Api):
    for number in range(103):
        await api("POST", "/tenants", {"id": f"t{number}", "name": f"Tenant {number}"})
    assert len((await exported(admin))["tenants"]) == 103
