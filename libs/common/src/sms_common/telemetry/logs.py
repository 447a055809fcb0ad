"""The log of a process: structlog and the standard library's loggers, one chain to standard output, redacted last."""

import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor

from sms_common.telemetry.redaction import redact

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]

# At INFO and DEBUG these log each request, frame or command, and our own lines would be lost among them.
_NOISY: Final = (
    "aiohttp.access",
    "aiohttp.internal",
    "aio_pika",
    "aiormq",
    "pamqp",
    "pymongo",
    "motor",
    "asyncio",
    "urllib3",
)
# At ERROR these log what we log ourselves: a broker that cannot be reached, at each attempt, or a returned message with
# all its content.
_REPEATING: Final = ("aiormq.connection", "aiormq.channel")
_LEVELS: Final = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)


def configure(service: str, *, log_format: str = "auto", level: str = "info") -> None:
    """Set up logging for this process, once, before the first log call. Each line names `service`.

    `log_format` is `json` (one object a line), `console` (for people) or `auto`: console on a terminal, else JSON.
    `level` is the least serious level written. Raises ValueError for a word it does not know.
    """
    if log_format not in {"auto", "json", "console"}:
        raise ValueError("log_format is auto, json or console")
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError("level is debug, info, warning, error or critical")
    console = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    structlog.configure(
        processors=_chain(service, console=console),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_make_output,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=threshold, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    for name in _REPEATING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def bind_log_context(**ids: str | int | None) -> None:
    """Add `ids` to every line of this task and of the tasks that it starts from now on. Clear them before new work."""
    structlog.contextvars.bind_contextvars(**ids)


def clear_log_context() -> None:
    """Remove all bound ids: the first step of each request and each delivery."""
    structlog.contextvars.clear_contextvars()


def _chain(service: str, *, console: bool) -> list[Processor]:
    def name_service(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        structlog.processors.StackInfoRenderer(),
        # a text without locals, made here: a renderer that formats exceptions itself would do so after the redaction
        structlog.processors.format_exc_info,
        redact,
        _console_renderer() if console else _to_json,
    ]


def _console_renderer() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=30
    )


def _to_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event).decode()
    except (orjson.JSONEncodeError, UnicodeError):  # a lone surrogate or an integer above 64 bits
        return json.dumps(event, ensure_ascii=True, default=lambda value: f"<{type(value).__name__}>")


class _Output:
    """Writes finished lines. On a full disk or a closed pipe the line is lost, but the caller goes on."""

    _lock: Final = threading.Lock()

    def msg(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    debug = info = warning = error = critical = fatal = exception = log = msg


def _make_output(*_names: str) -> _Output:
    return _Output()


class _Bridge(logging.Handler):
    """Hands the standard library's records to structlog, so that there is one chain and one redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's wrong format arguments must not fail its caller
            event = "log.record_unreadable"
        level = next((known for known in _LEVELS if known <= record.levelno), logging.DEBUG)
        exc_info = record.exc_info if record.exc_info and record.exc_info[0] else None
        structlog.get_logger().log(level, event, logger=record.name, exc_info=exc_info)
