"""Tells who looks at messages that some have changed: server-sent events that say "changed" and never what.

Whoever is told reads again, so a lost or doubled event does no harm, and after every new beginning there is one.
Decision 0012 says where the news comes from.
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

# Below the idle time of the usual proxies (60 s); it also bounds how long one listens whose session has ended.
BEAT_SECONDS = 15.0
# A busy tenant changes many times a second; nobody reads that fast.
PAUSE_SECONDS = 1.0
MOST_OF_ONE = 8
MOST_IN_ALL = 1_000

News = Literal["changed", "beat", "over"]


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """How often a listener hears something when there is nothing, and at most when there is much. In seconds.

    Every `beat`, however much there is to hear, it is asked whether the listener may go on.
    """

    beat: float = BEAT_SECONDS
    pause: float = PAUSE_SECONDS


@dataclass(eq=False, slots=True)
class LiveWatch:
    """Somebody who looks at a tenant's messages, or at the one named. `gone` tells whether nobody is there any more."""

    caller_id: str
    tenant_id: str
    message_id: str | None
    leave: Callable[["LiveWatch"], Awaitable[None]]
    gone: Callable[[], bool] = field(default=lambda: False)
    over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, *, over: bool = False) -> None:
        """Something changed; or it is `over`."""
        self.over = self.over or over
        self._news.set()

    async def next(self, patience: float) -> News:
        """Wait for news, at most so many seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return "beat"
        self._news.clear()
        return "over" if self.over else "changed"


@dataclass(eq=False, slots=True)
class _Tenant:
    """Those who watch one tenant, and what is listened to for them."""

    watches: set[LiveWatch] = field(default_factory=set)
    subscriptions: list[Subscription] = field(default_factory=list)

    async def hear(self, delivery: Delivery | None) -> None:
        """Tell whom it concerns. None: something may have been missed."""
        ids: frozenset[str] | None = None
        for watch in self.watches:
            if watch.message_id is not None and delivery is not None:
                ids = _ids(delivery) if ids is None else ids
                if ids and watch.message_id not in ids:
                    continue
            watch.tell()


class LiveUpdates:
    """Listens to the broker for the tenants that somebody looks at, and for no other."""

    def __init__(
        self,
        broker: Broker | None,
        *,
        rhythm: StreamTiming | None = None,
        most_of_one: int = MOST_OF_ONE,
        most_in_all: int = MOST_IN_ALL,
    ) -> None:
        self._broker = broker
        self.rhythm = rhythm or StreamTiming()
        self._most_of_one = most_of_one
        self._most_in_all = most_in_all
        self._tenants: dict[str, _Tenant] = {}
        self._one_at_a_time = asyncio.Lock()

    async def watch(self, caller_id: str, tenant: TenantRecord, message_id: str | None) -> LiveWatch:
        """Begin to watch. Raises TooManyListeners, BrokerAway, and Unavailable when it cannot be listened to."""
        if self._broker is None:
            raise BrokerAway("This process has no connection to RabbitMQ.")
        async with self._one_at_a_time:
            await self._make_room(caller_id)
            known = self._tenants.get(tenant.id) or await self._listen(self._broker, tenant)
            watch = LiveWatch(caller_id, tenant.id, message_id, self._leave)
            known.watches.add(watch)
            self._tenants[tenant.id] = known
        watch.tell()  # what came before is read now
        return watch

    async def close(self, _: web.Application | None = None) -> None:
        """End every watch."""
        for tenant in list(self._tenants.values()):
            for watch in tenant.watches:
                watch.tell(over=True)

    async def _make_room(self, caller_id: str) -> None:
        """Raise TooManyListeners when this would be one too many, even without those who have hung up."""
        for lost in [watch for watch in self._watches() if watch.gone()]:
            lost.tell(over=True)
            await self._remove(lost)
        watches = self._watches()
        if len(watches) >= self._most_in_all:
            raise TooManyListeners("Too many pages are listening to this process; try again later.")
        if sum(watch.caller_id == caller_id for watch in watches) >= self._most_of_one:
            raise TooManyListeners(f"At most {self._most_of_one} pages may listen at a time; close one.")

    def _watches(self) -> list[LiveWatch]:
        return [watch for tenant in self._tenants.values() for watch in tenant.watches]

    async def _listen(self, broker: Broker, tenant: TenantRecord) -> _Tenant:
        # A queue of ours must never be the only one that takes an event, or the broker would not call it unrouted.
        await broker.ensure(topology.pbx(tenant.pbx_id, [tenant.id]))
        known = _Tenant()
        for key in (f"sms.status.{tenant.id}.#", f"sms.inbound.{tenant.id}.#"):
            known.subscriptions.append(await broker.listen(key, known.hear))
        return known

    async def _leave(self, watch: LiveWatch) -> None:
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
    """Return the messages that an event is about; none when it cannot be told."""
    try:
        event = orjson.loads(delivery.body)
        return frozenset(event[name] for name in ("message_id", "parent_id") if isinstance(event.get(name), str))
    except (orjson.JSONDecodeError, AttributeError):
        return frozenset()


async def stream(
    request: web.Request,
    watch: LiveWatch,
    rhythm: StreamTiming,
    may_go_on: Callable[[], Awaitable[bool]],
    headers: Mapping[str, str],
) -> web.StreamResponse:
    """Answer with events until the client leaves, may not listen any more, or this process stops."""
    response = web.StreamResponse(
        headers={**headers, hdrs.CONTENT_TYPE: "text/event-stream", "X-Accel-Buffering": "no"}
    )
    watch.gone = lambda: request.transport is None or request.transport.is_closing()
    try:
        await response.prepare(request)
        asked = monotonic()
        while (news := await watch.next(asked + rhythm.beat - monotonic())) != "over":
            # A busy tenant has news for ever, and its listeners would never be asked if only silence did it.
            if news == "beat" or monotonic() >= asked + rhythm.beat:
                if not await may_go_on():
                    break
                asked = monotonic()
            await response.write(b"event: changed\ndata: {}\n\n" if news == "changed" else b": still here\n\n")
            if news == "changed":
                await asyncio.sleep(rhythm.pause)
    except ConnectionError:
        _log.debug("live.left", tenant_id=watch.tenant_id)
    finally:
        await watch.leave(watch)
    return response
