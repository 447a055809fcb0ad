"""What the network can do to a send, and whether the message may have left: only then is a repeat dangerous."""

import asyncio
import gzip
import json
import socket
import traceback

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.errors import Code, OutcomeUnknown, PermanentFailure, SendFailure, TemporaryFailure, Throttled
from sms_common.messages import Accepted, OutboundMessage

pytestmark = pytest.mark.loopback

TEXT = OutboundMessage("gw-1/a", "+12025550143", ("+14045550121",), "canary text")
REFUSED = json.dumps({"type": "request-validation", "description": "no"}).encode()
CANARIES = ("canary", "4045550121", "2025550143", "5500001")


@pytest.fixture
def sending(http, account):
    """Send TEXT by Basic to `url` (so that one connection is all there is)."""

    async def send(url, *, session=http, **options):
        carrier = Bandwidth(session, {"messaging_url": f"{url}/api/v2", "basic_auth": True, **options})
        return await carrier.send(TEXT, account())

    return send


@pytest.fixture
def failing(sending):
    """Send, and return the failure; nothing private may be in it, its traceback included."""

    async def fail(url, **options):
        with pytest.raises(SendFailure) as caught:
            await sending(url, **options)
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.__cause__)
        assert [canary for canary in CANARIES if canary in told] == []
        return caught.value

    return fail


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return head + await reader.readexactly(int(length.split(b":")[1]))


def replying(*parts, then=None):
    """Read the request, write the parts, then wait for `then` if given."""

    async def behave(reader, writer):
        await read_request(reader)
        writer.writelines(parts)
        await writer.drain()
        if then is not None:
            await then.wait()

    return behave


def head(status, *lines):
    return "\r\n".join([f"HTTP/1.1 {status} Some Words", *lines, "", ""]).encode()


def whole(status, body, *lines):
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def unused_url(scheme="http"):
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"{scheme}://127.0.0.1:{free.getsockname()[1]}"


class Resolver(AbstractResolver):
    """Ends look-ups as told: with an error, or never."""

    def __init__(self, error=None):
        self.error = error

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error

    async def close(self):
        pass


# Nothing left.


async def test_a_refused_connection_sent_nothing(failing):
    failure = await failing(unused_url())

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(OSError(None, "no such host"), "ClientConnectorDNSError", id="unknown-host"),
        pytest.param(None, "ConnectionTimeoutError", id="no-answer"),
    ],
)
async def test_a_failed_look_up_sent_nothing(error, cause, failing):
    connector = aiohttp.TCPConnector(resolver=Resolver(error))
    async with aiohttp.ClientSession(connector=connector) as session:
        failure = await failing("https://carrier.example", session=session, connect_timeout=0.1)

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert cause in failure.reason


async def test_a_server_without_tls_was_sent_nothing(failing, raw_server):
    raw_server.behave = lambda reader, writer: _write(writer, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    failure = await failing(raw_server.url.replace("http:", "https:"))

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)


async def test_waiting_for_a_free_connection_sends_nothing(sending, failing, raw_server):
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hold(reader, writer):
        await read_request(reader)
        arrived.set()
        await release.wait()
        writer.write(whole(202, b'{"id": "first"}'))

    raw_server.behave = hold
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        first = asyncio.create_task(sending(raw_server.url, session=session))
        await arrived.wait()
        failure = await failing(raw_server.url, session=session, connect_timeout=0.1)
        release.set()
        assert await first == Accepted("first")

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert raw_server.connections == 1


async def test_time_that_runs_out_before_the_first_byte_sends_nothing(failing, raw_server):
    raw_server.behave = replying(whole(202, b'{"id": "a"}'))
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_wait_for_ever)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        failure = await failing(raw_server.url, session=session, connect_timeout=0.1, total_timeout=0.2)

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)


async def _noticed(closed):
    """Return when this side's event loop has seen that the other side closed; the kernel tells it within one turn."""
    await closed.wait()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_connection_found_closed_before_the_first_byte_sent_nothing(failing, raw_server):
    closed = asyncio.Event()

    async def close_at_once(_reader, writer):
        writer.close()
        await writer.wait_closed()
        closed.set()

    async def wait_until_it_is_noticed(*_ignored):
        await _noticed(closed)

    raw_server.behave = close_at_once
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(wait_until_it_is_noticed)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        failure = await failing(raw_server.url, session=session)

    assert (type(failure), failure.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert raw_server.connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used_again(sending, raw_server):
    closed = asyncio.Event()

    async def answer_and_close(reader, writer):
        await replying(whole(202, b'{"id": "a"}'))(reader, writer)
        writer.close()
        await writer.wait_closed()
        closed.set()

    raw_server.behave = answer_and_close

    assert await sending(raw_server.url) == Accepted("a")
    await _noticed(closed)
    assert await sending(raw_server.url) == Accepted("a")
    assert raw_server.connections == 2


async def test_no_time_left_after_the_token_sends_nothing(bandwidth, stand_in, account, clock):
    async def late():
        clock.now += 25
        return aiohttp.web.json_response({"access_token": "late", "expires_in": 3600})

    stand_in.grants.append(late)
    with pytest.raises(TemporaryFailure) as caught:
        await bandwidth.send(TEXT, account())

    assert caught.value.code is Code.CARRIER_UNREACHABLE
    assert stand_in.messages == []


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="refused"),
        pytest.param({"total_timeout": 0.2, "connect_timeout": 0.1}, id="silent"),
    ],
)
async def test_a_token_endpoint_out_of_reach_sends_nothing(options, http, account, stand_in, raw_server):
    never = asyncio.Event()
    raw_server.behave = replying(then=never)
    token_url = f"{raw_server.url if options else unused_url()}/token"
    carrier = Bandwidth(http, {"messaging_url": f"{stand_in.url}/api/v2", "token_url": token_url, **options})

    with pytest.raises(TemporaryFailure) as caught:
        await carrier.send(TEXT, account())
    await carrier.close()
    never.set()

    assert (type(caught.value), caught.value.code) == (TemporaryFailure, Code.CARRIER_UNREACHABLE)
    assert stand_in.messages == []
    assert [canary for canary in CANARIES if canary in "".join(traceback.format_exception(caught.value))] == []


