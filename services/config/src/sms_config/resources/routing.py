"""The default routing of a tenant: time zone, office hours, holidays, blocked senders, rights of unlisted extensions.

There is one for each tenant. It is stored in the tenant's record.
"""

import asyncio
from typing import Any

from sms_common.rules import InvalidMask, WeeklyHours
from sms_common.rules.writing import international
from sms_config.access.auth import Caller
from sms_config.model.problems import Invalid
from sms_config.model.records import TenantRecord
from sms_config.resources.changes import Change, Changes, require, require_version
from sms_config.schemas.bodies import JsonObject, merge
from sms_config.schemas.rule_bodies import RoutingWrite
from sms_config.schemas.views import RoutingView
from sms_config.storage.store_protocol import Store, Transaction

_UTC = "UTC"


class DefaultRouting:
    """Reads and changes the default routing of tenants."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def read(self, caller: Caller, tenant_id: str | None) -> TenantRecord:
        """Return the named tenant, or the caller's only one. Raises Invalid, NotFound."""
        return await require(self._store, TenantRecord, _named(caller, tenant_id), caller)

    async def update(
        self, caller: Caller, tenant_id: str | None, given: JsonObject, *, version: int | None, replace: bool
    ) -> TenantRecord:
        """Change a tenant's default routing. Raises NotFound, Invalid, VersionConflict."""
        wanted = _named(caller, tenant_id)

        async def work(transaction: Transaction) -> Change[TenantRecord]:
            before = await require_version(transaction, TenantRecord, wanted, caller, version)
            shown = view(before).model_dump(mode="json")
            base = {} if replace else {name: shown[name] for name in RoutingWrite.model_fields}
            body = merge(RoutingWrite, given, base=base, view=shown)
            # Blocked senders that are stored but would be refused now must not prevent other changes.
            blocked = body.blocked_senders if replace or "blocked_senders" in given else None
            values = {**_values(body, before), **await asyncio.to_thread(_blocked, blocked, before.country)}
            return Change("updated", before, before.changed(self._changes.clock(), caller.id, **values))

        return await self._changes.make(caller, work)


def _named(caller: Caller, tenant_id: str | None) -> str:
    wanted = tenant_id or caller.only_tenant
    if wanted is None:
        raise Invalid.of("tenant_id", "is required with a credential for several tenants")
    return wanted


def _values(body: RoutingWrite, before: TenantRecord) -> dict[str, Any]:
    return {
        "time_zone": None if before.time_zone is None and body.time_zone == _UTC else body.time_zone,
        "hours": None if body.hours is None else WeeklyHours.model_validate(body.hours.model_dump()),
        "holidays": tuple(body.holidays),
        "unlisted_extensions": body.unlisted_extensions,
    }


def _blocked(written: str | None, country: str) -> dict[str, str]:
    """Return the new blocked senders; nothing when the request does not change them. Raises Invalid."""
    if written is None:
        return {}
    try:
        return {"blocked_senders": international(written, country)}
    except InvalidMask as invalid:
        raise Invalid.of("blocked_senders", str(invalid)) from None


def view(record: TenantRecord) -> RoutingView:
    """Return a tenant's default routing as the API shows it."""
    stored = record.model_dump(mode="json")
    shown = {name: stored[name] for name in RoutingView.model_fields if name in stored}
    return RoutingView.model_validate({**shown, "tenant_id": record.id, "time_zone": record.time_zone or _UTC})
