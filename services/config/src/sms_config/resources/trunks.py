"""The trunks resource: a carrier connection and the pool of numbers that came with it. No two pools overlap."""

from collections.abc import Mapping
from typing import Any

from sms_common.carriers.protocol import Carrier
from sms_common.input.pasted import alike
from sms_common.phone import NumberPool
from sms_config.access.auth import Caller
from sms_config.model.problems import FieldProblem, Forbidden, InUse, Invalid, NameTaken
from sms_config.model.query import Clause, Column, Columns, Query
from sms_config.model.records import LentPool, SmsConfigRecord, TenantRecord, TrunkRecord
from sms_config.resources.changes import Change, Changes, check_version, made_by, new_id, require
from sms_config.resources.tenant_assets import assets_of, check_still_owned
from sms_config.schemas.bodies import JsonObject, LentPoolWrite, TrunkCreate, TrunkWrite, merge, parse
from sms_config.schemas.numbers import (
    PoolClaim,
    adds_numbers,
    check_disjoint,
    count_numbers,
    may_show,
    read_did,
    read_pool,
)
from sms_config.schemas.views import TrunkView
from sms_config.storage.store_protocol import EVERYONE, Page, Store, StoreReader, Transaction

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

_MAX_NAMED = 5


class Trunks:
    """Reads and changes trunks. `carriers` are those the gateway speaks to, by name. `most_of_tenant`: to how many
    numbers in all its trunks a tenant may go by itself.
    """

    def __init__(self, store: Store, changes: Changes, carriers: Mapping[str, Carrier], *, most_of_tenant: int) -> None:
        self._store = store
        self._changes = changes
        self._carriers = carriers
        self._most_of_tenant = most_of_tenant

    async def find(self, caller: Caller, query: Query) -> Page[TrunkRecord]:
        """Return the trunks of the caller's tenants and those lent to them, without what is other tenants'."""
        page = await self._store.find(TrunkRecord, query, caller.tenancy)
        return Page(tuple(record.seen_by(caller.tenancy) for record in page.items), page.count, page.more)

    async def read(self, caller: Caller, trunk_id: str) -> TrunkRecord:
        """One trunk. Raises NotFound."""
        return (await require(self._store, TrunkRecord, trunk_id, caller)).seen_by(caller.tenancy)

    async def create(self, caller: Caller, given: JsonObject) -> TrunkRecord:
        """Add a trunk. Raises Invalid, NameTaken, Overlap when one of its numbers belongs to another pool, and
        Forbidden for one of the system's by a caller who is not for all tenants.
        """
        body = parse(TrunkCreate, given)
        carrier = self._carrier(body)
        trunk_id = new_id()

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            owner = await _owner_for_new(transaction, caller, body)
            values = await _values(transaction, body, owner, trunk_id, caller)
            await self._check_size(transaction, caller, owner, values["dids"])
            stamps = made_by(caller, self._changes.clock())
            record = TrunkRecord(id=trunk_id, tenant_id=owner and owner.id, carrier=carrier, **values, **stamps)
            await _check_name(transaction, record)
            return Change("created", None, record)

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, trunk_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> TrunkRecord:
        """Change a trunk. Raises NotFound, Invalid, NameTaken, Overlap, VersionConflict; Forbidden for one that is lent
        to the caller; InUse when a rule, an extension or an SMS configuration would be left without its numbers.
        """

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            before = await _own(transaction, trunk_id, caller, version)
            base = {} if replace else before.model_dump(mode="json", include=set(TrunkWrite.model_fields))
            body = merge(TrunkWrite, given, base=base, view=view(before).model_dump(mode="json"))
            owner = before.tenant_id and await require(transaction, TenantRecord, before.tenant_id, caller)
            values = await _values(transaction, body, owner or None, trunk_id, caller)
            await self._check_size(transaction, caller, owner or None, values["dids"], before)
            after = before.changed(self._changes.clock(), caller.id, **values)
            if alike(after.name) != alike(before.name):
                await _check_name(transaction, after)
            await _check_still_used(transaction, before, after)
            return Change("updated", before, after)

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, trunk_id: str, *, version: int | None) -> None:
        """Remove a trunk that no SMS configuration, rule or extension uses. Raises NotFound, InUse, VersionConflict,
        and Forbidden for one that is lent to the caller.
        """

        async def work(transaction: Transaction) -> Change[TrunkRecord]:
            before = await _own(transaction, trunk_id, caller, version)
            users = await transaction.find(
                SmsConfigRecord, Query((Clause("provider_id", "eq", (trunk_id,)),), top=5), EVERYONE
            )
            if users.count:
                names = ", ".join(config.name for config in users.items)
                raise InUse(
                    f"The trunk is used by {users.count} SMS configurations ({names}); delete or move these first."
                )
            for tenant_id in before.concerns:
                has = await assets_of(transaction, tenant_id)
                await check_still_owned(transaction, tenant_id, has, has.with_pool(trunk_id, None))
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    async def _check_size(
        self,
        transaction: Transaction,
        caller: Caller,
        owner: TenantRecord | None,
        dids: str,
        before: TrunkRecord | None = None,
    ) -> None:
        """Raise Invalid when a tenant's administrator enters too many numbers.

        Nothing proves that they are the tenant's own, so a tenant must not be able to claim many numbers of others.
        """
        had = "" if before is None else before.dids
        if owner is None or caller.administers or not adds_numbers(dids, had):
            return
        mine = Query((Clause("tenant_id", "eq", (owner.id,)),), top=None)
        owned = sum(count_numbers(one.dids) for one in (await transaction.find(TrunkRecord, mine, EVERYONE)).items)
        count = owned - count_numbers(had) + count_numbers(dids)
        if count > self._most_of_tenant:
            said = (
                f"would make {count} numbers in the tenant's own trunks; a tenant enters {self._most_of_tenant} at most"
            )
            raise Invalid.of("dids", f"{said}, and only a system administrator more")

    def _carrier(self, body: TrunkCreate) -> str:
        """Return the carrier that is named, or the one that the brand names, in any case."""
        wanted = (body.carrier or body.brand).casefold()
        brands = {carrier.declaration.brand.casefold(): name for name, carrier in self._carriers.items()}
        carrier = brands.get(wanted, wanted) if body.carrier is None else wanted
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


