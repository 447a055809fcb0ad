"""The HTTP servers of all services: their connections, and fixed answers to malformed requests.

aiohttp quotes a request that it cannot parse in its answer and, with a traceback, in the log. That can be a header that
is too long, with the session cookie in it. Here nothing of a request is repeated, neither in the answer nor in a log.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

from sms_common.telemetry import code_places

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# Makes the whole error answer from its status alone.
ErrorAnswer = Callable[[HTTPStatus], web.Response]

# How long running handlers get when a server stops. None of our handlers waits longer than 10 s for anything.
SHUTDOWN_TIMEOUT_SECONDS: Final = 15.0
# Longer than the idle time of usual load balancers (60 s), so that they end an idle connection and not we. It also
# limits how long a client may take to send its request line and headers.
KEEP_ALIVE_SECONDS: Final = 75.0
# How long the rest of a request is read and thrown away, so that the client sees the answer and not a reset connection.
LINGER_SECONDS: Final = 5.0

_LIMITS: Final[dict[str, Any]] = {
    "access_log": None,
    # Bodies are passed on unchanged. Nothing is ever decompressed, not even to throw it away.
    "auto_decompress": False,
    "keepalive_timeout": KEEP_ALIVE_SECONDS,
    "lingering_time": LINGER_SECONDS,
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}
_MESSAGES: Final = {
    HTTPStatus.BAD_REQUEST: "This is no proper HTTP request.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.EXPECTATION_FAILED: "The only expectation that is met is 100-continue.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The request line or a header is longer than 8 KiB.",
}
# A name without a version. By default the library would send its own name and version.
_HEADERS: Final = {"Server": "sms-gateway", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_log = structlog.get_logger(__name__)


def fixed_answer(status: HTTPStatus) -> web.Response:
    """Answer in the one shape of our APIs, {code, message, errors}, with nothing but the meaning of the status."""
    code = "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else status.name.lower()
    message = _MESSAGES.get(status, f"{status.phrase}.")
    body = orjson.dumps({"code": code, "message": message, "errors": []})
    return web.Response(status=status, body=body, content_type="application/json", headers=_HEADERS)


class CannotListen(OSError):
    """The address is in use, belongs to another machine or is unknown; or the port needs special rights."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server answers errors, and how many seconds running handlers get when it stops."""

    error_answer: ErrorAnswer = fixed_answer
    shutdown_timeout: float = SHUTDOWN_TIMEOUT_SECONDS


@asynccontextmanager
async def serve(
    app: web.Application, host: str, port: int, *, shutdown_timeout: float = SHUTDOWN_TIMEOUT_SECONDS
) -> AsyncIterator[int]:
    """Serve `app` inside the context. Yields the port, which the system chooses when `port` is 0.

    When the context ends, it stops listening at once, and running handlers get `shutdown_timeout` seconds. A client
    that disconnects does not cancel its handler. Compressed bodies are passed on unchanged. Raises CannotListen.
    """
    runner = _AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=shutdown_timeout)
    async with _listening(runner, host, port) as taken:
        _log.info("service.listening", host=host, port=taken)
        yield taken


@asynccontextmanager
async def serve_handler(handler: Handler, host: str, port: int, manners: Manners) -> AsyncIterator[int]:
    """Pass every request to `handler` inside the context, without application, router and middlewares. Yields the port.

    When the context ends, it stops listening at once, and requests under way are still answered. A client that
    disconnects does not cancel its handler. Raises CannotListen.
    """
    server = _Server(handler, manners.error_answer)
    async with _listening(web.ServerRunner(server, shutdown_timeout=manners.shutdown_timeout), host, port) as taken:
        yield taken


@asynccontextmanager
async def _listening(runner: web.BaseRunner, host: str, port: int) -> AsyncIterator[int]:
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
        taken: int = runner.addresses[0][1]
        yield taken
    finally:
        await runner.cleanup()


class _AppRunner(web.AppRunner):
    """Runs an application on our own kind of connections."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, fixed_answer, request_factory=made.request_factory)


class _Server(web.Server):
    def __init__(self, handler: Handler, error_answer: ErrorAnswer, **options: Any) -> None:
        super().__init__(_without_echo(handler, error_answer), **options)
        self._error_answer = error_answer

    def __call__(self) -> web.RequestHandler:
        """Make one connection."""
        return _Connection(self, self._error_answer)


def _without_echo(handler: Handler, error_answer: ErrorAnswer) -> Handler:
    """`handler`, with fixed answers instead of aiohttp's own."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            answer = error_answer(HTTPStatus(refusal.status))
            if (allowed := refusal.headers.get(hdrs.ALLOW)) is not None:
                answer.headers[hdrs.ALLOW] = allowed
        except (web.RequestPayloadError, ConnectionError):  # the body ended early, or its chunks are malformed
            if request.writer.output_size > 0:
                raise
            answer = error_answer(HTTPStatus.BAD_REQUEST)
            answer.force_close()
        return answer

    return handle


class _Connection(web.RequestHandler):
    """One client connection."""

    __slots__ = ("_error_answer",)

    def __init__(self, server: web.Server, error_answer: ErrorAnswer) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **_LIMITS)
        self._error_answer = error_answer

    def data_received(self, data: bytes) -> None:
        """Parse what was received. An error that the parser does not expect ends the connection."""
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  # the event loop would log it with what was sent
            _tell_failure("http.unreadable", error)
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes the request
    ) -> web.StreamResponse:
        """Answer a request for which no handler made an answer."""
        said = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if isinstance(exc, LineTooLong) else HTTPStatus(status)
        if said >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _tell_failure("http.failed", exc)
        else:
            _log.debug("http.refused", status=said, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer = self._error_answer(said)
        answer.force_close()
        return answer

    def log_debug(self, *_: Any, **__: Any) -> None:
        """Log nothing: aiohttp only reports a connection that ended early."""

    def log_exception(self, *_: Any, **known: Any) -> None:
        """Log that something failed outside the handlers, and where."""
        _tell_failure("http.failed", known.get("exc_info"))


def _tell_failure(event: str, error: object) -> None:
    where = code_places(error) if isinstance(error, BaseException) else []
    _log.error(event, error=type(error).__name__, where=where)
