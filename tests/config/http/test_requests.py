"""What is read of a request: its body, and the version that a change is based on."""

import zlib

import pytest

from sms_config.http.requests import MAX_BODY_BYTES
from tests.cases import cases

pytestmark = pytest.mark.loopback
TENANTS = "/api/v1/tenants"
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


@pytest.mark.parametrize("encoding", ["identity", *(one["Content-Encoding"] for one in cases("11-content-encoding"))])
async def test_a_body_that_says_in_whatever_words_that_it_is_not_coded_is_taken(api, encoding):
    headers = {**JSON, "Content-Encoding": encoding}
    answer = await api.call("POST", TENANTS, data=b'{"name": "Acme"}', headers=headers)

    assert answer.status == 201
