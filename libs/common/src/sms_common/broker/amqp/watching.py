"""Sees to it that what was declared stays there: somebody may delete an exchange while every connection lives."""

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

# Some 30 questions without a transaction, each of a fraction of a millisecond.
_LOOK_EVERY = 5.0
# A publish that failed, or something that is known to be gone, has it looked sooner, though never more often than this.
_LOOK_AGAIN = 1.0
# A binding cannot be looked for. So all is declared again from time to time, though no more than so many a second.
_RENEW_EVERY = 30.0
_RENEWED_A_SECOND = 100
# What cannot be made again is not tried at every look: one try may be thousands of requests.
_TRIED_EVERY = (5.0, 25.0)
_REFUSED = "the broker refuses to have it again"


class TopologyWatch:
    """Looks for what `declarations` holds, and tells those who asked to be told of what was gone.

    With `repairs` it makes that again. Only the process that knows all bindings may: an exchange that another made
    again would have few, and would not be missed any more.
    """

    def __init__(self, declarations: Declarations, *, repairs: bool) -> None:
        self._declarations = declarations
        self._repairs = repairs
        self._renew_at = self._try_at = 0.0
        self._suspicion = asyncio.Event()
        self._told: list[Callable[[Restored], Awaitable[None]]] = []
        self._gone: tuple[str, ...] = ()
        self._refusal: str | None = None
        self._whole_at: datetime = utc_now()

    def tell(self, told: Callable[[Restored], Awaitable[None]]) -> None:
        """Have `told` called whenever something had been gone and is there again."""
        self._told.append(told)

    def suspect(self) -> None:
        """Have it looked soon: something went wrong that has a missing exchange or queue as one of its causes."""
        self._suspicion.set()

    def trouble(self) -> str | None:
        """What is gone at present, or None."""
        if not self._gone:
            return None
        return f"gone from the broker: {', '.join(self._gone)}" + (f" ({self._refusal})" if self._refusal else "")

    async def serve(self, connection: AbstractConnection) -> None:
        """Look on `connection`, which has just been given everything, for as long as it lives."""
        await self._whole()
        self._renewed()
        while not was_cancelled():  # an AMQP call that is answered at the same moment swallows a cancellation
            began = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN if self._gone else _LOOK_EVERY):
                    await self._suspicion.wait()
            await asyncio.sleep(max(0.0, began + _LOOK_AGAIN - time.monotonic()))
            self._suspicion.clear()
            try:
                await self._look(connection)
            except Exception as error:  # noqa: BLE001  # the next look may be answered; a dead connection ends this
                log.warning("topology_not_looked_at", error=type(error).__name__)

    async def made_again(self, queue: str) -> None:
        """Tell that a queue which somebody deleted is there again: its reader missed it first."""
        await self._tell_of((queue,), self._whole_at)

    async def _look(self, connection: AbstractConnection) -> None:
        asked_at = utc_now()
        missing = await self._declarations.missing(connection)
        if not missing:
            if self._repairs and time.monotonic() >= self._renew_at:
                await self._declarations.restore(connection)
                self._renewed()
            await self._whole(asked_at)
            return
        self._note_gone(missing)
        if not self._repairs:
            self._refusal = "another service declares it"
        elif time.monotonic() >= self._try_at:
            await self._repair(connection)

    def _note_gone(self, missing: tuple[str, ...]) -> None:
        if missing != self._gone:
            log.error("topology_gone", missing=missing)
            self._try_at = 0.0
        self._gone = missing
        metrics.topology_missing.set(len(missing))

    async def _repair(self, connection: AbstractConnection) -> None:
        """Make it again, and look whether it is there: of one thing among many a refusal is only logged."""
        soonest, latest = _TRIED_EVERY
        self._try_at = time.monotonic() + min(latest, max(soonest, self._declarations.size / _RENEWED_A_SECOND))
        try:
            await self._declarations.restore(connection)
        except NotDeclared:
            self._refusal = "another service declares it"
            return
        except ChannelClosed as error:
            self._refusal = f"the broker refuses: {error}"
            return
        self._renewed()
        if await self._declarations.missing(connection):
            self._refusal = _REFUSED
        else:
            await self._whole()

    def _renewed(self) -> None:
        self._renew_at = time.monotonic() + max(_RENEW_EVERY, self._declarations.size / _RENEWED_A_SECOND)

    async def _whole(self, at: datetime | None = None) -> None:
        """Note that everything is there, and tell of it when something had not been."""
        gone, since = self._gone, self._whole_at
        self._gone, self._refusal, self._whole_at, self._try_at = (), None, at or utc_now(), 0.0
        metrics.topology_missing.set(0)
        if gone:
            await self._tell_of(gone, since)

    async def _tell_of(self, names: tuple[str, ...], since: datetime) -> None:
        log.warning("topology_restored", names=names)
        for told in self._told:
            await told(Restored(frozenset(names), since))
