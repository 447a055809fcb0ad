"""Work that a process does beside the rest: again and again, or until it stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from sms_common.backoff import spread
from sms_common.concurrency import is_set_within
from sms_common.errors import Unavailable

_log = structlog.get_logger(__name__)

# Several processes that were started together must not do the same at the same moments for ever.
JITTER: Final = 0.2


class LoopEvents(NamedTuple):
    """The log events of a loop: one that Unavailable has put off (at this level), and one that a bug has ended."""

    postponed: str
    failed: str
    level: int = logging.INFO


async def periodically(
    act: Callable[[], Awaitable[object]],
    every: float,
    stop: asyncio.Event | None,
    events: LoopEvents,
    *,
    wake: asyncio.Event | None = None,
    after_failure: float | None = None,
) -> None:
    """Do `act` now and about every `every` seconds, or as soon as `wake` is set, until `stop` is; without `stop` for
    ever. `after_failure` is the pause after a failure, when it is another.

    No failure ends it: Unavailable is made good the next time, any other exception is a bug and logged with its stack.
    """
    wake, ends = wake or asyncio.Event(), stop or asyncio.Event()
    while not ends.is_set():
        wake.clear()
        pause = every if after_failure is None else after_failure
        try:
            await act()
            pause = every
        except Unavailable as error:
            _log.log(events.level, events.postponed, code=error.code, reason=error.reason)
        except Exception:  # noqa: BLE001  # a bug in one round must not end all further ones; the log has it
            _log.exception(events.failed)
        await is_set_within(spread(pause, JITTER), wake, ends)


async def run_until(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Do `work` to its end, or until `stop` is set. Raises what `work` raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
