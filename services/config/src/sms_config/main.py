"""The composition root of the config service: the only place that constructs things, each after what it depends on."""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from sms_common import topology
from sms_common.broker import Broker, RabbitBroker
from sms_common.carriers import CARRIERS, CarrierTable
from sms_common.errors import Unavailable
from sms_common.http.proxies import TrustedProxies
from sms_common.service.process import Health, add_health_routes, log_settings, run, serve
from sms_common.version import VERSION
from sms_config.access.auth import Authenticator, FailureThrottle, ServiceTokens
from sms_config.access.devices import Devices
from sms_config.access.passwords import Passwords
from sms_config.http.app import AppSecurity, create_app
from sms_config.http.carrier_routes import carrier_routes
from sms_config.http.explaining import Explanations, explain_routes
from sms_config.http.operations_routes import Operations, operating_routes
from sms_config.http.routes import Resources, routes
from sms_config.http.rule_routes import RuleResources, rule_routes
from sms_config.model.records import now_utc
from sms_config.operations.account_prover import Prover
from sms_config.operations.connection_tests import CarrierChecks, ConnectionTests, ConnectionTestThrottle
from sms_config.operations.dispatcher_api import DispatcherApi
from sms_config.operations.history import MessageHistory
from sms_config.operations.parking import DEAD_LETTERS, UNROUTED_MESSAGES, Parking
from sms_config.operations.server_sent_events import LiveUpdates, StreamTiming
from sms_config.operations.webhook_activity import ConfigHealth, WebhookNotes
from sms_config.operations.webhook_test import WebhookTest
from sms_config.resources.account_proofs import AccountProofs
from sms_config.resources.api_keys import ApiKeys
from sms_config.resources.audit import Audit
from sms_config.resources.changes import Changes, Clock
from sms_config.resources.configs import ConfigOptions, SmsConfigs
from sms_config.resources.first_administrator import FirstAdministrator
from sms_config.resources.routing import DefaultRouting
from sms_config.resources.rules import EXTENSIONS, INBOUND_RULES, OUTBOUND_RULES, RuleResource
from sms_config.resources.sessions import LoginThrottle, Sessions
from sms_config.resources.tenants import Tenants
from sms_config.resources.trunks import Trunks
from sms_config.resources.users import Users
from sms_config.settings import ConfigSettings
from sms_config.snapshots.announcer import Announcer
from sms_config.snapshots.snapshots import Snapshots
from sms_config.startup import Startup
from sms_config.storage.store import MongoStore
from sms_config.storage.store_protocol import Store, StoreUnusable

# The longest request: waiting for its turn to write and writing (10 s each), and a margin.
DRAIN_SECONDS = 25.0
EXIT_REFUSED = 1
_SEEN_AT_ONCE = 4

_log = structlog.get_logger()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_service(settings: ConfigSettings, carriers: CarrierTable = CARRIERS) -> int:
    """Serve until a signal and return the exit status: 1 when stored data cannot be served, and the log says why.

    `carriers` are those the gateway speaks to.
    """
    refused = False

    async def serve_or_refuse(stop: asyncio.Event) -> None:
        nonlocal refused
        try:
            await main(settings, stop, carriers=carriers)
        except StoreUnusable as unusable:
            refused = True
            _log.critical("config.cannot_start", reason=str(unusable))

    log_settings(settings)
    status = run(serve_or_refuse, drain_seconds=DRAIN_SECONDS)
    return EXIT_REFUSED if refused else status


async def main(
    settings: ConfigSettings,
    stop: asyncio.Event,
    tell: Callable[[str], None] = _say,
    carriers: CarrierTable = CARRIERS,
) -> None:
    """Serve until `stop` is set, then end: requests first, connections last. Raises StoreUnusable at the start.

    `tell` gets the one line a person must see: where to make the first administrator.
    """
    async with AsyncExitStack() as stack:
        address = settings.amqp_url.get_secret_value()
        broker = await stack.enter_async_context(RabbitBroker(address, name="sms-config", topology=topology.edge()))
        store = await stack.enter_async_context(MongoStore(settings.mongo_url, settings.mongo_database))
        first = _people(settings, store, Passwords(), lambda: None, now_utc).first_administrator

        async def first_user() -> None:
            await first.prepare(settings.first_admin, settings.first_admin_password, tell)

        startup = Startup(store, settings.keys, then=first_user)
        announcer = await stack.enter_async_context(Announcer(store, broker))
        outside = Outside(broker, carriers=carriers)
        app = build_app(settings, store, wake=announcer.wake, waiting_for=startup.waiting_for, outside=outside)
        add_health_routes(app, _health(stop, store, startup))
        await stack.enter_async_context(serve(app, settings.host, settings.port))
        await _until(stop, startup.prepare())
        await broker.consume(topology.SEEN, WebhookNotes(store).handle, prefetch=_SEEN_AT_ONCE)
        await stop.wait()


