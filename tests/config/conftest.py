"""The config service on the store in memory, driven through its HTTP API as its users drive it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer

from sms_common.testing.broker import FakeBroker
from sms_config.http.app import DISPATCHER_SNAPSHOT, INGRESS_SNAPSHOT
from sms_config.main import ExternalServices, build_app
from sms_config.model.keyring import KeyRing
from sms_config.settings import ConfigSettings
from sms_config.storage.testing import InMemoryStore
from tests.config.people import Browser, system_admin, tenant_admin
from tests.config.world import (
    BOOTSTRAP,
    CREDENTIALS,
    DISPATCHER,
    INGRESS,
    TRUNK,
    Api,
    Clock,
    Gate,
    Woken,
    make_settings,
    quick_passwords,
)


@pytest.fixture
def settings() -> ConfigSettings:
    return make_settings()


@pytest.fixture
def ring(settings: ConfigSettings) -> KeyRing:
    return settings.keys


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as found:
        yield found


@pytest.fixture
def external(broker: FakeBroker) -> ExternalServices:
    return ExternalServices(broker)


@pytest.fixture
async def serve(
    store: InMemoryStore, clock: Clock, woken: Woken, gate: Gate, external: ExternalServices
) -> AsyncIterator[Callable[..., Any]]:
    """Serve the API with these settings."""
    async with AsyncExitStack() as stack:

        async def start(settings: ConfigSettings) -> Api:
            app = build_app(
                settings,
                store,
                wake=woken,
                waiting_for=gate,
                clock=clock,
                passwords=quick_passwords(),
                external=external,
            )
            return Api(
                await stack.enter_async_context(TestClient(TestServer(app), cookie_jar=DummyCookieJar())), BOOTSTRAP
            )

        yield start


@pytest.fixture
async def api(serve: Callable[..., Any], settings: ConfigSettings) -> Any:
    return await serve(settings)


@pytest.fixture
def anyone(api: Api) -> Api:
    return api.with_credential(None)


@pytest.fixture
def key_for(api: Api) -> Callable[..., Any]:
    """Make an API key and call with it."""

    async def make(*scopes: str, tenants: list[str] | None = None) -> Api:
        made = await api.made("/api/v1/api-keys", {"name": "a key", "scopes": list(scopes), "tenants": tenants})
        return api.with_credential(made["key"])

    return make


@pytest.fixture
async def acme(api: Api) -> Any:
    return await api.made("/api/v1/tenants", {"id": "acme", "name": "Acme"})


@pytest.fixture
async def trunk(api: Api, acme: Any) -> Any:
    pool = {"dids": "2015550100-2015550199", "default_did": "2015550100"}
    return await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "acme", **pool})


@pytest.fixture
async def sms(api: Api, trunk: Any) -> Any:
    return await api.made("/api/v1/sms", {"name": "Main", "provider_id": trunk["id"], "credentials": CREDENTIALS})


@pytest.fixture
def ingress_snapshot(api: Api) -> Callable[[], Any]:
    async def read() -> Any:
        return (await api.with_credential(INGRESS).get(INGRESS_SNAPSHOT)).json

    return read


@pytest.fixture
def dispatcher_snapshot(api: Api) -> Callable[[], Any]:
    async def read() -> Any:
        return (await api.with_credential(DISPATCHER).get(DISPATCHER_SNAPSHOT)).json

    return read


@pytest.fixture
def browser(api: Api) -> Browser:
    """A browser that nobody has logged in with."""
    return Browser(api)


@pytest.fixture
async def boss(api: Api) -> Browser:
    """A system administrator who is logged in."""
    await api.made("/api/v1/users", system_admin("boss"))
    browser = Browser(api)
    assert (await browser.log_in("boss")).status == 201
    return browser


@pytest.fixture
async def ann(api: Api, acme: Any) -> Browser:
    """The administrator of the tenant acme, logged in."""
    await api.made("/api/v1/users", tenant_admin("ann", "acme"))
    browser = Browser(api)
    assert (await browser.log_in("ann")).status == 201
    return browser
