"""Turns an installation into the content of a file. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sms_common.configuration import PaceLimits
from smsgw.bulk.current import ROUTING_UNSET, Installation, Item
from smsgw.bulk.document import VERSION
from smsgw.bulk.kinds import ObjectKind
from smsgw.bulk.planning import CALLBACK_PASSWORD


def content(now: Installation, tenants: Iterable[str], *, name_variables: bool) -> dict[str, Any]:
    """Return the content of a file of these `tenants`; of all, if none is named.

    With `name_variables` it names an environment variable for each stored secret.
    """
    only = sorted(set(tenants))

    def chosen(kind: ObjectKind) -> list[Item]:
        return [item for item in now.of(kind) if (not only or item.tenant in only) and not item.borrowed]

    rules = {
        "extensions": [_named(item, "extension") for item in chosen(ObjectKind.EXTENSION)],
        "inbound_rules": [_named(item) for item in chosen(ObjectKind.INBOUND_RULE)],
        "outbound_rules": [_named(item) for item in chosen(ObjectKind.OUTBOUND_RULE)],
        "routing": [
            {"tenant": item.tenant, **item.fields}
            for item in chosen(ObjectKind.ROUTING)
            if item.fields != ROUTING_UNSET
        ],
    }

    return {
        "version": VERSION,
        **({"only_tenants": only} if only else {}),
        "tenants": [{"id": item.tenant, **item.fields} for item in chosen(ObjectKind.TENANT)],
        "trunks": [_trunk(item) for item in chosen(ObjectKind.TRUNK)],
        "sms": [_sms(item, name_variables=name_variables) for item in chosen(ObjectKind.SMS)],
        **{section: entries for section, entries in rules.items() if entries},
    }


def _named(item: Item, named: str = "name") -> dict[str, Any]:
    return {"tenant": item.tenant, named: item.key[1], **item.fields}


def _trunk(item: Item) -> dict[str, Any]:
    if item.tenant:
        return _named(item)
    kept = {name: value for name, value in item.fields.items() if name not in {"dids", "default_did", "pools"}}
    pools = [{"tenant": pool["tenant_id"], **_without(pool, "tenant_id")} for pool in item.fields["pools"]]
    return {"name": item.key[1], **kept, "pools": pools}


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _limits(item: Item) -> dict[str, Any]:
    """Only the limits that are set."""
    unlimited = PaceLimits().model_dump()
    limits = {name: value for name, value in item.fields["limits"].items() if value != unlimited[name]}
    return {"limits": limits} if limits else {}


def _sms(item: Item, *, name_variables: bool) -> dict[str, Any]:
    entry = {**_without(_named(item), "limits"), **_limits(item)}
    if not name_variables:
        return entry
    names = [name for name in item.secrets if name != CALLBACK_PASSWORD]
    credentials = {f"{name}_env": _variable(item, name) for name in names}
    if credentials:
        entry["credentials"] = credentials
    if CALLBACK_PASSWORD in item.secrets:
        entry["callback"] = {**entry["callback"], "password_env": _variable(item, "callback_password")}
    return entry


def _variable(item: Item, name: str) -> str:
    words = re.sub(r"[^A-Z0-9]+", "_", "_".join((*item.key, name)).upper()).strip("_")
    return words if words[:1].isalpha() else f"SMS_{words}"
