"""The fetch of media before an MMS goes out."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from carrier_simulator.bandwidth.media_fetch import CONTENT_TYPES, MAX_FILE
from tests.simulator.conftest import ACCOUNT, OTHER_ACCOUNT, OWN, TOLL_FREE, account, upload
from tests.simulator.samples import DATA

BASE = f"/api/v2/users/{ACCOUNT}/media"


def test_the_content_types_are_those_of_the_upload_call():
    documented = orjson.loads((DATA / "media-content-types.json").read_bytes())["contentTypes"]

    assert sorted(CONTENT_TYPES) == sorted(documented)


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
