"""What an import would do: what changes, what stays, what is deleted, and what cannot be had."""

from collections.abc import Mapping
from typing import Any

import pytest

from sms_config.storage.testing import InMemoryStore
from tests.cli.bulk.files import ACME, SECRETS, Api, changed, line_of, put, written
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


async def test_importing_again_changes_nothing_and_needs_no_secrets(admin: Command, store: InMemoryStore):
    await put(admin, ACME)
    before = store.number
    ended = await put(admin, ACME, env={})
    assert (ended.status, ended.out) == (0, "0 changes, 4 unchanged\n")
    assert store.number == before


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


async def test_what_the_file_cannot_have_is_told_with_file_and_line(admin: Command):
    ended = await put(admin, changed(sms=[{"tenant": "acme", "name": "Main", "trunk": "Gone"}]))

    assert ended.status == 1
    assert "error: in.yaml: " in ended.err
    said = "SMS configuration acme/Main names the trunk acme/Gone, which does not exist"
    assert f"line {line_of('name: Main')}: {said}" in ended.err
