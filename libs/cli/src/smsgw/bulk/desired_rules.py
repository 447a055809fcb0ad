"""Turns a file's rules, extensions and hours into desired objects, in the API's form. Pure."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sms_common.phone import normalise
from sms_common.rules.extensions import extension_mask
from sms_common.rules.prefixes import international_prefixes
from sms_common.rules.writing import international
from smsgw.bulk.desired import DesiredObject, in_form
from smsgw.bulk.document import Document
from smsgw.bulk.kinds import ObjectKind
from smsgw.bulk.rule_entries import ExtensionEntry, InboundRuleEntry, OutboundRuleEntry, RoutingEntry

_CHANNELS = ("SMS", "MMS")
_CATEGORIES = ("conversational", "transactional", "marketing", "otp")


def desired_rules(document: Document, country: Callable[[str], str]) -> Iterator[DesiredObject]:
    """Return the rules of a file. `country` returns a tenant's country, by which national numbers are read."""
    yield from (_extension(entry, country(entry.tenant)) for entry in document.extensions)
    yield from (_inbound(entry, country(entry.tenant)) for entry in document.inbound_rules)
    yield from (_outbound(entry, country(entry.tenant)) for entry in document.outbound_rules)
    yield from (_routing(entry, country(entry.tenant)) for entry in document.routing)


def _extension(entry: ExtensionEntry, country: str) -> DesiredObject:
    fields = entry.given("tenant", "extension")
    for caller_id in fields.get("caller_ids", ()):
        caller_id["number"] = _number(caller_id["number"], country)
    _as_sets(fields, "groups")
    return DesiredObject(ObjectKind.EXTENSION, (entry.tenant, entry.extension), fields)


def _inbound(entry: InboundRuleEntry, country: str) -> DesiredObject:
    fields = entry.given("tenant", "name")
    _as_masks(fields, country, "did_numbers", "caller_mask")
    _as_sets(fields, "configs")
    _in_order(fields, "channels", _CHANNELS)
    return DesiredObject(ObjectKind.INBOUND_RULE, (entry.tenant, entry.name), fields)


def _outbound(entry: OutboundRuleEntry, country: str) -> DesiredObject:
    fields = entry.given("tenant", "name")
    for route in fields.get("routes", ()):
        route["caller_id"] = route["caller_id"] and _number(route["caller_id"], country)
    _as_sets(fields, "groups", "lengths")
    _in_order(fields, "categories", _CATEGORIES)
    _as_read(fields, "prefixes", partial(international_prefixes, country=country))
    _as_read(fields, "extensions", partial(extension_mask, country=country))
    return DesiredObject(ObjectKind.OUTBOUND_RULE, (entry.tenant, entry.name), fields)


def _routing(entry: RoutingEntry, country: str) -> DesiredObject:
    fields = entry.given("tenant")
    _as_masks(fields, country, "blocked_senders")
    _as_sets(fields, "holidays")
    return DesiredObject(ObjectKind.ROUTING, (entry.tenant,), fields)


def _number(written: str, country: str) -> str:
    return in_form(lambda: normalise(written, country), written)


def _as_masks(fields: dict[str, Any], country: str, *names: str) -> None:
    for name in names:
        _as_read(fields, name, partial(international, country=country))


def _as_read(fields: dict[str, Any], name: str, read: Callable[[str], str]) -> None:
    if name in fields:
        fields[name] = in_form(partial(read, fields[name]), fields[name])


def _as_sets(fields: dict[str, Any], *names: str) -> None:
    for name in names:
        if name in fields:
            fields[name] = sorted(set(fields[name]))


def _in_order(fields: dict[str, Any], name: str, order: tuple[str, ...]) -> None:
    """Put known words into the API's order, and unknown ones last; the API says what is wrong with those."""
    if name in fields:
        given = fields[name]
        fields[name] = [*(word for word in order if word in given), *(word for word in given if word not in order)]
