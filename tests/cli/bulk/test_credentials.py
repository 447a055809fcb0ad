"""Credentials in a file are named as the trunk's carrier declares them, whatever it is."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestServer

from sms_common.carriers import CARRIERS
from sms_common.testing.carriers import SpicyCarrier
from sms_config.main import ExternalServices, build_app
from sms_config.storage.testing import InMemoryStore
from tests.cli.world import Command, Ended
from tests.config.world import make_settings

pytestmark = pytest.mark.loopback
SECRETS = {"PHRASE": "Öffne dich", "TOKEN": "token-of-acme"}


@pytest.fixture
async def config_url(store: InMemoryStore) -> AsyncIterator[str]:
    """A config service that speaks to an odd carrier too."""
    external = ExternalServices(carriers={**CARRIERS, "spicy": SpicyCarrier})
    app = build_app(make_settings(), store, wake=lambda: None, waiting_for=lambda: None, external=external)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def file(credentials: Mapping[str, Any], brand: str = "Spice & Söhne") -> str:
    content = {
        "version": 1,
        "tenants": [{"id": "acme", "name": "Acme"}],
        "trunks": [{"tenant": "acme", "name": "Jar", "brand": brand}],
        "sms": [{"tenant": "acme", "name": "Main", "trunk": "Jar", "credentials": dict(credentials)}],
    }
    Path("in.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return "in.yaml"


async def put(command: Command, name: str, *arguments: str) -> Ended:
    return await command("config", "import", name, "--yes", *arguments, env=SECRETS)


GOOD = {"spice": "saffron 2 g", "paß-phrase_env": "PHRASE"}


async def test_a_file_has_them_by_the_carriers_names_and_is_the_same_when_imported_again(admin: Command):
    made = await put(admin, file(GOOD))
    again = await put(admin, file(GOOD))

    assert made.status == 0, made.err
    assert "credentials.spice: saffron 2 g" in made.out
    assert "Öffne" not in made.out + again.out
    assert again.out == "0 changes, 3 unchanged\n"


async def test_a_shown_one_is_compared_and_changed(admin: Command):
    await put(admin, file(GOOD))

    ended = await put(admin, file({"spice": "salt 1 g"}))

    assert "credentials.spice: saffron 2 g -> salt 1 g" in ended.out
    assert (await put(admin, file({"spice": "salt 1 g"}))).out == "0 changes, 3 unchanged\n"


async def test_an_export_names_a_variable_for_each(admin: Command):
    await put(admin, file(GOOD))

    ended = await admin("config", "export", "--name-variables")

    (main,) = yaml.safe_load(ended.out)["sms"]
    assert main["credentials"] == {"spice_env": "ACME_MAIN_SPICE", "paß-phrase_env": "ACME_MAIN_PASS_PHRASE"}


@pytest.mark.parametrize(
    ("credentials", "brand", "told"),
    [
        (
            {"account_id": "9900123"},
            "Spice & Söhne",
            "credentials.account_id is not known: Spice & Söhne has spice, paß-phrase",
        ),
        (
            {"api_token_env": "TOKEN"},
            "Spice & Söhne",
            "credentials.api_token_env is not known: Spice & Söhne has spice",
        ),
        (
            {"paß-phrase": "hush"},
            "Spice & Söhne",
            "credentials.paß-phrase is a secret: name its environment variable in paß-phrase_env",
        ),
        ({"spice": "salt 1 g", "spice_env": "TOKEN"}, "Spice & Söhne", "credentials.spice stands beside spice_env"),
        ({"api_secret": "hush"}, "Bandwidth", "credentials.api_secret is a secret"),
    ],
)
async def test_what_the_carrier_does_not_declare_changes_nothing(
    admin: Command, store: InMemoryStore, credentials: Mapping[str, Any], brand: str, told: str
):
    ended = await put(admin, file(credentials, brand))

    assert ended.status == 1
    assert told in ended.err
    assert "line " in ended.err
    assert "hush" not in ended.err + ended.out
    assert store.number == 0


async def test_ids_may_stand_in_the_file(admin: Command):
    ids = {"account_id": "9900123", "application_id": "app-0d3a-77aa", "api_token_env": "TOKEN"}

    made = await put(admin, file(ids, "Bandwidth"))

    assert made.status == 0, made.err
    assert (await put(admin, file(ids, "Bandwidth"))).out == "0 changes, 3 unchanged\n"
