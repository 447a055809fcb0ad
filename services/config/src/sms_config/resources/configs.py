"""SMS configurations, with PortSIP's field names: the trunk that a tenant sends through, and the credentials for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog
from pydantic import SecretStr

from sms_common.carriers.declaration import Declaration
from sms_common.carriers.protocol import Carrier
from sms_common.configuration import PaceLimits, SmsConfigFields
from sms_config.access.auth import Caller
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.problems import Invalid
from sms_config.model.query import Clause, Column, Columns, Query, columns_of
from sms_config.model.records import (
    CALLBACK_PASSWORD,
    CREDENTIALS,
    WEBHOOK_TOKEN,
    SmsConfigRecord,
    TenantRecord,
    TrunkRecord,
)
from sms_config.resources.account_proofs import is_proved
from sms_config.resources.changes import Change, Changes, made_by, new_id, require, require_version
from sms_config.resources.sealing import Sealer, credentials_set, open_secret
from sms_config.resources.tenant_assets import assets_of, check_still_owned
from sms_config.schemas.bodies import JsonObject, Rotation, SmsCreate, SmsWrite, merge, parse
from sms_config.schemas.credentials import read_credentials
from sms_config.schemas.numbers import may_show, read_sender
from sms_config.schemas.views import CallbackView, SecretState, SmsView
from sms_config.storage.store_protocol import EVERYONE, Page, Store, StoreReader, Transaction

_log = structlog.get_logger()

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "tenant_id": Column("tenant_id"),
        "provider_id": Column("provider_id"),
        **columns_of(SmsConfigFields),
        "created_at": Column("created_at", "time"),
        "updated_at": Column("updated_at", "time"),
    },
    searched=("name", "sender_id"),
)
# Fields of a callback that only answers have. A body may repeat them unchanged.
_CALLBACK_READ_ONLY = frozenset(CallbackView.model_fields) - {"username"}
_SHARED_LIMITS = (
    "account_segments_per_second",
    "campaign_id",
    "campaign_segments_per_minute",
    "brand_id",
    "brand_segments_per_day",
)
_PLAIN_FIELDS = ("provider_id", *SmsConfigFields.model_fields)


@dataclass(frozen=True, slots=True)
class ConfigOptions:
    """`public_url`: the base of webhook URLs. `grace`: how long a webhook URL is still accepted after a
    rotation that names no time.
    """

    public_url: str
    grace: timedelta


class SmsConfigs:
    """Reads and changes SMS configurations."""

    def __init__(
        self, store: Store, changes: Changes, ring: KeyRing, carriers: Mapping[str, Carrier], options: ConfigOptions
    ) -> None:
        self._store = store
        self._changes = changes
        self._ring = ring
        self._carriers = carriers
        self._options = options

    async def find(self, caller: Caller, query: Query) -> Page[SmsConfigRecord]:
        """Return the SMS configurations of the caller's tenants."""
        return await self._store.find(SmsConfigRecord, query, caller.tenancy)

    async def read(self, caller: Caller, config_id: str) -> SmsConfigRecord:
        """One SMS configuration. Raises NotFound."""
        return await require(self._store, SmsConfigRecord, config_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> SmsConfigRecord:
        """Add an SMS configuration with its webhook. Without all credentials it is a draft. Raises Invalid."""
        body = parse(SmsCreate, given)
        config_id = new_id()

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            trunk = await _trunk(transaction, body, caller)
            tenant_id = _tenant_for_new(body, trunk, caller)
            _check_shared_limits(body.limits, PaceLimits(), trunk, caller)
            now = self._changes.clock()
            record = SmsConfigRecord(
                id=config_id,
                tenant_id=tenant_id,
                **await _values(transaction, body, trunk, tenant_id),
                webhook_sha256="",
                **made_by(caller, now),
            )
            record = Sealer(self._ring, now).new_token(record, timedelta(0))
            return Change("created", None, self._with_secrets(record, body, trunk))

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, config_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> SmsConfigRecord:
        """Change an SMS configuration.

        Raises NotFound, Invalid, VersionConflict; InUse when the new trunk lacks the caller id of a rule.
        """

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            before = await require_version(transaction, SmsConfigRecord, config_id, caller, version)
            old_trunk = await require(transaction, TrunkRecord, before.provider_id, caller)
            body = self._merged(given, before, old_trunk, replace=replace)
            trunk = await _trunk(transaction, body, caller)
            if trunk.pool_of(before.tenant_id) is None or trunk.carrier != old_trunk.carrier:
                raise Invalid.of(
                    "provider_id", "must be a trunk of the same tenant and carrier; the webhook URL holds both"
                )
            if trunk.id != old_trunk.id:
                has = await assets_of(transaction, before.tenant_id)
                moved = has.with_config(config_id, trunk.id)
                await check_still_owned(transaction, before.tenant_id, has, moved, "provider_id")
            known = before.limits if trunk.id == old_trunk.id else PaceLimits()
            _check_shared_limits(body.limits, known, trunk, caller)
            values = await _values(transaction, body, trunk, before.tenant_id)
            after = before.changed(self._changes.clock(), caller.id, **values)
            return Change("updated", before, self._with_secrets(after, body, trunk))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, config_id: str, *, version: int | None) -> None:
        """Delete an SMS configuration that no rule uses. If it was the tenant's default, the tenant then has none.

        Raises NotFound, InUse, VersionConflict.
        """

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            before = await require_version(transaction, SmsConfigRecord, config_id, caller, version)
            has = await assets_of(transaction, before.tenant_id)
            await check_still_owned(transaction, before.tenant_id, has, has.with_config(config_id, None))
            tenant = await transaction.get(TenantRecord, before.tenant_id, EVERYONE)
            also: tuple[Change[Any], ...] = ()
            if tenant is not None and tenant.default_config_id == config_id:
                also = (
                    Change("updated", tenant, tenant.changed(self._changes.clock(), caller.id, default_config_id=None)),
                )
            return Change("deleted", before, None, also)

        await self._changes.make(caller, work)

    async def switch(self, caller: Caller, config_id: str, *, enabled: bool) -> SmsConfigRecord:
        """Enable or disable an SMS configuration. Raises NotFound."""
        return await self.update(caller, config_id, {"enabled": enabled}, version=None, replace=False)

    async def rotate_webhook(self, caller: Caller, config_id: str, given: JsonObject) -> SmsConfigRecord:
        """Replace the webhook URL; the old one is accepted for a while longer. Raises NotFound, Invalid."""
        seconds = parse(Rotation, given).grace_seconds
        grace = self._options.grace if seconds is None else timedelta(seconds=seconds)

        async def work(transaction: Transaction) -> Change[SmsConfigRecord]:
            before = await require(transaction, SmsConfigRecord, config_id, caller)
            now = self._changes.clock()
            return Change("rotated", before, Sealer(self._ring, now).new_token(before.changed(now, caller.id), grace))

        return await self._changes.make(caller, work)

    async def views(self, records: Sequence[SmsConfigRecord]) -> list[SmsView]:
        """Return SMS configurations as the API shows them, with the names of their trunks."""
        ids = tuple({record.provider_id for record in records})
        found = await self._store.find(TrunkRecord, Query((Clause("id", "in", ids),)), EVERYONE)
        trunks = {trunk.id: trunk for trunk in found.items}
        # A trunk with configurations cannot be deleted. One is missing only if both were deleted between the two reads.
        return [self._view(record, trunks[record.provider_id]) for record in records if record.provider_id in trunks]

    def _merged(self, given: JsonObject, before: SmsConfigRecord, trunk: TrunkRecord, *, replace: bool) -> SmsWrite:
        base = {} if replace else before.model_dump(mode="json", include=set(_PLAIN_FIELDS))
        # This can change without an edit, so a body may repeat an old value.
        given = {name: value for name, value in given.items() if name != "account_proved"}
        shown = self._view(before, trunk)
        view = shown.model_dump(mode="json")
        if given.get("webhook") == without_token(shown).webhook:
            view["webhook"] = given.get("webhook")
        callback = given.get("callback")
        if isinstance(callback, dict) and view["callback"] is not None:
            repeated = {
                name for name in _CALLBACK_READ_ONLY if name in callback and callback[name] == view["callback"][name]
            }
            given = {**given, "callback": {name: value for name, value in callback.items() if name not in repeated}}
        return merge(SmsWrite, given, base=base, view=view)

    def _declared(self, trunk: TrunkRecord) -> Declaration:
        return self._carriers[trunk.carrier].declaration

    def _with_secrets(self, record: SmsConfigRecord, body: SmsWrite, trunk: TrunkRecord) -> SmsConfigRecord:
        sealer, declared = Sealer(self._ring, record.updated_at), self._declared(trunk)
        if "credentials" in body.model_fields_set:
            given = None if body.credentials is None else read_credentials(body.credentials, declared)
            record = sealer.credentials(record, given, declared.shown, audited=trunk.owner is not None)
        if "callback" in body.model_fields_set:
            if body.callback is not None and declared.callback is None:
                raise Invalid.of("callback", f"must be null: {declared.brand} presents no user and password")
            record = sealer.callback(record, body.callback)
        return record

    def _view(self, record: SmsConfigRecord, trunk: TrunkRecord) -> SmsView:
        missing = self._missing(record, trunk)
        former = [token.valid_until for token in record.former_tokens if token.valid_until > self._changes.clock()]
        return SmsView(
            **record.model_dump(
                include={
                    "id",
                    "tenant_id",
                    *_PLAIN_FIELDS,
                    "version",
                    "created_at",
                    "created_by",
                    "updated_at",
                    "updated_by",
                }
            ),
            state=_state(record, missing),
            missing=missing,
            provider_name=trunk.name,
            provider_brand=trunk.brand,
            provider_hostname=trunk.hostname,
            carrier=trunk.carrier,
            credentials_set=_credential_states(record, self._declared(trunk)),
            credentials_shown=self._shown(record, trunk),
            account_proved=None if trunk.owner is not None else is_proved(self._ring, record, trunk),
            callback=_callback_view(record),
            webhook=self._webhook(record, trunk),
            webhook_former_until=max(former, default=None),
        )

    def _missing(self, record: SmsConfigRecord, trunk: TrunkRecord) -> tuple[str, ...]:
        present = {name: SecretStr("set") for name in credentials_set(record)}
        return tuple(self._declared(trunk).missing(present))

    def _shown(self, record: SmsConfigRecord, trunk: TrunkRecord) -> dict[str, str]:
        """Return the credentials that are not secret, decrypted. On a lent trunk none: they are the lender's."""
        if trunk.owner is None:
            return {}
        found: dict[str, str] = {}
        for name in self._declared(trunk).shown:
            value = self._opened(record, CREDENTIALS + name)
            if value is not None:
                found[name] = value.get_secret_value()
        return found

    def _webhook(self, record: SmsConfigRecord, trunk: TrunkRecord) -> str | None:
        token = self._opened(record, WEBHOOK_TOKEN)
        base = f"{self._options.public_url}/webhooks/{trunk.carrier}"
        return None if token is None else f"{base}/{token.get_secret_value()}"

    def _opened(self, record: SmsConfigRecord, field: str) -> SecretStr | None:
        try:
            return open_secret(self._ring, record, field)
        except SealBroken as broken:
            _log.error("secret.unreadable", config_id=record.id, field=field, reason=str(broken))
            return None