def _health(stop: asyncio.Event, store: Store, startup: Startup) -> Health:
    """Return what must be well to serve. Not the broker: without it changes are made and announced later."""
    health = Health(stop)

    async def check_store() -> str | None:
        if (waiting := startup.waiting_for()) is not None:
            return waiting
        try:
            await store.ping()
        except Unavailable as unavailable:
            return unavailable.reason
        return None

    health.add("store", check_store)
    return health


async def _until(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Do `work` to its end, or until `stop`. Raises what `work` raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _People:
    users: Users
    sessions: Sessions
    first_administrator: FirstAdministrator


def _people(
    settings: ConfigSettings, store: Store, passwords: Passwords, wake: Callable[[], None], clock: Clock
) -> _People:
    users, sessions = Users(store, Changes(store, wake, clock), passwords), Sessions(store, clock)
    return _People(users, sessions, FirstAdministrator(store, users, sessions, clock, settings.portal))


@dataclass(frozen=True, slots=True)
class Outside:
    """What the application speaks to besides its store. Without a `broker` what needs one is answered as if it were
    away. `rhythm` is that of server-sent events; `trust` says which certificates of webhooks are believed. `carriers`
    are those the gateway speaks to.
    """

    broker: Broker | None = None
    rhythm: StreamTiming = field(default_factory=StreamTiming)
    trust: ssl.SSLContext | None = None
    carriers: CarrierTable = field(default_factory=lambda: CARRIERS)


def build_app(
    settings: ConfigSettings,
    store: Store,
    *,
    wake: Callable[[], None],
    waiting_for: Callable[[], str | None],
    clock: Clock = now_utc,
    passwords: Passwords | None = None,
    outside: Outside | None = None,
) -> web.Application:
    """Return the API on `store`: `wake` is called after changes, and 503 answered while `waiting_for` says why."""
    ring = settings.keys
    outside = outside or Outside()
    carriers = {name: make(None, settings.carrier_options.get(name)) for name, make in outside.carriers.items()}
    declared = {name: carrier.declaration for name, carrier in carriers.items()}
    calls, webhooks = CarrierChecks(outside.carriers, settings.carrier_options), WebhookTest(outside.trust)
    proofs = AccountProofs(store, Changes(store, wake, clock), ring)
    prover = Prover(store, ring, proofs, calls, clock=clock, is_open=lambda: waiting_for() is None)

    def woken() -> None:
        wake()
        prover.wake()

    changes = Changes(store, woken, clock)
    options = ConfigOptions(settings.public_url, settings.webhook_grace)
    passwords = passwords or Passwords()
    people = _people(settings, store, passwords, woken, clock)
    dispatcher = DispatcherApi(settings.dispatcher_url, settings.dispatcher_api_token)
    history = MessageHistory(store, dispatcher)
    configs = SmsConfigs(store, changes, ring, carriers, options)
    resources = Resources(
        tenants=Tenants(store, changes),
        trunks=Trunks(store, changes, carriers, most_of_tenant=settings.tenant_numbers_max),
        configs=configs,
        api_keys=ApiKeys(store, changes),
        audit=Audit(store, ring),
        users=people.users,
        sessions=people.sessions,
        doorkeeper=LoginThrottle(store, passwords, people.sessions, Devices(ring, clock), clock),
        first_administrator=people.first_administrator,
        history=history,
    )
    doors = AppSecurity(
        authenticator=Authenticator(store, FailureThrottle(clock), settings.bootstrap_api_key, clock),
        services=ServiceTokens(
            FailureThrottle(clock), ingress=settings.ingress_token, dispatcher=settings.dispatcher_token
        ),
        sessions=people.sessions,
        waiting_for=waiting_for,
        portal=settings.portal,
        proxies=TrustedProxies(settings.trusted_proxies),
    )
    trials = ConnectionTests(store, ring, calls, webhooks, proofs, ConnectionTestThrottle(clock), settings.public_url)
    live = LiveUpdates(outside.broker, rhythm=outside.rhythm)
    operations = Operations(
        dead_letters=Parking(DEAD_LETTERS, outside.broker, store, clock, trials, proofs.is_proved),
        unrouted=Parking(UNROUTED_MESSAGES, outside.broker, store, clock, trials, proofs.is_proved),
        live=live,
        history=history,
        health=ConfigHealth(store, configs, dispatcher, clock),
        trials=trials,
    )
    rules = RuleResources(
        inbound=RuleResource(store, changes, INBOUND_RULES),
        outbound=RuleResource(store, changes, OUTBOUND_RULES),
        extensions=RuleResource(store, changes, EXTENSIONS),
        routing=DefaultRouting(store, changes),
    )
    explanations = Explanations(store, dispatcher)
    table = [
        *routes(resources),
        *rule_routes(rules),
        *operating_routes(operations),
        *explain_routes(explanations),
        *carrier_routes(declared),
    ]
    app = create_app(table, Snapshots(store, ring), doors, version=VERSION, declared=declared.values())
    for connected in (dispatcher.connected, calls.connected, webhooks.connected, prover.connected):
        app.cleanup_ctx.append(connected)
    app.on_shutdown.append(live.close)
    return app
