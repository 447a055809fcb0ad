"""A trunk that is lent to two tenants, and the accounts that may stand behind it."""

from typing import Any

from carrier_simulator import SimulatedAccount
from tests.config.world import CREDENTIALS

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
