"""The fast path of a lane: a new message is sent at once, without a detour through the lane's queue."""

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

# A request waits for a free place while the lane makes progress: at least one place must become free in each moment. It
# waits for so many moments at most.
_MOMENT_SECONDS = 0.5
_MOST_MOMENTS = 10
# So many messages may wait for each place of the fast path.
_WAITING_FOR_A_PLACE = 4


class SendSlot:
    """Allows a message to be sent: its permit from the circuit breaker, and its turn in its sender's queue."""

    def __init__(self, permit: Permit, turn: Turn) -> None:
        self.permit = permit
        self.turn = turn


class FastSendSlot(SendSlot):
    """A slot on the fast path. Whoever acquired it either sends with it or releases it."""

    def __init__(self, permit: Permit, turn: Turn, fast_path: "FastPath") -> None:
        super().__init__(permit, turn)
        self._fast_path = fast_path

    def send(self, claimed: LedgerEntry, published: "asyncio.Future[None]") -> None:
        """Send a claimed entry in the background. Its outcome is published once `published` is done, so that the PBX
        gets the statuses in order.
        """
        self._fast_path.send(claimed, self, published)

    def release(self) -> None:
        """Free the place and let the next message have its turn."""
        self.turn.release()
        self.permit.release()
        self._fast_path.released()


class ClaimedSender(Protocol):
    """Sends the messages of the fast path."""

    async def send_claimed(self, entry: LedgerEntry, slot: SendSlot, published: "asyncio.Future[None]") -> None:
        """Send an entry that is already claimed, and publish its outcome once `published` is done."""


class FastPath:
    """At most `most` messages are on it at a time. A message that cannot be sent within moments has to go into the
    lane's queue, so that a slow lane delays no other one.
    """

    def __init__(
        self, breaker: CircuitBreaker, turns: KeyedQueue, in_flight: InFlight, sender: ClaimedSender, most: int
    ) -> None:
        self._breaker = breaker
        self._turns = turns
        self._in_flight = in_flight
        self._sender = sender
        self._places = asyncio.Semaphore(most)
        self._waiting = 0
        self._most_waiting = _WAITING_FOR_A_PLACE * most
        self._released_at = time.monotonic()
        self._closed = False
        self.sending: set[asyncio.Task[None]] = set()
        """The messages that are being sent."""

    def close(self) -> None:
        """Refuse every message from now on."""
        self._closed = True

    async def try_acquire(self, entry: LedgerEntry) -> FastSendSlot | None:
        """A slot to send this entry now; None when it has to go into the lane's queue."""
        if self._closed or not self._breaker.is_closed or self._waiting >= self._most_waiting:
            return None
        turn = self._turns.join(order_key(entry))
        try:
            slot = await self._acquire_soon(turn)
        except BaseException:
            turn.release()
            raise
        if slot is None:
            turn.release()
        return slot

    async def _acquire_soon(self, turn: Turn) -> FastSendSlot | None:
        if turn.is_ready and not self._places.locked():
            await self._places.acquire()
        elif not await self._wait_for_place_soon(turn):
            return None
        permit = None if self._closed else self._breaker.try_acquire()
        if permit is None:
            self._places.release()
            return None
        self._in_flight.begin()
        return FastSendSlot(permit, turn, self)

    async def _wait_for_place_soon(self, turn: Turn) -> bool:
        """Wait for the turn and a place while the lane makes progress, for a limited time. False: it got none."""
        self._waiting += 1
        waiting = asyncio.ensure_future(self._wait_for_place(turn))
        try:
            for _ in range(_MOST_MOMENTS):
                await asyncio.wait({waiting}, timeout=_MOMENT_SECONDS)
                if waiting.done():
                    return True
                if time.monotonic() - self._released_at > _MOMENT_SECONDS:
                    break
            return False
        finally:
            self._waiting -= 1
            waiting.cancel()

    async def _wait_for_place(self, turn: Turn) -> None:
        await turn.wait()
        await self._places.acquire()

    def send(self, claimed: LedgerEntry, slot: FastSendSlot, published: "asyncio.Future[None]") -> None:
        """Send an entry in the background, by a slot that was acquired for it."""
        task = asyncio.get_running_loop().create_task(self._send(claimed, slot, published))
        self.sending.add(task)
        task.add_done_callback(self.sending.discard)

    async def _send(self, claimed: LedgerEntry, slot: FastSendSlot, published: "asyncio.Future[None]") -> None:
        try:
            await self._sender.send_claimed(claimed, slot, published)
        except Exception:  # a bug; the scheduler ends the claim
            log.exception("lane.send_failed", message_id=claimed.message_id, tenant_id=claimed.tenant_id)
        finally:
            slot.release()

    def released(self) -> None:
        """A slot was released."""
        self._places.release()
        self._in_flight.end()
        self._released_at = time.monotonic()
