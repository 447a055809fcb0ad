"""Reads the configuration of a gateway, as objects under their names and with the file's fields."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sms_common.configuration import SmsConfigFields
from sms_common.input.pasted import visible
from smsgw.access.http_api import JsonObject, ServiceApi
from smsgw.bulk.entry import MAX_NAME
from smsgw.bulk.kinds import Key, ObjectKind
from smsgw.bulk.references import with_names

_NAMED = frozenset({ObjectKind.TRUNK, ObjectKind.SMS, ObjectKind.INBOUND_RULE, ObjectKind.OUTBOUND_RULE})
_RULES = {
    ObjectKind.EXTENSION: ("extension", ("permission", "caller_ids", "groups")),
    ObjectKind.INBOUND_RULE: (
        "name",
        (
            "enabled",
            "priority",
            "channels",
            "config_ids",
            "did_numbers",
            "caller_mask",
            "office",
            "outside",
            "holiday",
            "own_hours",
        ),
    ),
    ObjectKind.OUTBOUND_RULE: (
        "name",
        (
            "enabled",
            "priority",
            "prefixes",
            "lengths",
            "extensions",
            "groups",
            "categories",
            "own_hours",
            "closed",
            "strategy",
            "routes",
        ),
    ),
}
_TENANT_FIELDS = ("name", "country", "foreign_without_plus", "time_zone", "pbx_id")
# The routing of a tenant before anybody has changed it.
ROUTING_UNSET: Mapping[str, Any] = {
    "hours": None,
    "holidays": [],
    "blocked_senders": "",
    "unlisted_extensions": "ALLOW_WITH_SENDER_ID",
}
# The fields of an SMS configuration and their defaults, for a gateway that does not know a field yet.
_SMS_UNSET = SmsConfigFields(name="").model_dump(mode="json", exclude={"name"})


@dataclass(frozen=True, slots=True)
class Item:
    """One stored object: its fields with the file's names, the credentials that are set, and the values that are shown.

    `borrowed`: a trunk that is lent to the tenants of the API key. It is used, but not exported and not changed.
    """

    kind: ObjectKind
    key: Key
    id: str
    version: int
    fields: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    borrowed: bool = False

    @property
    def tenant(self) -> str:
        """The id of its tenant; of a tenant its own."""
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Installation:
    """All objects by their names. `doubles`: for a name that several have, the names that they have here."""

    items: Mapping[tuple[ObjectKind, Key], Item] = field(default_factory=dict)
    doubles: Mapping[tuple[ObjectKind, Key], tuple[Key, ...]] = field(default_factory=dict)

    def of(self, kind: ObjectKind) -> list[Item]:
        """The objects of one kind, in the API's order."""
        return [item for item in self.items.values() if item.kind is kind]

    def get(self, kind: ObjectKind, key: Key) -> Item | None:
        """The object of that name, or None."""
        return self.items.get((kind, key))


async def fetch(api: ServiceApi) -> Installation:
    """Read everything that the API key may see. Raises Failure."""
    kinds = [kind for kind in ObjectKind if kind is not ObjectKind.ROUTING]
    shown: dict[ObjectKind, list[JsonObject]] = {kind: await api.every(kind.path) for kind in kinds}
    shown[ObjectKind.ROUTING] = [
        await api.call("GET", ObjectKind.ROUTING.path, parameters={"tenant_id": tenant["id"]})
        for tenant in shown[ObjectKind.TENANT]
    ]
    return assemble(shown)


def assemble(shown: Mapping[ObjectKind, Iterable[JsonObject]]) -> Installation:
    """Index the API's objects by their names.

    If several have the same name, the oldest keeps it and the others get a number after it, also where they are named
    by others. So a file tells them apart, and finds each again when it is imported.
    """
    doubles: dict[tuple[ObjectKind, Key], tuple[Key, ...]] = {}
    found = {kind: _told_apart(kind, objects, doubles) for kind, objects in shown.items()}
    names = {one["id"]: one["name"] for kind in (ObjectKind.TRUNK, ObjectKind.SMS) for one in found.get(kind, ())}
    items = [_item(kind, one, names) for kind, objects in found.items() for one in objects]
    return Installation({(item.kind, item.key): item for item in items}, doubles)


