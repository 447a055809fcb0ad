"""What is configured in a gateway, in the file's words: objects under their natural names. Pure, but for `fetch`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smsgw.http_api import Api, JsonObject
from smsgw.running import Failure

Key = tuple[str, ...]


class Kind(StrEnum):
    """A kind of object. Its value is what a person calls it."""

    TENANT = "tenant"
    TRUNK = "trunk"
    SMS = "SMS configuration"

    @property
    def path(self) -> str:
        """Where the API has these objects."""
        return {Kind.TENANT: "/api/v1/tenants", Kind.TRUNK: "/api/v1/trunks", Kind.SMS: "/api/v1/sms"}[self]


@dataclass(frozen=True, slots=True)
class Item:
    """One object as it is stored: its fields under the file's names, and which secrets are set."""

    kind: Kind
    key: Key
    id: str
    version: int
    fields: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()

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


def label(kind: Kind, key: Key) -> str:
    """What a person calls one object."""
    return f"{kind} {'/'.join(key)}"


async def fetch(api: Api) -> Installation:
    """Read everything that the API key may see. Raises Failure, also when two objects have one name."""
    tenants = await api.every(Kind.TENANT.path)
    trunks = await api.every(Kind.TRUNK.path)
    configs = await api.every(Kind.SMS.path)
    return assemble(tenants, trunks, configs)


def assemble(
    tenants: Iterable[JsonObject], trunks: Iterable[JsonObject], configs: Iterable[JsonObject]
) -> Installation:
    """Bring the API's objects under their names. Raises Failure when two have the same."""
    configs, trunks = list(configs), list(trunks)
    names = {one["id"]: one["name"] for one in (*trunks, *configs)}
    found = [
        *(_tenant(one, names) for one in tenants),
        *(_trunk(one) for one in trunks),
        *(_sms(one, names) for one in configs),
    ]
    items: dict[tuple[Kind, Key], Item] = {}
    for item in found:
        other = items.setdefault((item.kind, item.key), item)
        if other is not item:
            raise Failure(
                f"There are two objects that are called {label(item.kind, item.key)} ({other.id} and {item.id}); "
                "a file tells objects by their names, so rename one of them first."
            )
    return Installation(items)


def _tenant(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields = _copied(shown, "name", "country", "time_zone", "pbx_id")
    fields["default_config"] = names.get(shown["default_config_id"] or "")
    return Item(Kind.TENANT, (shown["id"],), shown["id"], shown["version"], fields)


def _trunk(shown: JsonObject) -> Item:
    fields = _copied(shown, "brand", "carrier", "hostname", "dids", "default_did")
    return Item(Kind.TRUNK, (shown["tenant_id"], shown["name"]), shown["id"], shown["version"], fields)


def _sms(shown: JsonObject, names: Mapping[str, str]) -> Item:
    fields: JsonObject = {"trunk": names.get(shown["provider_id"], shown["provider_id"])}
    fields |= _copied(shown, "enabled", "sender_id", "failure_policy")
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
