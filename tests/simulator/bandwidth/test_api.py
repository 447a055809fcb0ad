"""POST messages: credentials, form and the answer to an accepted message."""

from io import BytesIO

import orjson
import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OWN, START
from tests.simulator.samples import ID, post_sample, sample

ACCEPTED = [
    "create-message-sms-202",
    "create-message-mms-202",
    "create-message-group-202",
    "create-message-to-as-string-202",
    "create-message-priority-expiration-202",
]


@pytest.mark.parametrize("name", ACCEPTED)
async def test_an_accepted_message_is_answered_as_the_sample(start, name):
    api = await start(frozen=True)
    request, response = sample(name)

    status, headers, body = await post_sample(api, request)

    assert (status, headers["Content-Type"]) == (202, "application/json")
    assert ID.fullmatch(body["id"])
    assert body["id"].startswith(str(int(START * 1000)))
    assert {**body, "id": ""} == {**response["body"], "id": ""}


@pytest.mark.parametrize(
    ("accept", "expected"), [("text/html", 406), ("text/html, application/*;q=0.5", 202), ("", 202), ("*/*", 202)]
)
async def test_a_client_must_take_json(api, accept, expected):
    body = {"applicationId": APPLICATION, "to": [HANDSET], "from": OWN, "text": "x"}

    status, _, _ = await api.call("POST", f"/api/v2/users/{ACCOUNT}/messages", json=body, headers={"Accept": accept})

    assert status == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b'{"to":"\\ud800"}', 400),
        (b" " * 262_145, 413),
        (b" " * 4_200_000, 413),
    ],
    ids=["empty", "cut-off", "list", "null", "string", "not-utf8", "lone-surrogate", "over-256-KiB", "over-4-MiB"],
)
async def test_a_body_that_is_no_request_is_refused(api, raw, expected):
    headers = {"Content-Type": "application/json"}

    status, _, body = await api.call("POST", f"/api/v2/users/{ACCOUNT}/messages", data=BytesIO(raw), headers=headers)

    assert status == expected
    assert set(body) == {"type", "description"}


async def test_json_with_a_charset_is_taken_and_a_missing_content_type_is_not(api):
    body = orjson.dumps({"applicationId": APPLICATION, "to": HANDSET, "from": OWN, "text": "x"})
    path = f"/api/v2/users/{ACCOUNT}/messages"

    accepted, _, _ = await api.call(
        "POST", path, data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    refused, _, _ = await api.call("POST", path, data=body, skip_auto_headers=["Content-Type"])

    assert (accepted, refused) == (202, 415)
