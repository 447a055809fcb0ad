"""The API keys resource. A key is shown once, when it is made. Nobody grants more rights than they have."""

from collections.abc import Sequence

from sms_config.access.auth import Caller, new_key
from sms_config.model.problems import Invalid
from sms_config.model.query import Clause, Column, Columns, Query
from sms_config.model.records import ApiKeyRecord, TenantRecord
from sms_config.resources.changes import Change, Changes, made_by, new_id, require, require_version
from sms_config.schemas.bodies import ApiKeyWrite, JsonObject, merge, parse
from sms_config.schemas.views import ApiKeyView, NewApiKeyView
from sms_config.storage.store_protocol import Page, Store, Transaction

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "name": Column("name"),
        "prefix": Column("prefix"),
        "expires_at": Column("expires_at", "time"),
        "last_used_at": Column("last_used_at", "time"),
        "created_at": Column("created_at", "time"),
        "updated_at": Column("updated_at", "time"),
    },
    searched=("name", "prefix"),
)


class ApiKeys:
    """Reads and changes API keys."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def find(self, caller: Caller, query: Query) -> Page[ApiKeyRecord]:
        """Return the keys that are limited to the caller's tenants."""
        return await self._store.find(ApiKeyRecord, query, caller.tenancy)

    async def read(self, caller: Caller, key_id: str) -> ApiKeyRecord:
        """One key. Raises NotFound."""
        return await require(self._store, ApiKeyRecord, key_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> NewApiKeyView:
        """Make a key and show it. Raises Invalid, Forbidden."""
        body = parse(ApiKeyWrite, given)
        made, key_id = new_key(), new_id()

        async def work(transaction: Transaction) -> Change[ApiKeyRecord]:
            values = await self._values(transaction, caller, body)
            values |= made_by(caller, self._changes.clock())
            return Change("created", None, ApiKeyRecord(id=key_id, prefix=made.prefix, sha256=made.sha256, **values))

        record = await self._changes.make(caller, work)
        return NewApiKeyView(**view(record).model_dump(), key=made.key.get_secret_value())

    async def update(
        self, caller: Caller, key_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> ApiKeyRecord:
        """Change a key's name, rights or expiry. Raises NotFound, Invalid, Forbidden, VersionConflict."""

        async def work(transaction: Transaction) -> Change[ApiKeyRecord]:
            before = await require_version(transaction, ApiKeyRecord, key_id, caller, version)
            shown = view(before).model_dump(mode="json")
            base = {} if replace else {name: shown[name] for name in ApiKeyWrite.model_fields}
            body = merge(ApiKeyWrite, given, base=base, view=shown)
            values = await self._values(transaction, caller, body, before)
            return Change("updated", before, before.changed(self._changes.clock(), caller.id, **values))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, key_id: str, *, version: int | None) -> None:
        """Revoke a key. Raises NotFound, VersionConflict."""

        async def work(transaction: Transaction) -> Change[ApiKeyRecord]:
            before = await require_version(transaction, ApiKeyRecord, key_id, caller, version)
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    async def _values(
        self, transaction: Transaction, caller: Caller, body: ApiKeyWrite, before: ApiKeyRecord | None = None
    ) -> dict[str, object]:
        expiry = body.expires_at
        if expiry is not None:
            expiry = expiry.replace(microsecond=expiry.microsecond // 1000 * 1000)
            if expiry <= self._changes.clock() and (before is None or before.expires_at != expiry):
                raise Invalid.of("expires_at", "is in the past")
        if body.tenants is None:
            caller.require_all_tenants()
        else:
            await _check_tenants(transaction, caller, body.tenants)
        tenants = None if body.tenants is None else tuple(sorted(set(body.tenants)))
        scopes = tuple(sorted({scope.value for scope in body.scopes}))
        return {"name": body.name, "scopes": scopes, "tenants": tenants, "expires_at": expiry}


def view(record: ApiKeyRecord) -> ApiKeyView:
    """Return a key as the API shows it, without the key."""
    return ApiKeyView.model_validate(record, from_attributes=True)


async def _check_tenants(transaction: Transaction, caller: Caller, tenants: Sequence[str]) -> None:
    known = await transaction.find(TenantRecord, Query((Clause("id", "in", tuple(tenants)),)), caller.tenancy)
    unknown = sorted(set(tenants) - {tenant.id for tenant in known.items})
    if unknown:
        raise Invalid.of("tenants", f"holds unknown tenants: {', '.join(unknown)}")
