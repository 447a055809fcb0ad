"""The composition root of the config service: the only place that constructs things, each after what it depends on."""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web

from sms_common import topology
from sms_common.broker import Broker, RabbitBroker
from sms_common.carriers import CARRIERS, CarrierTable
from sms_common.carriers.declaration import Declaration
from sms_common.carriers.protocol import Carrier
from sms_common.errors import Unavailable
from sms_common.http.proxies import TrustedProxies
from sms_common.service.background_work import run_until
from sms_common.service.process import Health, add_health_routes, log_settings, run, serve
from sms_common.version import VERSION
from sms_config.access.auth import Authenticator, FailureThrottle, ServiceTokens
from sms_config.access.device_cookies import DeviceCookies
from sms_config.access.passwords import Passwords
from sms_config.http.app import AppSecurity, create_app
from sms_config.http.carrier_routes import carrier_routes
from sms_config.http.explanations import Explanations, explanation_routes
from sms_config.http.operations_routes import Operations, operations_routes
from sms_config.http.routes import Resources, routes
from sms_config.http.rule_routes import RuleResources, rule_routes
from sms_config.model.keyring import KeyRing
from sms_config.model.records import now_utc
from sms_config.operations.account_prover import AccountProver
from sms_config.operations.config_health import ConfigHealth
from sms_config.operations.connection_tests import CarrierChecks, ConnectionTests, ConnectionTestThrottle
from sms_config.operations.dispatcher_client import DispatcherClient
from sms_config.operations.message_history import MessageHistory
from sms_config.operations.parking import DEAD_LETTERS, UNROUTED_MESSAGES, Parking
from sms_config.operations.server_sent_events import LiveUpdates, StreamTiming
from sms_config.operations.webhook_activity import WebhookActivityRecorder
from sms_config.operations.webhook_check import WebhookCheck
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
_ACTIVITY_PREFETCH = 4

_log = structlog.get_logger()


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_service(settings: ConfigSettings, carriers: CarrierTable = CARRIERS) -> int:
    """Serve until a signal and return the exit status: 1 when stored data cannot be served, and the log says why."""
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
    show: Callable[[str], None] = _print_line,
    carriers: CarrierTable = CARRIERS,
) -> None:
    """Serve until `stop` is set. Then end the requests first and the connections last. Raises StoreUnusable at the
    start.

    `show` gets the one line that a person must see: the link that makes the first administrator.
    """
    async with AsyncExitStack() as stack:
        address = settings.amqp_url.get_secret_value()
        broker = await stack.enter_async_context(RabbitBroker(address, name="sms-config", topology=topology.edge()))
        store = await stack.enter_async_context(MongoStore(settings.mongo_url, settings.mongo_database))
        startup = Startup(store, settings.keys, then=_first_administrator(settings, store, show))
        announcer = await stack.enter_async_context(Announcer(store, broker))
        external = ExternalServices(broker, carriers=carriers)
        app = build_app(settings, store, wake=announcer.wake, waiting_for=startup.waiting_for, external=external)
        add_health_routes(app, _health(stop, store, startup))
        await stack.enter_async_context(serve(app, settings.host, settings.port))
        await run_until(stop, startup.prepare())
        await broker.consume(topology.SEEN, WebhookActivityRecorder(store).handle, prefetch=_ACTIVITY_PREFETCH)
        await stop.wait()


def _first_administrator(
    settings: ConfigSettings, store: Store, show: Callable[[str], None]
) -> Callable[[], Awaitable[None]]:
    """Return what makes sure, once the store is prepared, that somebody can log in."""
    changes = Changes(store, lambda: None, now_utc)
    base = _Base(settings, store, settings.keys, changes, now_utc, Passwords(), ExternalServices())
    first = _accounts(base).first_administrator
    return partial(first.prepare, settings.first_admin, settings.first_admin_password, show)


def _health(stop: asyncio.Event, store: Store, startup: Startup) -> Health:
    """Return the checks of /readyz. The broker is not among them: without it, changes are saved and announced later."""
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


@dataclass(frozen=True, slots=True)
class ExternalServices:
    """What the application speaks to besides its store. Without a `broker`, requests that need one are answered as if
    RabbitMQ were down. `timing` is that of server-sent events. `trust` holds the certificate authorities that the
    webhook test accepts; by default the public ones. `carriers` are those that the gateway speaks to.
    """

    broker: Broker | None = None
    timing: StreamTiming = field(default_factory=StreamTiming)
    trust: ssl.SSLContext | None = None
    carriers: CarrierTable = field(default_factory=lambda: CARRIERS)


@dataclass(frozen=True, slots=True)
class _Base:
    """What most parts of the application are constructed from."""

    settings: ConfigSettings
    store: Store
    ring: KeyRing
    changes: Changes
    clock: Clock
    passwords: Passwords
    external: ExternalServices

    @property
    def carriers(self) -> Mapping[str, Carrier]:
        """The carriers by name, without a connection."""
        table, options = self.external.carriers, self.settings.carrier_options
        return {name: make(None, options.get(name)) for name, make in table.items()}

    @property
    def declarations(self) -> Mapping[str, Declaration]:
        """What the carriers declare, by their names."""
        return {name: carrier.declaration for name, carrier in self.carriers.items()}


