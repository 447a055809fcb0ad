"""`config export`, `import` and `diff` on the config service's real API."""

import pytest
import yaml

from sms_config.storage.testing import InMemoryStore
from tests.cli.bulk.files import ACME, SECRETS, Api, changed, files, put, written
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


async def test_a_file_makes_an_installation_whole(admin: Command, api: Api):
    ended = await put(admin, ACME)
    assert ended.status == 0, ended.err
    snapshot = await api.snapshot()
    main, second = snapshot.configs
    (tenant,) = snapshot.tenants
    assert (tenant.id, tenant.country, tenant.default_config_id) == ("acme", "US", main.id)
    assert snapshot.pools[0].numbers == "+12015550100-+12015550149"
    assert (main.sender_id, main.default_did, main.failure_policy) == ("+12015550101", "+12015550100", "resend")
    assert {name: value.get_secret_value() for name, value in main.credentials.items()} == {
        "account_id": "account-of-acme",
        "application_id": "application-of-acme",
        "api_token": "token-of-acme",
        "api_secret": "secret-of-acme",
    }
    assert (second.name, second.enabled) == ("Second", False)
    shown = (await api("GET", f"/sms/{main.id}"))["callback"]
    assert (shown["username"], shown["password_set"]) == ("carrier", True)


async def test_no_secret_is_printed(admin: Command):
    ended = await put(admin, ACME)
    again = await put(admin, ACME, "--replace-secrets", "--json")
    assert [secret for secret in SECRETS.values() if secret in ended.out + ended.err + again.out + again.err] == []


async def test_a_program_is_given_the_plan_and_has_to_say_yes(admin: Command):
    written(ACME)
    refused = await admin("config", "import", "in.yaml", "--json", env=SECRETS)
    assert refused.status == 2
    plan = (await put(admin, ACME, "--json")).json
    assert [(one["action"], one["name"]) for one in plan["steps"]] == [
        ("create", "acme"),
        ("create", "acme/BW"),
        ("create", "acme/Main"),
        ("create", "acme/Second"),
        ("update", "acme"),
    ]
    assert plan["steps"][2]["secrets"] == [
        "account_id",
        "api_secret",
        "api_token",
        "application_id",
        "callback.password",
    ]


async def test_a_diff_changes_nothing_and_may_fail_a_pipeline(admin: Command, store: InMemoryStore):
    written(ACME)
    assert (await admin("config", "diff", "in.yaml", env=SECRETS)).status == 0
    ended = await admin("config", "diff", "in.yaml", "--exit-code", env=SECRETS)
    assert ended.status == 1
    assert "5 changes, 0 unchanged" in ended.out
    assert store.number == 0
    await put(admin, ACME)
    same = await admin("config", "diff", "in.yaml", "--exit-code", "--json")
    assert (same.status, same.json) == (0, {"steps": [], "unchanged": 4})


async def test_a_dash_is_standard_output_and_standard_input(admin: Command, api: Api):
    await put(admin, ACME)
    out = await admin("config", "export", "-")
    same = await admin("config", "diff", "-", "--exit-code", answer=out.out)
    unasked = await admin("config", "import", "-", answer=out.out)
    made = await admin("config", "import", "-", "--yes", answer=out.out.replace("name: Acme", "name: Acme Ltd"))

    assert yaml.safe_load(out.out)["tenants"][0]["id"] == "acme"
    assert not files("-")
    assert (same.status, unasked.status, made.status) == (0, 2, 0)
    assert "say --yes" in unasked.err
    assert (await api("GET", "/tenants/acme"))["name"] == "Acme Ltd"


async def test_a_pasted_file_is_the_same_the_second_time(admin: Command):
    trunk = {**ACME["trunks"][0], "name": "Bronte\u0301 ", "dids": "2015550100\n2015550101\t2015550102", "hostname": ""}
    wanted = changed(trunks=[trunk], sms=[], tenants=[{"id": "acme", "name": "Acme\u200b"}])
    first = await put(admin, wanted)

    again = await admin("config", "diff", "in.yaml", "--exit-code")

    assert (first.status, again.status) == (0, 0), first.err + again.out


async def test_a_secret_of_the_environment_may_be_pasted(admin: Command, api: Api):
    pasted = {name: f"\ufeff{secret}\r\n" for name, secret in SECRETS.items()}

    assert (await put(admin, ACME, env=pasted)).status == 0
    main, _ = (await api.snapshot()).configs
    assert main.credentials["api_secret"].get_secret_value() == "secret-of-acme"


@pytest.mark.parametrize("command", ["import", "diff"])
async def test_a_bad_file_is_a_wrong_command_line(admin: Command, command: str):
    ended = await admin("config", command, written({"version": 3}))
    assert ended.status == 2
    assert "version: must be 1" in ended.err


async def test_a_place_that_cannot_be_written_is_told(admin: Command):
    ended = await admin("config", "export", "nowhere/out.yaml")
    assert ended.status == 1
    assert "nowhere/out.yaml cannot be written" in ended.err
