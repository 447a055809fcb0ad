"""Turns the names in a file into the API's ids, and back. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from smsgw.access.http_api import JsonObject
from smsgw.bulk.kinds import Key, ObjectKind

Known = Callable[[tuple[ObjectKind, Key]], bool]


def trunk_place(tenant: str, name: str, known: Known) -> tuple[ObjectKind, Key]:
    """Return the key of the trunk with this name: the tenant's own, or else one of the system."""
    own, lent = (ObjectKind.TRUNK, (tenant, name)), (ObjectKind.TRUNK, ("", name))
    return lent if known(lent) and not known(own) else own


def references(kind: ObjectKind, key: Key, fields: Mapping[str, Any], known: Known) -> Iterator[tuple[ObjectKind, Key]]:
    """Return all objects that an object's fields name."""
    tenant = key[0]
    trunks = [fields.get("trunk"), *(one["trunk"] for one in fields.get("caller_ids") or ())]
    configs = [fields.get("default_config"), *(fields.get("configs") or ())]
    configs += [route["config"] for route in fields.get("routes") or ()]
    yield from (trunk_place(tenant, name, known) for name in trunks if name is not None)
    yield from ((ObjectKind.SMS, (tenant, name)) for name in configs if name is not None)
    if kind is not ObjectKind.TENANT:
        yield from ((ObjectKind.TENANT, (borrower["tenant_id"],)) for borrower in fields.get("pools") or ())
        if tenant:
            yield (ObjectKind.TENANT, (tenant,))


def with_ids(tenant: str, fields: Mapping[str, Any], ids: Mapping[tuple[ObjectKind, Key], str]) -> JsonObject:
    """Return the fields with the API's names, and ids instead of names."""
    body: JsonObject = dict(fields)

    def trunk(name: str) -> str:
        return ids[trunk_place(tenant, name, ids.__contains__)]

    def config(name: str) -> str:
        return ids[ObjectKind.SMS, (tenant, name)]

    if "trunk" in body:
        body["provider_id"] = trunk(body.pop("trunk"))
    if "default_config" in body:
        name = body.pop("default_config")
        body["default_config_id"] = None if name is None else config(name)
    if "configs" in body:
        body["config_ids"] = [config(name) for name in body.pop("configs")]
    if "routes" in body:
        body["routes"] = [_renamed(route, "config", "config_id", config) for route in body["routes"]]
    if "caller_ids" in body:
        body["caller_ids"] = [_renamed(one, "trunk", "trunk_id", trunk) for one in body["caller_ids"]]
    return body


def with_names(shown: Mapping[str, Any], names: Mapping[str, str]) -> JsonObject:
    """Return a rule's or an extension's fields from the API with the file's names, and names instead of ids."""
    fields: JsonObject = dict(shown)

    def name(object_id: str) -> str:
        return names.get(object_id, object_id)

    if "config_ids" in fields:
        fields["configs"] = sorted(name(one) for one in fields.pop("config_ids"))
    if "routes" in fields:
        fields["routes"] = [_renamed(route, "config_id", "config", name) for route in fields["routes"]]
    if "caller_ids" in fields:
        fields["caller_ids"] = [_renamed(one, "trunk_id", "trunk", name) for one in fields["caller_ids"]]
    return fields


def _renamed(entry: Mapping[str, Any], old: str, new: str, value: Callable[[str], str]) -> JsonObject:
    return {(new if key == old else key): (value(content) if key == old else content) for key, content in entry.items()}
