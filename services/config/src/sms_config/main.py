"""The composition root of the config service: the only place that constructs things, in the order of their dependence."""

from collections.abc import Callable
from importlib.metadata import version

from aiohttp import web

from sms_common.carriers import CARRIERS
from sms_config.api import Doors, create_app
from sms_config.api_keys import ApiKeys
from sms_config.audit import Audit
from sms_config.auth import Authenticator, FailureBrake, ServiceTokens
from sms_config.changes import Changes, Clock
from sms_config.configs import ConfigOptions, SmsConfigs
from sms_config.records import now_utc
from sms_config.routes import Resources, routes
from sms_config.settings import Settings
from sms_config.snapshots import Snapshots
from sms_config.store_protocol import Store
from sms_config.tenants import Tenants
from sms_config.trunks import Trunks


def build_app(
    settings: Settings,
    store: Store,
    *,
    wake: Callable[[], None],
    waiting_for: Callable[[], str | None],
    clock: Clock = now_utc,
) -> web.Application:
    """Return the API on `store`. `wake` is called after each change; while `waiting_for` has a sentence nothing is served."""
    ring = settings.keys
    carriers = {name: make() for name, make in CARRIERS.items()}
    changes = Changes(store, wake, clock)
    options = ConfigOptions(settings.public_url, settings.webhook_grace)
    resources = Resources(
        tenants=Tenants(store, changes),
        trunks=Trunks(store, changes, carriers),
        configs=SmsConfigs(store, changes, ring, carriers, options),
        api_keys=ApiKeys(store, changes),
        audit=Audit(store),
    )
    brake = FailureBrake(clock)
    doors = Doors(
        authenticator=Authenticator(store, brake, settings.bootstrap_api_key, clock),
        services=ServiceTokens(brake, ingress=settings.ingress_token, dispatcher=settings.dispatcher_token),
        waiting_for=waiting_for,
    )
    return create_app(routes(resources), Snapshots(store, ring), doors, version=version("sms-config"))
