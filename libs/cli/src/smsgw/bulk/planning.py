"""Plans an import: the differences between a file and an installation, as steps in an order that works. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import SecretStr

from sms_common.phone import NumberPool
from smsgw.bulk.credentials import PREFIX, Declared, carrier_of, faults
from smsgw.bulk.current import ROUTING_UNSET, Installation, Item
from smsgw.bulk.desired import DesiredObject, NumberReader
from smsgw.bulk.desired_rules import desired_rules
from smsgw.bulk.document import SECTIONS, Document, PoolEntry, SmsEntry, TenantEntry, TrunkEntry
from smsgw.bulk.kinds import Key, ObjectKind, label
from smsgw.bulk.references import references
from smsgw.terminal.running import Failure

Action = Literal["create", "update", "delete"]
SecretOf = Callable[[str], SecretStr | None]
CALLBACK_PASSWORD = "callback.password"  # noqa: S105  # a field's name
_DEFAULT_COUNTRY = "US"
_USING = (ObjectKind.EXTENSION, ObjectKind.INBOUND_RULE, ObjectKind.OUTBOUND_RULE)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one object: the `fields` and `secrets` to set. `before` are the present values of the fields.

    `line` is the object's line in the file.
    """

    action: Action
    kind: ObjectKind
    key: Key
    item: Item | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    line: int | None = None

    @property
    def before(self) -> Mapping[str, Any]:
        """The present values of the fields."""
        return {name: _stored(self.item).get(name) for name in self.fields} if self.item else {}

    @property
    def label(self) -> str:
        """The object's name for people."""
        return label(self.kind, self.key)

    @property
    def place(self) -> str:
        """The start of a sentence with the object's line; empty if the object is not in the file."""
        return "" if self.line is None else f"line {self.line}: "


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in the best order, and the number of objects that do not change."""

    steps: tuple[Step, ...]
    unchanged: int


def plan(
    document: Document,
    now: Installation,
    secret_of: SecretOf,
    declared: Declared,
    *,
    prune: bool = False,
    replace_secrets: bool = False,
) -> Plan:
    """Compare a file with an installation. `secret_of` reads an environment variable. `declared` are the carriers.

    Stored secrets stay, unless `replace_secrets` is set. Raises Failure with a line for each fault in the file.
    """
    desired = _desired_objects(document, now)
    problems = [*_ambiguous(desired, now), *_dangling(desired, now), *_misnamed(document, now, declared)]
    steps: list[Step] = []
    for one in desired:
        step, wrong = _step(one, now.get(one.kind, one.key), secret_of, replace_secrets=replace_secrets)
        problems += wrong
        if step is not None:
            steps.append(step)
    if problems:
        raise Failure("The file cannot be imported here:\n  " + "\n  ".join(dict.fromkeys(problems)))
    touched = {(step.kind, step.key) for step in steps}
    unchanged = sum((one.kind, one.key) not in touched for one in desired)
    ordered = _with_numbers_kept(_with_defaults_last(steps), now)
    deletions = _deletions(document, desired, now) if prune else []
    return Plan((*ordered, *_lost_defaults(ordered, deletions, now), *deletions), unchanged)


def _desired_objects(document: Document, now: Installation) -> list[DesiredObject]:
    readers = {item.tenant: _reader(item.fields) for item in now.of(ObjectKind.TENANT)}
    for entry in document.tenants:
        given = {name: value for name, value in entry.given().items() if value is not None}
        readers[entry.id] = _reader({**readers.get(entry.id, NumberReader())._asdict(), **given})

    def reader(tenant: str) -> NumberReader:
        return readers.get(tenant, NumberReader())

    desired = [
        *(_desired_tenant(entry) for entry in document.tenants),
        *(_desired_trunk(entry, reader) for entry in document.trunks),
        *(_desired_sms(entry, reader(entry.tenant)) for entry in document.sms),
        *desired_rules(document, lambda tenant: reader(tenant).country),
    ]
    return [replace(one, line=line) for one, line in zip(desired, _lines(document), strict=True)]


def _lines(document: Document) -> Iterator[int | None]:
    """The line of each entry, in the order of the desired objects."""
    for section in SECTIONS:
        yield from (document.line(section, place) for place in range(len(getattr(document, section))))


def _placed(kind: ObjectKind, key: Key, line: int | None) -> str:
    return label(kind, key) if line is None else f"line {line}: {label(kind, key)}"


def _reader(fields: Mapping[str, Any]) -> NumberReader:
    return NumberReader(str(fields["country"]).upper(), bool(fields["foreign_without_plus"]))


def _desired_tenant(entry: TenantEntry) -> DesiredObject:
    fields = entry.given("id")
    if entry.country:
        fields["country"] = entry.country.upper()
    return DesiredObject(ObjectKind.TENANT, (entry.id,), fields)


def _desired_trunk(entry: TrunkEntry, reader_of: Callable[[str], NumberReader]) -> DesiredObject:
    key = (entry.tenant or "", entry.name)
    reader = reader_of(entry.tenant or "")
    fields = entry.given("tenant", "name")
    if entry.pools is not None:
        fields["pools"] = [_pool(pool, reader_of(pool.tenant)) for pool in entry.pools]
    if fields.get("carrier") is None:
        fields.pop("carrier", None)
    if "dids" in fields:
        fields["dids"] = reader.pool(entry.dids)
    if entry.default_did is not None:
        fields["default_did"] = reader.number(entry.default_did)
    return DesiredObject(ObjectKind.TRUNK, key, fields)


def _pool(entry: PoolEntry, reader: NumberReader) -> dict[str, str | None]:
    """A lent pool as the API shows it."""
    return {
        "tenant_id": entry.tenant,
        "dids": reader.pool(entry.dids),
        "default_did": entry.default_did and reader.number(entry.default_did),
    }


def _desired_sms(entry: SmsEntry, reader: NumberReader) -> DesiredObject:
    key = (entry.tenant, entry.name)
    fields = entry.given("tenant", "name", "credentials", "callback")
    variables = dict(entry.credentials.variables()) if entry.credentials else {}
    if entry.credentials:
        fields |= {PREFIX + name: value for name, value in entry.credentials.literals().items()}
    if entry.sender_id is not None:
        fields["sender_id"] = reader.sender(entry.sender_id)
    if "callback" in entry.model_fields_set:
        fields["callback"] = {"username": entry.callback.username} if entry.callback else None
        if entry.callback and entry.callback.password_env:
            variables[CALLBACK_PASSWORD] = entry.callback.password_env
    return DesiredObject(ObjectKind.SMS, key, fields, variables)


def _ambiguous(desired: Iterable[DesiredObject], now: Installation) -> list[str]:
    """Return a fault for each name that several stored objects have, unless the file names all of them."""
    wanted = {(one.kind, one.key): one for one in desired}
    problems: list[str] = []
    for (kind, _), keys in now.doubles.items():
        named = [wanted[kind, one] for one in keys if (kind, one) in wanted]
        if 0 < len(named) < len(keys):
            called = _placed(kind, named[0].key, named[0].line)
            written = ", ".join(one[-1] for one in keys)
            problems.append(
                f"{called} is the name of {len(keys)} objects here; name all of them as `config export` writes them "
                f"({written}), or rename them first"
            )
    return problems


def _dangling(desired: Iterable[DesiredObject], now: Installation) -> list[str]:
    """Return a fault for each reference to an object that is neither in the file nor stored."""
    desired = list(desired)
    known = {(one.kind, one.key) for one in desired} | set(now.items)
    problems: list[str] = []
    for one in desired:
        wanted = references(one.kind, one.key, one.fields, known.__contains__)
        problems += [
            f"{_placed(one.kind, one.key, one.line)} names the {label(*missing)}, which does not exist"
            for missing in wanted
            if missing not in known
        ]
    return problems


def _misnamed(document: Document, now: Installation, declared: Declared) -> Iterator[str]:
    """Return a fault for each credential that the trunk's carrier does not have, and each secret in the file itself."""
    trunks: dict[Key, tuple[object, object]] = {
        (entry.tenant or "", entry.name): (entry.carrier, entry.brand) for entry in document.trunks
    }
    trunks |= {item.key: (item.fields["carrier"], item.fields["brand"]) for item in now.of(ObjectKind.TRUNK)}
    for place, entry in enumerate(document.sms):
        trunk = trunks.get((entry.tenant, entry.trunk)) or trunks.get(("", entry.trunk))
        carrier = None if trunk is None else carrier_of(declared, *trunk)
        if entry.credentials is not None and carrier is not None:
            where = _placed(ObjectKind.SMS, (entry.tenant, entry.name), document.line("sms", place))
            yield from (f"{where}: {fault}" for fault in faults(entry.credentials, carrier))


