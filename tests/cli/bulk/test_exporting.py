"""What `config export` writes is what is there, and holds no secret."""

import pytest

from tests.cli.bulk.files import ACME, Api, exported, put, read
from tests.cli.world import Command

pytestmark = pytest.mark.loopback


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
