"""Media: storing, listing, forgetting, and the fetch before an MMS goes out."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from carrier_simulator import Clock
from carrier_simulator.bandwidth.media_fetch import CONTENT_TYPES, MAX_FILE
from carrier_simulator.carrier.media import MediaStore
from tests.simulator.conftest import ACCOUNT, HANDSET, OTHER_ACCOUNT, OWN, TOLL_FREE, account
from tests.simulator.test_messages_http import sample

BASE = f"/api/v2/users/{ACCOUNT}/media"
DATA = Path(__file__).parents[1] / "data"


async def upload(api, name: str, content: bytes = b"x" * 68, content_type: str = "image/png", **headers: str):
    return await api.call(
        "PUT", f"{BASE}/{name}", data=BytesIO(content), headers={"Content-Type": content_type, **headers}
    )


def test_the_content_types_are_those_of_the_upload_call():
    documented = orjson.loads((DATA / "media-content-types.json").read_bytes())["contentTypes"]

    assert sorted(CONTENT_TYPES) == sorted(documented)


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


async def test_media_is_kept_for_48_hours(start):
    api = await start(frozen=True, token_expires_in=1_000_000)
    await upload(api, "a.png")
    api.simulator.clock.advance(48 * 3600 - 1)
    await upload(api, "b.png")
    assert len((await api.call("GET", BASE))[2]) == 2

    api.simulator.clock.advance(1)

    assert [item["mediaName"] for item in (await api.call("GET", BASE))[2]] == ["b.png"]
    assert (await api.call("GET", f"{BASE}/a.png"))[0] == 404


def test_above_the_capacity_the_oldest_goes_first():
    store = MediaStore(Clock(frozen_at=0), lifetime=100, capacity=10)
    for name in "abc":
        store.put("1", name, b"x" * 4, "image/png")

    assert [store.get("1", name) is not None for name in "abc"] == [False, True, True]
    store.put("1", "huge", b"x" * 99, "image/png")
    assert store.get("1", "huge") is not None


async def test_inbound_media_is_really_there_with_its_smil_part_first(api, receiver):
    parts = ["photo.png", {"filename": "note.txt", "content_type": "text/plain", "content": "aGVsbG8="}, "blob.zzz"]
    await api.control("POST", "/inbound", {"from": HANDSET, "to": OWN, "media": parts})
    [event] = await receiver.events(1)
    fetched = [await api.call("GET", url) for url in event["message"]["media"]]

    assert [url.rsplit("/", 2)[1:] for url in event["message"]["media"]] == [
        ["0", "0.smil"],
        ["1", "photo.png"],
        ["2", "note.txt"],
        ["3", "blob.zzz"],
    ]
    assert [(status, headers["Content-Type"]) for status, headers, _ in fetched] == [
        (200, "application/smil"),
        (200, "image/png"),
        (200, "text/plain"),
        (200, "application/octet-stream"),
    ]
    assert b'src="photo.png"' in fetched[0][2]
    assert fetched[1][2].startswith(b"\x89PNG")
    assert fetched[2][2] == b"hello"
    assert (await api.call("GET", event["message"]["media"][0], authorization=None))[0] == 401


@pytest.fixture
async def shelf():
    """Return a web server of files; each is set as path to (status, content type, content)."""
    files: dict[str, tuple[int, str, bytes]] = {}
    asked: list[dict[str, str]] = []

    async def give(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.headers))
        status, content_type, content = files[request.path]
        headers = {"Content-Type": content_type, "Location": "/small.png"}
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        for start in range(0, len(content), 500_000):
            await response.write(content[start : start + 500_000])
        return response

    app = web.Application()
    app.router.add_get("/{name}", give)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    files.update(
        {
            "/small.png": (200, "image/png", b"x"),
            "/limit.png": (200, "image/png", b"x" * MAX_FILE),
            "/large.png": (200, "image/png", b"x" * (MAX_FILE + 1)),
            "/half.png": (200, "image/png", b"x" * 300_000),
            "/blob": (200, "application/octet-stream", b"x"),
            "/gone.png": (404, "image/png", b""),
            "/moved.png": (302, "image/png", b""),
        }
    )
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    await runner.cleanup()


async def fate(api, media: list[str], sender: str = OWN) -> Any:
    """Return the error code of an MMS with these files, None when it was delivered."""
    _, _, body = await api.send(text=None, media=media, **{"from": sender})
    for count in range(1, 4):
        last = (await api.simulator.wait_for_attempts(count, message_id=body["id"]))[-1]
        if last.webhook.kind in ("message-delivered", "message-failed"):
            break
    return orjson.loads(last.webhook.body)[0].get("errorCode")


@pytest.mark.parametrize(
    ("names", "sender", "code"),
    [
        (["small.png"], OWN, None),
        (["limit.png"], OWN, None),
        (["small.png", "large.png"], OWN, 4411),
        (["blob"], OWN, 4412),
        (["gone.png"], OWN, 4410),
        (["moved.png"], OWN, 4410),
        (["half.png", "half.png"], OWN, None),
        (["half.png", "half.png"], TOLL_FREE, 4411),
        (["half.png"], TOLL_FREE, None),
    ],
    ids=["small", "limit", "too-large", "wrong-type", "missing", "redirect", "local-sum", "toll-free-sum", "toll-free"],
)
async def test_media_urls_are_fetched_before_sending(api, shelf, names, sender, code):
    base, asked = shelf

    assert await fate(api, [f"{base}/{name}" for name in names], sender) == code
    assert all("Authorization" not in headers for headers in asked)


@pytest.mark.parametrize(
    ("mode", "url", "code"),
    [
        ("local", "https://media.example.net/a.png", None),
        ("local", "http://localhost:9/a.png", 4410),
        ("local", "http://127.0.0.1:9/a.png", 4410),
        ("local", "ftp://127.0.0.1/a.png", 4410),
        ("local", "data:image/png;base64,AAAA", 4410),
        ("none", "http://127.0.0.1:9/a.png", None),
        ("all", "http://127.0.0.1:9/a.png", 4410),
        ("local", "https://messaging.bandwidth.com/api/v2/users/5500001/media/none.png", 4410),
    ],
)
async def test_which_urls_are_fetched_is_a_setting(start, mode, url, code):
    api = await start(fetch_media=mode)

    assert await fate(api, [url]) == code


async def test_all_mode_follows_redirects(start, shelf):
    api = await start(fetch_media="all")

    assert await fate(api, [f"{shelf[0]}/moved.png"]) is None


async def test_own_media_of_the_same_account_is_found_without_credentials(start):
    foreign = account(credentials=[], users=[], account_id=OTHER_ACCOUNT)
    api = await start(more_accounts=(foreign,))
    await upload(api, "a b.png")
    api.simulator.media.put(OTHER_ACCOUNT, "b.png", b"x", "image/png")
    api.simulator.media.put(ACCOUNT, "big", b"x" * (MAX_FILE + 1), "image/png")

    assert await fate(api, [f"{api.simulator.url}{BASE}/a%20b.png"]) is None
    assert await fate(api, ["https://messaging.bandwidth.com" + BASE + "/a%20b.png"]) is None
    assert await fate(api, [f"{api.simulator.url}/api/v2/users/{OTHER_ACCOUNT}/media/b.png"]) == 4410
    assert await fate(api, [f"{api.simulator.url}{BASE}/big"]) == 4411


async def test_a_fetch_under_way_ends_with_the_state(start, receiver):
    api = await start()
    reached, release = asyncio.Event(), asyncio.Event()

    async def hang(_, writer):
        reached.set()
        await release.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await api.send(media=[f"http://127.0.0.1:{port}/a.png"], tag="fetching")
    await reached.wait()

    api.simulator.clear()
    release.set()
    await api.send(tag="next")
    await api.simulator.wait_for_attempts(2, tag="next")

    assert api.simulator.attempts(tag="fetching") == []
    server.close()
    await server.wait_closed()
