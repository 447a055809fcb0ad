"""What a client can do to the HTTP server: nothing but get a small answer."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sms_common.http.server import KEEP_ALIVE_SECONDS
from sms_ingress.server import serve_webhooks
from tests.ingress.world import OPEN

pytestmark = pytest.mark.loopback

EVENT = (
    b'[{"type":"message-delivered","time":"2026-07-10T09:02:11Z","to":"+14045550121","description":"ok",'
    b'"message":{"id":"m1","from":"+12025550143","to":["+14045550121"],"direction":"out"}}]'
)
LINE = f"POST /webhooks/bandwidth/{OPEN} HTTP/1.1\r\nHost: x\r\n".encode()
LENGTH = b"Content-Length: %d\r\n" % len(EVENT)
CLOSE = b"Connection: close\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no-http"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls-on-a-plain-port"),
        pytest.param(b"POST / HTTP/9.9\r\n\r\n", id="unknown-version"),
        pytest.param(LINE + b"X-Long: " + b"a" * 9_000 + b"\r\n\r\n", id="header-too-long"),
        pytest.param(LINE + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n", id="too-many-headers"),
        pytest.param(b"POST /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="path-too-long"),
        pytest.param(LINE + b"Content-Length: many\r\n\r\n", id="length-is-no-number"),
        pytest.param(LINE + b"Content-Length: -1\r\n\r\n", id="negative-length"),
        pytest.param(LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", id="two-lengths"),
        pytest.param(LINE + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + EVENT, id="length-and-chunks"),
        pytest.param(LINE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + EVENT, id="broken-chunk-size"),
        pytest.param(LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + EVENT, id="broken-chunk-end"),
    ],
)
async def test_what_is_no_proper_http_gets_a_400_and_the_connection_ends(ingress, broker, request_bytes):
    with capture_logs() as logs:
        answer = await ingress.raw(request_bytes)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert status(answer) == 400
    assert body == b""
    assert b"Server: sms-gateway" in head
    assert broker.published == []
    assert [entry for entry in logs if entry["log_level"] not in {"debug", "info"}] == []


async def test_a_body_that_breaks_off_is_not_published(ingress, broker):
    _reader, writer = await ingress.connect()
    writer.write(LINE + LENGTH + b"\r\n" + EVENT[:-1])
    writer.write_eof()
    writer.close()
    await writer.wait_closed()

    assert (await ingress.post(EVENT)).status == 200
    assert len(broker.published) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((LINE + LENGTH + CLOSE + b"\r\n" + EVENT,), id="in-one-piece"),
        pytest.param((LINE, LENGTH + CLOSE + b"\r\n", EVENT[:40], EVENT[40:]), id="in-four-pieces"),
        pytest.param(
            (LINE + b"Transfer-Encoding: chunked\r\n" + CLOSE + b"\r\n", chunked(EVENT)), id="in-chunks-without-length"
        ),
        pytest.param(
            (LINE.replace(b"POST /", b"POST http://sms.example.com/") + LENGTH + CLOSE + b"\r\n" + EVENT,),
            id="absolute-address",
        ),
        pytest.param((LINE.replace(b"HTTP/1.1", b"HTTP/1.0") + LENGTH + b"\r\n" + EVENT,), id="http-1.0"),
    ],
)
async def test_a_webhook_is_taken_however_it_is_sent(ingress, broker, pieces):
    answer = await ingress.raw(*pieces)

    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")
    assert len(broker.published) == 1


async def test_a_client_that_asks_first_is_told_to_go_on(ingress, broker):
    reader, writer = await ingress.connect()
    writer.write(LINE + LENGTH + b"Expect: 100-continue\r\n" + CLOSE + b"\r\n")
    interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(EVENT)
    answer = await asyncio.wait_for(reader.read(), 5)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status(answer) == 200
    assert len(broker.published) == 1


async def test_an_expectation_nobody_knows_is_417(ingress):
    assert status(await ingress.raw(LINE + LENGTH + b"Expect: a miracle\r\n" + CLOSE + b"\r\n" + EVENT)) == 417


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(ingress):
    reader, writer = await ingress.connect()
    writer.write(LINE + b"Content-Length: 1048576\r\n\r\n")

    assert status(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)) == 413


async def test_a_client_that_sends_its_large_body_all_the_same_reads_the_answer(ingress):
    large = b"x" * (4 * 1024 * 1024)

    assert status(await ingress.raw(LINE + b"Content-Length: %d\r\n" % len(large) + CLOSE + b"\r\n", large)) == 413


async def test_requests_may_be_sent_ahead_on_one_connection(ingress, broker):
    one = LINE + LENGTH + b"\r\n" + EVENT
    last = LINE + LENGTH + CLOSE + b"\r\n" + EVENT

    answers = await ingress.raw(one + one + last)

    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert len(broker.published) == 3


def test_idle_connections_outlive_those_of_usual_load_balancers_and_not_for_long():
    assert 60 < KEEP_ALIVE_SECONDS < 120


async def test_a_handler_that_fails_is_an_empty_500_and_an_error_in_the_log():
    async def failing(_: web.BaseRequest) -> web.StreamResponse:
        raise RuntimeError("+14045550121")

    with capture_logs() as logs:
        async with (
            serve_webhooks(failing, "127.0.0.1", 0) as port,
            aiohttp.ClientSession() as http,
            http.post(f"http://127.0.0.1:{port}/") as answer,
        ):
            status, body = answer.status, await answer.read()

    assert (status, body) == (500, b"")
    assert [entry["error"] for entry in logs if entry["log_level"] == "error"] == ["RuntimeError"]


async def test_a_handler_that_fails_in_the_middle_of_its_answer_ends_the_connection():
    async def failing(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"so far")
        raise RuntimeError("a bug")

    async with (
        serve_webhooks(failing, "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{port}/") as answer,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
