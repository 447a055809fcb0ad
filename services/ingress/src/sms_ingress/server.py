"""The HTTP server for webhooks, and the reading of bodies with a limit.

It is aiohttp's low-level server, without application, router and middlewares: one path needs none of these.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import structlog
from aiohttp import StreamReader, web

from sms_common.http.server import Handler, Manners, serve_handler
from sms_ingress.answers import WebhookOutcome, WebhookRefused, answer

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve_webhooks(handler: Handler, host: str, port: int) -> AsyncIterator[int]:
    """Pass every request to `handler` inside the context. Yields the port, chosen by the system if `port` is 0.

    At the end it stops listening at once and finishes the requests in progress. A client that hangs up cancels nothing.
    """
    async with serve_handler(handler, host, port, Manners(_empty_answer)) as taken:
        _log.info("ingress.listening", host=host, port=taken)
        yield taken


def _empty_answer(status: HTTPStatus) -> web.Response:
    """Answer an error of the connection with an empty body, as every webhook is answered."""
    return answer(WebhookOutcome.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else WebhookOutcome.BROKEN)


async def read_body(request: web.BaseRequest, limit: int) -> bytes:
    """Read a body of at most `limit` bytes. Raises WebhookRefused: too large, broken, or an unknown expectation."""
    await _continue_100(request)
    content: StreamReader = request.content
    chunks: list[bytes] = []
    left = limit
    try:
        while chunk := await content.readany():
            left -= len(chunk)
            if left < 0:
                raise WebhookRefused(WebhookOutcome.TOO_LARGE)
            chunks.append(chunk)
    except (web.RequestPayloadError, ConnectionError):
        raise WebhookRefused(WebhookOutcome.BROKEN) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _continue_100(request: web.BaseRequest) -> None:
    """Ask a client that waits for it to send its body (RFC 9110, section 10.1.1)."""
    expectation = request.headers.get("Expect")
    if expectation is None:
        return
    if expectation.lower() != "100-continue":
        raise WebhookRefused(WebhookOutcome.UNKNOWN_EXPECTATION)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
