"""Every operation of the OpenAPI document, called with made-up data: no failure of ours, and answers as described."""

import asyncio
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sms_config.http import openapi
from sms_config.http.app import ROUTES
from sms_config.main import build_app
from sms_config.storage.testing import InMemoryStore
from tests.config.people import tenant_admin
from tests.config.world import BOOTSTRAP, make_settings

pytestmark = pytest.mark.loopback
EXAMPLES = 12
# What lies behind these is not there in these tests, and they say so.
AWAY = ("/messages", "/explain/")
ENDLESS = "/events/"


def described() -> dict[str, Any]:
    """What the service says of itself."""
    app = build_app(make_settings(), InMemoryStore(), wake=lambda: None, waiting_for=lambda: None)
    table = app[ROUTES]
    return openapi.document(table, "0")


SCHEMA = schemathesis.openapi.from_dict(described(), config=SchemathesisConfig())
OPERATIONS = [
    found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok) and ENDLESS not in found.ok().path
]


def test_every_operation_can_be_made_up():
    assert all(isinstance(found, Ok) for found in SCHEMA.get_all_operations())


@pytest.fixture
async def objects(api, acme, trunk, sms) -> Mapping[str, str]:
    """One object of each resource, by the first word of its address."""
    rule = {"name": "In", "tenant_id": "acme"}
    made = {
        "inbound-rules": rule,
        "outbound-rules": {**rule, "prefixes": "1", "routes": [{"config_id": sms["id"]}]},
        "extensions": {"extension": "101", "tenant_id": "acme"},
        "api-keys": {"name": "k", "scopes": ["read"], "tenants": ["acme"]},
        "users": tenant_admin("ann", "acme"),
    }
    ids = {path: (await api.made(f"/api/v1/{path}", body))["id"] for path, body in made.items()}
    audit = (await api.get("/api/v1/audit?top=1")).json["items"][0]["id"]
    return {**ids, "tenants": "acme", "trunks": trunk["id"], "sms": sms["id"], "audit": audit}


@pytest.fixture
async def credentials(api, acme) -> tuple[str, ...]:
    """One for everything, and one for a tenant, with which more requests get past the first question."""
    made = await api.made("/api/v1/api-keys", {"name": "theirs", "scopes": ["admin"], "tenants": ["acme"]})
    return BOOTSTRAP, made["key"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_made_up_requests_are_answered_as_described(api, objects, credentials, operation):
    address = api.url("/")
    known = objects.get(operation.path.split("/")[3])
    cases = [operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE)]
    if known is not None and "{id}" in operation.path:
        cases.append(operation.as_strategy(path_parameters={"id": known}))
    checks = [content_type_conformance, response_schema_conformance, status_code_conformance]
    if not any(part in operation.path for part in AWAY):
        checks.append(not_a_server_error)

    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(cases), st.sampled_from(credentials))
        def call(case, credential):
            headers = {"Authorization": f"Bearer {credential}"}
            case.validate_response(case.call(base_url=address, session=session, headers=headers), checks=checks)

        await asyncio.to_thread(call)
