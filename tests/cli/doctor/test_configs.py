"""What the doctor finds in the configuration."""

from typing import Any

import pytest

from tests.cli.doctor.conftest import CONFIG, TENANT, Gateway

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(
    ("config", "level", "said"),
    [
        pytest.param({"missing": ["api_secret"]}, "fail", "a draft: api_secret missing", id="a draft"),
        pytest.param({"enabled": False}, "warn", "disabled", id="disabled"),
        pytest.param({"callback": None}, "warn", "asks for no user", id="no callback"),
        pytest.param({"webhook": None}, "fail", "cannot be decrypted", id="no webhook"),
    ],
)
async def test_a_configuration_that_is_not_whole(gateway: Gateway, config: dict[str, Any], level: str, said: str):
    gateway.configs = [{**CONFIG, **config}]
    found = await gateway.examined()
    assert found["config acme/Main"][0] == level
    assert said in found["config acme/Main"][1]


async def test_tenants_whose_requests_would_be_refused_are_named(gateway: Gateway):
    gateway.tenants = [{**TENANT, "default_config_id": None}, {**TENANT, "id": "empty"}]
    gateway.configs = [CONFIG, {**CONFIG, "id": "c2", "name": "Second", "enabled": False}]
    found = await gateway.examined()
    assert found["tenant acme"][:2] == ("warn", "has 2 SMS configurations and no default")
    assert found["tenant empty"][:2] == ("warn", "has no SMS configuration")
    gateway.configs, gateway.tenants = [], []
    assert (await gateway.examined())["configurations"][0] == "warn"
