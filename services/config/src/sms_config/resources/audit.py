"""The audit resource: who changed what. It is read-only; each record is written with its change."""

from collections.abc import Mapping
from contextlib import suppress

from sms_config.access.auth import Caller
from sms_config.model.keyring import KeyRing, SealBroken
from sms_config.model.query import Column, Columns, Order, Query
from sms_config.model.records import AuditRecord, StoredSecret
from sms_config.resources.changes import require
from sms_config.schemas.views import AuditView
from sms_config.storage.store_protocol import Page, Store

COLUMNS = Columns(
    by_name={
        "id": Column("id"),
        "at": Column("at", "time"),
        "actor": Column("actor"),
        "actor_name": Column("actor_name"),
        "request_id": Column("request_id"),
        "tenant_id": Column("tenant_id"),
        "kind": Column("kind"),
        "object_id": Column("object_id"),
        "action": Column("action"),
    },
    searched=("actor_name", "object_id"),
    order=(Order("at", descending=True),),
)


class Audit:
    """Reads audit records. `ring` opens what may be shown of what is sealed."""

    def __init__(self, store: Store, ring: KeyRing) -> None:
        self._store = store
        self._ring = ring

    async def find(self, caller: Caller, query: Query) -> Page[AuditRecord]:
        """Return the records about the caller's tenants, by default the newest first."""
        return await self._store.find(AuditRecord, query, caller.tenancy)

    async def read(self, caller: Caller, record_id: str) -> AuditRecord:
        """One record. Raises NotFound."""
        return await require(self._store, AuditRecord, record_id, caller)

    def view(self, record: AuditRecord) -> AuditView:
        """Return an audit record as the API shows it."""
        fields = record.model_dump(exclude={"shown_before", "shown_after"})
        before, after = self._opened(record, record.shown_before), self._opened(record, record.shown_after)
        return AuditView(**fields, credentials_before=before, credentials_after=after)

    def _opened(self, record: AuditRecord, shown: Mapping[str, StoredSecret]) -> dict[str, str]:
        """The values in the clear, by their fields. One whose key has left the ring is left out."""
        found: dict[str, str] = {}
        for field, secret in shown.items():
            with suppress(SealBroken):
                found[field] = self._ring.open(secret.sealed, record.place(field)).get_secret_value()
        return found
