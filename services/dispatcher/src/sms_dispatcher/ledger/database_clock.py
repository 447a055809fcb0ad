"""The database's time, which all dispatchers share. It decides when a message is due, expires or is given up."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sms_common.events import utc_now


class DatabaseClock:
    """Returns the database's time. Between two readings the process's monotonic clock counts on, so that setting the
    host's wall clock neither ends a message nor makes one due.

    Until the first reading it returns the host's time. Nothing final is decided before that.
    """

    def __init__(self, wall: Callable[[], datetime] = utc_now, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._read: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The database's time now, in UTC."""
        if self._read is None:
            return self._wall()
        database_time, at = self._read
        return database_time + timedelta(seconds=self._monotonic() - at)

    async def synchronise(self, read: Callable[[], Awaitable[datetime]]) -> None:
        """Read the database's time. The moment of its answer is taken as the middle of the call. Raises what `read`
        raises.
        """
        asked = self._monotonic()
        database_time = await read()
        self._read = database_time, (asked + self._monotonic()) / 2
