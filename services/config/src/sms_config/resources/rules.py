"""The resources inbound rules, outbound rules and extensions, which are stored and changed in the same way."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from sms_common.phone import InvalidNumber, normalise
from sms_common.rules import ActionKind, InboundRule, InvalidMask, OutboundRule
from sms_common.rules.extensions import extension_mask, single_extension
from sms_common.rules.prefixes import impossible_lengths, international_prefixes
from sms_common.rules.writing import international
from sms_config.access.auth import Caller
from sms_config.model.problems import Conflict, FieldProblem, Invalid
from sms_config.model.query import Clause, Column, Columns, Order, Query
from sms_config.model.records import TenantRecord
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.resources.changes import Change, Changes, made_by, new_id, require, require_version
from sms_config.resources.tenant_assets import assets_of, not_owned
from sms_config.resources.trunks import owner_for_new
from sms_config.schemas.bodies import Body, JsonObject, merge, parse
from sms_config.schemas.rule_bodies import (
    ExtensionCreate,
    ExtensionWrite,
    InboundRuleCreate,
    InboundRuleWrite,
    OutboundRuleCreate,
    OutboundRuleWrite,
)
from sms_config.storage.store_protocol import EVERYONE, Page, Store, StoreReader, Transaction

MAX_RULES = 2_000
MAX_EXTENSIONS = 10_000
K = TypeVar("K", InboundRuleRecord, OutboundRuleRecord, ExtensionRecord)
# Patterns, and numbers as a spreadsheet shows them: 101.0 for 101.
_NO_DESTINATION = re.compile(r"[0-9]+(?:[xnz][0-9xnz]*|\.0*|(?:\.[0-9]+)?e\+[0-9]+|\.[0-9]+e[0-9]+)", re.IGNORECASE)
_BY_PRIORITY = (Order("priority"), Order("created_at"))
_STAMPED = {
    "id": Column("id"),
    "tenant_id": Column("tenant_id"),
    "created_at": Column("created_at", "time"),
    "updated_at": Column("updated_at", "time"),
}
INBOUND_COLUMNS = Columns(
    by_name={
        **_STAMPED,
        "name": Column("name"),
        "enabled": Column("enabled", "boolean"),
        "priority": Column("priority", "integer"),
        "did_numbers": Column("did_numbers"),
        "caller_mask": Column("caller_mask"),
    },
    searched=("name", "did_numbers", "caller_mask"),
    order=_BY_PRIORITY,
)
OUTBOUND_COLUMNS = Columns(
    by_name={
        **_STAMPED,
        "name": Column("name"),
        "enabled": Column("enabled", "boolean"),
        "priority": Column("priority", "integer"),
        "prefixes": Column("prefixes"),
        "extensions": Column("extensions"),
        "strategy": Column("strategy"),
    },
    searched=("name", "prefixes", "extensions"),
    order=_BY_PRIORITY,
)
EXTENSION_COLUMNS = Columns(
    by_name={**_STAMPED, "extension": Column("extension"), "permission": Column("permission")},
    searched=("extension",),
    order=(Order("extension"),),
)


@dataclass(frozen=True, slots=True)
class RuleKind(Generic[K]):
    """What differs between the three: models, how many a tenant may have, and how a request is read.

    `read` returns the record with its numbers in international form, and the problems of the record in itself.
    `check_unique` raises Conflict when the name must be unique and is taken.
    """

    record: type[K]
    new: type[Body]
    write: type[Body]
    max_count: int
    read: Callable[[K, "_RuleReading"], tuple[K, list[FieldProblem]]]
    check_unique: Callable[[StoreReader, K], Awaitable[None]]


class RuleResource(Generic[K]):
    """Reads and changes one of the three kinds."""

    def __init__(self, store: Store, changes: Changes, kind: RuleKind[K]) -> None:
        self._store = store
        self._changes = changes
        self._kind: RuleKind[K] = kind

    async def find(self, caller: Caller, query: Query) -> Page[K]:
        """Return the records of the caller's tenants."""
        return await self._store.find(self._kind.record, query, caller.tenancy)

    async def read(self, caller: Caller, record_id: str) -> K:
        """Return one record. Raises NotFound."""
        return await require(self._store, self._kind.record, record_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> K:
        """Add a record. Raises Invalid, and Conflict when there are too many or the extension exists."""
        body = parse(self._kind.new, given)
        values = body.model_dump()
        tenant_id, record_id = values.pop("tenant_id"), new_id()

        async def work(transaction: Transaction) -> Change[K]:
            tenant = await owner_for_new(transaction, caller, tenant_id)
            await self._check_count(transaction, tenant.id)
            stamps = made_by(caller, self._changes.clock())
            record = self._kind.record.model_validate({"id": record_id, "tenant_id": tenant.id, **values, **stamps})
            named = frozenset(self._kind.write.model_fields)
            return Change("created", None, await self._checked(transaction, record, tenant, named))

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, record_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> K:
        """Change a record. Raises NotFound, Invalid, VersionConflict, and Conflict when the extension exists."""

        async def work(transaction: Transaction) -> Change[K]:
            before = await require_version(transaction, self._kind.record, record_id, caller, version)
            tenant = await require(transaction, TenantRecord, before.tenant_id, caller)
            shown = before.model_dump(mode="json")
            base = {} if replace else {name: shown[name] for name in self._kind.write.model_fields}
            values = merge(self._kind.write, given, base=base, view=shown).model_dump()
            stored = {name: getattr(before, name) for name in self._kind.record.model_fields}
            after = self._kind.record.model_validate({**stored, **values})
            named = frozenset(self._kind.write.model_fields if replace else given)
            after = await self._checked(transaction, after, tenant, named)
            return Change("updated", before, after.changed(self._changes.clock(), caller.id))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, record_id: str, *, version: int | None) -> None:
        """Remove a record. Raises NotFound, VersionConflict."""

        async def work(transaction: Transaction) -> Change[K]:
            before = await require_version(transaction, self._kind.record, record_id, caller, version)
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    async def _check_count(self, reader: StoreReader, tenant_id: str) -> None:
        mine = Query((Clause("tenant_id", "eq", (tenant_id,)),), top=1)
        if (await reader.find(self._kind.record, mine, EVERYONE)).count >= self._kind.max_count:
            raise Conflict(f"A tenant may have {self._kind.max_count} {self._kind.record.NOUN}s.")

    async def _checked(self, reader: StoreReader, written: K, tenant: TenantRecord, named: frozenset[str]) -> K:
        """Return the record to store. Raises Invalid with everything that is wrong, Conflict.

        `named` are the fields that the request changes. The others are not checked: a stored mask that would be refused
        now must not prevent other changes.
        """
        # In a thread, because a list of hundreds of patterns takes a second to read.
        record, errors = await asyncio.to_thread(self._kind.read, written, _RuleReading(tenant.country, named))
        reported = {error.field for error in errors}
        assets = await assets_of(reader, tenant.id)
        errors += [error for error in not_owned(record, assets) if error.field not in reported]
        if errors:
            raise Invalid(errors)
        await self._kind.check_unique(reader, record)
        return record