def without_token(view: SmsView) -> SmsView:
    """Hide the webhook token from callers that may only read. Whoever has the token can post as the carrier."""
    if view.webhook is None:
        return view
    return view.model_copy(update={"webhook": f"{view.webhook.rpartition('/')[0]}/***"})


def _state(record: SmsConfigRecord, missing: tuple[str, ...]) -> Literal["draft", "active", "disabled"]:
    if missing:
        return "draft"
    return "active" if record.enabled else "disabled"


def _credential_states(record: SmsConfigRecord, declared: Declaration) -> dict[str, SecretState]:
    present = credentials_set(record)
    return {
        name: SecretState(set=True, changed_at=present[name].changed_at, last4=present[name].last4)
        if name in present
        else SecretState(set=False)
        for name in declared.names
    }


def _callback_view(record: SmsConfigRecord) -> CallbackView | None:
    if record.callback_username is None:
        return None
    password = record.secrets.get(CALLBACK_PASSWORD)
    return CallbackView(
        username=record.callback_username,
        password_set=password is not None,
        password_changed_at=password.changed_at if password else None,
    )


async def _trunk(reader: StoreReader, body: SmsWrite, caller: Caller) -> TrunkRecord:
    trunk = await reader.get(TrunkRecord, body.provider_id, caller.tenancy)
    if trunk is None:
        raise Invalid.of("provider_id", "is not a known trunk")
    return trunk


