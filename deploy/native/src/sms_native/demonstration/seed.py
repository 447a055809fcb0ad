"""The configuration of the demonstration, in the gateway and at the simulated Bandwidth: made once, then reused."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import aiohttp

from sms_native.gateway.stack import Stack
from sms_native.machine.processes import NativeError

TENANT = "demo"
DID = "+12015550100"
_TRUNK = "Demo trunk"
_CONFIG = "Demo texts"
_ACCOUNT = "9900001"
_APPLICATION = "93de2206-9669-4e07-948d-329f4b722ee2"
_CALLBACK_USER = "bandwidth"


class JsonApi:
    """A JSON API with a bearer token."""

    def __init__(self, http: aiohttp.ClientSession, base: str, token: str) -> None:
        self._http = http
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded answer, None for an empty one. Raises NativeError, with the answer, unless it is a 2xx."""
        async with self._http.request(method, self._base + path, json=body, headers=self._headers) as answer:
            text = await answer.text()
            if not answer.ok:
                raise NativeError(f"{method} {self._base}{path} was answered {answer.status}: {text[:500]}")
            return await answer.json() if text else None


@dataclass(frozen=True, slots=True)
class Seeded:
    """The configuration of the demonstration."""

    config: dict[str, Any]
    """The SMS configuration as the API shows it."""
    fresh: bool
    """Whether any of it was made just now, so that the services may not know it yet."""


async def seed(http: aiohttp.ClientSession, stack: Stack) -> Seeded:
    """Make the tenant, trunk and SMS configuration where missing, and add the account to the simulator.

    Raises NativeError when the API refuses something.
    """
    api = configuration(http, stack)
    api_secret, callback_password = _secret(stack, "api"), _secret(stack, "callback")
    tenant = await _find(api, "tenants", f"id eq {TENANT}")
    made = tenant is None
    if tenant is None:
        await api.call("POST", "/api/v1/tenants", {"id": TENANT, "name": "Demonstration", "country": "US"})
    trunk = await _find(api, "trunks", f"tenant_id eq {TENANT}")
    if trunk is None:
        made = True
        trunk = await api.call(
            "POST",
            "/api/v1/trunks",
            {"tenant_id": TENANT, "name": _TRUNK, "brand": "Bandwidth", "dids": DID, "default_did": DID},
        )
    config = await _find(api, "sms", f"tenant_id eq {TENANT}")
    if config is None:
        made = True
        credentials = {"account_id": _ACCOUNT, "application_id": _APPLICATION, "api_token": "demo-client"}
        config = await api.call(
            "POST",
            "/api/v1/sms",
            {
                "name": _CONFIG,
                "provider_id": trunk["id"],
                "credentials": {**credentials, "api_secret": api_secret},
                "callback": {"username": _CALLBACK_USER, "password": callback_password},
            },
        )
    callback = {"username": _CALLBACK_USER, "password": callback_password}
    application = {
        "application_id": _APPLICATION,
        "inbound_url": config["webhook"],
        "outbound_url": config["webhook"],
        "inbound_credentials": callback,
        "outbound_credentials": callback,
        "numbers": [DID],
    }
    account = {
        "credentials": [{"client_id": "demo-client", "client_secret": api_secret}],
        "applications": [application],
    }
    await simulator(http, stack).call("PUT", f"/_simulator/accounts/{_ACCOUNT}", account)
    return Seeded(config, made)


def configuration(http: aiohttp.ClientSession, stack: Stack) -> JsonApi:
    """Return the config service's API, as its administrator."""
    return JsonApi(http, stack.config_url, stack.env["CONFIG_BOOTSTRAP_API_KEY"])


def simulator(http: aiohttp.ClientSession, stack: Stack) -> JsonApi:
    """Return the simulator's control API."""
    return JsonApi(http, stack.simulator_url, stack.env["SIMULATOR_CONTROL_TOKEN"])


async def _find(api: JsonApi, resource: str, condition: str) -> dict[str, Any] | None:
    """Return the first object that meets the condition, in the API's filter language."""
    found = await api.call("GET", f"/api/v1/{resource}?filter={condition.replace(' ', '%20')}&orderby=created_at&top=1")
    items: list[dict[str, Any]] = found["items"]
    return items[0] if items else None


def _secret(stack: Stack, purpose: str) -> str:
    """Return a secret that is the same at every start, and different on every machine."""
    key = stack.env["SIMULATOR_CONTROL_TOKEN"].encode()
    return hmac.new(key, f"demo {purpose}".encode(), hashlib.sha256).hexdigest()[:32]