@dataclass(frozen=True, slots=True)
class _RuleReading:
    """How a request is read: with the tenant's country, and only the fields that the request changes."""

    country: str
    named: frozenset[str]

    def text(self, field: str, kept: str, read: Callable[[str, str], str], errors: list[FieldProblem]) -> str:
        """Return a field in the form in which it is stored. A problem is added to `errors`."""
        if field not in self.named:
            return kept
        try:
            return read(kept, self.country)
        except InvalidMask as invalid:
            errors.append(FieldProblem(field=field, message=str(invalid)))
            return ""


async def _not_unique(_reader: StoreReader, _record: K) -> None:
    """Accept any name: several records may have the same."""


async def _check_extension(reader: StoreReader, record: ExtensionRecord) -> None:
    clauses = (
        Clause("tenant_id", "eq", (record.tenant_id,)),
        Clause("extension", "eq", (record.extension,)),
        Clause("id", "ne", (record.id,)),
    )
    if (await reader.find(ExtensionRecord, Query(clauses, top=1), EVERYONE)).count:
        raise Conflict("The tenant has this extension already.", [FieldProblem(field="extension", message="is taken")])


def _read_inbound(rule: InboundRuleRecord, reading: _RuleReading) -> tuple[InboundRuleRecord, list[FieldProblem]]:
    errors: list[FieldProblem] = []
    numbers = {
        "did_numbers": reading.text("did_numbers", rule.did_numbers, international, errors),
        "caller_mask": reading.text("caller_mask", rule.caller_mask, international, errors),
    }
    rule = rule.model_copy(update=numbers)
    readable = not errors  # otherwise the size of destinations cannot be checked
    for name, action in (("office", rule.office), ("outside", rule.outside), ("holiday", rule.holiday)):
        if action is None or action.kind is ActionKind.DISCARD:
            continue
        said = (
            _engine_error(partial(InboundRule, id="", did_numbers=rule.did_numbers, office=action))
            if readable
            else None
        )
        if not action.destination:
            said = "is required; 0 is the number that was written to"
        if name in reading.named and _NO_DESTINATION.fullmatch(action.destination):
            said = "must be one extension or number, or one range such as 100-199; not a pattern"
        if said is not None:
            errors.append(FieldProblem(field=f"{name}.destination", message=said))
    return rule, errors


