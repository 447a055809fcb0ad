"""The database's time, which all dispatchers share: what decides when a message is due, expires or is given up."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sms_common.events import utc_now


class DatabaseClock:
    """Tells the database's time. Between two readings of it the process's monotonic clock counts on, so that whoever
    sets the host's wall clock neither ends a message nor brings one early.

    Until the first reading it tells the host's time; nothing that is terminal is decided before that.
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
        """Read the database's time anew; half of the time that took has passed since. Raises what `read` raises."""
        asked = self._monotonic()
        database_time = await read()
        self._read = database_time, (asked + self._monotonic()) / 2
