"""The short way of a lane: a new text leaves at once, without having been in the lane's queue."""

import asyncio
import time
from typing import Protocol

import structlog

from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker, Permit
from sms_dispatcher.lanes.in_flight import InFlight
from sms_dispatcher.lanes.keyed_queue import KeyedQueue, Turn
from sms_dispatcher.lanes.lane_entries import order_key
from sms_dispatcher.ledger.entries import LedgerEntry

log = structlog.get_logger()

# How long the intake holds a message for a lane that is full: so many moments, while places become free in it.
_MOMENT_SECONDS = 0.5
_MOST_MOMENTS = 10
# For each place in the lane so many may ask for one at a time.
_ASKING_FOR_A_PLACE = 4


class SendSlot:
    """A message that may leave: its passage through the gate, and its turn among those of its order."""

    def __init__(self, passage: Permit, turn: Turn) -> None:
        self.passage = passage
        self.turn = turn


class FastSendSlot(SendSlot):
    """One that leaves on the short way. Either it goes, or it ends."""

    def __init__(self, passage: Permit, turn: Turn, way: "FastPath") -> None:
        super().__init__(passage, turn)
        self._way = way

    def go(self, claimed: LedgerEntry, told: "asyncio.Future[None]") -> None:
        """Send a claimed entry, beside what the caller does next; its outcome is told when all that is being `told`
        has been.
        """
        self._way.send(claimed, self, told)

    def end(self) -> None:
        """Make room for another."""
        self.turn.end()
        self.passage.end()
        self._way.arrived()


class ClaimedSender(Protocol):
    """What is done with a message that leaves on the short way."""

    async def send_claimed(self, entry: LedgerEntry, departure: SendSlot, told: "asyncio.Future[None]") -> None:
        """Send an entry that is claimed already, and tell its outcome after what is being `told`."""


class FastPath:
    """`most` messages are on it at a time. What cannot leave within moments has to go into the queue, so that a slow
    lane holds nothing else up.
    """

    def __init__(
        self, gate: CircuitBreaker, turns: KeyedQueue, underway: InFlight, sender: ClaimedSender, most: int
    ) -> None:
        self._gate = gate
        self._turns = turns
        self._underway = underway
        self._sender = sender
        self._places = asyncio.Semaphore(most)
        self._asking = 0
        self._most_asking = _ASKING_FOR_A_PLACE * most
        self._moved_at = time.monotonic()
        self._shut = False
        self.sending: set[asyncio.Task[None]] = set()
        """What is on it."""

    def shut(self) -> None:
        """Let nothing in any more."""
        self._shut = True

    async def depart(self, entry: LedgerEntry) -> FastSendSlot | None:
        """Let an entry leave; None when it has to go into the queue."""
        if self._shut or not self._gate.is_open or self._asking >= self._most_asking:
            return None
        turn = self._turns.take(order_key(entry))
        try:
            departure = await self._leave_soon(turn)
        except BaseException:
            turn.end()
            raise
        if departure is None:
            turn.end()
        return departure

    async def _leave_soon(self, turn: Turn) -> FastSendSlot | None:
        if turn.has_come and not self._places.locked():
            await self._places.acquire()
        elif not await self._come_soon(turn):
            return None
        passage = None if self._shut else self._gate.enter()
        if passage is None:
            self._places.release()
            return None
        self._underway.begin()
        return FastSendSlot(passage, turn, self)

    async def _come_soon(self, turn: Turn) -> bool:
        """Wait for a place for as long as the lane moves, and not for ever."""
        self._asking += 1
        coming = asyncio.ensure_future(self._come_to_a_place(turn))
        try:
            for _ in range(_MOST_MOMENTS):
                await asyncio.wait({coming}, timeout=_MOMENT_SECONDS)
                if coming.done():
                    return True
                if time.monotonic() - self._moved_at > _MOMENT_SECONDS:
                    break
            return False
        finally:
            self._asking -= 1
            coming.cancel()

    async def _come_to_a_place(self, turn: Turn) -> None:
        await turn.come()
        await self._places.acquire()

    def send(self, claimed: LedgerEntry, departure: FastSendSlot, told: "asyncio.Future[None]") -> None:
        """See FastSendSlot.go."""
        task = asyncio.get_running_loop().create_task(self._send(claimed, departure, told))
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)

    async def _send(self, claimed: LedgerEntry, departure: FastSendSlot, told: "asyncio.Future[None]") -> None:
        try:
            await self._sender.send_claimed(claimed, departure, told)
        except Exception:  # a bug; the ledger's clock looks after the claim
            log.exception("lane.send_failed", message_id=claimed.message_id, tenant_id=claimed.tenant_id)
        finally:
            departure.end()

    def arrived(self) -> None:
        """See FastSendSlot.end."""
        self._places.release()
        self._underway.end()
        self._moved_at = time.monotonic()
