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
from sms_common.carriers import CARRIERS
from sms_common.errors import Unavailable
from sms_common.proxies import TrustedProxies
from sms_common.service import Health, add_health_routes, log_settings, run, serve
from sms_common.version import VERSION
from sms_config.account_proofs import AccountProofs
from sms_config.announce import Announcer
from sms_config.api import Doors, create_app
from sms_config.api_keys import ApiKeys
from sms_config.audit import Audit
from sms_config.auth import Authenticator, FailureBrake, ServiceTokens
from sms_config.changes import Changes, Clock
from sms_config.configs import ConfigOptions, SmsConfigs
from sms_config.devices import Devices
from sms_config.dispatcher_api import DispatcherApi
from sms_config.explaining import Explanations, explain_routes
from sms_config.first_administrator import FirstAdministrator
from sms_config.history import History
from sms_config.live import Live, Rhythm
from sms_config.operating import Operations, operating_routes
from sms_config.parking import DEAD_LETTERS, UNROUTED_MESSAGES, Parking
from sms_config.passwords import Passwords
from sms_config.proving import Prover
from sms_config.records import now_utc
from sms_config.routes import Resources, routes
from sms_config.routing import Routing
from sms_config.rule_routes import Rules, rule_routes
from sms_config.rulebook import EXTENSIONS, INBOUND_RULES, OUTBOUND_RULES, Rulebook
from sms_config.seen import ConfigHealth, WebhookNotes
from sms_config.sessions import Doorkeeper, Sessions
from sms_config.settings import Settings
from sms_config.snapshots import Snapshots
from sms_config.startup import Startup
from sms_config.store import MongoStore
from sms_config.store_protocol import Store, StoreUnusable
from sms_config.tenants import Tenants
from sms_config.trials import Carriers, TrialBrake, Trials
from sms_config.trunks import Trunks
from sms_config.users import Users
from sms_config.webhook_trial import WebhookTrial

# The longest request: waiting for its turn to write and writing (10 s each), and a margin.
DRAIN_SECONDS = 25.0
EXIT_REFUSED = 1
_SEEN_AT_ONCE = 4

_log = structlog.get_logger()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_service(settings: Settings) -> int:
    """Serve until a signal and return the exit status: 1 when stored data cannot be served, and the log says why."""
    refused = False

    async def serve_or_refuse(stop: asyncio.Event) -> None:
        nonlocal refused
        try:
            await main(settings, stop)
        except StoreUnusable as unusable:
            refused = True
            _log.critical("config.cannot_start", reason=str(unusable))

    log_settings(settings)
    status = run(serve_or_refuse, drain_seconds=DRAIN_SECONDS)
    return EXIT_REFUSED if refused else status


async def main(settings: Settings, stop: asyncio.Event, tell: Callable[[str], None] = _say) -> None:
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
        app = build_app(settings, store, wake=announcer.wake, waiting_for=startup.waiting_for, outside=Outside(broker))
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


def _people(settings: Settings, store: Store, passwords: Passwords, wake: Callable[[], None], clock: Clock) -> _People:
    users, sessions = Users(store, Changes(store, wake, clock), passwords), Sessions(store, clock)
    return _People(users, sessions, FirstAdministrator(store, users, sessions, clock, settings.portal))


@dataclass(frozen=True, slots=True)
class Outside:
    """What the application speaks to besides its store. Without a `broker` what needs one is answered as if it were
    away. `rhythm` is that of server-sent events; `trust` says which certificates of webhooks are believed.
    """

    broker: Broker | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)
    trust: ssl.SSLContext | None = None


def build_app(
    settings: Settings,
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
    carriers = {name: make(None, settings.carrier_options.get(name)) for name, make in CARRIERS.items()}
    outside = outside or Outside()
    calls, webhooks = Carriers(settings.carrier_options), WebhookTrial(outside.trust)
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
    history = History(store, dispatcher)
    configs = SmsConfigs(store, changes, ring, carriers, options)
    resources = Resources(
        tenants=Tenants(store, changes),
        trunks=Trunks(store, changes, carriers, most_of_tenant=settings.tenant_numbers_max),
        configs=configs,
        api_keys=ApiKeys(store, changes),
        audit=Audit(store),
        users=people.users,
        sessions=people.sessions,
        doorkeeper=Doorkeeper(store, passwords, people.sessions, Devices(ring, clock), clock),
        first_administrator=people.first_administrator,
        history=history,
    )
    doors = Doors(
        authenticator=Authenticator(store, FailureBrake(clock), settings.bootstrap_api_key, clock),
        services=ServiceTokens(
            FailureBrake(clock), ingress=settings.ingress_token, dispatcher=settings.dispatcher_token
        ),
        sessions=people.sessions,
        waiting_for=waiting_for,
        portal=settings.portal,
        proxies=TrustedProxies(settings.trusted_proxies),
    )
    trials = Trials(store, ring, calls, webhooks, proofs, TrialBrake(clock), settings.public_url)
    live = Live(outside.broker, rhythm=outside.rhythm)
    operations = Operations(
        dead_letters=Parking(DEAD_LETTERS, outside.broker, store, clock, trials, proofs.is_proved),
        unrouted=Parking(UNROUTED_MESSAGES, outside.broker, store, clock, trials, proofs.is_proved),
        live=live,
        history=history,
        health=ConfigHealth(store, configs, dispatcher, clock),
        trials=trials,
    )
    rules = Rules(
        inbound=Rulebook(store, changes, INBOUND_RULES),
        outbound=Rulebook(store, changes, OUTBOUND_RULES),
        extensions=Rulebook(store, changes, EXTENSIONS),
        routing=Routing(store, changes),
    )
    explanations = Explanations(store, dispatcher)
    table = [
        *routes(resources),
        *rule_routes(rules),
        *operating_routes(operations),
        *explain_routes(explanations),
    ]
    app = create_app(table, Snapshots(store, ring), doors, version=VERSION)
    for connected in (dispatcher.connected, calls.connected, webhooks.connected, prover.connected):
        app.cleanup_ctx.append(connected)
    app.on_shutdown.append(live.close)
    return app
