import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from sms_common import config_client
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot, IngressSnapshot
from sms_common.errors import Code, Unavailable

pytestmark = pytest.mark.loopback

TOKEN = "a-service-token"
GAP = 0.2


def ingress(version: str) -> bytes:
    endpoint = {"config_id": "c1", "tenant_id": "t1", "carrier": "bandwidth", "tokens": []}
    return orjson.dumps({"version": version, "endpoints": [endpoint]})


@dataclass
class ConfigService:
    """A config service that answers what the test says, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    etag: str | None = None
    location: str | None = None
    asked: list[web.Request] = field(default_factory=list)
    hold: asyncio.Event | None = None
    being_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def serve(self, version: str) -> None:
        self.status, self.body, self.etag = 200, ingress(version), f'"{version}"'

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.being_asked.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.status == 200 and self.etag is not None and request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304)
        headers = {"ETag": self.etag} if self.etag else {}
        if self.location:
            headers["Location"] = self.location
        return web.Response(status=self.status, body=self.body, headers=headers)


class Waiting:
    """Stands in for the passing of time: every pause lasts until the test ends it, or until its event is set."""

    def __init__(self) -> None:
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self.gaps = 0
        self.already_over: list[bool] = []
        self._over = asyncio.Event()

    async def __call__(self, event: asyncio.Event, seconds: float) -> None:
        if seconds == GAP:
            self.gaps += 1
            return
        self._over.clear()
        self.already_over.append(event.is_set())
        self.pauses.put_nowait(seconds)
        ends = [asyncio.create_task(event.wait()), asyncio.create_task(self._over.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def begun(self) -> float:
        """Seconds of the pause that begins next, or has begun."""
        return await asyncio.wait_for(self.pauses.get(), 5)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
async def service() -> AsyncIterator[ConfigService]:
    fake = ConfigService()
    fake.serve("v1")
    app = web.Application()
    app.router.add_get("/internal/v1/snapshot/{kind}", fake.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{site.port}"
    yield fake
    if fake.hold is not None:
        fake.hold.set()
    await runner.cleanup()


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def now() -> list[float]:
    return [1_000.0]


@pytest.fixture
def client(service: ConfigService, waiting: Waiting, now: list[float]) -> ConfigClient[IngressSnapshot]:
    return ConfigClient(service.url + "/", SecretStr(TOKEN), IngressSnapshot, wait=waiting, monotonic=lambda: now[0])


async def test_the_first_snapshot_is_fetched_with_the_service_token(service, client):
    assert client.snapshot is None

    async with client:
        snapshot = await asyncio.wait_for(client.first(), 5)

    assert snapshot.version == "v1"
    assert client.snapshot is snapshot
    assert service.asked[0].path == "/internal/v1/snapshot/ingress"
    assert service.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


async def test_the_dispatcher_asks_for_its_own_snapshot(service, waiting):
    pool = {"tenant_id": "t1", "trunk_id": "k1", "numbers": "+12025550143"}
    service.body = orjson.dumps({"version": "v1", "pools": [pool]})

    async with ConfigClient(service.url, SecretStr(TOKEN), DispatcherSnapshot, wait=waiting) as client:
        snapshot = await asyncio.wait_for(client.first(), 5)

    assert service.asked[0].path == "/internal/v1/snapshot/dispatcher"
    assert snapshot.owner_of("+12025550143") is not None


async def test_an_announced_change_is_fetched_at_once(service, client, waiting):
    async with client:
        await waiting.begun()
        service.serve("v2")
        client.changed()
        await waiting.begun()

        assert client.snapshot is not None
        assert client.snapshot.version == "v2"
    assert waiting.already_over == [False, False]


async def test_a_change_nobody_announced_is_seen_within_thirty_seconds(service, client, waiting):
    longest_fetch = 10
    async with client:
        pause = await waiting.begun()
        service.serve("v2")
        waiting.end()
        await waiting.begun()

        assert client.snapshot.version == "v2"
    assert 10 <= pause <= 30 - longest_fetch - GAP


async def test_pauses_differ_so_that_a_fleet_does_not_ask_in_step(client, waiting):
    async with client:
        pauses = []
        for _ in range(4):
            pauses.append(await waiting.begun())
            waiting.end()

    assert len(set(pauses)) == 4


async def test_an_unchanged_configuration_is_not_sent_again(service, client, waiting):
    async with client:
        await waiting.begun()
        before = client.snapshot
        waiting.end()
        await waiting.begun()

        assert client.snapshot is before
    assert service.asked[1].headers["If-None-Match"] == '"v1"'


async def test_announcements_during_a_fetch_lead_to_exactly_one_more(service, client, waiting):
    async with client:
        await waiting.begun()
        service.hold = asyncio.Event()
        service.being_asked.clear()
        client.changed()
        await asyncio.wait_for(service.being_asked.wait(), 5)
        for _ in range(100):
            client.changed()
        service.serve("v2")
        service.hold.set()
        await waiting.begun()
        await waiting.begun()

        assert client.snapshot.version == "v2"
    assert len(service.asked) == 3
    assert waiting.gaps == 3


async def test_before_the_first_snapshot_it_asks_again_after_growing_pauses(service, client, waiting):
    service.status = 503

    async with client:
        pauses = []
        for _ in range(9):
            pauses.append(await waiting.begun())
            waiting.end()
        service.status = 200
        assert (await asyncio.wait_for(client.first(), 5)).version == "v1"

    assert 0.2 <= pauses[0] <= 0.4
    assert 2.5 <= pauses[-1] <= 5
    assert all(pause <= 5 for pause in pauses)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(500, b"", "The config service answered 500.", id="server-error"),
        pytest.param(401, b"", "The config service answered 401.", id="wrong-token"),
        pytest.param(304, b"", "The config service answered 304.", id="not-modified-before-the-first"),
        pytest.param(
            200, b"{", "The config service sent a snapshot that cannot be read (body: json_invalid).", id="no-json"
        ),
        pytest.param(
            200, b"\xff", "The config service sent a snapshot that cannot be read (body: json_invalid).", id="no-utf8"
        ),
        pytest.param(
            200,
            b'{"version": 7}',
            "The config service sent a snapshot that cannot be read (version: string_type).",
            id="wrong-type",
        ),
    ],
)
async def test_without_a_snapshot_the_service_is_not_ready_and_says_why(service, client, waiting, status, body, said):
    service.status, service.body, service.etag = status, body, None

    async with client:
        await waiting.begun()

        assert client.check() == f"No configuration has been fetched yet. {said}"


async def test_readiness_before_the_first_try_and_after_success(client, waiting):
    assert client.check() == "No configuration has been fetched yet."

    async with client:
        await waiting.begun()

        assert client.check() is None


async def test_an_address_where_nobody_listens_is_a_failure_like_any_other(waiting, unused_tcp_port):
    client = ConfigClient(f"http://127.0.0.1:{unused_tcp_port}", SecretStr(TOKEN), IngressSnapshot, wait=waiting)

    async with client:
        await waiting.begun()

        assert "cannot be reached (ClientConnectorError)" in str(client.check())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(500, b"", id="config-service-broken"),
        pytest.param(200, b'{"version": "v2", "endpoints": [{"config_id": "no.dots"}]}', id="snapshot-unreadable"),
    ],
)
async def test_the_snapshot_at_hand_serves_on_whatever_happens_later(service, client, waiting, status, body):
    async with client:
        await waiting.begun()
        service.status, service.body, service.etag = status, body, '"v2"'
        for _ in range(3):
            client.changed()
            await waiting.begun()

        assert client.snapshot.version == "v1"
        assert client.check() is None
        service.serve("v3")
        client.changed()
        await waiting.begun()
        assert client.snapshot.version == "v3"


async def test_an_unreadable_snapshot_is_asked_for_again_in_full(service, client, waiting):
    async with client:
        await waiting.begun()
        service.body, service.etag = b"{}", '"v2"'
        client.changed()
        await waiting.begun()
        service.body = ingress("v2")
        client.changed()
        await waiting.begun()

        assert client.snapshot.version == "v2"


async def test_numbers_that_cannot_be_read_make_a_snapshot_unreadable(service, waiting):
    pool = {"tenant_id": "t1", "trunk_id": "k1", "numbers": "no number"}
    service.body = orjson.dumps({"version": "v1", "pools": [pool]})

    async with ConfigClient(service.url, SecretStr(TOKEN), DispatcherSnapshot, wait=waiting) as client:
        await waiting.begun()

        assert "cannot be read (ValueError)" in str(client.check())


async def test_a_redirect_is_not_followed_with_the_token(service, client, waiting):
    service.status, service.location = 302, f"{service.url}/internal/v1/snapshot/elsewhere"

    async with client:
        await waiting.begun()

        assert "answered 302" in str(client.check())
    assert len(service.asked) == 1


async def test_a_snapshot_above_the_size_limit_is_refused(service, client, waiting):
    service.body = b" " * (config_client.MAX_SNAPSHOT_BYTES + 1)

    async with client:
        await waiting.begun()

        assert f"more than {config_client.MAX_SNAPSHOT_BYTES} bytes" in str(client.check())


async def test_no_value_of_an_unreadable_snapshot_is_logged(service, client, waiting):
    service.body = orjson.dumps({"version": ["a-secret-value"], "endpoints": "another-secret"})

    with capture_logs() as logs:
        async with client:
            await waiting.begun()

    assert [entry["log_level"] for entry in logs] == ["error"]
    assert "secret" not in str(logs)


async def test_a_failure_that_goes_on_is_told_once_a_minute_and_its_end_once(service, client, waiting, now):
    service.status = 503

    with capture_logs() as logs:
        async with client:
            for _ in range(10):
                await waiting.begun()
                waiting.end()
            await waiting.begun()
            now[0] += 60
            waiting.end()
            await waiting.begun()
            service.status = 200
            waiting.end()
            await waiting.begun()

    assert [entry["event"] for entry in logs] == [
        "config.unavailable",
        "config.unavailable",
        "config.available_again",
        "config.snapshot",
    ]


async def test_its_age_counts_from_the_last_time_it_was_given_or_confirmed(service, client, waiting, now):
    assert client.age() == float("inf")

    async with client:
        await waiting.begun()
        now[0] += 7
        assert client.age() == 7
        waiting.end()
        await waiting.begun()
        assert client.age() == 0
        service.status = 500
        now[0] += 3
        waiting.end()
        await waiting.begun()
        assert client.age() == 3


async def test_listeners_hear_of_every_new_snapshot_in_order_and_of_no_old_one(service, client, waiting):
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def first(snapshot: IngressSnapshot) -> None:
        heard.put_nowait(("first", snapshot.version))

    async def second(snapshot: IngressSnapshot) -> None:
        heard.put_nowait(("second", snapshot.version))

    client.on_change(first)
    client.on_change(second)
    async with client:
        assert await heard.get() == ("first", "v1")
        assert await heard.get() == ("second", "v1")
        await waiting.begun()
        waiting.end()
        await waiting.begun()
        service.etag = '"same version under another tag"'
        client.changed()
        await waiting.begun()
        service.serve("v2")
        client.changed()
        assert await heard.get() == ("first", "v2")
        assert await heard.get() == ("second", "v2")
    assert heard.empty()


async def test_a_slow_listener_delays_no_fetch_and_next_hears_of_the_newest(service, client, waiting):
    heard: list[str] = []
    called, go_on = asyncio.Event(), asyncio.Event()

    async def slow(snapshot: IngressSnapshot) -> None:
        heard.append(snapshot.version)
        called.set()
        await go_on.wait()

    client.on_change(slow)
    async with client:
        await asyncio.wait_for(called.wait(), 5)
        await waiting.begun()
        for version in ("v2", "v3"):
            service.serve(version)
            client.changed()
            await waiting.begun()
        assert client.snapshot.version == "v3"
        called.clear()
        go_on.set()
        await asyncio.wait_for(called.wait(), 5)

    assert heard == ["v1", "v3"]


@pytest.mark.parametrize(
    ("failure", "event"),
    [
        pytest.param(
            Unavailable(Code.BROKER_UNAVAILABLE, "The broker is away."), "config.listener_waits", id="broker-away"
        ),
        pytest.param(KeyError("bug"), "config.listener_failed", id="bug"),
    ],
)
async def test_a_listener_that_fails_is_called_again(client, waiting, failure, event):
    failures = [failure, failure]
    done = asyncio.Event()

    async def listener(_: IngressSnapshot) -> None:
        if failures:
            raise failures.pop()
        done.set()

    client.on_change(listener)
    with capture_logs() as logs:
        async with client:
            pauses = []
            for _ in range(2):
                # One pause is the fetch's, the other the listener's.
                pauses += [await waiting.begun(), await waiting.begun()]
                waiting.end()
            await asyncio.wait_for(done.wait(), 5)

    assert 0.2 <= min(pauses) <= 0.4
    assert [entry["event"] for entry in logs].count(event) == 2


async def test_a_large_snapshot_is_read_like_a_small_one(service, client, waiting):
    endpoints = [
        {"config_id": f"c{n}", "tenant_id": f"t{n}", "carrier": "bandwidth", "tokens": [{"sha256": f"{n:064x}"}]}
        for n in range(5_000)
    ]
    service.body = orjson.dumps({"version": "big", "endpoints": endpoints})
    assert len(service.body) > config_client.PARSE_ASIDE_BYTES

    async with client:
        await waiting.begun()

        assert len(client.snapshot.endpoints) == 5_000


async def test_waiting_ends_with_the_event_or_with_the_time():
    event = asyncio.Event()
    event.set()

    await asyncio.wait_for(config_client.wait_for(event, 3600), 5)
    await asyncio.wait_for(config_client.wait_for(asyncio.Event(), 0), 5)