def _told_apart(
    kind: ObjectKind, objects: Iterable[JsonObject], doubles: dict[tuple[ObjectKind, Key], tuple[Key, ...]]
) -> list[JsonObject]:
    """Return the objects in their order, with unique names. Add those that were renamed to `doubles`."""
    stored = [{**one, "name": visible(one["name"])} if "name" in one else one for one in objects]
    if kind not in _NAMED:
        return stored
    taken = {_key(one) for one in stored}
    names: dict[str, str] = {}
    groups: dict[Key, list[Key]] = {}
    for one in sorted(stored, key=lambda one: (one.get("created_at", ""), one["id"])):
        same = groups.setdefault(_key(one), [])
        key = _numbered(_key(one), taken) if same else _key(one)
        taken.add(key)
        same.append(key)
        names[one["id"]] = key[-1]
    doubles.update({(kind, key): tuple(same) for key, same in groups.items() if len(same) > 1})
    return [{**one, "name": names[one["id"]]} for one in stored]


def _key(shown: JsonObject) -> Key:
    return (shown["tenant_id"] or "", shown["name"])


def _numbered(key: Key, taken: Collection[Key]) -> Key:
    """Return the first free name of `Name (2)`, `Name (3)` and so on, cut to the longest allowed."""
    names = (f"{key[-1][: MAX_NAME - len(f' ({number})')]} ({number})" for number in count(2))
    return next((key[0], name) for name in names if (key[0], name) not in taken)


def _item(kind: ObjectKind, shown: JsonObject, names: Mapping[str, str]) -> Item:
    match kind:
        case ObjectKind.TENANT:
            return _tenant(shown, names)
        case ObjectKind.TRUNK:
            return _trunk(shown)
        case ObjectKind.SMS:
            return _sms(shown, names)
        case ObjectKind.ROUTING:
            return Item(
                kind, (shown["id"],), shown["id"], shown["version"], _copied({**ROUTING_UNSET, **shown}, *ROUTING_UNSET)
            )
    named, fields = _RULES[kind]
    key = (shown["tenant_id"], shown[named])
    return Item(kind, key, shown["id"], shown["version"], with_names(_copied(shown, *fields), names))


def _tenant(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields = _copied({"foreign_without_plus": False, **shown}, *_TENANT_FIELDS)
    fields["default_config"] = names.get(shown["default_config_id"] or "")
    return Item(ObjectKind.TENANT, (shown["id"],), shown["id"], shown["version"], fields)


def _trunk(shown: JsonObject) -> Item:
    fields = _copied(shown, "brand", "carrier", "hostname", "dids", "default_did")
    lent = shown["pools"] is not None
    if lent:
        fields |= {"pools": shown["pools"], "account": shown.get("account")}
    # A system administrator gets numbers in the pools only; a borrower gets its own in `dids`.
    borrowed = lent and bool(shown["dids"])
    return Item(ObjectKind.TRUNK, _key(shown), shown["id"], shown["version"], fields, borrowed=borrowed)


def _sms(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields: JsonObject = {"trunk": names.get(shown["provider_id"], shown["provider_id"])}
    fields |= _copied({**_SMS_UNSET, **shown}, *_SMS_UNSET)
    callback = shown["callback"]
    fields["callback"] = {"username": callback["username"]} if callback else None
    secrets = [name for name, state in shown["credentials_set"].items() if state["set"]]
    if callback and callback["password_set"]:
        secrets.append("callback.password")
    ids = shown["credentials_shown"]
    return Item(ObjectKind.SMS, _key(shown), shown["id"], shown["version"], fields, tuple(secrets), ids)


def _copied(shown: JsonObject, *names: str) -> JsonObject:
    return {name: shown[name] for name in names}
