"""The dispatcher's composition root: the only place that constructs things, each after what it depends on."""

import asyncio
import os
import socket
import uuid
from contextlib import AsyncExitStack, suppress

import aiohttp
import structlog
from aiohttp import web

from sms_common import topology
from sms_common.backoff import BackoffPolicy, retry_until_available
from sms_common.broker import Delivery, Listener, RabbitBroker
from sms_common.carriers import CARRIERS
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Unavailable
from sms_common.service.background_work import run_until
from sms_common.service.process import Health, add_health_routes, log_settings, run, serve
from sms_dispatcher.api.explaining import Explainer
from sms_dispatcher.api.routes import ExplainApi, LanesApi, MessagesApi
from sms_dispatcher.dispatcher import Dispatcher, DispatcherLimits, Stores
from sms_dispatcher.fleet.coordination import Coordination
from sms_dispatcher.lanes.stalled import StalledReport
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.database_clock import DatabaseClock
from sms_dispatcher.ledger.history import History
from sms_dispatcher.ledger.ledger import Ledger
from sms_dispatcher.settings import DispatcherSettings

_log = structlog.get_logger()

# The longest carrier call (25 s) and its margin (5 s), then writing (5 s) and telling (5 s) its result; the process is
# ended after 48 s.
DRAIN_SECONDS = 40.0
# Of these, for what ends by being cancelled: its messages go back.
_LAST_SECONDS = 3.0
_PREPARE_AGAIN = BackoffPolicy(1.0, 3.0)
# Carrier calls are limited by the lanes' prefetch; the connector must not be a second, hidden limit.
_NO_LIMIT = 0


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
        dispatcher = Dispatcher(broker, stores, carriers, clock, _limits(settings), member=_member())
        stack.push_async_callback(dispatcher.strays.close)
        client.on_change(dispatcher.follow)
        health = _health(stop, broker, ledger, client)
        health.add("fleet", dispatcher.fleet.check)
        app = web.Application()
        add_health_routes(app, health)
        MessagesApi(History(database), settings.api_token).add_to(app)
        explainer = Explainer(ledger, carriers, lambda: dispatcher.snapshot, clock)
        ExplainApi(explainer, settings.api_token).add_to(app)
        LanesApi(stores.coordination, settings.api_token).add_to(app)
        await stack.enter_async_context(serve(app, settings.host, settings.port))
        await stack.enter_async_context(client)
        await broker.listen(topology.CONFIG_CHANGES, _on_news(client))
        stack.push_async_callback(_drain, dispatcher, broker)
        await run_until(stop, _dispatch(dispatcher, stores, stop, settings.due_every))


async def _drain(dispatcher: Dispatcher, broker: RabbitBroker) -> None:
    """Give the lanes back, each when its last message is dealt with; then stop reading what carriers say."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DRAIN_SECONDS
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until - _LAST_SECONDS):
            await dispatcher.fleet.leave()
    await broker.stop_consuming(until - loop.time())


async def _dispatch(dispatcher: Dispatcher, stores: Stores, stop: asyncio.Event, due_every: float) -> None:
    """Begin once there is a store with its time and indexes, and a configuration; then look after what is due."""
    await retry_until_available(stores.prepare, policy=_PREPARE_AGAIN, on_failure=_note_waiting)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(dispatcher.fleet.run(stop))
        tasks.create_task(StalledReport(lambda: dispatcher.lanes.held, stores.coordination).run(stop))
        await dispatcher.start()
        _log.info("dispatcher.started")
        await dispatcher.due.run(stop, every=due_every)


def _note_waiting(error: Unavailable) -> None:
    _log.warning("dispatcher.waits", code=error.code, reason=error.reason)


def _member() -> str:
    """Name this process among the dispatchers; never twice the same."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _limits(settings: DispatcherSettings) -> DispatcherLimits:
    return DispatcherLimits(
        settings.outbound_prefetch, settings.carrier_prefetch, settings.lane_prefetch, settings.patience
    )


def _on_news(client: ConfigClient[DispatcherSnapshot]) -> Listener:
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