def _read_outbound(rule: OutboundRuleRecord, reading: _RuleReading) -> tuple[OutboundRuleRecord, list[FieldProblem]]:
    errors: list[FieldProblem] = []
    routes = []
    for place, route in enumerate(rule.routes):
        number = _number(route.caller_id, reading.country, f"routes.{place}.caller_id", errors)
        routes.append(route.model_copy(update={"caller_id": number}))
    masks = {
        "prefixes": reading.text("prefixes", rule.prefixes, international_prefixes, errors),
        "extensions": reading.text("extensions", rule.extensions, extension_mask, errors),
    }
    errors += _lengths(rule.lengths, masks["prefixes"], reading)
    said = None if errors else _engine_error(partial(OutboundRule.model_validate, {**rule.model_dump(), **masks}))
    if said is not None:
        errors.append(FieldProblem(field="prefixes", message=said))
    return rule.model_copy(update={"routes": tuple(routes), **masks}), errors


def _lengths(lengths: tuple[int, ...], prefixes: str, reading: _RuleReading) -> list[FieldProblem]:
    """Return a problem when no number with these prefixes has one of these lengths."""
    if not reading.named & {"lengths", "prefixes"}:
        return []
    none = impossible_lengths(lengths, "")
    if none:
        said = f"no number has {none[0]} digits: short codes have 3 to 6, and others 7 to 15, country code included"
        return [FieldProblem(field="lengths", message=said)]
    none = impossible_lengths(lengths, prefixes)
    if none:
        begin = prefixes.replace(";", " or ")
        said = f"no number that begins with {begin} has {none[0]} digits, country code included"
        return [FieldProblem(field="lengths", message=said)]
    return []


def _read_extension(record: ExtensionRecord, reading: _RuleReading) -> tuple[ExtensionRecord, list[FieldProblem]]:
    errors: list[FieldProblem] = []
    extension = reading.text("extension", record.extension, lambda text, _: single_extension(text), errors)
    caller_ids = []
    for place, caller_id in enumerate(record.caller_ids):
        number = _number(caller_id.number, reading.country, f"caller_ids.{place}.number", errors)
        caller_ids.append(caller_id.model_copy(update={"number": number}))
        if any((c.number, c.trunk_id) == (number, caller_id.trunk_id) for c in caller_ids[:-1]):
            errors.append(FieldProblem(field=f"caller_ids.{place}.number", message="stands there twice for this trunk"))
    return record.model_copy(update={"extension": extension, "caller_ids": tuple(caller_ids)}), errors


def _number(text: str | None, country: str, field: str, errors: list[FieldProblem]) -> str | None:
    """Return a number in international form. A problem is added to `errors`."""
    try:
        return None if text is None else normalise(text, country)
    except InvalidNumber as invalid:
        errors.append(FieldProblem(field=field, message=str(invalid)))
        return text


def _engine_error(make: Callable[[], Any]) -> str | None:
    """Return why the rule engine refuses a rule, as a sentence, or None."""
    try:
        make()
    except ValidationError as error:
        said: str = error.errors(include_url=False, include_input=False)[0]["msg"]
        return said.removeprefix("Value error, ")
    return None


INBOUND_RULES = RuleKind(InboundRuleRecord, InboundRuleCreate, InboundRuleWrite, MAX_RULES, _read_inbound, _not_unique)
OUTBOUND_RULES = RuleKind(
    OutboundRuleRecord, OutboundRuleCreate, OutboundRuleWrite, MAX_RULES, _read_outbound, _not_unique
)
EXTENSIONS = RuleKind(
    ExtensionRecord, ExtensionCreate, ExtensionWrite, MAX_EXTENSIONS, _read_extension, _check_extension
)
