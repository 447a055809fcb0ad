"""Whatever is sent, the answer is one JSON shape with a code, and never a 5xx for bad input."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_config.schemas.bodies import ApiKeyWrite, SmsCreate, TenantCreate, TrunkCreate
from tests.config.world import DISPATCHER

pytestmark = pytest.mark.loopback
TENANTS = "/api/v1/tenants"
BODIES = (TenantCreate, TrunkCreate, SmsCreate, ApiKeyWrite)
JSON = {"Content-Type": "application/json"}


async def test_every_error_has_one_shape_and_names_its_request(api):
    answer = await api.call("POST", TENANTS, {"name": 5}, headers={"X-Request-ID": "my-id.1"})

    assert answer.json == {
        "code": "invalid_request",
        "message": "name: must be text",
        "errors": [{"field": "name", "message": "must be text"}],
        "request_id": "my-id.1",
    }
    assert answer.headers["X-Request-ID"] == "my-id.1"


@pytest.mark.parametrize("given", ["has spaces", "x" * 65, "naïve"])
async def test_a_request_id_that_could_garble_a_log_is_replaced(api, given):
    answer = await api.get(TENANTS, headers={"X-Request-ID": given})

    assert len(answer.headers["X-Request-ID"]) == 16


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/tenants/nobody", 404, "not_found"),
        ("GET", "/api/v1/tenants/a%00b", 404, "not_found"),
        ("GET", "/api/v1/tenants/%F0%9F%92%A5", 404, "not_found"),
        ("GET", "/api/v1/tenants/$ne", 404, "not_found"),
        ("GET", "/api/v1/tenants/%ff%fe", 404, "not_found"),
        ("GET", "/api/v1/tenants/%ED%A0%80", 404, "not_found"),
        ("PATCH", "/api/v1/tenants", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/audit/x", 405, "method_not_allowed"),
        ("PUT", "/api/v1/sms/x/enable", 405, "method_not_allowed"),
    ],
)
async def test_an_address_that_is_not_there_answers_in_the_same_shape(api, method, path, status, code):
    answer = await api.call(method, path)

    assert (answer.status, answer.json["code"]) == (status, code)


async def test_a_wrong_method_is_told_the_right_ones(api):
    assert (await api.call("PATCH", TENANTS)).headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("path", [TENANTS, "/nothing", "/api/v1/openapi.json"])
async def test_every_answer_has_security_headers(api, path):
    headers = (await api.get(path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "aiohttp" not in headers["Server"].lower()


class TestStoreAway:
    async def test_while_the_store_is_away_the_answer_is_503_and_nothing_is_changed(self, api, store, acme):
        store.away = True
        answers = [
            await api.get(TENANTS),
            await api.call("PATCH", f"{TENANTS}/acme", {"name": "Lost"}),
            await api.with_credential("sms_abcdefghijkl_" + "x" * 43).get(TENANTS),
            await api.with_credential(DISPATCHER).get("/internal/v1/snapshot/dispatcher"),
        ]
        store.away = False

        assert [(answer.status, answer.json["code"]) for answer in answers] == [(503, "store_unavailable")] * 4
        assert answers[0].headers["Retry-After"] == "5"
        assert (await api.get(f"{TENANTS}/acme")).json == acme

    async def test_until_the_store_is_prepared_nothing_is_served_from_it(self, api, gate):
        gate.sentence = "not yet"

        answers = [
            await api.get(TENANTS),
            await api.with_credential(DISPATCHER).get("/internal/v1/snapshot/dispatcher"),
        ]

        assert [answer.status for answer in answers] == [503, 503]
        assert (await api.get("/api/v1/openapi.json")).status == 200


async def test_a_mistake_of_ours_is_told_without_details(api, store, monkeypatch):
    async def broken(*_):
        raise RuntimeError("secret details")

    monkeypatch.setattr(store, "find", broken)

    answer = await api.get(TENANTS)

    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "secret details" not in answer.text


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    sorted({name for model in BODIES for name in model.model_fields} | {"version"}),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["tenants", "trunks", "sms", "api-keys"]), body=st.dictionaries(FIELDS, ANY_JSON, max_size=5)
)
async def test_no_json_makes_anything_but_an_object_or_a_refusal(api, acme, trunk, path, body):
    try:
        text = json.dumps({"provider_id": trunk["id"], **body} if path == "sms" else body)
        encoded = text.encode()
    except (ValueError, UnicodeEncodeError):
        return

    answer = await api.call("POST", f"/api/v1/{path}", data=encoded, headers=JSON)

    assert answer.status in {201, 400, 409, 422}, answer.text
    if answer.status != 201:
        assert set(answer.json) == {"code", "message", "errors", "request_id"}
