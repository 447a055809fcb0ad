"""Optional means optional: what is empty in a body was not given. Every body of the API is walked through."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr

from sms_config.http.app import ROUTES
from sms_config.http.explanations import InboundExplainBody, OutboundExplainBody
from sms_config.main import build_app
from sms_config.model.hours import OpenHours, OpenSpan
from sms_config.schemas.bodies import (
    ApiKeyWrite,
    Callback,
    Credentials,
    CredentialTrial,
    HealthOf,
    LentPoolWrite,
    LimitsWrite,
    LiveFilter,
    LogIn,
    MessageFilter,
    OneMessage,
    ParkedChoice,
    ParkedFilter,
    Replay,
    Rotation,
    SetUp,
    SmsCreate,
    SmsWrite,
    TenantCreate,
    TenantWrite,
    TrunkCreate,
    TrunkWrite,
    UserChange,
    UserCreate,
)
from sms_config.schemas.rule_bodies import (
    ExtensionCreate,
    ExtensionWrite,
    InboundRuleCreate,
    InboundRuleWrite,
    OutboundRuleCreate,
    OutboundRuleWrite,
    RoutingOf,
    RoutingWrite,
)
from sms_config.schemas.rule_entries import CallerIdEntry, Destination, RouteEntry
from sms_config.storage.testing import InMemoryStore
from tests.config.people import system_admin
from tests.config.world import CREDENTIALS, PASSWORD, make_settings

NAMED = {"name": "N"}
SMS = {**NAMED, "provider_id": "t"}
TRUNK = {**NAMED, "brand": "Bandwidth"}
USER = {**NAMED, "role": "system_admin"}
ROUTED = {**NAMED, "routes": [{"config_id": "c"}]}
EXTENSION = {"extension": "101"}
# The least that each body, and each map in one, may hold.
LEAST: dict[type[BaseModel], dict[str, Any]] = {
    ApiKeyWrite: {**NAMED, "scopes": ["read"]},
    CallerIdEntry: {"number": "+12015550100", "trunk_id": "t"},
    Callback: {},
    Credentials: {},
    CredentialTrial: {},
    Destination: {},
    ExtensionCreate: EXTENSION,
    ExtensionWrite: EXTENSION,
    HealthOf: {"ids": "a"},
    InboundExplainBody: {"sender": "1", "did": "2"},
    InboundRuleCreate: NAMED,
    InboundRuleWrite: NAMED,
    LentPoolWrite: {"tenant_id": "t"},
    LimitsWrite: {},
    LiveFilter: {},
    LogIn: {"username": "u", "password": "p"},
    MessageFilter: {},
    OneMessage: {},
    OpenHours: {},
    OpenSpan: {"opens": "09:00", "closes": "17:00"},
    OutboundExplainBody: {"extension": "101", "to": "1"},
    OutboundRuleCreate: ROUTED,
    OutboundRuleWrite: ROUTED,
    ParkedChoice: {"ids": ["a"]},
    ParkedFilter: {},
    Replay: {"ids": ["a"]},
    Rotation: {},
    RouteEntry: {"config_id": "c"},
    RoutingOf: {},
    RoutingWrite: {},
    SetUp: {**NAMED, "token": "t", "password": PASSWORD},
    SmsCreate: SMS,
    SmsWrite: SMS,
    TenantCreate: NAMED,
    TenantWrite: NAMED,
    TrunkCreate: TRUNK,
    TrunkWrite: TRUNK,
    UserCreate: {**USER, "password": PASSWORD},
    UserChange: USER,
}


def within(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a value may hold, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from within(field.annotation)
    for part in get_args(annotation):
        yield from within(part)


def everything_taken() -> set[type[BaseModel]]:
    app = build_app(make_settings(), InMemoryStore(), wake=lambda: None, waiting_for=lambda: None)
    taken = [model for route in app[ROUTES] for model in (route.body, route.asks) if model is not None]
    return {model for top in taken for model in within(top)}


def is_map(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, BaseModel)
    return any(is_map(part) for part in get_args(annotation) if isinstance(part, type))


def optional_fields() -> Iterator[Any]:
    for model in LEAST:
        for name, field in model.model_fields.items():
            if not field.is_required():
                yield pytest.param(model, field.alias or name, is_map(field.annotation), id=f"{model.__name__}.{name}")


def test_no_body_is_left_out_of_this_walk():
    assert everything_taken() == set(LEAST)


@pytest.mark.parametrize(("model", "name", "is_map"), list(optional_fields()))
def test_an_empty_optional_field_is_not_given(model, name, is_map):
    least = LEAST[model]
    without = model.model_validate(least).model_dump()

    # A text to send counts to the last blank.
    unseen = () if (model, name) == (OutboundExplainBody, "text") else ("  ", "\u200b")
    # A destination that somebody names and leaves empty is a slip, which must not send texts elsewhere.
    texts = () if (model, name) == (Destination, "destination") else ("", *unseen)
    for empty in (None, *texts, *([[]] if is_map else [])):
        assert model.model_validate({**least, name: empty}).model_dump() == without, repr(empty)


@pytest.mark.loopback
class TestThroughTheApi:
    @pytest.fixture
    def least(self, trunk, sms):
        routes = [{"config_id": sms["id"]}]
        inside = {"name": "N", "tenant_id": "acme"}
        return {
            "tenants": (TenantCreate, {"name": "N"}),
            "trunks": (TrunkCreate, {**inside, "brand": "Bandwidth"}),
            "sms": (SmsCreate, {"name": "N", "provider_id": trunk["id"]}),
            "inbound-rules": (InboundRuleCreate, inside),
            "outbound-rules": (OutboundRuleCreate, {**inside, "routes": routes, "prefixes": "+"}),
            "extensions": (ExtensionCreate, {"tenant_id": "acme", "extension": "101"}),
            "api-keys": (ApiKeyWrite, {"name": "N", "scopes": ["read"]}),
            "users": (UserCreate, system_admin("newbie")),
        }

    @pytest.mark.parametrize("empty", [None, "", []], ids=repr)
    @pytest.mark.parametrize(
        "path",
        ["tenants", "trunks", "sms", "inbound-rules", "outbound-rules", "extensions", "api-keys", "users"],
    )
    async def test_every_resource_is_made_whatever_a_form_leaves_empty(self, api, least, path, empty):
        model, needed = least[path]
        optional = {
            name: empty
            for name, field in model.model_fields.items()
            if name not in needed and (empty != [] or is_map(field.annotation))
        }

        answer = await api.call("POST", f"/api/v1/{path}", {**optional, **needed, "version": None})

        assert answer.status == 201, answer.text

    async def test_null_and_an_empty_text_clear_in_a_change_and_what_is_absent_stays(self, api, acme, trunk):
        path = f"/api/v1/trunks/{trunk['id']}"

        kept = await api.call("PATCH", path, {"name": "Renamed"})
        no_default = await api.call("PATCH", path, {"default_did": "", "hostname": None})
        no_numbers = await api.call("PATCH", path, {"dids": None})

        assert (kept.json["hostname"], kept.json["default_did"]) == (trunk["hostname"], trunk["default_did"])
        assert (no_default.json["hostname"], no_default.json["default_did"]) == (None, None)
        assert (no_numbers.status, no_numbers.json["dids"]) == (200, "")

    async def test_null_sets_back_to_what_a_new_object_has(self, api, acme):
        rule = await api.made(
            "/api/v1/inbound-rules", {"name": "N", "tenant_id": "acme", "priority": 5, "caller_mask": "12125550100"}
        )

        changed = await api.call(
            "PATCH", f"/api/v1/inbound-rules/{rule['id']}", {"priority": None, "caller_mask": "", "office": []}
        )

        assert (changed.status, changed.json["priority"], changed.json["caller_mask"]) == (200, 1000, "")

    @pytest.mark.parametrize(
        "given",
        [
            {"credentials": {"api_secret": "", "api_token": " "}},
            {"credentials": ""},
            {"credentials": []},
            {"credentials": {}},
            {"callback": {"password": ""}},
            {"callback": {"password": "\u200b"}},
            {"callback": ""},
            {"callback": []},
        ],
    )
    async def test_an_empty_secret_stays_as_it_is_stored(self, api, sms, dispatcher_snapshot, ingress_snapshot, given):
        await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"callback": {"username": "u", "password": "p"}})

        answer = await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"name": "Changed", **given})

        assert (answer.status, answer.json["name"]) == (200, "Changed")
        assert (await dispatcher_snapshot())["configs"][0]["credentials"] == CREDENTIALS
        assert (await ingress_snapshot())["endpoints"][0]["callback"] == {"username": "u", "password": "p"}

    async def test_an_empty_password_of_a_person_stays_as_it_is(self, api, boss, browser):
        (user,) = (await api.get("/api/v1/users?name=boss")).json["items"]

        changed = await api.call("PATCH", f"/api/v1/users/{user['id']}", {"password": "", "disabled": False})

        assert changed.status == 200
        assert (await browser.log_in("boss")).status == 201

    @pytest.mark.parametrize(
        ("path", "given", "field"),
        [
            ("tenants", {"name": ""}, "name"),
            ("tenants", {"name": None}, "name"),
            ("sms", {"name": "N", "provider_id": ""}, "provider_id"),
            ("extensions", {"tenant_id": "acme", "extension": ""}, "extension"),
            ("outbound-rules", {"tenant_id": "acme", "name": "N", "prefixes": "+", "routes": None}, "routes"),
            ("outbound-rules", {"tenant_id": "acme", "name": "N", "prefixes": "+", "routes": ""}, "routes"),
            ("api-keys", {"name": "N", "scopes": None}, "scopes"),
        ],
    )
    async def test_what_is_required_stays_required(self, api, acme, path, given, field):
        answer = await api.call("POST", f"/api/v1/{path}", given)

        assert (answer.status, list(answer.field_errors())) == (422, [field])
        assert answer.field_errors()[field].startswith(("must ", "has a form"))

    async def test_a_question_for_messages_may_have_empty_parts(self, api):
        asked = MessageFilter.model_validate({"number": "", "status": "", "since": "", "top": "", "orderby": ""})

        assert asked == MessageFilter()


def test_a_secret_is_never_put_in_place_of_nothing():
    assert Credentials.model_validate({"api_secret": " "}).given() == {}
    assert Credentials.model_validate({"api_secret": None}).given() == {"api_secret": None}
    assert Credentials.model_validate({"api_secret": "s"}).given() == {"api_secret": SecretStr("s")}