def _stored(item: Item) -> dict[str, Any]:
    """An object's fields, and its credentials that are shown."""
    return {**item.fields, **{PREFIX + name: value for name, value in item.shown.items()}}


def _step(
    desired: DesiredObject, item: Item | None, secret_of: SecretOf, *, replace_secrets: bool
) -> tuple[Step | None, list[str]]:
    """Return the step for one object, or None, and the faults that prevent it."""
    what = _placed(desired.kind, desired.key, desired.line)
    stored = set(item.secrets) if item else set()
    there = _stored(item) if item else ROUTING_UNSET if desired.kind is ObjectKind.ROUTING else {}
    # A credential that is set but not shown, as on a lent trunk, cannot be compared. It stays, as secrets do.
    unseen = set() if replace_secrets else {PREFIX + name for name in stored} - there.keys()
    changed = {
        name: value
        for name, value in desired.fields.items()
        if name not in unseen and (name not in there or there[name] != value)
    }
    problems: list[str] = []
    secrets: dict[str, SecretStr] = {}
    for name, variable in desired.variables.items():
        if name in stored and not replace_secrets:
            continue
        secret = secret_of(variable)
        if secret is None:
            problems.append(f"{what}: the environment variable {variable} ({name}) is not set")
        else:
            secrets[name] = secret
    if changed.get("callback") and CALLBACK_PASSWORD not in (stored | secrets.keys() | desired.variables.keys()):
        problems.append(f"{what}: callback needs a password_env, since no password is stored")
    if item is not None and item.borrowed and changed:
        problems.append(f"{what}: it is lent to you, and only a system administrator can change it")
    if item is not None and "carrier" in changed:
        problems.append(f"{what}: its carrier is {item.fields['carrier']} and cannot be changed")
    if (item is not None or desired.kind is ObjectKind.ROUTING) and not changed and not secrets:
        return None, problems
    # The routing of a tenant exists as soon as the tenant does, so it is never created.
    action: Action = "update" if item or desired.kind is ObjectKind.ROUTING else "create"
    return Step(action, desired.kind, desired.key, item, changed, secrets, desired.line), problems