# The request left, and no usable answer came.


async def _write(writer, data):
    writer.write(data)
    await writer.drain()


async def _wait_for_ever(*_):
    await asyncio.Event().wait()


async def _reset(reader, writer):
    await read_request(reader)
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


async def _close_before_the_body(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(replying(), id="closed"),
        pytest.param(_reset, id="reset"),
        pytest.param(_close_before_the_body, id="closed-early"),
        pytest.param(replying(b"HTTP/1.1 2"), id="half-a-status-line"),
        pytest.param(replying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="another-protocol"),
        pytest.param(replying(head(202, "Content-Length: nonsense")), id="bad-header"),
        pytest.param(replying(head(202, "X-Long: " + "x" * 100_000, "Content-Length: 0")), id="endless-header"),
        pytest.param(replying(head(202, "Content-Length: 500"), b'{"id": "a"'), id="body-cut-off"),
        pytest.param(replying(head(202, "Transfer-Encoding: chunked"), b"zz\r\n"), id="bad-chunk"),
        pytest.param(replying(whole(202, b"not gzip", "Content-Encoding: gzip")), id="bad-gzip"),
        pytest.param(replying(whole(202, b'{"id": "a", "x": "' + b"x" * 200_000 + b'"}')), id="endless-body"),
        pytest.param(replying(whole(202, gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip")), id="gzip-bomb"),
        pytest.param(replying(whole(202, b"")), id="no-body"),
        pytest.param(replying(whole(502, b"<html>")), id="bad-gateway"),
    ],
)
async def test_without_a_usable_answer_the_outcome_is_unknown(behave, failing, raw_server):
    raw_server.behave = behave

    failure = await failing(raw_server.url)

    assert (type(failure), failure.code) == (OutcomeUnknown, Code.OUTCOME_UNKNOWN)
    assert raw_server.connections == 1


@pytest.mark.parametrize("parts", [(), (head(202, "Content-Length: 500"), b'{"id"')], ids=["silence", "half-an-answer"])
async def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(parts, failing, raw_server):
    never = asyncio.Event()
    raw_server.behave = replying(*parts, then=never)

    failure = await failing(raw_server.url, connect_timeout=0.1, total_timeout=0.3)
    never.set()

    assert (type(failure), failure.code) == (OutcomeUnknown, Code.OUTCOME_UNKNOWN)


# The status came, and that is enough.


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        pytest.param((head(400, "Content-Length: 500"), b'{"type"'), PermanentFailure, id="400-cut-off"),
        pytest.param((whole(400, b"x" * 500_000),), PermanentFailure, id="400-endless"),
        pytest.param((whole(400, b"not gzip", "Content-Encoding: gzip"),), PermanentFailure, id="400-bad-gzip"),
        pytest.param((head(429, "Retry-After: 9", "Content-Length: 500"),), Throttled, id="429-cut-off"),
    ],
)
async def test_a_refusal_counts_without_its_body(parts, kind, failing, raw_server):
    raw_server.behave = replying(*parts)

    assert type(await failing(raw_server.url)) is kind


async def test_a_refusal_counts_though_its_body_never_ends(failing, raw_server):
    never = asyncio.Event()
    raw_server.behave = replying(head(429, "Retry-After: 9", "Content-Length: 500"), then=never)

    failure = await failing(raw_server.url, connect_timeout=0.1, total_timeout=0.3)
    never.set()

    assert isinstance(failure, Throttled)
    assert failure.retry_after == 9.0


async def test_a_refusal_before_the_whole_request_was_read_counts(failing, raw_server):
    async def refuse_early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(415, REFUSED))
        await writer.drain()

    raw_server.behave = refuse_early

    assert type(await failing(raw_server.url)) is PermanentFailure


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(whole(202, gzip.compress(b'{"id": "a"}'), "Content-Encoding: gzip"), id="gzip"),
        pytest.param(head(202, "Transfer-Encoding: chunked") + b'5\r\n{"id"\r\n6\r\n: "a"}\r\n0\r\n\r\n', id="chunked"),
        pytest.param(head(202, "Connection: close") + b'{"id": "a"}', id="until-closed"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(202, b'{"id": "a"}'), id="after-100-continue"),
    ],
)
async def test_an_acceptance_may_come_in_any_form_that_http_allows(part, sending, raw_server):
    raw_server.behave = replying(part)

    assert await sending(raw_server.url) == Accepted("a")


async def test_nothing_private_is_logged(failing, raw_server, caplog):
    caplog.set_level("DEBUG")
    raw_server.behave = replying()
    await failing(raw_server.url)
    raw_server.behave = replying(whole(400, b'{"type": "t", "description": "\'+14045550121\' says canary text"}'))
    await failing(raw_server.url)

    assert [canary for canary in CANARIES if canary in caplog.text] == []
