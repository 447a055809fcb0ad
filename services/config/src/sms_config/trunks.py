"""The trunks resource: a carrier connection and the pool of numbers that came with it. No two pools overlap."""

from collections.abc import Mapping
from typing import Any

from sms_common.carriers.protocol import Carrier
from sms_config.auth import Caller
from sms_config.bodies import JsonObject, TrunkCreate, TrunkWrite, merge, parse
from sms_config.changes import Change, Changes, check_version, new_id, require
from sms_config.numbers import check_disjoint, read_did, read_pool
from sms_config.problems import InUse, Invalid
from sms_config.query import Clause, Column, Columns, Query
from sms_config.records import SmsConfigRecord, TenantRecord, TrunkRecord
from sms_config.store_protocol import EVERYONE, Page, Store, Transaction
from sms_config.views import TrunkView

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "tenant_id": Column("tenant_id"),
        "name": Column("name"),
        "brand": Column("brand"),
        "carrier": Column("carrier"),
        "hostname": Column("hostname"),
        "dids": Column("dids"),
        "default_did": Column("default_did"),
        "created_at": Column("created_at", "time"),
        "updated_at": Column("updated_at", "time"),
    },
    searched=("name", "brand", "hostname", "dids"),
)


class Trunks:
    """Reads and changes trunks. `carriers` are those the gateway speaks to, by name."""

    def __init__(self, store: Store, changes: Changes, carriers: Mapping[str, Carrier]) -> None:
        self._store = store
        self._changes = changes
        self._carriers = carriers

    async def find(self, caller: Caller, query: Query) -> Page[TrunkRecord]:
        """Return the trunks of the caller's tenants."""
        return await self._store.find(TrunkRecord, query, caller.tenancy)

    async def read(self, caller: Caller, trunk_id: str) -> TrunkRecord:
        """One trunk. Raises NotFound."""
        return await require(self._store, TrunkRecord, trunk_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> TrunkRecord:
        """Add a trunk. Raises Invalid, and Overlap when one of its numbers belongs to another pool."""
        body = parse(TrunkCreate, given)
        carrier = self._carrier(body)
        trunk_id = new_id()

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            tenant = await owner_for_new(transaction, caller, body.tenant_id)
            values = await _values(transaction, body, tenant, trunk_id, caller)
            now = self._changes.clock()
            stamps = {"created_at": now, "created_by": caller.id, "updated_at": now, "updated_by": caller.id}
            return Change(
                "created", None, TrunkRecord(id=trunk_id, tenant_id=tenant.id, carrier=carrier, **values, **stamps)
            )

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, trunk_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> TrunkRecord:
        """Change a trunk. Raises NotFound, Invalid, Overlap, VersionConflict."""

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            before = await require(transaction, TrunkRecord, trunk_id, caller)
            await check_version(transaction, before, version)
            base = {} if replace else {name: getattr(before, name) for name in TrunkWrite.model_fields}
            body = merge(TrunkWrite, given, base=base, view=view(before).model_dump(mode="json"))
            tenant = await require(transaction, TenantRecord, before.tenant_id, caller)
            values = await _values(transaction, body, tenant, trunk_id, caller)
            return Change("updated", before, before.changed(self._changes.clock(), caller.id, **values))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, trunk_id: str, *, version: int | None) -> None:
        """Remove a trunk that no SMS configuration uses. Raises NotFound, InUse, VersionConflict."""

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            before = await require(transaction, TrunkRecord, trunk_id, caller)
            await check_version(transaction, before, version)
            users = await transaction.find(
                SmsConfigRecord, Query((Clause("provider_id", "eq", (trunk_id,)),), top=5), EVERYONE
            )
            if users.count:
                names = ", ".join(config.name for config in users.items)
                raise InUse(
                    f"The trunk is used by {users.count} SMS configurations ({names}); delete or move these first."
                )
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    def _carrier(self, body: TrunkCreate) -> str:
        """Return the carrier a brand stands for: its own name, in any case."""
        carrier = (body.carrier or body.brand).lower()
        if carrier not in self._carriers:
            field = "carrier" if body.carrier else "brand"
            raise Invalid.of(field, f"is none of the carriers known here: {', '.join(sorted(self._carriers))}")
        return carrier


def view(record: TrunkRecord) -> TrunkView:
    """Return a trunk as the API shows it."""
    return TrunkView.model_validate(record, from_attributes=True)


async def owner_for_new(transaction: Transaction, caller: Caller, tenant_id: str | None) -> TenantRecord:
    """Return the named tenant if it is the caller's, or the caller's only one. Raises Invalid."""
    tenant_id = tenant_id or caller.only_tenant
    if tenant_id is None:
        raise Invalid.of("tenant_id", "is required with a credential for several tenants")
    tenant = await transaction.get(TenantRecord, tenant_id, caller.tenancy)
    if tenant is None:
        raise Invalid.of("tenant_id", "is not a known tenant")
    return tenant


async def _values(
    transaction: Transaction, body: TrunkWrite, tenant: TenantRecord, trunk_id: str, caller: Caller
) -> Mapping[str, Any]:
    pool = read_pool(body.dids, tenant.country)
    default = None if body.default_did is None else read_did(body.default_did, pool, tenant.country)
    # All trunks are read in the transaction that writes this one, so two overlapping pools saved at once do not pass.
    others = await transaction.find(TrunkRecord, Query(top=None), EVERYONE)
    check_disjoint(pool, (trunk for trunk in others.items if trunk.id != trunk_id), caller)
    return {
        "name": body.name,
        "brand": body.brand,
        "hostname": body.hostname,
        "dids": str(pool),
        "default_did": default,
    }
