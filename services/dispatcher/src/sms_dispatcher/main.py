"""The dispatcher's composition root: the only place that constructs things, in the order in which they depend on
each other.
"""

import asyncio
import os
import socket
import uuid
from contextlib import AsyncExitStack

import aiohttp
import structlog
from aiohttp import web
from sms_common.service import Health, add_health_routes, serve

from sms_common import topology
from sms_common.broker import Delivery, RabbitBroker
from sms_common.carriers import CARRIERS
from sms_common.config_client import ConfigClient
from sms_common.configuration import DispatcherSnapshot
from sms_common.errors import Code, Unavailable
from sms_common.events import utc_now
from sms_dispatcher.api import MessagesApi
from sms_dispatcher.dispatcher import Dispatcher, Limits
from sms_dispatcher.ledger import Ledger, open_ledger
from sms_dispatcher.settings import Settings

log = structlog.get_logger()

# The longest carrier call (25 s), the writing of its result (5 s) and a margin; below the 45 s after which we are
# killed.
DRAIN_SECONDS = 35.0
# Other dispatchers begin bulk lanes too, and an index may be missing while the store is away at the start.
_AGAIN_AFTER_SECONDS = 2.0
# Carrier calls are limited by the lanes' prefetch; the connector must not be a second, hidden limit.
_NO_LIMIT = 0


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set, then drain: intake ends, running work ends or goes back, connections close last."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(
            RabbitBroker(settings.amqp_url.get_secret_value(), name="sms-dispatcher", topology=topology.base())
        )
        ledger = await stack.enter_async_context(_ledger(settings))
        connector = aiohttp.TCPConnector(limit=_NO_LIMIT)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        carriers = {name: carrier(http, settings.carrier_options.get(name)) for name, carrier in CARRIERS.items()}
        for carrier in carriers.values():
            stack.push_async_callback(carrier.close)
        client = ConfigClient(settings.config_url, settings.config_token, DispatcherSnapshot)
        dispatcher = Dispatcher(broker, ledger, carriers, lambda: _snapshot(client), utc_now, _limits(settings))
        client.on_change(dispatcher.follow)
        await stack.enter_async_context(serve(_app(settings, broker, ledger, client), settings.host, settings.port))
        await stack.enter_async_context(client)
        stack.push_async_callback(broker.stop_consuming, DRAIN_SECONDS)
        await broker.listen(topology.CONFIG_CHANGES, _nudge(client))
        await _run(dispatcher, ledger, client, stop, due_every=settings.due_every)


def _ledger(settings: Settings) -> "AbstractAsyncContextManager[Ledger]":
    return open_ledger(
        settings.mongo_url.get_secret_value(),
        settings.mongo_database,
        owner=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
        retention=settings.retention,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        settings.outbound_prefetch, settings.carrier_prefetch, settings.lane_prefetch, settings.receipt_window
    )


def _snapshot(client: ConfigClient[DispatcherSnapshot]) -> DispatcherSnapshot:
    """The newest snapshot. Raises Unavailable before the first."""
    snapshot = client.snapshot
    if snapshot is None:
        raise Unavailable(Code.CONFIG_UNAVAILABLE, "No configuration has been fetched yet.")
    return snapshot


def _nudge(client: ConfigClient[DispatcherSnapshot]) -> "Listener":
    async def changed(_: Delivery | None) -> None:
        client.changed()

    return changed


def _app(
    settings: Settings, broker: RabbitBroker, ledger: Ledger, client: ConfigClient[DispatcherSnapshot]
) -> web.Application:
    health = Health()
    health.add("broker", broker.check)
    health.add("store", ledger.check)
    health.add("configuration", client.check)
    app = web.Application()
    add_health_routes(app, health)
    MessagesApi(ledger, settings.api_token).add_to(app)
    return app


async def _run(
    dispatcher: Dispatcher,
    ledger: Ledger,
    client: ConfigClient[DispatcherSnapshot],
    stop: asyncio.Event,
    *,
    due_every: float,
) -> None:
    """Work until `stop`. Nothing is read before the indexes exist: a missing unique one would let duplicates in."""
    starting = asyncio.create_task(_start(dispatcher, ledger, client, stop, due_every=due_every))
    await stop.wait()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def _start(
    dispatcher: Dispatcher,
    ledger: Ledger,
    client: ConfigClient[DispatcherSnapshot],
    stop: asyncio.Event,
    *,
    due_every: float,
) -> None:
    await _until_done(ledger.prepare)
    await client.first()
    await dispatcher.start()
    await dispatcher.due.run(stop, every=due_every)
