"""The two internal snapshots: the configuration that ingress and the dispatcher hold in memory.

The snapshot of ingress has no secret with which one could send. Each rendering is kept until the version changes, by a
change in any process.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from pydantic import BaseModel, SecretStr

from sms_common.configuration import (
    CallbackCredentials,
    DidPool,
    DispatcherSnapshot,
    IngressSnapshot,
    SendingFields,
    SmsConfig,
    Tenant,
    WebhookEndpoint,
    WebhookToken,
)
from sms_common.garbage_collection import no_collection
from sms_common.telemetry import metrics
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.records import CALLBACK_PASSWORD, CREDENTIALS, SmsConfigRecord, TrunkRecord
from sms_config.resources.account_proofs import is_proved
from sms_config.resources.sealing import credentials_set, open_secret
from sms_config.snapshots.rule_snapshots import RuleFragments
from sms_config.storage.store_protocol import Everything, Store

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A snapshot as JSON, with the version it is of."""

    version: str
    body: bytes


class Snapshots:
    """Renders each snapshot once for every version."""

    def __init__(self, store: Store, ring: KeyRing) -> None:
        self._store = store
        self._ring = ring
        self._fragments = RuleFragments(_reveal)
        self._ingress = _Cache(store, self._for_ingress, with_rules=False)
        self._dispatcher = _Cache(store, self._for_dispatcher, with_rules=True)

    async def version(self) -> str:
        """Return the version of both snapshots now. Raises Unavailable."""
        return await self._store.snapshot_version()

    async def ingress(self) -> Rendered:
        """Return the newest IngressSnapshot. Raises Unavailable."""
        return await self._ingress.newest()

    async def dispatcher(self) -> Rendered:
        """Return the newest DispatcherSnapshot, with every secret in clear text. Raises Unavailable."""
        return await self._dispatcher.newest()

    def _for_ingress(self, everything: Everything) -> bytes:
        return to_json(ingress_snapshot(everything, self._ring))

    def _for_dispatcher(self, everything: Everything) -> bytes:
        for key_id in self._ring.ids:
            metrics.secret_key_records.labels(key_id).set(_sealed_with(everything, key_id))
        snapshot = dispatcher_snapshot(everything, self._ring)
        return to_json(snapshot, rules=self._fragments.of(everything))


def _sealed_with(everything: Everything, key_id: str) -> int:
    return sum(any(secret.key_id == key_id for secret in record.secrets.values()) for record in everything.configs)


class _Cache:
    """The newest rendering of one snapshot. It is rendered once, however many requests come at once."""

    def __init__(self, store: Store, render: Callable[[Everything], bytes], *, with_rules: bool) -> None:
        self._store = store
        self._render = render
        self._with_rules = with_rules
        self._kept: Rendered | None = None
        self._one_at_a_time = asyncio.Lock()

    async def newest(self) -> Rendered:
        version = await self._store.snapshot_version()
        if self._kept is not None and self._kept.version == version:
            return self._kept
        async with self._one_at_a_time:
            if self._kept is None or self._kept.version != version:
                everything = await self._store.everything(with_rules=self._with_rules)
                body = await asyncio.to_thread(self._without_collection, everything)
                self._kept = Rendered(everything.version, body)
            return self._kept

    def _without_collection(self, everything: Everything) -> bytes:
        with no_collection():
            return self._render(everything)


def ingress_snapshot(everything: Everything, ring: KeyRing) -> IngressSnapshot:
    """Return every webhook. Drafts and disabled configurations count too: receipts for sent messages still come."""
    trunks = {trunk.id: trunk for trunk in everything.trunks}
    endpoints = (_endpoint(record, trunks[record.provider_id], ring) for record in everything.configs)
    return IngressSnapshot(
        version=everything.version, endpoints=tuple(endpoint for endpoint in endpoints if endpoint is not None)
    )


def _endpoint(record: SmsConfigRecord, trunk: TrunkRecord, ring: KeyRing) -> WebhookEndpoint | None:
    callback = None
    if record.callback_username is not None:
        password = _opened(ring, record, CALLBACK_PASSWORD)
        if password is None:
            # Without its password the webhook would accept anyone, so it is left out.
            return None
        callback = CallbackCredentials(username=record.callback_username, password=password)
    former = (WebhookToken(sha256=token.sha256, valid_until=token.valid_until) for token in record.former_tokens)
    tokens = (WebhookToken(sha256=record.webhook_sha256), *former)
    return WebhookEndpoint(
        config_id=record.id, tenant_id=record.tenant_id, carrier=trunk.carrier, tokens=tokens, callback=callback
    )


def dispatcher_snapshot(everything: Everything, ring: KeyRing) -> DispatcherSnapshot:
    """Return all tenants, pools and configurations, oldest first, drafts too. Rules are rendered apart."""
    trunks = {trunk.id: trunk for trunk in everything.trunks}
    return DispatcherSnapshot(
        version=everything.version,
        tenants=tuple(
            Tenant(
                id=record.id,
                name=record.name,
                country=record.country,
                foreign_without_plus=record.foreign_without_plus,
                pbx_id=record.pbx_id,
                default_config_id=record.default_config_id,
            )
            for record in everything.tenants
        ),
        pools=tuple(
            DidPool(tenant_id=pool.tenant_id, trunk_id=trunk.id, numbers=pool.dids)
            for trunk in everything.trunks
            for pool in trunk.all_pools
            if pool.dids
        ),
        configs=tuple(_config(record, trunks[record.provider_id], ring) for record in everything.configs),
        retired_config_ids=tuple(retired.id for retired in everything.retired),
    )


def _config(record: SmsConfigRecord, trunk: TrunkRecord, ring: KeyRing) -> SmsConfig:
    pool = trunk.pool_of(record.tenant_id)
    opened = {name: _opened(ring, record, CREDENTIALS + name) for name in credentials_set(record)}
    return SmsConfig(
        id=record.id,
        tenant_id=record.tenant_id,
        carrier=trunk.carrier,
        trunk_id=trunk.id,
        trunk_owner=trunk.tenant_id,
        brand=trunk.brand,
        default_did=pool.default_did if pool else None,
        credentials={name: value for name, value in opened.items() if value is not None},
        account_proved=is_proved(ring, record, trunk),
        **{name: getattr(record, name) for name in SendingFields.model_fields},
    )


def _opened(ring: KeyRing, record: SmsConfigRecord, field: str) -> SecretStr | None:
    """Return a secret in clear text, or None: a broken one must stop its own configuration and no other."""
    try:
        return open_secret(ring, record, field)
    except SealBroken as broken:
        _log.error("secret.unreadable", config_id=record.id, field=field, reason=str(broken))
        return None


def to_json(snapshot: BaseModel, **fields: object) -> bytes:
    """Return a snapshot as JSON, with its secrets in clear text. `fields` replace its own."""
    return orjson.dumps({**snapshot.model_dump(), **fields}, default=_reveal)


def _reveal(value: Any) -> str | list[Any]:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"a snapshot holds no {type(value).__name__}")
