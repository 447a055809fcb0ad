"""POST messages: every stored sample, and every rule of a request."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.simulator.conftest import ACCOUNT, APPLICATION, HANDSET, OTHER_ACCOUNT, OWN, START, Api, account

SAMPLES = Path(__file__).parents[1] / "data" / "http"
ID = re.compile(r"\d{13}[a-z2-7]{16}")
ACCEPTED = [
    "create-message-sms-202",
    "create-message-mms-202",
    "create-message-group-202",
    "create-message-to-as-string-202",
    "create-message-priority-expiration-202",
]
REFUSED = ["create-message-400-field-error", "create-message-400-no-field-errors", "create-message-415"]


def sample(name: str) -> Any:
    document = orjson.loads((SAMPLES / f"{name}.json").read_bytes())
    return document["request"], document["response"]


async def post_sample(api: Api, request: Any, **options: Any) -> Any:
    headers = {"Content-Type": "application/json", **request.get("headers", {})}
    return await api.call("POST", request["path"], data=orjson.dumps(request["body"]), headers=headers, **options)


@pytest.mark.parametrize("name", ACCEPTED)
async def test_an_accepted_message_is_answered_as_the_sample(start, name):
    api = await start(frozen=True)
    request, response = sample(name)

    status, headers, body = await post_sample(api, request)

    assert (status, headers["Content-Type"]) == (202, "application/json")
    assert ID.fullmatch(body["id"])
    assert body["id"].startswith(str(int(START * 1000)))
    assert {**body, "id": ""} == {**response["body"], "id": ""}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_message_is_answered_as_the_sample(api, name):
    request, response = sample(name)

    status, headers, body = await post_sample(api, request)

    assert (status, headers["Content-Type"], body) == (response["status"], "application/json", response["body"])
    assert api.simulator.arrivals() == []


@pytest.mark.parametrize(
    "authorization", [None, "Bearer no-such-token", "Basic !!!", "Basic dXNlcjp3cm9uZw==", "Digest x"]
)
async def test_missing_or_wrong_credentials_are_answered_as_the_401_sample(api, authorization):
    request, response = sample("create-message-401")

    status, _, body = await post_sample(api, request, authorization=authorization)

    assert (status, body) == (401, response["body"])


async def test_another_account_is_answered_as_the_403_sample(start):
    foreign = account(credentials=[], users=[], account_id=OTHER_ACCOUNT)
    api = await start(more_accounts=(foreign,))
    _, response = sample("create-message-403")

    for account_id in (OTHER_ACCOUNT, "nobody"):
        status, _, body = await api.send(account_id=account_id)
        assert (status, body) == (403, response["body"])


async def test_a_full_queue_is_answered_as_the_429_sample(start):
    api = await start(frozen=True, changes={"rate": 1, "queue_seconds": 900})
    _, response = sample("create-message-429-queue-full")
    statuses = []
    while 429 not in statuses:
        status, _, body = await api.send(text="a" * 2048)
        statuses.append(status)

    assert (status, body) == (429, response["body"])
    assert len(api.simulator.arrivals()) == len(statuses) - 1


@pytest.mark.parametrize("path", ["/messages/happy", "/message", "/../../nothing"])
async def test_an_unknown_path_is_answered_in_the_other_shape(start, path):
    api = await start(frozen=True)
    request, response = sample("wrong-path-404-other-shape")

    status, _, body = await api.call("POST", f"/api/v2/users/{ACCOUNT}{path}", json=request["body"])

    assert status == 404
    assert body.keys() == response["body"].keys()
    assert body["timestamp"] == response["body"]["timestamp"]
    assert body["path"] in (response["body"]["path"], f"/api/v2/users/{ACCOUNT}/message", "/api/v2/nothing")


async def test_a_wrong_method_is_405_and_names_the_allowed_ones(api):
    status, headers, body = await api.call("PATCH", f"/api/v2/users/{ACCOUNT}/messages")

    assert (status, body["type"], headers["Allow"]) == (405, "method-not-allowed", "GET,POST")


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


class Broken:
    def get(self, *_):
        raise RuntimeError("a fault in the simulator itself")


async def test_a_failure_of_the_simulator_itself_is_a_500_in_bandwidths_shape(api):
    api.simulator.media = Broken()

    status, _, body = await api.call("GET", f"/api/v2/users/{ACCOUNT}/media/a.png")

    assert (status, body["type"]) == (500, "internal-server-error")


TEN = [f"+1404555{number:04}" for number in range(100, 110)]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "a" * 2048},
        {"text": "😀" * 2048},
        {"to": TEN},
        {"to": "+442071838750"},
        {"from": "12345"},
        {"from": "+123456"},
        {"from": "Acme-Co_1 &"},
        {"tag": "t" * 1024},
        {"tag": ""},
        {"priority": "high"},
        {"priority": None},
        {"media": ["https://media.example.net/" + "a" * 4070]},
        {"media": ["https://media.example.net/a.png"] * 10, "text": None},
        {"media": ["ftp://media.example.net/a.png"]},
        {"expiration": "2099-01-01T00:00:00-05:00"},
        {"expiration": "2099-01-01T00:00:00.123456789Z"},
        {"applicationId": APPLICATION.upper()},
        {"unknown": True},
    ],
    ids=lambda fields: str(fields)[:40],
)
async def test_a_request_at_its_limits_is_accepted(api, fields):
    status, _, body = await api.send(**fields)

    assert status == 202, body


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": None}, "to"),
        ({"to": []}, "to"),
        ({"to": ""}, "to"),
        ({"to": {"number": HANDSET}}, "to"),
        ({"to": [HANDSET, HANDSET]}, "to"),
        ({"to": [*TEN, "+14045550199"]}, "to"),
        ({"to": ["14045550121"]}, "to"),
        ({"to": ["+1404555012"]}, "to"),
        ({"to": ["+11045550121"]}, "to"),
        ({"to": [HANDSET, 5]}, "to"),
        ({"to": "+٤٤٢٠٧١٨٣٨٧٥٠"}, "to"),
        ({"from": None}, "from"),
        ({"from": ""}, "from"),
        ({"from": "+1"}, "from"),
        ({"from": "Way too long id"}, "from"),
        ({"from": 12345}, "from"),
        ({"applicationId": None}, "applicationId"),
        ({"applicationId": ACCOUNT}, "applicationId"),
        ({"applicationId": 7}, "applicationId"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "a" * 2049}, "text"),
        ({"media": "https://media.example.net/a.png"}, "media"),
        ({"media": ["https://media.example.net/a.png"] * 11}, "media"),
        ({"media": ["https://media.example.net/" + "a" * 4071]}, "media"),
        ({"media": ["/a.png"]}, "media"),
        ({"media": ["https://[broken"]}, "media"),
        ({"media": ["https://media.example.net/a b"]}, "media"),
        ({"media": [None]}, "media"),
        ({"tag": "t" * 1025}, "tag"),
        ({"tag": 5}, "tag"),
        ({"priority": "urgent"}, "priority"),
        ({"expiration": "tomorrow"}, "expiration"),
        ({"expiration": 5}, "expiration"),
        ({"expiration": "2099-02-30T00:00:00Z"}, "expiration"),
        ({"expiration": "2099-01-01T00:00:00"}, "expiration"),
        ({"expiration": "2020-01-01T00:00:00Z"}, "expiration"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_broken_field_is_named(api, fields, field):
    status, _, body = await api.send(**fields)

    assert (status, body["type"]) == (400, "request-validation")
    assert {error["fieldName"] for error in body["fieldErrors"]} == {field}


async def test_every_broken_field_is_named_at_once(api):
    _, _, body = await api.send(to=["+1invalid"], tag=5, priority="urgent")

    assert [error["fieldName"] for error in body["fieldErrors"]] == ["to", "tag", "priority"]


@pytest.mark.parametrize(
    ("fields", "segments"),
    [
        ({"text": "a" * 160}, 1),
        ({"text": "a" * 161}, 2),
        ({"text": "ж" * 71}, 2),
        ({"text": "a" * 2048}, 14),
        ({"text": "a" * 2048, "to": TEN[:2]}, 1),
        ({"text": "a" * 2048, "media": ["https://media.example.net/a.png"]}, 1),
    ],
    ids=["160", "161", "ucs2", "2048", "group", "mms"],
)
async def test_segments_are_counted_for_sms_and_are_one_for_mms(api, fields, segments):
    _, _, body = await api.send(**fields)

    assert body["segmentCount"] == segments


async def test_a_message_without_text_is_answered_without_it(api):
    _, _, body = await api.send(text=None, media=["https://media.example.net/a.png"])

    assert "text" not in body
    assert "tag" not in body
