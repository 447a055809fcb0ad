"""The dispatcher's composition root: all of its parts are constructed here, each after those that it depends on."""

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import aiohttp
import structlog
from aiohttp import web

from sms_common import topology
from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import Broker, Delivery, Listener, RabbitBroker
from sms_common.carriers import CARRIERS
from sms_common.carriers.protocol import Carrier
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Unavailable
from sms_common.service.background_work import run_until
from sms_common.service.process import Health, add_health_routes, log_settings, run, serve
from sms_dispatcher.api.explaining import Explainer
from sms_dispatcher.api.routes import ExplainApi, LanesApi, MessagesApi
from sms_dispatcher.carrier_events.handler import CarrierEventHandler
from sms_dispatcher.delivery.attempts import Patience
from sms_dispatcher.delivery.context import CurrentSnapshot, DispatchContext
from sms_dispatcher.delivery.due_alarm import DueAlarm
from sms_dispatcher.delivery.reconciling import Reconciler
from sms_dispatcher.delivery.scheduler import DueScheduler
from sms_dispatcher.delivery.sending import Sending
from sms_dispatcher.delivery.status_publisher import StatusPublisher
from sms_dispatcher.delivery.unrouted import UnroutedReturner
from sms_dispatcher.dispatcher import Dispatcher
from sms_dispatcher.fleet.coordination import Coordination
from sms_dispatcher.fleet.membership import FleetMember
from sms_dispatcher.lanes.lanes import Lanes
from sms_dispatcher.lanes.stalled_lanes import StalledReport
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.database_clock import DatabaseClock
from sms_dispatcher.ledger.history import History
from sms_dispatcher.ledger.ledger import Ledger
from sms_dispatcher.requests.handler import RequestHandler
from sms_dispatcher.requests.intake import RequestIntake
from sms_dispatcher.settings import DispatcherSettings
from sms_dispatcher.shards import ShardReader

_log = structlog.get_logger()

# The longest carrier call (25 s) and its margin (5 s), then recording (5 s) and publishing (5 s) its result. After 48 s
# the process is killed.
DRAIN_SECONDS = 40.0
# The last of these are for handlers that have to be cancelled: their messages go back to their queues.
_LAST_SECONDS = 3.0
_PREPARE_AGAIN = BackoffPolicy(1.0, 3.0)
# The lanes' prefetch limits carrier calls. The connector must not be a second, hidden limit.
_NO_LIMIT = 0
# Work for all tenants waits no longer than this for the full queue of one PBX.
_SHARED_WORK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept in MongoDB: the messages, and what several dispatchers agree on."""

    ledger: Ledger
    coordination: Coordination

    async def prepare(self) -> None:
        """Read the database's time and make the indexes. Safe to repeat. Raises Unavailable."""
        await self.ledger.set_clock()
        await self.ledger.prepare()
        await self.coordination.prepare()


@dataclass(frozen=True, slots=True)
class DispatcherLimits:
    """How many messages are worked on at a time, and how long a lost answer is waited for."""

    outbound: int = 200
    carrier: int = 200
    lane: int = 64
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class DispatcherParts:
    """The parts of the dispatcher that somebody has to run, or asks."""

    dispatcher: Dispatcher
    snapshot: CurrentSnapshot
    lanes: Lanes
    fleet: FleetMember
    scheduler: DueScheduler
    unrouted: UnroutedReturner


def build_dispatcher(
    broker: Broker,
    stores: Stores,
    carriers: Mapping[str, Carrier],
    clock: Callable[[], datetime],
    limits: DispatcherLimits,
    *,
    member: str,
    monotonic: Callable[[], float] = time.monotonic,
) -> DispatcherParts:
    """Construct the dispatcher. `member` names this process among the others. `clock` is the wall clock, `monotonic`
    counts seconds.
    """
    ledger, coordination, patience = stores.ledger, stores.coordination, limits.patience
    context = DispatchContext(ledger, StatusPublisher(broker), carriers, CurrentSnapshot(), clock)
    shared = replace(context, publisher=StatusPublisher(broker, within=_SHARED_WORK_SECONDS))
    alarm = DueAlarm()
    sending = Sending(context, patience, alarm)
    lanes = Lanes(broker, sending, ledger, coordination, clock, monotonic, prefetch=limits.lane)
    intake = RequestIntake(broker, RequestHandler(context, lanes), limits.outbound)
    reader = ShardReader(lanes, intake, monotonic)
    fleet = FleetMember(member, coordination, reader, lambda: broker.why_away() is None, monotonic)
    carrier_events = CarrierEventHandler(shared, receipt_window=patience.receipt_window)
    dispatcher = Dispatcher(context, broker, lanes, fleet, carrier_events, carrier_prefetch=limits.carrier)
    scheduler = DueScheduler(shared, lanes, Reconciler(context, patience), alarm)
    unrouted = UnroutedReturner(broker)
    broker.on_restored(unrouted.schedule)
    return DispatcherParts(dispatcher, context.snapshot, lanes, fleet, scheduler, unrouted)