def _with_defaults_last(steps: Iterable[Step]) -> list[Step]:
    """Set the tenants' default configurations last, when they exist."""
    ordered: list[Step] = []
    defaults: list[Step] = []
    for step in steps:
        if step.kind is not ObjectKind.TENANT or "default_config" not in step.fields:
            ordered.append(step)
            continue
        rest = {name: value for name, value in step.fields.items() if name != "default_config"}
        if rest or step.action == "create":
            ordered.append(replace(step, fields=rest))
        default = step.fields["default_config"]
        if default is not None or step.item is not None:
            defaults.append(replace(step, action="update", fields={"default_config": default}))
    return [*ordered, *defaults]


def _with_numbers_kept(steps: Iterable[Step], now: Installation) -> list[Step]:
    """Split the change of a trunk that gets and loses numbers: it gets the new ones first and loses the others last.

    In between, rules and extensions can move from the old numbers to the new ones.
    """
    using = {item.tenant for kind in _USING for item in now.of(kind)}
    ordered: list[Step] = []
    last: list[Step] = []
    for step in steps:
        wider = _wider(step) if step.key[0] in using else None
        if wider is None:
            ordered.append(step)
            continue
        ordered.append(replace(step, fields={**step.fields, "dids": wider}))
        last.append(replace(step, fields={"dids": step.fields["dids"]}))
    return [*ordered, *last]


def _wider(step: Step) -> str | None:
    """Return a trunk's numbers from before and after a step together; None if one contains the other."""
    if (
        step.kind is not ObjectKind.TRUNK
        or step.item is None
        or not step.item.fields["dids"]
        or not step.fields.get("dids")
    ):
        return None
    before, after = step.item.fields["dids"], step.fields["dids"]
    try:
        both = str(NumberPool.parse(f"{before};{after}", _DEFAULT_COUNTRY))
    except ValueError:
        return None
    return None if both in {before, after} else both


def _deletions(document: Document, desired: Iterable[DesiredObject], now: Installation) -> list[Step]:
    """Return deletions of objects that are not in the file, of its tenants only. Users of an object go before it."""
    wanted = {(one.kind, one.key) for one in desired}
    scope = None if document.only_tenants is None else set(document.only_tenants)
    return [
        Step("delete", kind, item.key, item)
        for kind in reversed(ObjectKind)
        for item in now.of(kind)
        if (kind, item.key) not in wanted and (scope is None or item.tenant in scope)
        if kind is not ObjectKind.ROUTING and not item.borrowed
    ]


def _lost_defaults(ordered: Iterable[Step], deletions: Iterable[Step], now: Installation) -> list[Step]:
    """Remove the default of tenants whose default configuration is deleted, unless the file sets another."""
    lost = {step.key for step in deletions if step.kind is ObjectKind.SMS}
    given = {step.key for step in ordered if "default_config" in step.fields}
    return [
        Step("update", ObjectKind.TENANT, tenant.key, tenant, {"default_config": None})
        for tenant in now.of(ObjectKind.TENANT)
        if (tenant.tenant, tenant.fields["default_config"]) in lost and tenant.key not in given
    ]
