"""The lanes that this process owns. Each SMS configuration has one, with a queue of conversational and one of bulk
texts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from sms_common import topology
from sms_common.broker import Broker, Delivery, Subscription
from sms_common.concurrency import gather_all
from sms_common.errors import Refused
from sms_common.telemetry import metrics
from sms_dispatcher.lanes.allowances import Allowance
from sms_dispatcher.lanes.circuit_breaker import CircuitBreaker
from sms_dispatcher.lanes.fast_path import FastSendSlot
from sms_dispatcher.lanes.lane import PATIENCE_SECONDS, Lane, LaneSender
from sms_dispatcher.lanes.lane_entries import lane_message
from sms_dispatcher.lanes.pacer import Budgets, Pacer
from sms_dispatcher.ledger.entries import LedgerEntry

# So many declarations run at the same time: the broker writes each of them to disk.
DECLARATIONS_AT_A_TIME = 16


class BulkLanes(Protocol):
    """Remembers which configurations have a bulk lane."""

    async def remember_bulk_lane(self, config_id: str) -> None:
        """Remember that this configuration has one. Raises Unavailable."""

    async def bulk_lanes(self) -> list[str]:
        """Every configuration that has one. Raises Unavailable."""


class Lanes:
    """Declares the queues of any lane when it is first used, and reads those of the lanes that this process owns."""

    def __init__(
        self,
        broker: Broker,
        sender: LaneSender,
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
        self._owned: dict[str, Lane] = {}
        self._putting: Counter[str] = Counter()
        self._readers: dict[str, dict[bool, Subscription]] = {}
        self._allowances: Mapping[str, Allowance] = {}
        self._disabled: frozenset[str] = frozenset()

    @property
    def owned(self) -> Mapping[str, Lane]:
        """The lanes that this process owns, by configuration."""
        return self._owned

    def configure(self, allowances: Mapping[str, Allowance], disabled: frozenset[str], changed: Iterable[str]) -> None:
        """Use these allowances from now on, and close the circuit breakers of the configurations that have changed:
        this change may have corrected what was wrong. If not, the next call to the carrier opens them again.
        """
        self._allowances, self._disabled = allowances, disabled
        for config_id in changed:
            lane = self._owned.get(config_id)
            if lane is not None:
                lane.breaker.close()
        for config_id, lane in self._owned.items():
            self._configure(config_id, lane)

    def _configure(self, config_id: str, lane: Lane) -> None:
        lane.pacer.configure(self._allowances.get(config_id, Allowance()))
        lane.breaker.disable(config_id in self._disabled)

    async def acquire(self, config_ids: Collection[str]) -> None:
        """Start to read these lanes. Raises Unavailable when one of them could not be read; all others are."""
        bulk = set(await self._bulk.bulk_lanes())
        await self._declare_all(config_ids)

        async def one(config_id: str) -> None:
            await self._read(config_id, bulk=False)
            if config_id in bulk:
                await self._read(config_id, bulk=True)

        await gather_all((one(config_id) for config_id in config_ids), at_a_time=DECLARATIONS_AT_A_TIME)

    async def read_bulk_lanes(self) -> None:
        """Read the bulk queues that other dispatchers have created for lanes owned here. Raises Unavailable."""
        known = await self._bulk.bulk_lanes()
        owned = [config_id for config_id in known if config_id in self._owned]
        await gather_all(self._read(config_id, bulk=True, only_if_owned=True) for config_id in owned)

    async def find_empty_queues(self) -> None:
        """Find out which lanes have an empty queue, of those of which it is not known. Raises Unavailable."""
        unsure = {
            topology.lane_queue(config_id): (lane, lane.backlog.puts)
            for config_id, lane in self._owned.items()
            if not lane.backlog.is_empty and not self._putting[config_id]
        }
        for name, waiting in (await self._waiting(unsure)).items():
            if not waiting:
                lane, puts = unsure[name]
                lane.queue_was_empty(puts)

    async def measure_backlogs(self) -> None:
        """Publish how much waits in the lanes owned here. Raises Unavailable."""
        queues = {
            topology.lane_queue(config_id, bulk=bulk): config_id
            for config_id, readers in self._readers.items()
            for bulk in readers
            if bulk or not self._is_empty(config_id)
        }
        backlogs = dict.fromkeys(self._readers, 0)
        for name, waiting in (await self._waiting(queues)).items():
            backlogs[queues[name]] += waiting
        for config_id, backlog in backlogs.items():
            metrics.lane_backlog.labels(config_id).set(backlog)

    def _is_empty(self, config_id: str) -> bool:
        """Whether it is known without asking that the queue is empty. Of a thousand lanes most are."""
        lane = self._owned.get(config_id)
        return lane is not None and lane.backlog.is_empty

    async def _waiting(self, queues: Iterable[str]) -> Mapping[str, int]:
        """How many messages wait in each of these queues that exist. Raises Unavailable."""
        survey = await self._broker.survey(topology.Topology(queues=tuple(topology.Queue(name, "") for name in queues)))
        return {name: counts.waiting for name, counts in survey.queues.items()}

    async def _read(self, config_id: str, *, bulk: bool, only_if_owned: bool = False) -> None:
        queue = topology.lane_queue(config_id, bulk=bulk)
        async with self._lock(config_id, bulk=bulk):
            await self._declare(config_id, bulk=bulk)
            if only_if_owned and config_id not in self._owned:
                return
            lane = self._owned.get(config_id) or self._new(config_id)
            readers = self._readers.setdefault(config_id, {})
            if bulk in readers:
                return

            async def handle(delivery: Delivery) -> None:
                await lane.handle(delivery, bulk=bulk)

            prefetch = lane.pacer.at_most(self._prefetch, PATIENCE_SECONDS / 2)
            readers[bulk] = await self._broker.consume(queue, handle, prefetch=prefetch)

    def _new(self, config_id: str) -> Lane:
        breaker = CircuitBreaker(config_id, self._clock)
        pacer = Pacer(breaker, self._budgets, self._now, self._clock)
        lane = self._owned[config_id] = Lane(breaker, pacer, self._sender, self._clock, self._prefetch)
        self._configure(config_id, lane)
        return lane

    async def release(self, config_ids: Iterable[str]) -> None:
        """Stop reading these lanes. Returns when nothing of them is in flight."""
        await gather_all(self._release(config_id) for config_id in config_ids)

    async def _release(self, config_id: str) -> None:
        async with self._lock(config_id, bulk=False), self._lock(config_id, bulk=True):
            for reader in self._readers.pop(config_id, {}).values():
                await reader.cancel()
            lane = self._owned.pop(config_id, None)
        if lane is not None:
            await lane.drain()
        for gauge in (metrics.lane_state, metrics.lane_backlog):
            with suppress(KeyError):
                gauge.remove(config_id)

    def _lock(self, config_id: str, *, bulk: bool) -> asyncio.Lock:
        return self._opening.setdefault(topology.lane_queue(config_id, bulk=bulk), asyncio.Lock())

    async def _declare_all(self, config_ids: Iterable[str]) -> None:
        """Declare all of them at once. A refusal is ignored here: it is raised again when each is declared alone.
        Raises Unavailable.
        """
        new = [config_id for config_id in config_ids if topology.lane_queue(config_id) not in self._declared]
        if new:
            with suppress(Refused):
                await self._broker.declare(topology.joined(map(topology.lane, new)))
                self._declared.update(map(topology.lane_queue, new))

    async def _declare(self, config_id: str, *, bulk: bool) -> None:
        queue = topology.lane_queue(config_id, bulk=bulk)
        if queue not in self._declared:
            await self._broker.declare(topology.lane(config_id, bulk=bulk))
            if bulk:
                await self._bulk.remember_bulk_lane(config_id)
            self._declared.add(queue)

    async def try_acquire(self, entry: LedgerEntry) -> FastSendSlot | None:
        """A slot to send a new entry now; None when it has to go into the queue."""
        lane = None if entry.bulk else self._owned.get(entry.config_id or "")
        return None if lane is None else await lane.try_acquire(entry)

    async def put(self, entry: LedgerEntry) -> None:
        """Put an entry at the end of its lane. Raises Unavailable."""
        assert entry.config_id is not None
        if topology.lane_queue(entry.config_id, bulk=entry.bulk) not in self._declared:
            await self._read(entry.config_id, bulk=entry.bulk, only_if_owned=True)
        if entry.bulk:
            await self._broker.publish(lane_message(entry, self._now()))
        else:
            await self._put(entry, entry.config_id)

    async def _put(self, entry: LedgerEntry, config_id: str) -> None:
        """Put a conversational text. Meanwhile nobody may take the lane's queue for empty."""
        message = lane_message(entry, self._now())
        self._putting[config_id] += 1
        lane = self._owned.get(config_id)
        if lane is not None:
            lane.backlog.put(message.message_id)
        try:
            await self._broker.publish(message)
        except BaseException:
            if lane is not None:
                lane.backlog.forget()
            raise
        finally:
            self._putting[config_id] -= 1
            self._putting += Counter()  # removes the zeros