def run_service(settings: DispatcherSettings) -> int:
    """Work until a signal, then drain; returns the exit status."""

    async def main(stop: asyncio.Event) -> None:
        await _work(settings, stop)

    log_settings(settings)
    return run(main)


async def _work(settings: DispatcherSettings, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        address = settings.amqp_url.get_secret_value()
        broker = await stack.enter_async_context(
            RabbitBroker(address, name="sms-dispatcher", topology=topology.base(), repairs=True)
        )
        url = settings.mongo_url.get_secret_value()
        database = await stack.enter_async_context(open_database(url, settings.mongo_database))
        clock = DatabaseClock()
        ledger = Ledger(database, owner=_member(), retention=settings.retention, clock=clock)
        stores = Stores(ledger, Coordination(database))
        connector = aiohttp.TCPConnector(limit=_NO_LIMIT)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        carriers = {name: carrier(http, settings.carrier_options.get(name)) for name, carrier in CARRIERS.items()}
        for carrier in carriers.values():
            stack.push_async_callback(carrier.close)
        client = ConfigClient(settings.config_url, settings.config_token, DispatcherSnapshot)
        parts = build_dispatcher(broker, stores, carriers, clock, _limits(settings), member=_member())
        stack.push_async_callback(parts.unrouted.close)
        client.on_change(parts.dispatcher.apply)
        health = _health(stop, broker, ledger, client)
        health.add("fleet", parts.fleet.check)
        app = web.Application()
        add_health_routes(app, health)
        MessagesApi(History(database), settings.read_token).add_to(app)
        explainer = Explainer(ledger, carriers, lambda: parts.snapshot.latest, clock)
        ExplainApi(explainer, settings.read_token).add_to(app)
        LanesApi(stores.coordination, settings.read_token).add_to(app)
        await stack.enter_async_context(serve(app, settings.host, settings.port))
        await stack.enter_async_context(client)
        await broker.listen(topology.CONFIG_CHANGES, _on_announcement(client))
        stack.push_async_callback(_drain, parts.fleet, broker)
        await run_until(stop, _dispatch(parts, stores, stop, settings.due_every))


async def _drain(fleet: FleetMember, broker: RabbitBroker) -> None:
    """Release each lane when nothing of it is in flight, then stop reading what carriers report."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DRAIN_SECONDS
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until - _LAST_SECONDS):
            await fleet.leave()
    await broker.stop_consuming(until - loop.time())


async def _dispatch(parts: DispatcherParts, stores: Stores, stop: asyncio.Event, due_every: float) -> None:
    """Start once the store has its indexes and there is a configuration, and work until `stop` is set."""
    await retry_until_available(stores.prepare, policy=_PREPARE_AGAIN, on_failure=_note_waiting)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(parts.fleet.run(stop))
        tasks.create_task(StalledReport(lambda: parts.lanes.owned, stores.coordination).run(stop))
        await parts.dispatcher.start()
        _log.info("dispatcher.started")
        await parts.scheduler.run(stop, every=due_every)


def _note_waiting(error: Unavailable) -> None:
    _log.warning("dispatcher.waiting", code=error.code, reason=error.reason)


def _member() -> str:
    """A name for this process among the dispatchers. No two processes ever have the same."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _limits(settings: DispatcherSettings) -> DispatcherLimits:
    return DispatcherLimits(
        settings.outbound_prefetch, settings.carrier_prefetch, settings.lane_prefetch, settings.patience
    )


def _on_announcement(client: ConfigClient[DispatcherSnapshot]) -> Listener:
    async def changed(_: Delivery | None) -> None:
        client.changed()

    return changed


def _health(
    stop: asyncio.Event, broker: RabbitBroker, ledger: Ledger, client: ConfigClient[DispatcherSnapshot]
) -> Health:
    health = Health(stop)
    health.add("broker", broker.check)
    health.add("store", ledger.check)
    health.add("configuration", client.check)
    return health
