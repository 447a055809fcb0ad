"""What is configured in a gateway, in the file's words: objects under their natural names. Pure, but for `fetch`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smsgw.bulk.kinds import Key, Kind, label
from smsgw.bulk.references import with_names
from smsgw.http_api import Api, JsonObject
from smsgw.running import Failure

_RULES = {
    Kind.EXTENSION: ("extension", ("permission", "caller_ids", "groups")),
    Kind.INBOUND_RULE: (
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
    Kind.OUTBOUND_RULE: (
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
ROUTING_FIELDS = ("hours", "holidays", "blocked_senders")


@dataclass(frozen=True, slots=True)
class Item:
    """One object as it is stored: its fields under the file's names, and which secrets are set.

    `borrowed`: a trunk that is only lent to whom the API key is for, so it is used and neither written nor changed.
    """

    kind: Kind
    key: Key
    id: str
    version: int
    fields: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()
    borrowed: bool = False

    @property
    def tenant(self) -> str:
        """The tenant it belongs to, or is."""
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Installation:
    """All objects by their names."""

    items: Mapping[tuple[Kind, Key], Item] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[Item]:
        """The objects of one kind, the oldest first."""
        return [item for item in self.items.values() if item.kind is kind]

    def get(self, kind: Kind, key: Key) -> Item | None:
        """The object of that name, or None."""
        return self.items.get((kind, key))


async def fetch(api: Api) -> Installation:
    """Read everything that the API key may see. Raises Failure, also when two objects have one name."""
    kinds = [kind for kind in Kind if kind is not Kind.ROUTING]
    shown: dict[Kind, list[JsonObject]] = {kind: await api.every(kind.path) for kind in kinds}
    shown[Kind.ROUTING] = [
        await api.call("GET", Kind.ROUTING.path, parameters={"tenant_id": tenant["id"]})
        for tenant in shown[Kind.TENANT]
    ]
    return assemble(shown)


def assemble(shown: Mapping[Kind, Iterable[JsonObject]]) -> Installation:
    """Bring the API's objects under their names. Raises Failure when two have the same."""
    found = {kind: list(objects) for kind, objects in shown.items()}
    names = {one["id"]: one["name"] for kind in (Kind.TRUNK, Kind.SMS) for one in found.get(kind, ())}
    items: dict[tuple[Kind, Key], Item] = {}
    for kind, objects in found.items():
        for one in objects:
            item = _item(kind, one, names)
            other = items.setdefault((kind, item.key), item)
            if other is not item:
                raise Failure(
                    f"There are two objects that are called {label(kind, item.key)} ({other.id} and {item.id}); "
                    "a file tells objects by their names, so rename one of them first."
                )
    return Installation(items)


def _item(kind: Kind, shown: JsonObject, names: Mapping[str, str]) -> Item:
    match kind:
        case Kind.TENANT:
            return _tenant(shown, names)
        case Kind.TRUNK:
            return _trunk(shown)
        case Kind.SMS:
            return _sms(shown, names)
        case Kind.ROUTING:
            return Item(kind, (shown["id"],), shown["id"], shown["version"], _copied(shown, *ROUTING_FIELDS))
    named, fields = _RULES[kind]
    key = (shown["tenant_id"], shown[named])
    return Item(kind, key, shown["id"], shown["version"], with_names(_copied(shown, *fields), names))


def _tenant(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields = _copied(shown, "name", "country", "time_zone", "pbx_id")
    fields["default_config"] = names.get(shown["default_config_id"] or "")
    return Item(Kind.TENANT, (shown["id"],), shown["id"], shown["version"], fields)


def _trunk(shown: JsonObject) -> Item:
    fields = _copied(shown, "brand", "carrier", "hostname", "dids", "default_did")
    lent = shown["pools"] is not None
    if lent:
        fields |= {"pools": shown["pools"], "account": shown.get("account")}
    # The system's administrator sees no numbers there but in the pools.
    borrowed = lent and bool(shown["dids"])
    key = (shown["tenant_id"] or "", shown["name"])
    return Item(Kind.TRUNK, key, shown["id"], shown["version"], fields, borrowed=borrowed)


def _sms(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields: JsonObject = {"trunk": names.get(shown["provider_id"], shown["provider_id"])}
    fields |= _copied(shown, "enabled", "sender_id", "failure_policy", "limits")
    callback = shown["callback"]
    fields["callback"] = {"username": callback["username"]} if callback else None
    secrets = {name for name, state in shown["credentials_set"].items() if state["set"]}
    if callback and callback["password_set"]:
        secrets.add("callback.password")
    return Item(
        Kind.SMS, (shown["tenant_id"], shown["name"]), shown["id"], shown["version"], fields, frozenset(secrets)
    )


def _copied(shown: JsonObject, *names: str) -> JsonObject:
    return {name: shown[name] for name in names}
