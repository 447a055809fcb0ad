"""The HTTP server under the webhook door: connections, their limits, and bodies read with a limit.

It is aiohttp's low-level server, without application, router and middlewares: one path needs none of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import StreamReader, web

from sms_common.service import SHUTDOWN_TIMEOUT_SECONDS
from sms_ingress.answers import Outcome, Refused, answer

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

# Longer than the idle time of the usual load balancers (60 s), so that they and not we end an idle connection. It also
# bounds how long a connection may take over its request line and headers.
KEEP_ALIVE_SECONDS = 75.0
# How long the rest of a request is read and thrown away, so that the client sees the answer and not a reset connection.
LINGER_SECONDS = 5.0

_LIMITS: dict[str, Any] = {
    "access_log": None,
    # A compressed request is refused, so nothing is ever decompressed, not even to throw it away.
    "auto_decompress": False,
    "keepalive_timeout": KEEP_ALIVE_SECONDS,
    "lingering_time": LINGER_SECONDS,
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve_webhooks(handler: Handler, host: str, port: int) -> AsyncIterator[int]:
    """Give every request to `handler` inside the context; gives the port, the system's choice when `port` is 0.

    Leaving stops listening at once and lets the answers under way be given. A client that hangs up cancels nothing.
    """
    runner = web.ServerRunner(_Server(handler), shutdown_timeout=SHUTDOWN_TIMEOUT_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        taken: int = runner.addresses[0][1]
        _log.info("ingress.listening", host=host, port=taken)
        yield taken
    finally:
        await runner.cleanup()


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        """Make one connection."""
        return _Connection(self, loop=asyncio.get_running_loop(), **_LIMITS)


class _Connection(web.RequestHandler):
    """One client connection; its errors get an empty answer, and no line of what was sent reaches the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes the request
    ) -> web.StreamResponse:
        outcome = Outcome.FAILED if status >= 500 else Outcome.BROKEN  # noqa: PLR2004  # the first server error
        log = _log.error if outcome is Outcome.FAILED else _log.debug
        log("http.error", status=outcome.status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return answer(outcome)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read the whole body of at most `limit` bytes. Raises Refused: too large, broken, or an unknown expectation."""
    await _welcome(request)
    content: StreamReader = request.content
    chunks: list[bytes] = []
    left = limit
    try:
        while chunk := await content.readany():
            left -= len(chunk)
            if left < 0:
                raise Refused(Outcome.TOO_LARGE)
            chunks.append(chunk)
    except (web.RequestPayloadError, ConnectionError):
        raise Refused(Outcome.BROKEN) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _welcome(request: web.BaseRequest) -> None:
    """Tell a client that asks first to send its body (RFC 9110, section 10.1.1)."""
    expectation = request.headers.get("Expect")
    if expectation is None:
        return
    if expectation.lower() != "100-continue":
        raise Refused(Outcome.UNKNOWN_EXPECTATION)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
