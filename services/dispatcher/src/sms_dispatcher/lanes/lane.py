"""One lane: the order and the pace in which its messages are sent, and the circuit breaker that stops them.

A message that is delivered from the lane's queue waits in these states, one after the other, until it has a slot:

    state      it waits for                                   it ends when
    -------    -------------------------------------------    --------------------------------------------------------
    turn       the messages before it in its order            all of them were sent or have left the lane
    number     the pace of its sender's number                the number may send so many segments
    head       the lock that one message of the lane has      it gets the lock, conversational messages first
    breaker    the circuit breaker                            it has a permit: all have while it is closed, one
                                                              message, the trial, while it is half open
    pace       what the lane shares: its own pace, its        all of them allow its segments, and its permit is still
               account's, its campaign's, its brand's         valid

        turn --> number --> head --> breaker --> pace --> slot
                   ^                  |  ^          |
                   +------------------+  +----------+

It goes back from the pace to the breaker when its permit is no longer valid, when a shared budget cannot be asked, or
when the brand's budget of the day is used up, which opens the breaker. It goes back from the breaker to the number, and
leaves the head to another message, when its number has used up its pace meanwhile.

Two things end every wait after the turn: the lane drains (GiveBack), or the message has waited for PATIENCE_SECONDS
(RetryLater). A message that has to wait for nothing gets its permit at once, and none of these states costs it
anything.
"""

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

# How long a delivery waits unacknowledged. After that it goes through the retry ladder, where it loses its place.
# RabbitMQ allows 30 minutes.
PATIENCE_SECONDS = 1_200.0
# A message that waits for longer than this gets the status `queued`, with the reason.
_REPORT_AFTER_SECONDS = 5.0
_CHECK_AGAIN_SECONDS = 60.0
_BUDGET_RETRY_SECONDS = 0.5


class LaneSender(ClaimedSender, Protocol):
    """Sends the messages of a lane, and reports those that wait for long."""

    async def send(self, item: LaneEntry, slot: SendSlot) -> None:
        """Claim the entry that a lane entry names, and send it."""

    async def report_waiting(self, item: LaneEntry, reason: str) -> None:
        """Publish that a message waits. Raises Unavailable."""


class Lane:
    """One configuration's lane while this process owns it.

    While nothing limits the lane and its queue is empty, new messages are sent on the fast path, at most `most` at a
    time.
    """

    def __init__(
        self, breaker: CircuitBreaker, pacer: Pacer, sender: LaneSender, clock: Callable[[], float], most: int
    ) -> None:
        self.breaker = breaker
        self.pacer = pacer
        self.backlog = Backlog()
        self._sender = sender
        self._clock = clock
        self._turns = KeyedQueue()
        self._in_flight = InFlight()
        self._head = PriorityLock()
        self._draining = False
        self.fast_path = FastPath(breaker, self._turns, self._in_flight, sender, most)

    async def try_acquire(self, entry: LedgerEntry) -> FastSendSlot | None:
        """A slot to send a new entry now; None when it has to go into the queue."""
        if not self.backlog.is_empty or not self.pacer.unlimited:
            return None
        return await self.fast_path.try_acquire(entry)

    def queue_was_empty(self, puts: int) -> None:
        """The broker answered that the queue was empty, asked when the backlog's `puts` had this value. What is in
        flight may still come back to the queue.
        """
        if not self._in_flight.count:
            self.backlog.was_empty(puts)

    async def handle(self, delivery: Delivery, *, bulk: bool) -> None:
        """Send one lane entry when it has a slot. Raises RetryLater or GiveBack when it gets none."""
        item = decode(LaneEntry.TYPE, delivery.body, accept=(LaneEntry,))
        assert isinstance(item, LaneEntry)
        self.backlog.delivered(delivery.message_id)
        with self._in_flight, self._turns.join(item.order or item.message_id) as turn:
            permit = self._acquire_now(turn) or await self._wait_and_report(item, turn, bulk=bulk)
            with permit:
                await self._sender.send(item, SendSlot(permit, turn))

    def _acquire_now(self, turn: Turn) -> Permit | None:
        if self._draining or not turn.is_ready or self._head.is_locked or not self.pacer.unlimited:
            return None
        return self.breaker.try_acquire()

    async def _wait_and_report(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Permit:
        reporting = asyncio.ensure_future(self._report_waiting(item))
        try:
            return await self._wait(item, turn, bulk=bulk)
        finally:
            # Nobody waits for the report: the pace of this message is counted already, and its next status says more.
            reporting.cancel()

    async def _report_waiting(self, item: LaneEntry) -> None:
        await asyncio.sleep(_REPORT_AFTER_SECONDS)
        cause = self.breaker.cause
        reason = self.pacer.waiting_reason if self.breaker.is_closed or cause is None else cause.reason
        try:
            await self._sender.report_waiting(item, reason)
        except Unavailable as error:
            log.debug("lane.wait_not_published", code=error.code)
        except Exception:  # a bug here must not stop the message
            log.exception("lane.wait_not_published", message_id=item.message_id, tenant_id=item.tenant_id)

    async def _wait(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Permit:
        """Wait in all states that the module's docstring lists."""
        until = self._clock() + PATIENCE_SECONDS
        await turn.wait()

        def stop() -> bool:
            return self._draining or self._clock() >= until

        number = item.sender or ""
        while not stop():
            wait = self.pacer.number_wait(number, item.segments)
            if wait > 0:
                await self.breaker.wait_for_change(min(wait, _CHECK_AGAIN_SECONDS))
                continue
            async with self._head.acquire(bulk=bulk):
                permit = await self._wait_at_head(number, item.segments, stop)
            if permit is not None:
                return permit
        if self._draining:
            raise GiveBack
        raise RetryLater(self.breaker.seconds_left)

    async def _wait_at_head(self, number: str, segments: int, stop: Callable[[], bool]) -> Permit | None:
        """A permit, with the pace counted; None when the message must leave the head to another one."""
        while not stop() and self.pacer.number_wait(number, segments) == 0:
            permit = self.breaker.try_acquire()
            if permit is None:
                await self.breaker.wait_for_change(_CHECK_AGAIN_SECONDS)
                continue
            try:
                allowed = await self._wait_for_pace(permit, segments, stop)
            except BaseException:
                permit.release()
                raise
            if allowed:
                self.pacer.count(number, segments)
                return permit
            permit.release()
        return None

    async def _wait_for_pace(self, permit: Permit, segments: int, stop: Callable[[], bool]) -> bool:
        """Whether the message may be sent. False when its permit is no longer valid, or a shared budget cannot be asked
        at the moment.
        """
        try:
            paced = await self.pacer.wait(segments, self._head.waiting, lambda: stop() or not permit.is_valid)
        except Unavailable as error:
            log.debug("lane.budget_unavailable", code=error.code)
            await asyncio.sleep(_BUDGET_RETRY_SECONDS)
            return False
        return paced and permit.is_valid

    async def drain(self) -> None:
        """Give back the messages that wait. Returns when those that are being sent are done."""
        self._draining = True
        self.fast_path.close()
        self.breaker.wake()
        await self._in_flight.wait_idle()
