"""One lane: the order and the pace in which its messages leave, and the gate that keeps them back."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from sms_common.broker import Delivery, GiveBack, RetryLater
from sms_common.errors import Unavailable
from sms_common.events import LaneEntry, decode
from sms_dispatcher.lanes.backlog import Backlog
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker, Permit
from sms_dispatcher.lanes.fast_path import ClaimedSender, FastPath, FastSendSlot, SendSlot
from sms_dispatcher.lanes.in_flight import InFlight
from sms_dispatcher.lanes.keyed_queue import KeyedQueue, Turn
from sms_dispatcher.lanes.pacer import Pacer
from sms_dispatcher.lanes.priority_lock import PriorityLock
from sms_dispatcher.ledger.entries import LedgerEntry

log = structlog.get_logger()

# How long a delivery waits unacknowledged before it takes the long way through the retry ladder, which loses its place.
# Well below the broker's 30 minutes for an acknowledgement.
PATIENCE_SECONDS = 1_200.0
# Who waits longer than this is told of as `queued`, with the reason.
_TELL_AFTER_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 60.0
_BUDGET_AWAY_SECONDS = 0.5


class LaneSender(ClaimedSender, Protocol):
    """What is done with a message that may leave, and with one that waits long for it."""

    async def send(self, item: LaneEntry, departure: SendSlot) -> None:
        """Claim the entry that a lane entry names, and send it."""

    async def waits(self, item: LaneEntry, reason: str) -> None:
        """Tell the PBX that it waits. Raises Unavailable."""


class Lane:
    """One configuration's lane while this process works on it.

    New messages take the short way, at most `most` at a time, for as long as nothing limits the lane and nothing waits
    in its queue.
    """

    def __init__(
        self, gate: CircuitBreaker, pacer: Pacer, sender: LaneSender, clock: Callable[[], float], most: int
    ) -> None:
        self.gate = gate
        self.pacer = pacer
        self.backlog = Backlog()
        self._sender = sender
        self._clock = clock
        self._turns = KeyedQueue()
        self._underway = InFlight()
        self._head = PriorityLock()
        self._left = False
        self.short_way = FastPath(gate, self._turns, self._underway, sender, most)

    async def depart(self, entry: LedgerEntry) -> FastSendSlot | None:
        """Let an entry leave that is not in the queue; None when it has to go there."""
        if not self.backlog.is_empty or not self.pacer.unlimited:
            return None
        return await self.short_way.depart(entry)

    def queue_was_empty(self, puts: int) -> None:
        """See Backlog.was_empty. What is under way may come back to the queue."""
        if not self._underway.count:
            self.backlog.was_empty(puts)

    async def handle(self, delivery: Delivery, *, bulk: bool) -> None:
        """Send one lane entry when its turn has come. Raises RetryLater or GiveBack when it does not come."""
        item = decode(LaneEntry.TYPE, delivery.body, accept=(LaneEntry,))
        assert isinstance(item, LaneEntry)
        if not (bulk or delivery.redelivered or delivery.deferrals):
            self.backlog.came_back()
        with self._underway, self._turns.take(item.order or item.message_id) as turn:
            passage = self._at_once(turn) or await self._patiently(item, turn, bulk=bulk)
            with passage:
                await self._sender.send(item, SendSlot(passage, turn))

    def _at_once(self, turn: Turn) -> Permit | None:
        if self._left or not turn.has_come or self._head.taken or not self.pacer.unlimited:
            return None
        return self.gate.enter()

    async def _patiently(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Permit:
        telling = asyncio.ensure_future(self._tell_of_waiting(item))
        try:
            return await self._come(item, turn, bulk=bulk)
        finally:
            # Not waited for: its pace is counted, and what it is told as next says more.
            telling.cancel()

    async def _tell_of_waiting(self, item: LaneEntry) -> None:
        await asyncio.sleep(_TELL_AFTER_SECONDS)
        why = self.gate.why
        reason = self.pacer.says if self.gate.is_open or why is None else why.reason
        try:
            await self._sender.waits(item, reason)
        except Unavailable as error:
            log.debug("lane.wait_not_told", code=error.code)
        except Exception:  # a bug must not keep the message from leaving
            log.exception("lane.wait_not_told", message_id=item.message_id, tenant_id=item.tenant_id)

    async def _come(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Permit:
        """Wait for those before it, for the gate and for the pace."""
        until = self._clock() + PATIENCE_SECONDS
        await turn.come()

        def stop() -> bool:
            return self._left or self._clock() >= until

        number = item.sender or ""
        while not stop():
            wait = self.pacer.number_wait(number, item.segments)
            if wait > 0:
                await self.gate.changes(min(wait, _LOOK_AGAIN_SECONDS))
                continue
            async with self._head.take(bulk=bulk):
                passage = await self._at_head(number, item.segments, stop)
            if passage is not None:
                return passage
        if self._left:
            raise GiveBack
        raise RetryLater(self.gate.seconds_left)

    async def _at_head(self, number: str, segments: int, stop: Callable[[], bool]) -> Permit | None:
        """A passage, with the pace counted; None when the message must give the head to another."""
        while not stop() and self.pacer.number_wait(number, segments) == 0:
            passage = self.gate.enter()
            if passage is None:
                await self.gate.changes(_LOOK_AGAIN_SECONDS)
                continue
            try:
                leaves = await self._paced(passage, segments, stop)
            except BaseException:
                passage.end()
                raise
            if leaves:
                self.pacer.count(number, segments)
                return passage
            passage.end()
        return None

    async def _paced(self, passage: Permit, segments: int, stop: Callable[[], bool]) -> bool:
        """Wait for the pace; False when the passage no longer holds, or a shared budget cannot be asked just now."""
        try:
            paced = await self.pacer.wait(segments, self._head.waiting, lambda: stop() or not passage.holds)
        except Unavailable as error:
            log.debug("lane.budget_not_asked", code=error.code)
            await asyncio.sleep(_BUDGET_AWAY_SECONDS)
            return False
        return paced and passage.holds

    async def leave(self) -> None:
        """Give back what waits, and return when what is being sent has ended."""
        self._left = True
        self.short_way.shut()
        self.gate.wake()
        await self._underway.none()
