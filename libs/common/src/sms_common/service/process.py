"""The life of a process: settings, signals, health and metrics over HTTP, draining, and the end. Knows no service."""

import asyncio
import faulthandler
import gc
import inspect
import json
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final, TypeVar

import structlog
import uvloop
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError

from sms_common.http.server import SHUTDOWN_TIMEOUT_SECONDS, CannotListen, serve
from sms_common.service.open_files import OpenFiles
from sms_common.service.settings import sentence
from sms_common.telemetry import metrics, redact_text

__all__ = [
    "DRAIN_DEADLINE_SECONDS",
    "SHUTDOWN_TIMEOUT_SECONDS",
    "Health",
    "add_health_routes",
    "load_settings",
    "log_passed_over",
    "log_settings",
    "run",
    "serve",
]

# How long a process may take from the first signal to its end before it is ended. The longest is the dispatcher's: a
# carrier call (25 s) and its margin (5 s), writing the result (5 s), publishing it (5 s) and closing connections (5 s)
# make 45 s; 3 s more are for a busy machine. Whoever starts the process waits longer than this before killing it.
DRAIN_DEADLINE_SECONDS: Final = 48.0
EXIT_CRASHED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_DRAIN_OVERRUN: Final = 70  # EX_SOFTWARE of sysexits.h

_CHECK_TIMEOUT_SECONDS: Final = 2.0  # probes commonly wait 3 to 5 s
_LAST_WORDS_SECONDS: Final = 1.0

Check = Callable[[], Awaitable[str | None] | str | None]
Main = Callable[[asyncio.Event], Awaitable[None]]
S = TypeVar("S", bound=BaseModel)

_log = structlog.get_logger()


class Health:
    """The named conditions under which this process can do its work. Not ready once `stop` is set."""

    def __init__(self, stop: asyncio.Event | None = None) -> None:
        self._checks: dict[str, Check] = {}
        if stop is not None:
            self.add("process", lambda: "The process is stopping." if stop.is_set() else None)

    def add(self, name: str, check: Check) -> None:
        """Add a check: None when all is well, else a sentence that says what is wrong, without secrets."""
        if name in self._checks:
            raise ValueError(f"there is a check named {name} already")
        self._checks[name] = check

    async def problems(self) -> dict[str, str | None]:
        """Run all checks at once and return what each says. One that raises or takes over 2 s is a problem itself."""
        said = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
        problems = dict(zip(self._checks, said, strict=True))
        for part, problem in problems.items():
            metrics.ready.labels(part).set(problem is None)
        return problems


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_SECONDS):
            said = check()
            problem = await said if inspect.isawaitable(said) else said
    except TimeoutError:
        return f"No answer within {_CHECK_TIMEOUT_SECONDS:g} s."
    except Exception as error:  # noqa: BLE001 - a broken check is an answer of the probe, not its end
        return f"The check failed: {type(error).__name__}."
    return None if problem is None else redact_text(problem)


