"""A trunk that is lent to two tenants, and the accounts that may stand behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from carrier_simulator import SimulatedAccount, Simulator, SimulatorSettings, running
from sms_config.settings import ConfigSettings
from tests.config.world import CREDENTIALS, make_settings

TRUNKS, SMS = "/api/v1/trunks", "/api/v1/sms"
LENDERS = CREDENTIALS["account_id"]
OTHER = {**CREDENTIALS, "account_id": "5500777", "api_token": "token-of-globex", "api_secret": "secret-of-globex"}
POOLS: list[dict[str, Any]] = [
    {"tenant_id": "acme", "dids": "2015550100-2015550199"},
    {"tenant_id": "globex", "dids": "2015550200-2015550299"},
]


def account(credentials: dict[str, str]) -> SimulatedAccount:
    clients = [
        {"client_id": credentials["api_token"], "client_secret": secret}
        for secret in (credentials["api_secret"], "a-second-secret")
    ]
    return SimulatedAccount.model_validate({"account_id": credentials["account_id"], "credentials": clients})


def config(trunk, tenant="globex", **changes):
    return {"name": "Texts", "provider_id": trunk["id"], "tenant_id": tenant, **changes}


@asynccontextmanager
async def both_accounts() -> AsyncIterator[Simulator]:
    """A simulated carrier that has the lender's account and another one."""
    async with running(SimulatorSettings()) as simulator:
        simulator.put_account(account(CREDENTIALS))
        simulator.put_account(account(OTHER))
        yield simulator


def settings_for(simulator: Simulator) -> ConfigSettings:
    urls = {"messaging_url": simulator.messaging_url, "token_url": simulator.token_url}
    return make_settings(carrier_options={"bandwidth": urls})
