"""An installation as the content of a file. Pure."""

import re
from collections.abc import Iterable
from typing import Any

from smsgw.bulk.document import CREDENTIALS, VERSION
from smsgw.bulk.installation import Installation, Item, Kind
from smsgw.bulk.planning import CALLBACK_PASSWORD


def content(now: Installation, tenants: Iterable[str], *, name_variables: bool) -> dict[str, Any]:
    """Return what a file of these `tenants` holds (none named: all). With `name_variables` it names an environment
    variable for each secret that is stored.
    """
    only = sorted(set(tenants))

    def chosen(kind: Kind) -> list[Item]:
        return [item for item in now.of(kind) if not only or item.tenant in only]

    return {
        "version": VERSION,
        **({"only_tenants": only} if only else {}),
        "tenants": [{"id": item.tenant, **item.fields} for item in chosen(Kind.TENANT)],
        "trunks": [_named(item) for item in chosen(Kind.TRUNK)],
        "sms": [_sms(item, name_variables=name_variables) for item in chosen(Kind.SMS)],
    }


def _named(item: Item) -> dict[str, Any]:
    return {"tenant": item.tenant, "name": item.key[1], **item.fields}


def _sms(item: Item, *, name_variables: bool) -> dict[str, Any]:
    entry = _named(item)
    if not name_variables:
        return entry
    credentials = {f"{name}_env": _variable(item, name) for name in CREDENTIALS if name in item.secrets}
    if credentials:
        entry["credentials"] = credentials
    if CALLBACK_PASSWORD in item.secrets:
        entry["callback"] = {**entry["callback"], "password_env": _variable(item, "callback_password")}
    return entry


def _variable(item: Item, name: str) -> str:
    words = re.sub(r"[^A-Z0-9]+", "_", "_".join((*item.key, name)).upper()).strip("_")
    return words if words[:1].isalpha() else f"SMS_{words}"
