"""Whatever is sent, the answer is one JSON shape with a code, and never a 5xx for bad input."""

import json
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms_config.http.requests import MAX_BODY_BYTES
from sms_config.schemas.bodies import ApiKeyWrite, SmsCreate, TenantCreate, TrunkCreate
from tests.cases import cases
from tests.config.world import DISPATCHER

pytestmark = pytest.mark.loopback
TENANTS = "/api/v1/tenants"
BODIES = (TenantCreate, TrunkCreate, SmsCreate, ApiKeyWrite)
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b"{", JSON, 400, "malformed_json", id="not JSON"),
        pytest.param(b"", {**JSON, "Content-Length": "0"}, 422, "invalid_request", id="nothing"),
        pytest.param(b'{"name": NaN}', JSON, 400, "malformed_json", id="NaN"),
        pytest.param(b'{"name": "\xff"}', JSON, 400, "malformed_json", id="not UTF-8"),
        pytest.param(b'{"name": "\\ud800"}', JSON, 400, "malformed_json", id="half a surrogate pair"),
        pytest.param(b"[]", JSON, 400, "malformed_json", id="a list"),
        pytest.param(b'"text"', JSON, 400, "malformed_json", id="a string"),
        pytest.param(b"null", JSON, 400, "malformed_json", id="null"),
        pytest.param(b'{"name":' + b"[" * 100 + b"]" * 100 + b"}", JSON, 400, "malformed_json", id="nested deeply"),
        pytest.param(b"[" * 100_000, JSON, 400, "malformed_json", id="nested bottomlessly"),
        pytest.param(b'{"name": "A"}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type", id="text"),
        pytest.param(
            b"name=A", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", id="form"
        ),
        pytest.param(b'{"name": "A"}', {"Content-Type": ""}, 415, "unsupported_media_type", id="no type"),
        pytest.param(
            zlib.compress(b"{}"),
            {**JSON, "Content-Encoding": "deflate"},
            415,
            "unsupported_media_type",
            id="compressed",
        ),
        pytest.param(b'{"name": "' + b"x" * MAX_BODY_BYTES + b'"}', JSON, 413, "body_too_large", id="too large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_with_a_code(api, body, headers, status, code):
    answer = await api.call("POST", TENANTS, data=body, headers=headers)

    assert (answer.status, answer.json["code"]) == (status, code)


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


class TestVersions:
    @pytest.fixture
    async def at_three(self, api, acme, clock):
        for name in ("Two", "Three"):
            clock.pass_time(minutes=1)
            await api.call("PATCH", f"{TENANTS}/acme", {"name": name})

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({"If-Match": '"3"'}, {}),
            ({"If-Match": "*"}, {}),
            ({}, {"version": 3}),
            ({"If-Match": '"3"'}, {"version": 3}),
            ({}, {}),
        ],
    )
    async def test_a_change_of_the_current_version_works(self, api, at_three, headers, body):
        answer = await api.call("PATCH", f"{TENANTS}/acme", {"name": "Four", **body}, headers=headers)

        assert (answer.status, answer.json["version"]) == (200, 4)

    @pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "POST"])
    async def test_a_change_of_an_older_version_is_told_what_changed_since(self, api, at_three, method):
        path = f"{TENANTS}/acme" + ("/destroy" if method == "POST" else "")

        answer = await api.call(
            method, path, {"name": "Mine"} if method in {"PATCH", "PUT"} else None, headers={"If-Match": '"1"'}
        )

        assert (answer.status, answer.json["code"]) == (409, "version_conflict")
        assert answer.json["message"].startswith("The stored version is 3, not 1")
        assert answer.field_errors() == {"name": "was changed by bootstrap at 2026-03-01T12:02:00+00:00"}
        assert (await api.get(f"{TENANTS}/acme")).json["name"] == "Three"

    async def test_a_version_that_never_was_is_a_conflict_as_well(self, api, at_three):
        answer = await api.call("PATCH", f"{TENANTS}/acme", {"name": "x", "version": 99})

        assert (answer.status, answer.json["errors"]) == (409, [])

    @pytest.mark.parametrize(
        ("headers", "body", "field"),
        [
            ({"If-Match": "3"}, {}, "If-Match"),
            ({"If-Match": 'W/"3"'}, {}, "If-Match"),
            ({"If-Match": '"3", "4"'}, {}, "If-Match"),
            ({}, {"version": "3"}, "version"),
            ({}, {"version": True}, "version"),
            ({}, {"version": -1}, "version"),
            ({}, {"version": 2**60}, "version"),
            ({"If-Match": '"3"'}, {"version": 2}, "version"),
        ],
    )
    async def test_a_version_that_cannot_be_read_is_refused(self, api, at_three, headers, body, field):
        answer = await api.call("PATCH", f"{TENANTS}/acme", {"name": "x", **body}, headers=headers)

        assert (answer.status, list(answer.field_errors())) == (422, [field])


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


@pytest.mark.parametrize("encoding", ["identity", *(one["Content-Encoding"] for one in cases("11-content-encoding"))])
async def test_a_body_that_says_in_whatever_words_that_it_is_not_coded_is_taken(api, encoding):
    headers = {**JSON, "Content-Encoding": encoding}
    answer = await api.call("POST", TENANTS, data=b'{"name": "Acme"}', headers=headers)

    assert answer.status == 201