async def _owner_for_new(transaction: Transaction, caller: Caller, body: TrunkCreate) -> TenantRecord | None:
    """Return the tenant of a new trunk, or None for one of the system's."""
    if body.pools is None:
        return await owner_for_new(transaction, caller, body.tenant_id)
    caller.require_all_tenants()
    if body.tenant_id is not None:
        raise Invalid.of("tenant_id", "must be empty: a trunk with pools is the system's")
    return None


async def _own(transaction: Transaction, trunk_id: str, caller: Caller, version: int | None) -> TrunkRecord:
    """Return a trunk of this version that the caller may change. Raises NotFound, Forbidden, VersionConflict."""
    record = await require(transaction, TrunkRecord, trunk_id, caller)
    if record.owner is None and caller.tenancy is not EVERYONE:
        raise Forbidden("This trunk is lent to you; only a system administrator changes it.")
    # Only now: what was changed of a lent trunk is not for a borrower to know.
    await check_version(transaction, record, version)
    return record


async def _check_name(reader: StoreReader, trunk: TrunkRecord) -> None:
    """Raise NameTaken when another trunk of its owner has a name that a person takes for the same.

    Rules and files name trunks; those that were called alike before this was checked keep their names.
    """
    mine = (Clause("tenant_id", "eq", (trunk.tenant_id,)), Clause("id", "ne", (trunk.id,)))
    others = (await reader.find(TrunkRecord, Query(mine), EVERYONE)).items
    same = next((other for other in others if alike(other.name) == alike(trunk.name)), None)
    if same is not None:
        said = f"is taken by another trunk ({same.id}), whose name looks the same"
        raise NameTaken(f"Another trunk is called {same.name}.", [FieldProblem(field="name", message=said)])


async def _values(
    transaction: Transaction, body: TrunkWrite, owner: TenantRecord | None, trunk_id: str, caller: Caller
) -> Mapping[str, Any]:
    plain = {"name": body.name, "brand": body.brand, "hostname": body.hostname}
    if owner is None:
        claims, pools = await _lent(transaction, body)
        own: Mapping[str, Any] = {"dids": "", "default_did": None, "pools": pools, "account": body.account}
    elif body.account is not None:
        raise Invalid.of("account", "must be null: only a trunk that is lent names its account")
    else:
        pool, default = _own_numbers(body, owner)
        claims, own = [PoolClaim(owner.id, pool)], {"dids": str(pool), "default_did": default}
    # All trunks are read in the transaction that writes this one, so two overlapping pools saved at once do not pass.
    others = await transaction.find(TrunkRecord, Query(top=None), EVERYONE)
    check_disjoint(claims, trunk_id, others.items, caller)
    return {**plain, **own}


