"""The resources of what a tenant decides by: inbound rules, outbound rules, extensions. All three are kept alike."""

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
# Of a sheet, too, which shows 101 as 101.0.
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
    """How one of the three differs: its models, how many a tenant may have, and how a written one is read.

    `read` returns the record with its numbers in international form, and what is wrong with it in itself.
    `check_unique` raises Conflict when there is one of its name already, where that matters.
    """

    record: type[K]
    new: type[Body]
    write: type[Body]
    most: int
    read: Callable[[K, "_RuleReading"], tuple[K, list[FieldProblem]]]
    check_unique: Callable[[StoreReader, K], Awaitable[None]]


class RuleResource(Generic[K]):
    """Reads and changes one kind of a tenant's rules."""

    def __init__(self, store: Store, changes: Changes, kind: RuleKind[K]) -> None:
        self._store = store
        self._changes = changes
        self._kind: RuleKind[K] = kind

    async def find(self, caller: Caller, query: Query) -> Page[K]:
        """Return those of the caller's tenants."""
        return await self._store.find(self._kind.record, query, caller.tenancy)

    async def read(self, caller: Caller, record_id: str) -> K:
        """One of them. Raises NotFound."""
        return await require(self._store, self._kind.record, record_id, caller)

    async def create(self, caller: Caller, given: JsonObject) -> K:
        """Add one. Raises Invalid, and Conflict when there are too many or the extension exists."""
        body = parse(self._kind.new, given)
        values = body.model_dump()
        tenant_id, record_id = values.pop("tenant_id"), new_id()

        async def work(transaction: Transaction) -> Change[K]:
            tenant = await owner_for_new(transaction, caller, tenant_id)
            await self._check_count(transaction, tenant.id)
            stamps = made_by(caller, self._changes.clock())
            record = self._kind.record.model_validate({"id": record_id, "tenant_id": tenant.id, **values, **stamps})
            named = frozenset(self._kind.write.model_fields)
            return Change("created", None, await self._settled(transaction, record, tenant, named))

        return await self._changes.make(caller, work)

    async def update(
        self, caller: Caller, record_id: str, given: JsonObject, *, version: int | None, replace: bool
    ) -> K:
        """Change one. Raises NotFound, Invalid, VersionConflict, and Conflict when the extension exists."""

        async def work(transaction: Transaction) -> Change[K]:
            before = await require_version(transaction, self._kind.record, record_id, caller, version)
            tenant = await require(transaction, TenantRecord, before.tenant_id, caller)
            shown = before.model_dump(mode="json")
            base = {} if replace else {name: shown[name] for name in self._kind.write.model_fields}
            values = merge(self._kind.write, given, base=base, view=shown).model_dump()
            stored = {name: getattr(before, name) for name in self._kind.record.model_fields}
            after = self._kind.record.model_validate({**stored, **values})
            named = frozenset(self._kind.write.model_fields if replace else given)
            after = await self._settled(transaction, after, tenant, named)
            return Change("updated", before, after.changed(self._changes.clock(), caller.id))

        return await self._changes.make(caller, work)

    async def delete(self, caller: Caller, record_id: str, *, version: int | None) -> None:
        """Remove one. Raises NotFound, VersionConflict."""

        async def work(transaction: Transaction) -> Change[K]:
            before = await require_version(transaction, self._kind.record, record_id, caller, version)
            return Change("deleted", before, None)

        await self._changes.make(caller, work)

    async def _check_count(self, reader: StoreReader, tenant_id: str) -> None:
        mine = Query((Clause("tenant_id", "eq", (tenant_id,)),), top=1)
        if (await reader.find(self._kind.record, mine, EVERYONE)).count >= self._kind.most:
            raise Conflict(f"A tenant may have {self._kind.most} {self._kind.record.NOUN}s.")

    async def _settled(self, reader: StoreReader, written: K, tenant: TenantRecord, named: frozenset[str]) -> K:
        """Return a record as it may be stored. Raises Invalid with everything that is wrong, Conflict.

        `named` are the fields that are written anew: a mask that was kept before such were refused must not stand in
        the way of other changes.
        """
        # A list of hundreds of patterns takes a second to read, in which others are answered.
        record, errors = await asyncio.to_thread(self._kind.read, written, _RuleReading(tenant.country, named))
        told = {error.field for error in errors}
        has = await assets_of(reader, tenant.id)
        errors += [error for error in not_owned(record, has) if error.field not in told]
        if errors:
            raise Invalid(errors)
        await self._kind.check_unique(reader, record)
        return record


@dataclass(frozen=True, slots=True)
class _RuleReading:
    """How what is written is read: with a tenant's country, and which fields of it are written anew."""

    country: str
    named: frozenset[str]

    def text(self, field: str, kept: str, read: Callable[[str, str], str], errors: list[FieldProblem]) -> str:
        """One field in the form in which it is kept; why it cannot be is told in `errors`."""
        if field not in self.named:
            return kept
        try:
            return read(kept, self.country)
        except InvalidMask as invalid:
            errors.append(FieldProblem(field=field, message=str(invalid)))
            return ""


async def _any_number(_reader: StoreReader, _record: K) -> None:
    """There may be as many as one likes that are called the same."""


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
    readable = not errors  # else nothing can be said of the destinations' size
    for name, action in (("office", rule.office), ("outside", rule.outside), ("holiday", rule.holiday)):
        if action is None or action.kind is ActionKind.DISCARD:
            continue
        said = _fault(partial(InboundRule, id="", did_numbers=rule.did_numbers, office=action)) if readable else None
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
    said = None if errors else _fault(partial(OutboundRule.model_validate, {**rule.model_dump(), **masks}))
    if said is not None:
        errors.append(FieldProblem(field="prefixes", message=said))
    return rule.model_copy(update={"routes": tuple(routes), **masks}), errors


def _lengths(lengths: tuple[int, ...], prefixes: str, reading: _RuleReading) -> list[FieldProblem]:
    """What no number of these prefixes has."""
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
    """Return a number in international form; what is none is told in `errors`."""
    try:
        return None if text is None else normalise(text, country)
    except InvalidNumber as invalid:
        errors.append(FieldProblem(field=field, message=str(invalid)))
        return text


def _fault(make: Callable[[], Any]) -> str | None:
    """What the rule engine has against a rule, as a sentence, or None."""
    try:
        make()
    except ValidationError as error:
        said: str = error.errors(include_url=False, include_input=False)[0]["msg"]
        return said.removeprefix("Value error, ")
    return None


INBOUND_RULES = RuleKind(InboundRuleRecord, InboundRuleCreate, InboundRuleWrite, MAX_RULES, _read_inbound, _any_number)
OUTBOUND_RULES = RuleKind(
    OutboundRuleRecord, OutboundRuleCreate, OutboundRuleWrite, MAX_RULES, _read_outbound, _any_number
)
EXTENSIONS = RuleKind(
    ExtensionRecord, ExtensionCreate, ExtensionWrite, MAX_EXTENSIONS, _read_extension, _check_extension
)