def add_health_routes(app: web.Application, health: Health) -> None:
    """Add GET /healthz (the event loop turns), /readyz (200 or 503 with what each check says) and /metrics to `app`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        problems = await health.problems()
        ready = not any(problems.values())
        checks = {name: problem or "ok" for name, problem in problems.items()}
        return web.json_response({"ready": ready, "checks": checks}, status=200 if ready else 503)

    async def show_metrics(_request: web.Request) -> web.Response:
        await health.problems()
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)


def load_settings(settings: type[S]) -> S:
    """Return the process's settings, read from its environment.

    Settings that cannot be used are told on standard error, one line each with the variable's name and never its value,
    and the process exits with status 2.
    """
    try:
        return settings()
    except ValidationError as error:
        lines = [f"{_variable(settings, found['loc'])}{_reason(found['msg'])}" for found in _errors(error)]
    except ValueError as error:  # pydantic-settings, for a variable that is not the JSON it should be
        lines = [_not_json(settings, str(error))]
    sys.stderr.write("".join(f"The settings cannot be used: {' '.join(line.split())}\n" for line in lines))
    raise SystemExit(EXIT_SETTINGS)


def log_settings(settings: BaseModel) -> None:
    """Write one line with the settings in use, secrets starred; then as `log_passed_over` and `log_renamed`."""
    _log.info("service.settings", settings=settings.model_dump(mode="json"))
    log_passed_over(settings)
    log_renamed(settings)


def log_passed_over(settings: BaseModel) -> None:
    """Write one line for each variable that counts as not set, since Kubernetes made it."""
    for name in getattr(settings, "passed_over", ()):
        _log.warning(
            "service.setting_passed_over",
            setting=name,
            reason="Kubernetes sets this for a service of that name: set enableServiceLinks: false, or another name.",
        )


def log_renamed(settings: BaseModel) -> None:
    """Write one line for each variable that is set under its former name."""
    for former, name in getattr(settings, "renamed", {}).items():
        _log.warning(
            "service.setting_renamed", setting=name, former=former, reason="The next release reads the new name only."
        )


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))


def _variable(settings: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """The beginning of a line about the setting at `loc`; what is wrong with several names them itself."""
    if not loc:
        return ""
    name, *inside = map(str, loc)
    if name in settings.model_fields:
        name = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
    return ".".join((name, *inside)) + ": "


def _not_json(settings: type[BaseModel], message: str) -> str:
    named = re.search(r'field "(\w+)"', message)
    return redact_text(message) if named is None else f"{_variable(settings, (named.group(1),))}must be JSON"


def _reason(message: str) -> str:
    return redact_text(sentence(message))


def _keep_programs_out_of_garbage_collection() -> None:
    """All that was imported stays for ever, and looking through its 80,000 objects stops the event loop for 30 to 100
    milliseconds each time.
    """
    gc.collect()
    gc.freeze()


def run(main: Main, *, drain_seconds: float = DRAIN_DEADLINE_SECONDS) -> int:
    """Run `main(stop)` on uvloop until it returns, and return the exit status of the process.

    The first SIGTERM or SIGINT sets `stop`; `main` then has `drain_seconds` to return, after which the process is ended
    with status 70. A second signal ends it at once. 0: `main` returned; 1: it raised, and the log says what;
    2: its address cannot be listened on.
    """
    _raise_file_limit()
    _keep_programs_out_of_garbage_collection()
    signals = _Signals(drain_seconds)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_supervised(main, signals))
    except CannotListen as error:
        _log.critical("service.cannot_listen", reason=str(error))
        return EXIT_SETTINGS
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the last place to say in the log why a process ends
        _log.critical("service.crashed", exc_info=True)
        return EXIT_CRASHED
    finally:
        signals.release()
    _log.info("service.stopped")
    return 0


async def _supervised(main: Main, signals: "_Signals") -> None:
    stop = asyncio.Event()
    signals.take(asyncio.get_running_loop(), stop)
    watching = asyncio.create_task(OpenFiles().watch())
    try:
        await main(stop)
    finally:
        watching.cancel()


class _Signals:
    """SIGTERM and SIGINT of one run. Handlers of the signal module, since a loop that is stuck must still be ended."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._previous: dict[signal.Signals, Any] = {}
        self._watchdog: threading.Timer | None = None

    def take(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        """From now on a signal sets `stop`."""

        def begin(name: str) -> None:
            _log.info("service.stopping", signal=name)
            stop.set()

        def received(number: int, _frame: FrameType | None) -> None:
            if self._watchdog is not None:
                _last_words("service.ended_by_second_signal")
                os._exit(128 + number)
            self._watchdog = threading.Timer(self._drain_seconds, _overrun, (self._drain_seconds,))
            self._watchdog.daemon = True
            self._watchdog.start()
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(begin, signal.Signals(number).name)

        for known in (signal.SIGTERM, signal.SIGINT):
            self._previous[known] = signal.signal(known, received)

    def release(self) -> None:
        """Give the signals back and let the watchdog go: the process is about to end."""
        for known, handler in self._previous.items():
            signal.signal(known, handler)
        if self._watchdog is not None:
            self._watchdog.cancel()


def _overrun(seconds: float) -> None:
    _last_words("service.drain_overran", seconds=seconds)
    with suppress(OSError, ValueError):
        faulthandler.dump_traceback()  # where it hangs: code lines of all threads, no values
    os._exit(EXIT_DRAIN_OVERRUN)


def _last_words(event: str, **values: float) -> None:
    """Log from another thread, and wait briefly: the one that is stuck, or that a signal interrupted in the middle of
    a line, may hold what writing needs. Then the words go past all that, straight to where the log goes.
    """
    speaker = threading.Thread(target=_log.critical, args=(event,), kwargs=values, daemon=True)
    speaker.start()
    speaker.join(_LAST_WORDS_SECONDS)
    if speaker.is_alive():
        line = json.dumps({"event": event, "level": "critical", **values})
        with suppress(OSError):
            os.write(1, f"\n{line}\n".encode())


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each connection is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
