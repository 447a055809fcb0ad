"""The tenants resource: customers of the PBX. Only a caller for all tenants may add or remove one."""

from collections.abc import Mapping

from sms_common import phone
from sms_config.access.auth import Caller, Scope
from sms_config.model.problems import Forbidden, InUse, Invalid
from sms_config.model.query import Clause, Column, Columns, Query
from sms_config.model.records import ApiKeyRecord, SmsConfigRecord, TenantRecord, TrunkRecord, UserRecord
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.resources.changes import Change, Changes, made_by, new_id, require, require_version
from sms_config.schemas.bodies import JsonObject, TenantCreate, TenantWrite, merge, parse
from sms_config.schemas.views import TenantView
from sms_config.storage.store_protocol import EVERYONE, Page, Store, Transaction

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "name": Column("name"),
        "country": Column("country"),
        "time_zone": Column("time_zone"),
        "pbx_id": Column("pbx_id"),
        "default_config_id": Column("default_config_id"),
        "created_at": Column("created_at", "time"),
        "updated_at": Column("updated_at", "time"),
    },
    searched=("id", "name"),
)


class Tenants:
    """Reads and changes tenants."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def find(self, caller: Caller, query: Query) -> Page[TenantRecord]:
        """Return the caller's tenants."""
        return await self._store.find(TenantRecord, query, caller.tenancy)

    async def read(self, caller: Caller, tenant_id: str) -> TenantRecord:
        """One tenant. Raises NotFound."""
        return await require(self._store, TenantRecord, tenant_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> TenantRecord:
        """Add a tenant. Raises Invalid, Conflict, and Forbidden for a caller who is not for all tenants."""
        caller.require_all_tenants()
        body = parse(TenantCreate, given)
        if body.default_config_id is not None:
            raise Invalid.of("default_config_id", "a new tenant has no configuration yet")
        stamps = made_by(caller, self._changes.clock())
        record = TenantRecord(id=body.id or new_id(), **_values(body), **stamps)

        async def work(_: Transaction) -> Change[TenantRecord]:
            return Change("created", None, record)

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, tenant_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> TenantRecord:
        """Change a tenant. Raises NotFound, Invalid, VersionConflict; Forbidden to change its PBX without admin."""

        async def work(transaction: Transaction) -> Change[TenantRecord]:
            before = await require_version(transaction, TenantRecord, tenant_id, caller, version)
            base = {} if replace else {name: getattr(before, name) for name in TenantWrite.model_fields}
            body = merge(TenantWrite, given, base=base, view=view(before).model_dump(mode="json"))
            if body.pbx_id != before.pbx_id and (Scope.ADMIN not in caller.granted or caller.tenancy is not EVERYONE):
                raise Forbidden(
                    "Moving a tenant to another PBX needs a credential with the scope admin for all tenants."
                )
            await _check_default(transaction, body, tenant_id)
            return Change("updated", before, before.changed(self._changes.clock(), caller.id, **_values(body)))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, tenant_id: str, *, version: int | None) -> None:
        """Remove a tenant that nothing belongs to. Raises NotFound, Forbidden, InUse, VersionConflict."""
        caller.require_all_tenants()

        async def work(transaction: Transaction) -> Change[TenantRecord]:
            before = await require_version(transaction, TenantRecord, tenant_id, caller, version)
            await _check_unused(transaction, tenant_id)
            return Change("deleted", before, None)

        await self._changes.make(caller, work)


def view(record: TenantRecord) -> TenantView:
    """Return a tenant as the API shows it."""
    return TenantView.model_validate(record, from_attributes=True)


def _values(body: TenantWrite) -> Mapping[str, str | bool | None]:
    country = body.country.upper()
    if not phone.is_country(country):
        raise Invalid.of("country", "is not a country of ISO 3166, such as US")
    return {
        "name": body.name,
        "country": country,
        "foreign_without_plus": body.foreign_without_plus,
        "time_zone": body.time_zone,
        "pbx_id": body.pbx_id,
        "default_config_id": body.default_config_id,
    }


async def _check_default(transaction: Transaction, body: TenantWrite, tenant_id: str) -> None:
    if body.default_config_id is None:
        return
    if await transaction.get(SmsConfigRecord, body.default_config_id, frozenset({tenant_id})) is None:
        raise Invalid.of("default_config_id", "is not an SMS configuration of this tenant")


async def _check_unused(transaction: Transaction, tenant_id: str) -> None:
    """Raise InUse if anything is left. API keys count: they would give access to a later tenant with the same id."""
    mine = Query((Clause("tenant_id", "eq", (tenant_id,)),), top=1)
    counts = {
        "SMS configurations": (await transaction.find(SmsConfigRecord, mine, EVERYONE)).count,
        "trunks": (await transaction.find(TrunkRecord, Query(top=1), frozenset({tenant_id}))).count,
        "API keys": (
            await transaction.find(ApiKeyRecord, Query((Clause("tenants", "eq", (tenant_id,)),), top=1), EVERYONE)
        ).count,
        "users": (await transaction.find(UserRecord, mine, EVERYONE)).count,
        "inbound rules": (await transaction.find(InboundRuleRecord, mine, EVERYONE)).count,
        "outbound rules": (await transaction.find(OutboundRuleRecord, mine, EVERYONE)).count,
        "extensions": (await transaction.find(ExtensionRecord, mine, EVERYONE)).count,
    }
    used = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if used:
        raise InUse(f"The tenant still has {used}; delete these first.")
