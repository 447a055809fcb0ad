"""Checks that what was declared still exists: somebody may delete an exchange while every connection is open."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelClosed

from sms_common.backoff import was_cancelled
from sms_common.broker.amqp.declaring import Declarations, NotDeclared
from sms_common.broker.messages import Restored
from sms_common.events import utc_now
from sms_common.telemetry import metrics

log = structlog.get_logger(__name__)

# Seconds. A check is about 30 requests without a transaction, each of a fraction of a millisecond.
_CHECK_EVERY = 5.0
# A failed publish, or something that is known to be missing, brings the next check forward. This is the shortest gap.
_SHORTEST_GAP = 1.0
# AMQP cannot say whether a binding exists. So everything is declared again from time to time, at this rate at most.
_REDECLARE_EVERY = 30.0
_REDECLARED_PER_SECOND = 100
# The shortest and the longest time between two repairs. Not at each check: a repair may be thousands of requests.
_REPAIR_EVERY = (5.0, 25.0)
_REFUSED = "the broker refuses to have it again"


class TopologyWatch:
    """Checks that everything in `declarations` exists, and tells subscribers what was missing and has been restored.

    With `repairs` it declares what is missing again. Only the process that knows all bindings may do so. An exchange
    that another process declared again would have few bindings, and would no longer be missing.
    """

    def __init__(self, declarations: Declarations, *, repairs: bool) -> None:
        self._declarations = declarations
        self._repairs = repairs
        self._redeclare_at = self._repair_at = 0.0
        self._check_now = asyncio.Event()
        self._subscribers: list[Callable[[Restored], Awaitable[None]]] = []
        self._missing: tuple[str, ...] = ()
        self._refusal: str | None = None
        self._complete_at: datetime = utc_now()

    def subscribe(self, callback: Callable[[Restored], Awaitable[None]]) -> None:
        """Call `callback` whenever something was missing and exists again."""
        self._subscribers.append(callback)

    def check_soon(self) -> None:
        """Bring the next check forward: an exchange or a queue may be missing."""
        self._check_now.set()

    def problem(self) -> str | None:
        """What is missing at present, as a sentence, or None."""
        if not self._missing:
            return None
        return f"gone from the broker: {', '.join(self._missing)}" + (f" ({self._refusal})" if self._refusal else "")

    async def serve(self, connection: AbstractConnection) -> None:
        """Check on `connection`, on which everything has just been declared, until it ends."""
        await self._note_complete()
        self._schedule_redeclaring()
        while not was_cancelled():  # an AMQP call that is answered at the same moment loses a cancellation
            began = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SHORTEST_GAP if self._missing else _CHECK_EVERY):
                    await self._check_now.wait()
            await asyncio.sleep(max(0.0, began + _SHORTEST_GAP - time.monotonic()))
            self._check_now.clear()
            try:
                await self._check(connection)
            except Exception as error:  # noqa: BLE001  # the next check may work; a lost connection ends this task
                log.warning("topology_not_looked_at", error=type(error).__name__)

    async def queue_restored(self, queue: str) -> None:
        """Tell subscribers that a deleted queue exists again. Its consumer noticed it first."""
        await self._notify((queue,), self._complete_at)

    async def _check(self, connection: AbstractConnection) -> None:
        checked_at = utc_now()
        missing = await self._declarations.missing(connection)
        if not missing:
            if self._repairs and time.monotonic() >= self._redeclare_at:
                await self._declarations.restore(connection)
                self._schedule_redeclaring()
            await self._note_complete(checked_at)
            return
        self._note_missing(missing)
        if not self._repairs:
            self._refusal = "another service declares it"
        elif time.monotonic() >= self._repair_at:
            await self._repair(connection)

    def _note_missing(self, missing: tuple[str, ...]) -> None:
        if missing != self._missing:
            log.error("topology_gone", missing=missing)
            self._repair_at = 0.0
        self._missing = missing
        metrics.topology_missing.set(len(missing))

    async def _repair(self, connection: AbstractConnection) -> None:
        """Declare everything again and check that it exists: when only one of many is refused, that is just logged."""
        shortest, longest = _REPAIR_EVERY
        pause = min(longest, max(shortest, self._declarations.size / _REDECLARED_PER_SECOND))
        self._repair_at = time.monotonic() + pause
        try:
            await self._declarations.restore(connection)
        except NotDeclared:
            self._refusal = "another service declares it"
            return
        except ChannelClosed as error:
            self._refusal = f"the broker refuses: {error}"
            return
        self._schedule_redeclaring()
        if await self._declarations.missing(connection):
            self._refusal = _REFUSED
        else:
            await self._note_complete()

    def _schedule_redeclaring(self) -> None:
        pause = max(_REDECLARE_EVERY, self._declarations.size / _REDECLARED_PER_SECOND)
        self._redeclare_at = time.monotonic() + pause

    async def _note_complete(self, at: datetime | None = None) -> None:
        """Note that everything exists, and tell subscribers when something was missing before."""
        missing, since = self._missing, self._complete_at
        self._missing, self._refusal, self._complete_at, self._repair_at = (), None, at or utc_now(), 0.0
        metrics.topology_missing.set(0)
        if missing:
            await self._notify(missing, since)

    async def _notify(self, names: tuple[str, ...], since: datetime) -> None:
        log.warning("topology_restored", names=names)
        for callback in self._subscribers:
            await callback(Restored(frozenset(names), since))
