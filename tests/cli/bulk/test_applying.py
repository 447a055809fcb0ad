"""The steps of an import are made as far as they can be, and nobody else's change is lost."""

import pytest
import yaml
from pydantic import SecretStr

from smsgw.access.http_api import ServiceApi as HttpApi
from smsgw.access.http_api import session
from smsgw.bulk.applying import apply
from smsgw.bulk.current import fetch
from smsgw.bulk.document import parse
from smsgw.bulk.planning import Step, plan
from smsgw.terminal.running import Failure
from tests.cli.bulk.files import ACME, Api, changed, line_of, put
from tests.cli.world import Command
from tests.config.world import BOOTSTRAP

pytestmark = pytest.mark.loopback


async def test_numbers_and_configurations_move_from_a_trunk_that_is_pruned_to_a_new_one(admin: Command, api: Api):
    await put(admin, ACME)
    trunks = [{**ACME["trunks"][0], "name": "New"}]
    ended = await put(admin, changed(trunks=trunks, sms=[{**one, "trunk": "New"} for one in ACME["sms"]]), "--prune")
    assert ended.status == 1  # the old trunk has the numbers until its configurations have left it
    assert "already" in ended.err or "overlaps" in ended.err
    shrunk = changed(
        trunks=[{**ACME["trunks"][0], "dids": "", "default_did": None}, *trunks],
        sms=[{**one, "trunk": "New"} for one in ACME["sms"]],
    )
    assert (await put(admin, shrunk)).status == 0
    assert (await put(admin, changed(trunks=trunks, sms=shrunk["sms"]), "--prune")).status == 0
    assert [one["name"] for one in (await api("GET", "/trunks"))["items"]] == ["New"]


async def test_a_number_that_another_trunk_gives_up_is_taken_in_either_order(admin: Command, api: Api):
    small = {**ACME["trunks"][0], "dids": "+12015550100", "default_did": None}
    await put(
        admin,
        changed(
            trunks=[small, {**small, "name": "B", "dids": "+12015550101"}],
            sms=[],
            tenants=[{"id": "acme", "name": "A"}],
        ),
    )
    moved = [{**small, "dids": "+12015550100-+12015550101"}, {**small, "name": "B", "dids": ""}]
    ended = await put(admin, changed(trunks=moved, sms=[], tenants=[{"id": "acme", "name": "A"}]))
    assert ended.status == 0, ended.err
    assert [one["dids"] for one in (await api("GET", "/trunks"))["items"]] == ["+12015550100-+12015550101", ""]


async def test_what_the_api_refuses_is_told_with_the_object_and_what_was_done_before(admin: Command, api: Api):
    ended = await put(admin, changed(trunks=[{**ACME["trunks"][0], "dids": "12"}]))
    assert ended.status == 1
    assert "The trunk acme/BW could not be created" in ended.err
    assert "dids" in ended.err
    assert "1 of 5 changes were made." in ended.err
    assert (await put(admin, ACME)).status == 0  # and it goes on from there
    assert (await api("GET", "/sms"))["count"] == 2


async def test_what_the_api_refuses_is_told_with_file_line_and_field(admin: Command):
    ended = await put(admin, changed(trunks=[{**ACME["trunks"][0], "hostname": "no host"}]))

    assert f"error: in.yaml: line {line_of('brand: Bandwidth')}: The trunk acme/BW could not be created" in ended.err
    assert "hostname: " in ended.err


async def test_somebody_elses_change_meanwhile_is_not_overwritten(admin: Command, api: Api, config_url: str):
    await put(admin, ACME)
    wanted = parse(yaml.safe_dump(changed(tenants=[{"id": "acme", "name": "Mine"}], sms=[])))
    made: list[Step] = []
    async with session(10, None) as http:
        mine = HttpApi(http, config_url, SecretStr(BOOTSTRAP), "config service")
        now = await fetch(mine)
        planned = plan(wanted, now, lambda _: None, {})
        await api("PATCH", "/tenants/acme", {"name": "Theirs"})
        with pytest.raises(Failure) as caught:
            await apply(mine, planned, now, made.append)
    assert "The tenant acme was changed by somebody else meanwhile" in str(caught.value)
    assert "name: was changed by bootstrap" in str(caught.value)
    assert made == []
    assert (await api("GET", "/tenants/acme"))["name"] == "Theirs"
