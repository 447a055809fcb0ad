"""Notifies pages that messages changed: server-sent events that say "changed" and never what.

A page that is notified reads again. So a lost or repeated event does no harm, and every new connection begins with one.
Decision 0012 says which events of the broker this is based on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

import orjson
import structlog
from aiohttp import hdrs, web

from sms_common import topology
from sms_common.broker import Broker, Delivery
from sms_common.broker.messages import Subscription
from sms_config.model.problems import BrokerAway, TooManyListeners
from sms_config.model.records import TenantRecord

_log = structlog.get_logger()

# Below the idle time of the usual proxies (60 s). It also limits how long a client stays connected after its session
# has ended.
HEARTBEAT_SECONDS = 15.0
# A busy tenant changes many times a second; nobody reads that fast.
MIN_INTERVAL_SECONDS = 1.0
MAX_PER_CALLER = 8
MAX_TOTAL = 1_000

Signal = Literal["changed", "heartbeat", "closed"]


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """How often a client gets something, in seconds: a heartbeat when nothing changes, and at most one event in each
    `min_interval`.

    At every `heartbeat` it is checked whether the client may stay connected, however many events there are.
    """

    heartbeat: float = HEARTBEAT_SECONDS
    min_interval: float = MIN_INTERVAL_SECONDS


@dataclass(eq=False, slots=True)
class LiveWatch:
    """One client that watches a tenant's messages, or the message `message_id`. `disconnected` says whether the client
    has hung up.
    """

    caller_id: str
    tenant_id: str
    message_id: str | None
    unsubscribe: Callable[["LiveWatch"], Awaitable[None]]
    disconnected: Callable[[], bool] = field(default=lambda: False)
    _closed: bool = False
    _signal: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Something changed."""
        self._signal.set()

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        self._signal.set()

    async def next(self, timeout: float) -> Signal:  # noqa: ASYNC109  # it ends in a signal, not in an error
        """Wait for a signal, at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._signal.wait()
        except TimeoutError:
            return "heartbeat"
        self._signal.clear()
        return "closed" if self._closed else "changed"


@dataclass(eq=False, slots=True)
class _WatchedTenant:
    """The clients that watch one tenant, and the subscriptions at the broker for them."""

    watches: set[LiveWatch] = field(default_factory=set)
    subscriptions: list[Subscription] = field(default_factory=list)

    async def on_event(self, delivery: Delivery | None) -> None:
        """Notify the clients that the event concerns. None: events may have been missed."""
        ids: frozenset[str] | None = None
        for watch in self.watches:
            if watch.message_id is not None and delivery is not None:
                ids = _ids(delivery) if ids is None else ids
                if ids and watch.message_id not in ids:
                    continue
            watch.notify()


class LiveUpdates:
    """Subscribes at the broker to the events of the tenants that are watched, and of no other."""

    def __init__(
        self,
        broker: Broker | None,
        *,
        timing: StreamTiming | None = None,
        max_per_caller: int = MAX_PER_CALLER,
        max_total: int = MAX_TOTAL,
    ) -> None:
        self._broker = broker
        self.timing = timing or StreamTiming()
        self._most_of_one = max_per_caller
        self._most_in_all = max_total
        self._tenants: dict[str, _WatchedTenant] = {}
        self._one_at_a_time = asyncio.Lock()

    async def watch(self, caller_id: str, tenant: TenantRecord, message_id: str | None) -> LiveWatch:
        """Begin to watch. Raises TooManyListeners, BrokerAway, and Unavailable when the subscription fails."""
        if self._broker is None:
            raise BrokerAway("This process has no connection to RabbitMQ.")
        async with self._one_at_a_time:
            await self._check_limits(caller_id)
            watched = self._tenants.get(tenant.id) or await self._subscribe(self._broker, tenant)
            watch = LiveWatch(caller_id, tenant.id, message_id, self._unsubscribe)
            watched.watches.add(watch)
            self._tenants[tenant.id] = watched
        watch.notify()  # so the page reads what changed before it was subscribed
        return watch

    async def close(self, _: web.Application | None = None) -> None:
        """End every watch."""
        for tenant in list(self._tenants.values()):
            for watch in tenant.watches:
                watch.close()

    async def _check_limits(self, caller_id: str) -> None:
        """Raise TooManyListeners when one more would be too many, not counting clients that have hung up."""
        for lost in [watch for watch in self._watches() if watch.disconnected()]:
            lost.close()
            await self._remove(lost)
        watches = self._watches()
        if len(watches) >= self._most_in_all:
            raise TooManyListeners("Too many pages are listening to this process; try again later.")
        if sum(watch.caller_id == caller_id for watch in watches) >= self._most_of_one:
            raise TooManyListeners(f"At most {self._most_of_one} pages may listen at a time; close one.")

    def _watches(self) -> list[LiveWatch]:
        return [watch for tenant in self._tenants.values() for watch in tenant.watches]

    async def _subscribe(self, broker: Broker, tenant: TenantRecord) -> _WatchedTenant:
        # Our queue must never be the only one bound to an event: the broker would not report that event as unrouted.
        await broker.ensure(topology.pbx(tenant.pbx_id, [tenant.id]))
        watched = _WatchedTenant()
        for key in (f"sms.status.{tenant.id}.#", f"sms.inbound.{tenant.id}.#"):
            watched.subscriptions.append(await broker.listen(key, watched.on_event))
        return watched

    async def _unsubscribe(self, watch: LiveWatch) -> None:
        async with self._one_at_a_time:
            await self._remove(watch)

    async def _remove(self, watch: LiveWatch) -> None:
        tenant = self._tenants.get(watch.tenant_id)
        if tenant is None:
            return
        tenant.watches.discard(watch)
        if not tenant.watches:
            del self._tenants[watch.tenant_id]
            for subscription in tenant.subscriptions:
                await subscription.cancel()


def _ids(delivery: Delivery) -> frozenset[str]:
    """Return the ids of the messages that an event is about; none when the event cannot be read."""
    try:
        event = orjson.loads(delivery.body)
        return frozenset(event[name] for name in ("message_id", "parent_id") if isinstance(event.get(name), str))
    except (orjson.JSONDecodeError, AttributeError):
        return frozenset()


async def stream(
    request: web.Request,
    watch: LiveWatch,
    timing: StreamTiming,
    may_continue: Callable[[], Awaitable[bool]],
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Answer with events until the client hangs up, loses its rights, or this process stops."""
    response = web.StreamResponse(
        headers={**headers, hdrs.CONTENT_TYPE: "text/event-stream", "X-Accel-Buffering": "no"}
    )
    watch.disconnected = lambda: request.transport is None or request.transport.is_closing()
    try:
        await response.prepare(request)
        checked = monotonic()
        while (signal := await watch.next(checked + timing.heartbeat - monotonic())) != "closed":
            # Checked by the clock too: with a busy tenant there is never a pause for a heartbeat.
            if signal == "heartbeat" or monotonic() >= checked + timing.heartbeat:
                if not await may_continue():
                    break
                checked = monotonic()
            await response.write(b"event: changed\ndata: {}\n\n" if signal == "changed" else b": still here\n\n")
            if signal == "changed":
                await asyncio.sleep(timing.min_interval)
    except ConnectionError:
        _log.debug("live.client_left", tenant_id=watch.tenant_id)
    finally:
        await watch.unsubscribe(watch)
    return response