@dataclass(frozen=True, slots=True)
class _Clients:
    """The HTTP clients of the application."""

    checks: CarrierChecks
    webhooks: WebhookCheck
    dispatcher: DispatcherClient


@dataclass(frozen=True, slots=True)
class _Accounts:
    users: Users
    sessions: Sessions
    first_administrator: FirstAdministrator


def build_app(
    settings: ConfigSettings,
    store: Store,
    *,
    wake: Callable[[], None],
    waiting_for: Callable[[], str | None],
    clock: Clock = now_utc,
    passwords: Passwords | None = None,
    external: ExternalServices | None = None,
) -> web.Application:
    """Return the API on `store`. `wake` is called after each change. While `waiting_for` returns a reason, requests are
    answered 503.
    """
    external, ring = external or ExternalServices(), settings.keys
    clients = _clients(settings, external)
    # What the prover itself writes must not wake it.
    proofs = AccountProofs(store, Changes(store, wake, clock), ring)
    prover = AccountProver(store, ring, proofs, clients.checks, clock=clock, is_ready=lambda: waiting_for() is None)
    changes = Changes(store, _both(wake, prover.wake), clock)
    base = _Base(settings, store, ring, changes, clock, passwords or Passwords(), external)
    accounts, configs, history = _accounts(base), _configs(base), MessageHistory(store, clients.dispatcher)
    operations = _operations(base, clients, proofs, configs, history)
    table = [
        *routes(_resources(base, accounts, configs, history)),
        *rule_routes(_rules(base)),
        *operations_routes(operations),
        *explanation_routes(Explanations(store, clients.dispatcher)),
        *carrier_routes(base.declarations),
    ]
    security, declared = _security(base, accounts, waiting_for), base.declarations.values()
    app = create_app(table, Snapshots(store, ring), security, version=VERSION, declared=declared)
    for part in (clients.dispatcher, clients.checks, clients.webhooks, prover):
        app.cleanup_ctx.append(part.connected)
    app.on_shutdown.append(operations.live.close)
    return app


def _clients(settings: ConfigSettings, external: ExternalServices) -> _Clients:
    dispatcher = DispatcherClient(settings.dispatcher_url, settings.dispatcher_read_token)
    return _Clients(
        CarrierChecks(external.carriers, settings.carrier_options), WebhookCheck(external.trust), dispatcher
    )


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call


def _accounts(base: _Base) -> _Accounts:
    users, sessions = Users(base.store, base.changes, base.passwords), Sessions(base.store, base.clock)
    first = FirstAdministrator(base.store, users, sessions, base.clock, base.settings.portal)
    return _Accounts(users, sessions, first)


def _configs(base: _Base) -> SmsConfigs:
    options = ConfigOptions(base.settings.public_url, base.settings.webhook_grace)
    return SmsConfigs(base.store, base.changes, base.ring, base.carriers, options)


def _resources(base: _Base, accounts: _Accounts, configs: SmsConfigs, history: MessageHistory) -> Resources:
    settings, store, changes = base.settings, base.store, base.changes
    cookies = DeviceCookies(base.ring, base.clock)
    return Resources(
        tenants=Tenants(store, changes),
        trunks=Trunks(store, changes, base.carriers, most_of_tenant=settings.tenant_numbers_max),
        configs=configs,
        api_keys=ApiKeys(store, changes),
        audit=Audit(store, base.ring),
        users=accounts.users,
        sessions=accounts.sessions,
        login_throttle=LoginThrottle(store, base.passwords, accounts.sessions, cookies, base.clock),
        first_administrator=accounts.first_administrator,
        history=history,
    )


def _operations(
    base: _Base, clients: _Clients, proofs: AccountProofs, configs: SmsConfigs, history: MessageHistory
) -> Operations:
    store, clock, broker = base.store, base.clock, base.external.broker
    throttle, public_url = ConnectionTestThrottle(clock), base.settings.public_url
    tests = ConnectionTests(store, base.ring, clients.checks, clients.webhooks, proofs, throttle, public_url)
    return Operations(
        dead_letters=Parking(DEAD_LETTERS, broker, store, clock, tests, proofs.is_proved),
        unrouted=Parking(UNROUTED_MESSAGES, broker, store, clock, tests, proofs.is_proved),
        live=LiveUpdates(broker, timing=base.external.timing),
        history=history,
        health=ConfigHealth(store, configs, clients.dispatcher, clock),
        connection_tests=tests,
    )


def _rules(base: _Base) -> RuleResources:
    store, changes = base.store, base.changes
    return RuleResources(
        inbound=RuleResource(store, changes, INBOUND_RULES),
        outbound=RuleResource(store, changes, OUTBOUND_RULES),
        extensions=RuleResource(store, changes, EXTENSIONS),
        routing=DefaultRouting(store, changes),
    )


def _security(base: _Base, accounts: _Accounts, waiting_for: Callable[[], str | None]) -> AppSecurity:
    settings, clock = base.settings, base.clock
    return AppSecurity(
        authenticator=Authenticator(base.store, FailureThrottle(clock), settings.bootstrap_api_key, clock),
        services=ServiceTokens(
            FailureThrottle(clock), ingress=settings.ingress_token, dispatcher=settings.dispatcher_token
        ),
        sessions=accounts.sessions,
        waiting_for=waiting_for,
        portal=settings.portal,
        proxies=TrustedProxies(settings.trusted_proxies),
    )
