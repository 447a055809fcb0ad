"""The lanes of this process: for each SMS configuration a queue of conversational and one of bulk texts, their readers,
the order and the pace in which messages leave, and the gate that keeps them back.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import structlog

from sms_common import topology
from sms_common.broker import Broker, Delivery, GiveBack, Outgoing, RetryLater, Subscription
from sms_common.errors import Unavailable
from sms_common.events import LaneEntry, decode, event_id
from sms_common.telemetry import metrics
from sms_dispatcher.entries import Entry
from sms_dispatcher.gates import Gate, Passage
from sms_dispatcher.heads import Head
from sms_dispatcher.pacing import Allowance, Budgets, Pacer
from sms_dispatcher.together import together
from sms_dispatcher.turns import Turn, Turns
from sms_dispatcher.underway import Underway

log = structlog.get_logger()

# How long a delivery waits unacknowledged before it takes the long way through the retry ladder, which loses its place.
# Well below the broker's 30 minutes for an acknowledgement.
PATIENCE_SECONDS = 1_200.0
# Who waits longer than this is told of as `queued`, with the reason.
_TELL_AFTER_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 60.0
# How long the intake holds a message for a lane that is full: so many moments, while places become free in it.
_MOMENT_SECONDS = 0.5
_MOST_MOMENTS = 10
# For each place in the lane so many may ask for one at a time.
_ASKING_FOR_A_PLACE = 4
_BUDGET_AWAY_SECONDS = 0.5
# Declarations under way at once: each is something that the broker writes to disk.
DECLARATIONS_AT_A_TIME = 16


class Departure:
    """A message that may leave: its passage through the gate, and its turn among those of its order."""

    def __init__(self, lane: "Lane", passage: Passage, turn: Turn) -> None:
        self.passage = passage
        self.turn = turn
        self._lane = lane

    def go(self, claimed: Entry, told: "asyncio.Future[None]") -> None:
        """Send a claimed entry, beside what the caller does next; its outcome is told when all that is being `told`
        has been.
        """
        self._lane.send_aside(claimed, self, told)

    def end(self) -> None:
        """Make room for another."""
        self.turn.end()
        self.passage.end()
        self._lane.arrived()


class Sender(Protocol):
    """What is done with a message that may leave, and with one that waits long for it."""

    async def send(self, item: LaneEntry, departure: Departure) -> None:
        """Claim the entry that a lane entry names, and send it."""

    async def send_claimed(self, entry: Entry, departure: Departure, told: "asyncio.Future[None]") -> None:
        """Send an entry that is claimed already, and tell its outcome after what is being `told`."""

    async def waits(self, item: LaneEntry, reason: str) -> None:
        """Tell the PBX that it waits. Raises Unavailable."""


class BulkLanes(Protocol):
    """Where it is remembered which configurations have a bulk lane."""

    async def remember_bulk_lane(self, config_id: str) -> None:
        """Note that this configuration has one. Raises Unavailable."""

    async def bulk_lanes(self) -> list[str]:
        """Every configuration that has one. Raises Unavailable."""


class Lane:
    """One configuration's lane while this process works on it.

    `most` messages may leave at once without having been in its queue: the short way, for as long as nothing waits in
    the queue. What cannot leave within moments goes into the queue, so that a slow lane holds nothing else up.
    """

    def __init__(self, gate: Gate, pacer: Pacer, sender: Sender, clock: Callable[[], float], most: int) -> None:
        self.gate = gate
        self.pacer = pacer
        self._sender = sender
        self._clock = clock
        self._turns = Turns()
        self._head = Head()
        self._left = False
        self._underway = Underway()
        self._places = asyncio.Semaphore(most)
        self._asking = 0
        self._moved_at = time.monotonic()
        self._most_asking = _ASKING_FOR_A_PLACE * most
        self._queued: int | None = None
        self._aside: set[asyncio.Task[None]] = set()

    # -- the short way

    async def depart(self, entry: Entry) -> Departure | None:
        """Let an entry leave that is not in the queue; None when it has to go there."""
        if self._left or self._queued != 0 or not self.pacer.unlimited or not self.gate.is_open:
            return None
        if self._asking >= self._most_asking:
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

    async def _leave_soon(self, turn: Turn) -> Departure | None:
        if turn.has_come and not self._places.locked():
            await self._places.acquire()
        elif not await self._come_soon(turn):
            return None
        passage = None if self._left else self.gate.enter()
        if passage is None:
            self._places.release()
            return None
        self._underway.begin()
        return Departure(self, passage, turn)

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

    def send_aside(self, claimed: Entry, departure: Departure, told: "asyncio.Future[None]") -> None:
        """See Departure.go."""
        task = asyncio.get_running_loop().create_task(self._send_aside(claimed, departure, told))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _send_aside(self, claimed: Entry, departure: Departure, told: "asyncio.Future[None]") -> None:
        try:
            await self._sender.send_claimed(claimed, departure, told)
        except Exception:  # a bug; the ledger's clock looks after the claim
            log.exception("lane.send_failed", message_id=claimed.message_id, tenant_id=claimed.tenant_id)
        finally:
            departure.end()

    def arrived(self) -> None:
        """See Departure.end."""
        self._places.release()
        self._underway.end()
        self._moved_at = time.monotonic()

    # -- the queue

    @property
    def queued(self) -> int | None:
        """How many of our messages are in the queue and have not come back; None: unknown."""
        return self._queued

    def queue_more(self) -> None:
        """One more goes into the queue."""
        if self._queued is not None:
            self._queued += 1

    def queue_is_empty(self) -> None:
        """The broker says that nothing waits in the queue."""
        if not self._underway.count:
            self._queued = 0

    async def handle(self, delivery: Delivery, *, bulk: bool) -> None:
        """Send one lane entry when its turn has come. Raises RetryLater or GiveBack when it does not come."""
        item = decode(LaneEntry.TYPE, delivery.body, accept=(LaneEntry,))
        assert isinstance(item, LaneEntry)
        if self._queued and not bulk and not delivery.redelivered and not delivery.deferrals:
            self._queued -= 1
        with self._underway, self._turns.take(item.order or item.message_id) as turn:
            passage = self._at_once(turn) or await self._patiently(item, turn, bulk=bulk)
            with passage:
                await self._sender.send(item, Departure(self, passage, turn))

    def _at_once(self, turn: Turn) -> Passage | None:
        if self._left or not turn.has_come or self._head.taken or not self.pacer.unlimited:
            return None
        return self.gate.enter()

    async def _patiently(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Passage:
        telling: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_TELL_AFTER_SECONDS, lambda: telling.append(loop.create_task(self._tell(item))))
        try:
            return await self._come(item, turn, bulk=bulk)
        finally:
            timer.cancel()
            await together(telling)

    async def _tell(self, item: LaneEntry) -> None:
        why = self.gate.why
        reason = self.pacer.says if self.gate.is_open or why is None else why.reason
        try:
            await self._sender.waits(item, reason)
        except Unavailable as error:
            log.debug("lane.wait_not_told", code=error.code)

    async def _come(self, item: LaneEntry, turn: Turn, *, bulk: bool) -> Passage:
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

    async def _at_head(self, number: str, segments: int, stop: Callable[[], bool]) -> Passage | None:
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

    async def _paced(self, passage: Passage, segments: int, stop: Callable[[], bool]) -> bool:
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
        self.gate.wake()
        await self._underway.none()


class Lanes:
    """All lanes, declared as they are needed; those that this process holds are read."""

    def __init__(
        self,
        broker: Broker,
        sender: Sender,
        bulk: BulkLanes,
        budgets: Budgets,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        *,
        prefetch: int,
    ) -> None:
        self._broker = broker
        self._sender = sender
        self._bulk = bulk
        self._budgets = budgets
        self._now = now
        self._clock = clock
        self._prefetch = prefetch
        self._declared: set[str] = set()
        self._opening: dict[str, asyncio.Lock] = {}
        self._held: dict[str, Lane] = {}
        self._readers: dict[str, dict[bool, Subscription]] = {}
        self._allowances: Mapping[str, Allowance] = {}
        self._disabled: frozenset[str] = frozenset()

    @property
    def held(self) -> Mapping[str, Lane]:
        """The lanes that this process works on, by configuration."""
        return self._held

    def follow(self, allowances: Mapping[str, Allowance], disabled: frozenset[str], changed: Iterable[str]) -> None:
        """Keep to other allowances, and open the gates of what has changed: it may have been mended by this very
        change; if not, the next call shuts them again.
        """
        self._allowances, self._disabled = allowances, disabled
        for config_id in changed:
            lane = self._held.get(config_id)
            if lane is not None:
                lane.gate.open()
        for config_id, lane in self._held.items():
            self._configure(config_id, lane)

    def _configure(self, config_id: str, lane: Lane) -> None:
        lane.pacer.follow(self._allowances.get(config_id, Allowance()))
        lane.gate.disable(config_id in self._disabled)

    async def hold(self, config_ids: Collection[str]) -> None:
        """Read these lanes too. Raises Unavailable when one could not be opened; all others are."""
        bulk = set(await self._bulk.bulk_lanes())
        await self._declare_all(config_ids)

        async def one(config_id: str) -> None:
            await self._read(config_id, bulk=False)
            if config_id in bulk:
                await self._read(config_id, bulk=True)

        await together((one(config_id) for config_id in config_ids), at_a_time=DECLARATIONS_AT_A_TIME)

    async def read_bulk_lanes(self) -> None:
        """Read the bulk lanes that others have begun for lanes held here. Raises Unavailable."""
        begun = await self._bulk.bulk_lanes()
        held = [config_id for config_id in begun if config_id in self._held]
        await together(self._read(config_id, bulk=True, only_if_held=True) for config_id in held)

    async def find_empty(self) -> None:
        """Look which of the lanes held here, of which it is not known, have nothing in their queue. Raises
        Unavailable.
        """
        unknown = {topology.lane_queue(config_id): lane for config_id, lane in self._held.items() if lane.queued != 0}
        for name, waiting in (await self._waiting(unknown)).items():
            if not waiting:
                unknown[name].queue_is_empty()

    async def measure(self) -> None:
        """Count what waits in the lanes held here. Raises Unavailable."""
        queues = {
            topology.lane_queue(config_id, bulk=bulk): config_id
            for config_id, readers in self._readers.items()
            for bulk in readers
        }
        backlogs = dict.fromkeys(queues.values(), 0)
        for name, waiting in (await self._waiting(queues)).items():
            backlogs[queues[name]] += waiting
        for config_id, backlog in backlogs.items():
            metrics.lane_backlog.labels(config_id).set(backlog)

    async def _waiting(self, queues: Iterable[str]) -> Mapping[str, int]:
        """How many messages wait in each of these queues that exist. Raises Unavailable."""
        survey = await self._broker.survey(topology.Topology(queues=tuple(topology.Queue(name, "") for name in queues)))
        return {name: counts.waiting for name, counts in survey.queues.items()}

    async def _read(self, config_id: str, *, bulk: bool, only_if_held: bool = False) -> None:
        queue = topology.lane_queue(config_id, bulk=bulk)
        async with self._lock(config_id, bulk=bulk):
            await self._declare(config_id, bulk=bulk)
            if only_if_held and config_id not in self._held:
                return
            lane = self._held.get(config_id) or self._new(config_id)
            readers = self._readers.setdefault(config_id, {})
            if bulk in readers:
                return

            async def handle(delivery: Delivery) -> None:
                await lane.handle(delivery, bulk=bulk)

            prefetch = lane.pacer.at_most(self._prefetch, PATIENCE_SECONDS / 2)
            readers[bulk] = await self._broker.consume(queue, handle, prefetch=prefetch)

    def _new(self, config_id: str) -> Lane:
        gate = Gate(config_id, self._clock)
        pacer = Pacer(gate, self._budgets, self._now, self._clock)
        lane = self._held[config_id] = Lane(gate, pacer, self._sender, self._clock, self._prefetch)
        self._configure(config_id, lane)
        return lane

    async def drop(self, config_ids: Iterable[str]) -> None:
        """Read these lanes no more; returns when nothing of them is being worked on."""
        await together(self._drop(config_id) for config_id in config_ids)

    async def _drop(self, config_id: str) -> None:
        async with self._lock(config_id, bulk=False), self._lock(config_id, bulk=True):
            for reader in self._readers.pop(config_id, {}).values():
                await reader.cancel()
            lane = self._held.pop(config_id, None)
        if lane is not None:
            await lane.leave()
        for gauge in (metrics.lane_state, metrics.lane_backlog):
            with suppress(KeyError):
                gauge.remove(config_id)

    def _lock(self, config_id: str, *, bulk: bool) -> asyncio.Lock:
        return self._opening.setdefault(topology.lane_queue(config_id, bulk=bulk), asyncio.Lock())

    async def _declare_all(self, config_ids: Iterable[str]) -> None:
        """Declare them in one go; what the broker refuses of it shows when they are declared one by one."""
        new = [config_id for config_id in config_ids if topology.lane_queue(config_id) not in self._declared]
        if new:
            with suppress(Unavailable):
                await self._broker.declare(topology.joined(map(topology.lane, new)))
                self._declared.update(map(topology.lane_queue, new))

    async def _declare(self, config_id: str, *, bulk: bool) -> None:
        queue = topology.lane_queue(config_id, bulk=bulk)
        if queue not in self._declared:
            await self._broker.declare(topology.lane(config_id, bulk=bulk))
            if bulk:
                await self._bulk.remember_bulk_lane(config_id)
            self._declared.add(queue)

    async def depart(self, entry: Entry) -> Departure | None:
        """Let a new entry leave at once; None when it has to go into the queue."""
        lane = None if entry.bulk else self._held.get(entry.config_id or "")
        return None if lane is None else await lane.depart(entry)

    async def put(self, entry: Entry) -> None:
        """Put an entry at the end of its lane. Raises Unavailable."""
        assert entry.config_id is not None
        lane = self._held.get(entry.config_id)
        if lane is not None and not entry.bulk:
            lane.queue_more()
        if topology.lane_queue(entry.config_id, bulk=entry.bulk) not in self._declared:
            await self._read(entry.config_id, bulk=entry.bulk, only_if_held=True)
        await self._broker.publish(lane_message(entry, self._now()))


def lane_message(entry: Entry, now: datetime) -> Outgoing:
    """The broker message that says: it is this entry's turn after those before it."""
    assert entry.config_id is not None
    body = LaneEntry(
        tenant_id=entry.tenant_id,
        message_id=entry.message_id,
        queued_at=now,
        sender=entry.sender,
        segments=entry.segments or 1,
        order=order_key(entry),
    )
    return Outgoing(
        exchange=topology.DEFAULT_EXCHANGE,
        routing_key=topology.lane_queue(entry.config_id, bulk=entry.bulk),
        body=body.encode(),
        type=LaneEntry.TYPE,
        message_id=event_id("lane", entry.id, entry.sequence),
    )


def order_key(entry: Entry) -> str:
    """Messages with one key leave one after the other: a number's conversational texts all, and what a campaign or a
    service sends by recipient, since it may send to thousands from one number.
    """
    if entry.bulk or entry.high_priority:
        return f"{entry.sender} {' '.join(entry.to)}"
    return entry.sender or ""