def _tenant_for_new(body: SmsCreate, trunk: TrunkRecord, caller: Caller) -> str:
    """Return the tenant that a new configuration on a trunk is for. Raises Invalid."""
    if trunk.tenant_id is not None:
        if body.tenant_id not in {None, trunk.tenant_id}:
            raise Invalid.of("tenant_id", "is not the tenant of the trunk")
        return trunk.tenant_id
    tenant_id = body.tenant_id or caller.only_tenant
    if tenant_id is None:
        raise Invalid.of("tenant_id", "is required: the trunk is lent to several tenants")
    if not caller.sees(tenant_id) or trunk.pool_of(tenant_id) is None:
        raise Invalid.of("tenant_id", "is not a tenant that the trunk is lent to")
    return tenant_id


def _check_shared_limits(wanted: PaceLimits, known: PaceLimits, trunk: TrunkRecord, caller: Caller) -> None:
    """On a lent trunk the tenants share account, campaigns and brands, so no single tenant may change their limits.

    Raises Invalid.
    """
    if trunk.tenant_id is not None or caller.tenancy is EVERYONE:
        return
    for name in _SHARED_LIMITS:
        if getattr(wanted, name) != getattr(known, name):
            raise Invalid.of(
                f"limits.{name}", "is shared by all tenants of this lent trunk; only a system administrator changes it"
            )


async def _values(reader: StoreReader, body: SmsWrite, trunk: TrunkRecord, tenant_id: str) -> dict[str, Any]:
    """Return a body's plain fields as they are stored, with the sender in international form. Raises Invalid."""
    tenant = await reader.get(TenantRecord, tenant_id, EVERYONE)
    assert tenant is not None, "a tenant with trunks cannot be deleted"
    values = {name: getattr(body, name) for name in _PLAIN_FIELDS}
    values["limits"] = PaceLimits.model_validate(body.limits.model_dump())
    if body.sender_id is not None:
        values["sender_id"] = read_sender(body.sender_id, tenant)
        if not may_show(trunk, tenant_id, values["sender_id"]):
            raise Invalid.of(
                "sender_id", "is not one of the tenant's own numbers on this trunk, which is lent to several tenants"
            )
    return values
