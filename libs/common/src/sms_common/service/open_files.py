"""Notices when a process can open no more files: each connection is one, and the event loop closes new ones unread,
without a word, while there is no room for them.
"""

import errno
import os
import resource
from collections.abc import Callable
from typing import Final

import structlog

from sms_common.service.background_work import LoopEvents, periodically
from sms_common.telemetry import metrics

LOOK_EVERY_SECONDS: Final = 1.0
_SAY_AGAIN_AFTER: Final = 60  # looks
_LOOK_AFTER_FAILURE_SECONDS: Final = 60.0
_NEAR: Final = 0.9
_EVENTS: Final = LoopEvents("service.file_watch_postponed", "service.file_watch_failed")

_log = structlog.get_logger(__name__)


def opened(open_one: Callable[[], int]) -> int | None:
    """How many files are open at least, or None when no more can be: a new one gets the lowest free number."""
    try:
        number = open_one()
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return None
        raise
    os.close(number)
    return number


class OpenFiles:
    """Looks again and again; `open_one` opens a file and returns its number, `limit` is how many there may be."""

    def __init__(self, open_one: Callable[[], int] | None = None, limit: int | None = None) -> None:
        self._open_one = open_one or (lambda: os.open(os.devnull, os.O_RDONLY))
        self._limit = limit or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._full_for = 0
        self._near = False

    async def watch(self) -> None:
        """Look every second, for ever; after a failure a minute later, since the next one would fail as well."""

        async def look() -> None:
            self.look()

        await periodically(look, LOOK_EVERY_SECONDS, None, _EVENTS, after_failure=_LOOK_AFTER_FAILURE_SECONDS)

    def look(self) -> None:
        """Count and say that the limit is reached, now and every minute, and once that it is near."""
        found = opened(self._open_one)
        if found is None:
            metrics.file_limit_reached_total.inc()
            if self._full_for % _SAY_AGAIN_AFTER == 0:
                _log.error(
                    "service.file_limit_reached",
                    limit=self._limit,
                    advice="New connections are closed unread: raise the limit of open files, or run more processes.",
                )
            self._full_for += 1
            return
        self._full_for = 0
        near = found >= self._limit * _NEAR
        if near and not self._near:
            _log.warning("service.file_limit_near", open=found, limit=self._limit)
        self._near = near
