"""Media: storing, listing, deleting."""

import pytest

from carrier_simulator.bandwidth.media_fetch import MAX_FILE
from tests.simulator.conftest import ACCOUNT, OTHER_ACCOUNT, account, upload
from tests.simulator.samples import sample

BASE = f"/api/v2/users/{ACCOUNT}/media"


async def test_a_file_is_uploaded_fetched_and_deleted_as_in_the_samples(api):
    request, response = sample("media-upload-204")

    status, _, body = await api.call(
        "PUT", request["path"], data=b"x" * 68, headers={"Content-Type": "image/png", "Cache-Control": "no-cache"}
    )
    assert (status, body) == (response["status"], b"")

    status, headers, body = await api.call("GET", request["path"])
    assert (status, headers["Content-Type"], headers["Cache-Control"], body) == (
        200,
        "image/png",
        "no-cache",
        b"x" * 68,
    )

    assert (await api.call("DELETE", request["path"]))[0] == sample("media-delete-204")[1]["status"]
    status, _, body = await api.call("GET", request["path"])
    assert (status, set(body)) == (404, {"type", "description"})
    assert (await api.call("DELETE", request["path"]))[0] == 404


async def test_the_list_is_that_of_the_sample_and_goes_on_with_its_token(start):
    api = await start(media_page_size=1, public_url="https://messaging.bandwidth.com")
    _, response = sample("media-list-200")
    await upload(api, "receipt.png")
    await upload(api, "zebra.png")

    status, headers, body = await api.call("GET", BASE)
    assert (status, body) == (200, response["body"])
    status, headers, body = await api.call("GET", BASE, headers={"Continuation-Token": headers["Continuation-Token"]})

    assert [item["mediaName"] for item in body] == ["zebra.png"]
    assert "Continuation-Token" not in headers


async def test_a_token_made_elsewhere_is_refused(api):
    status, _, body = await api.call("GET", BASE, headers={"Continuation-Token": "###"})

    assert (status, body["type"]) == (400, "request-validation")


async def test_the_same_name_overwrites(api):
    await upload(api, "a.png", b"old")
    await upload(api, "a.png", b"newer", "image/jpeg")

    _, headers, body = await api.call("GET", f"{BASE}/a.png")

    assert (body, headers["Content-Type"]) == (b"newer", "image/jpeg")
    assert api.simulator.media.size == 5


async def test_names_may_hold_slashes_but_not_encoded_ones(api):
    await upload(api, "2026/07/a b.png")

    assert (await api.call("GET", f"{BASE}/2026/07/a%20b.png"))[0] == 200
    status, _, body = await api.call("GET", f"{api.simulator.url}{BASE}/2026%2F07%2Fa%20b.png")
    assert (status, body["status"]) == (404, 404)


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (b"x" * MAX_FILE, "image/png", 204),
        (b"x" * (MAX_FILE + 1), "image/png", 413),
        (b"x", "application/octet-stream", 415),
        (b"x", "text/plain; charset=utf-8", 204),
    ],
    ids=["at-the-limit", "over-the-limit", "unknown-type", "type-with-charset"],
)
async def test_size_and_type_of_an_upload_are_checked(api, content, content_type, expected):
    status, _, _ = await upload(api, "a", content, content_type)

    assert status == expected
    if expected == 204:
        assert (await api.call("GET", f"{BASE}/a"))[2] == content


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_media_needs_credentials_of_the_account(start, method):
    foreign = account(credentials=[], users=[], account_id=OTHER_ACCOUNT)
    api = await start(more_accounts=(foreign,))
    await upload(api, "a.png")

    assert (await api.call(method, f"{BASE}/a.png", authorization=None))[0] == 401
    assert (await api.call(method, f"/api/v2/users/{OTHER_ACCOUNT}/media/a.png"))[0] == 403