def _own_numbers(body: TrunkWrite, owner: TenantRecord) -> tuple[NumberPool, str | None]:
    if body.pools is not None:
        raise Invalid.of("pools", "must be null: the trunk is one tenant's own")
    pool = read_pool(body.dids, owner)
    return pool, None if body.default_did is None else read_did(body.default_did, pool, owner)


async def _lent(transaction: Transaction, body: TrunkWrite) -> tuple[list[PoolClaim], tuple[LentPool, ...]]:
    """Read the pools of a trunk of the system. Raises Invalid."""
    if body.dids or body.default_did is not None or body.pools is None:
        field = "pools" if body.pools is None else "dids" if body.dids else "default_did"
        raise Invalid.of(field, "a trunk of the system has its numbers in pools, one pool for each tenant")
    claims: list[PoolClaim] = []
    pools: list[LentPool] = []
    for place, entry in enumerate(body.pools):
        tenant = await transaction.get(TenantRecord, entry.tenant_id, EVERYONE)
        if tenant is None or any(pool.tenant_id == entry.tenant_id for pool in pools):
            said = "is not a known tenant" if tenant is None else "has a pool of this trunk already"
            raise Invalid.of(f"pools.{place}.tenant_id", said)
        claim, lent = _lent_pool(entry, tenant, f"pools.{place}")
        claims.append(claim)
        pools.append(lent)
    return claims, tuple(pools)


def _lent_pool(entry: LentPoolWrite, tenant: TenantRecord, at: str) -> tuple[PoolClaim, LentPool]:
    pool = read_pool(entry.dids, tenant, f"{at}.dids")
    default = entry.default_did and read_did(entry.default_did, pool, tenant, f"{at}.default_did")
    return PoolClaim(tenant.id, pool, f"{at}.dids"), LentPool(tenant_id=tenant.id, dids=str(pool), default_did=default)


async def _check_still_used(transaction: Transaction, before: TrunkRecord, after: TrunkRecord) -> None:
    """Raise InUse when a tenant would lose numbers, or the trunk, that something of it uses."""
    for pool in before.all_pools:
        left = after.pool_of(pool.tenant_id)
        if left is not None and left.dids == pool.dids:
            continue
        if before.owner is None:
            await _check_configs(transaction, after, pool.tenant_id)
        has = await assets_of(transaction, pool.tenant_id)
        now = has.with_pool(before.id, None if left is None else NumberPool.parse(left.dids, "US"))
        await check_still_owned(transaction, pool.tenant_id, has, now, _field_of(after, pool.tenant_id))


def _field_of(written: TrunkRecord, tenant_id: str) -> str:
    """Return where the request says which numbers a tenant has; a trunk has its pools in the request's order."""
    if written.owner is not None:
        return "dids"
    borrowers = written.concerns
    return f"pools.{borrowers.index(tenant_id)}.dids" if tenant_id in borrowers else "pools"


async def _check_configs(transaction: Transaction, after: TrunkRecord, tenant_id: str) -> None:
    """Raise InUse when configurations of a borrower would be left without the trunk, or without their sender."""
    mine = (Clause("provider_id", "eq", (after.id,)), Clause("tenant_id", "eq", (tenant_id,)))
    configs = (await transaction.find(SmsConfigRecord, Query(mine), EVERYONE)).items
    gone = after.pool_of(tenant_id) is None
    users = [one for one in configs if gone or (one.sender_id and not may_show(after, tenant_id, one.sender_id))]
    if users:
        names = ", ".join(config.name for config in users[:_MAX_NAMED])
        what = "are on this trunk" if gone else "send as a number that would be taken away"
        said = f"{len(users)} SMS configurations of the tenant {tenant_id} {what} ({names}); change these first."
        raise InUse(said, [FieldProblem(field=_field_of(after, tenant_id), message=f"must hold what {tenant_id} uses")])
