"""A store with configurations whose secrets are sealed."""

from datetime import timedelta

from sms_common.carriers import CARRIERS
from sms_config.access.auth import Caller, Scope
from sms_config.model.keyring import KeyRing
from sms_config.resources.changes import Changes
from sms_config.resources.configs import ConfigOptions, SmsConfigs
from sms_config.resources.tenants import Tenants
from sms_config.resources.trunks import Trunks
from sms_config.storage.testing import InMemoryStore
from tests.config.world import CREDENTIALS, TRUNK

ADMIN = Caller("bootstrap", "bootstrap", frozenset({Scope.ADMIN}), None)


async def fill(store: InMemoryStore, ring: KeyRing, count: int = 1) -> None:
    """Store configurations sealed with the ring's first key."""
    changes = Changes(store, lambda: None)
    carriers = {name: make() for name, make in CARRIERS.items()}
    await Tenants(store, changes).create(ADMIN, {"id": "acme", "name": "Acme"})
    trunk = await Trunks(store, changes, carriers, most_of_tenant=0).create(ADMIN, {**TRUNK, "tenant_id": "acme"})
    configs = SmsConfigs(store, changes, ring, carriers, ConfigOptions("https://x", timedelta(0)))
    for n in range(count):
        body = {
            "name": f"C{n}",
            "provider_id": trunk.id,
            "credentials": CREDENTIALS,
            "callback": {"username": "u", "password": "p"},
        }
        await configs.create(ADMIN, body)
