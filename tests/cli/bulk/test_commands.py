"""`config export`, `import` and `diff` on the config service's real API."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from pydantic import SecretStr

from sms_common.configuration import DispatcherSnapshot
from sms_config.http.app import DISPATCHER_SNAPSHOT
from sms_config.model.records import SmsConfigRecord, TenantRecord, TrunkRecord
from sms_config.storage.testing import InMemoryStore
from smsgw.access.http_api import ServiceApi as HttpApi
from smsgw.access.http_api import session
from smsgw.bulk.applying import apply
from smsgw.bulk.current import fetch
from smsgw.bulk.document import parse
from smsgw.bulk.planning import Step, plan
from smsgw.terminal.running import Failure
from tests.cli.world import Command, Ended
from tests.config.world import BOOTSTRAP, DISPATCHER

pytestmark = pytest.mark.loopback

ACME: dict[str, Any] = {
    "version": 1,
    "tenants": [
        {"id": "acme", "name": "Acme", "country": "us", "time_zone": "America/New_York", "default_config": "Main"}
    ],
    "trunks": [
        {
            "tenant": "acme",
            "name": "BW",
            "brand": "Bandwidth",
            "dids": "(201) 555-0100 - 201 555 0149",
            "default_did": "2015550100",
        }
    ],
    "sms": [
        {
            "tenant": "acme",
            "name": "Main",
            "trunk": "BW",
            "sender_id": "201-555-0101",
            "failure_policy": "resend",
            "credentials": {
                "account_id_env": "ACME_ACCOUNT",
                "application_id_env": "ACME_APPLICATION",
                "api_token_env": "ACME_TOKEN",
                "api_secret_env": "ACME_SECRET",
            },
            "callback": {"username": "carrier", "password_env": "ACME_CALLBACK"},
        },
        {"tenant": "acme", "name": "Second", "trunk": "BW", "enabled": False},
    ],
}
SECRETS = {
    "ACME_ACCOUNT": "account-of-acme",
    "ACME_APPLICATION": "application-of-acme",
    "ACME_TOKEN": "token-of-acme",
    "ACME_SECRET": "secret-of-acme",
    "ACME_CALLBACK": "callback-of-acme",
}


class Api:
    """The API as another administrator uses it."""

    def __init__(self, base: str) -> None:
        self._base = base

    async def __call__(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {BOOTSTRAP}"}) as http,
            http.request(method, f"{self._base}/api/v1{path}", json=body) as answer,
        ):
            assert answer.ok, await answer.text()
            return await answer.json() if answer.content_type == "application/json" else None

    async def snapshot(self) -> DispatcherSnapshot:
        """What the dispatcher would work with."""
        headers = {"Authorization": f"Bearer {DISPATCHER}"}
        async with aiohttp.ClientSession(headers=headers) as http, http.get(self._base + DISPATCHER_SNAPSHOT) as answer:
            return DispatcherSnapshot.model_validate_json(await answer.read())


@pytest.fixture
def api(config_url: str) -> Api:
    return Api(config_url)


def changed(**sections: Any) -> dict[str, Any]:
    return {**ACME, **sections}


def written(content: Mapping[str, Any]) -> str:
    Path("in.yaml").write_text(yaml.safe_dump(dict(content)))
    return "in.yaml"


def line_of(text: str) -> int:
    """The line of the file that was written on which an entry with this text begins: YAML sorts its fields."""
    lines = Path("in.yaml").read_text().splitlines()
    place = next(place for place, line in enumerate(lines) if text in line)
    return next(number for number in range(place, -1, -1) if lines[number].startswith("- ")) + 1


def text_of(name: str) -> str:
    return Path(name).read_text()


def files(name: str) -> list[Path]:
    return list(Path().glob(name))


def read(name: str) -> Any:
    return yaml.safe_load(Path(name).read_text())


async def put(command: Command, content: Mapping[str, Any], *arguments: str, env: Mapping[str, str] = SECRETS) -> Ended:
    return await command("config", "import", written(content), "--yes", *arguments, env=env)


async def exported(command: Command, *arguments: str) -> Any:
    ended = await command("config", "export", *arguments)
    assert ended.status == 0, ended.err
    return yaml.safe_load(ended.out)


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


async def test_importing_again_changes_nothing_and_needs_no_secrets(admin: Command, store: InMemoryStore):
    await put(admin, ACME)
    before = store.number
    ended = await put(admin, ACME, env={})
    assert (ended.status, ended.out) == (0, "0 changes, 4 unchanged\n")
    assert store.number == before


async def test_numbers_are_read_as_the_tenant_has_them_read(admin: Command, api: Api):
    tenant = {**ACME["tenants"][0], "foreign_without_plus": True}
    trunk = {**ACME["trunks"][0], "dids": "447700900123; 2015550100-2015550149", "default_did": "447700900123"}
    file = {**ACME, "tenants": [tenant], "trunks": [trunk]}

    await put(admin, file)
    again = await put(admin, file, env={})

    assert again.out == "0 changes, 4 unchanged\n"
    (stored,) = (await api("GET", "/trunks"))["items"]
    assert (stored["dids"], stored["default_did"]) == ("+12015550100-+12015550149;+447700900123", "+447700900123")


async def test_what_was_exported_is_what_is_there_and_holds_no_secret(admin: Command):
    await put(admin, ACME)
    content = await exported(admin)
    assert content == {
        "version": 1,
        "tenants": [
            {
                "id": "acme",
                "name": "Acme",
                "country": "US",
                "foreign_without_plus": False,
                "time_zone": "America/New_York",
                "pbx_id": "main",
                "default_config": "Main",
            }
        ],
        "trunks": [
            {
                "tenant": "acme",
                "name": "BW",
                "brand": "Bandwidth",
                "carrier": "bandwidth",
                "hostname": None,
                "dids": "+12015550100-+12015550149",
                "default_did": "+12015550100",
            }
        ],
        "sms": [
            {
                "tenant": "acme",
                "name": "Main",
                "trunk": "BW",
                "enabled": True,
                "sender_id": "+12015550101",
                "failure_policy": "resend",
                "callback": {"username": "carrier"},
            },
            {
                "tenant": "acme",
                "name": "Second",
                "trunk": "BW",
                "enabled": False,
                "sender_id": None,
                "failure_policy": "hold",
                "callback": None,
            },
        ],
    }
    assert (await put(admin, content, env={})).out == "0 changes, 4 unchanged\n"


async def test_an_export_may_name_a_variable_for_each_stored_secret(admin: Command, config_url: str):
    await put(admin, ACME)
    ended = await admin("config", "export", "out.yaml", "--name-variables")
    assert ended.err == "wrote out.yaml: 1 tenants, 1 trunks, 2 sms\n"
    main, second = read("out.yaml")["sms"]
    assert main["credentials"] == {
        "account_id_env": "ACME_MAIN_ACCOUNT_ID",
        "application_id_env": "ACME_MAIN_APPLICATION_ID",
        "api_token_env": "ACME_MAIN_API_TOKEN",
        "api_secret_env": "ACME_MAIN_API_SECRET",
    }
    assert main["callback"] == {"username": "carrier", "password_env": "ACME_MAIN_CALLBACK_PASSWORD"}
    assert "credentials" not in second


async def test_an_export_of_one_tenant_speaks_of_it_alone(admin: Command, api: Api):
    await put(admin, ACME)
    await api("POST", "/tenants", {"id": "other", "name": "Other"})
    content = await exported(admin, "--tenant", "acme", "--json")
    assert (content["only_tenants"], [one["id"] for one in content["tenants"]]) == (["acme"], ["acme"])
    await put(admin, content, "--prune")
    assert (await api("GET", "/tenants"))["count"] == 2
    missing = await admin("config", "export", "-t", "nobody")
    assert (missing.status, missing.err) == (1, "error: There is no tenant nobody.\n")


async def test_a_plan_shows_what_changes_before_anybody_is_asked(admin: Command, api: Api):
    await put(admin, ACME)
    written(changed(tenants=[{"id": "acme", "name": "Acme Inc", "default_config": None}]))
    ended = await admin("config", "import", "in.yaml", answer="n\n", env=SECRETS)
    assert ended.status == 1
    assert "name: Acme -> Acme Inc" in ended.out
    assert "default_config: Main -> none" in ended.out
    assert "apply 2 changes?" in ended.out
    assert (await api("GET", "/tenants/acme"))["name"] == "Acme"
    await admin("config", "import", "in.yaml", answer="y\n", env=SECRETS)
    tenant = await api("GET", "/tenants/acme")
    assert (tenant["name"], tenant["default_config_id"], tenant["time_zone"]) == ("Acme Inc", None, "America/New_York")


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


async def test_without_prune_nothing_is_deleted(admin: Command, api: Api):
    await put(admin, ACME)
    await put(admin, {"version": 1})
    assert (await api("GET", "/sms"))["count"] == 2


async def test_prune_deletes_what_the_file_lacks_users_first(admin: Command, api: Api):
    await put(admin, ACME)
    ended = await put(admin, changed(sms=ACME["sms"][:1]), "--prune")
    assert "delete" in ended.out
    assert [one["name"] for one in (await api("GET", "/sms"))["items"]] == ["Main"]
    assert (await put(admin, {"version": 1}, "--prune")).status == 0
    for path in ("/sms", "/trunks", "/tenants"):
        assert (await api("GET", path))["count"] == 0


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


async def test_secrets_are_replaced_only_when_told_to(admin: Command, api: Api):
    await put(admin, ACME)
    fresh = {**SECRETS, "ACME_SECRET": "second-secret"}
    await put(admin, ACME, env=fresh)
    assert (await api.snapshot()).configs[0].credentials["api_secret"].get_secret_value() == "secret-of-acme"
    ended = await put(admin, ACME, "--replace-secrets", env=fresh)
    assert "api_secret: set from the environment" in ended.out
    assert (await api.snapshot()).configs[0].credentials["api_secret"].get_secret_value() == "second-secret"


async def test_a_callback_is_removed_by_null_and_stays_without_a_word(admin: Command, api: Api):
    await put(admin, ACME)
    main, second = ACME["sms"]
    await put(admin, changed(sms=[{name: value for name, value in main.items() if name != "callback"}, second]))
    assert (await api("GET", "/sms"))["items"][0]["callback"] is not None
    await put(admin, changed(sms=[{**main, "callback": None}, second]))
    assert (await api("GET", "/sms"))["items"][0]["callback"] is None


@pytest.mark.parametrize(
    ("content", "env", "told"),
    [
        pytest.param(ACME, {}, "the environment variable ACME_SECRET (api_secret) is not set", id="no secret"),
        pytest.param(changed(tenants=[]), SECRETS, "names the tenant acme, which does not exist", id="no tenant"),
        pytest.param(changed(trunks=[]), SECRETS, "names the trunk acme/BW, which does not exist", id="no trunk"),
        pytest.param(
            changed(sms=[]), SECRETS, "names the SMS configuration acme/Main, which does not exist", id="no default"
        ),
        pytest.param(
            changed(sms=[{"tenant": "acme", "name": "Main", "trunk": "BW", "callback": {"username": "x"}}]),
            SECRETS,
            "callback needs a password_env",
            id="no password",
        ),
    ],
)
async def test_a_file_that_cannot_be_had_here_changes_nothing(
    admin: Command, store: InMemoryStore, content: Mapping[str, Any], env: Mapping[str, str], told: str
):
    ended = await put(admin, content, env=env)
    assert ended.status == 1
    assert told in ended.err
    assert store.number == 0


async def test_a_carrier_cannot_be_changed(admin: Command):
    await put(admin, ACME)
    ended = await put(admin, changed(trunks=[{**ACME["trunks"][0], "carrier": "flowroute"}]))
    assert "its carrier is bandwidth and cannot be changed" in ended.err


async def test_what_the_api_refuses_is_told_with_the_object_and_what_was_done_before(admin: Command, api: Api):
    ended = await put(admin, changed(trunks=[{**ACME["trunks"][0], "dids": "12"}]))
    assert ended.status == 1
    assert "The trunk acme/BW could not be created" in ended.err
    assert "dids" in ended.err
    assert "1 of 5 changes were made." in ended.err
    assert (await put(admin, ACME)).status == 0  # and it goes on from there
    assert (await api("GET", "/sms"))["count"] == 2


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


async def test_what_the_api_refuses_is_told_with_file_line_and_field(admin: Command):
    ended = await put(admin, changed(trunks=[{**ACME["trunks"][0], "hostname": "no host"}]))

    assert f"error: in.yaml: line {line_of('brand: Bandwidth')}: The trunk acme/BW could not be created" in ended.err
    assert "hostname: " in ended.err


async def test_what_the_file_cannot_have_is_told_with_file_and_line(admin: Command):
    ended = await put(admin, changed(sms=[{"tenant": "acme", "name": "Main", "trunk": "Gone"}]))

    assert ended.status == 1
    assert "error: in.yaml: " in ended.err
    said = "SMS configuration acme/Main names the trunk acme/Gone, which does not exist"
    assert f"line {line_of('name: Main')}: {said}" in ended.err


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


async def test_everything_is_found_on_many_pages(admin: Command, api: Api):
    for number in range(103):
        await api("POST", "/tenants", {"id": f"t{number}", "name": f"Tenant {number}"})
    assert len((await exported(admin))["tenants"]) == 103


@pytest.mark.parametrize("command", ["import", "diff"])
async def test_a_bad_file_is_a_wrong_command_line(admin: Command, command: str):
    ended = await admin("config", command, written({"version": 3}))
    assert ended.status == 2
    assert "version: must be 1" in ended.err


async def test_a_place_that_cannot_be_written_is_told(admin: Command):
    ended = await admin("config", "export", "nowhere/out.yaml")
    assert ended.status == 1
    assert "nowhere/out.yaml cannot be written" in ended.err


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
