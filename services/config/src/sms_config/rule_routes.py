"""The routes of rules, extensions and tenants' clocks."""

from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel

from sms_config import rulebook
from sms_config.auth import Scope
from sms_config.bodies import parse
from sms_config.requests import Call
from sms_config.routes import PREFIX, Resource, Route, create, each, readable, writable
from sms_config.routing import Routing
from sms_config.routing import view as routing_view
from sms_config.rule_bodies import (
    ExtensionCreate,
    ExtensionWrite,
    InboundRuleCreate,
    InboundRuleWrite,
    OutboundRuleCreate,
    OutboundRuleWrite,
    RoutingOf,
    RoutingWrite,
)
from sms_config.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.rulebook import Rulebook
from sms_config.views import ExtensionView, InboundRuleView, OutboundRuleView, RoutingView


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a tenant decides by."""

    inbound: Rulebook[InboundRuleRecord]
    outbound: Rulebook[OutboundRuleRecord]
    extensions: Rulebook[ExtensionRecord]
    routing: Routing


def rule_routes(rules: Rules) -> list[Route]:
    """Every route about rules."""
    inbound = Resource("inbound-rules", "inbound_rule", rulebook.INBOUND_COLUMNS, InboundRuleView, each(_inbound_view))
    outbound = Resource(
        "outbound-rules", "outbound_rule", rulebook.OUTBOUND_COLUMNS, OutboundRuleView, each(_outbound_view)
    )
    extension = Resource("extensions", "extension", rulebook.EXTENSION_COLUMNS, ExtensionView, each(_extension_view))
    return [
        *readable(inbound, rules.inbound),
        create(inbound, InboundRuleCreate, rules.inbound.create),
        *writable(inbound, rules.inbound, InboundRuleWrite),
        *readable(outbound, rules.outbound),
        create(outbound, OutboundRuleCreate, rules.outbound.create),
        *writable(outbound, rules.outbound, OutboundRuleWrite),
        *readable(extension, rules.extensions),
        create(extension, ExtensionCreate, rules.extensions.create),
        *writable(extension, rules.extensions, ExtensionWrite),
        *_clock_routes(rules.routing),
    ]


def _inbound_view(record: InboundRuleRecord) -> InboundRuleView:
    return InboundRuleView.model_validate(record, from_attributes=True)


def _outbound_view(record: OutboundRuleRecord) -> OutboundRuleView:
    return OutboundRuleView.model_validate(record, from_attributes=True)


def _extension_view(record: ExtensionRecord) -> ExtensionView:
    return ExtensionView.model_validate(record, from_attributes=True)


def _clock_routes(clocks: Routing) -> list[Route]:
    """Make the routes of what each tenant has one of."""

    async def read(call: Call) -> BaseModel:
        return routing_view(await clocks.read(call.caller, _tenant(call)))

    async def change(call: Call, *, replace: bool) -> BaseModel:
        changed = clocks.update(call.caller, _tenant(call), call.given, version=call.version, replace=replace)
        return routing_view(await changed)

    path, view = f"{PREFIX}/routing", RoutingView
    update_summary = "Change some fields of a tenant's hours, holidays and blocked senders"
    replace_summary = "Set all of a tenant's hours, holidays and blocked senders"
    return [
        Route(
            "GET",
            path,
            "read_routing",
            "Read a tenant's hours, holidays and blocked senders",
            Scope.READ,
            read,
            view,
            asks=RoutingOf,
            single=True,
        ),
        Route(
            "PATCH",
            path,
            "update_routing",
            update_summary,
            Scope.CONFIG,
            partial(change, replace=False),
            view,
            body=RoutingWrite,
            partial=True,
            asks=RoutingOf,
            single=True,
            versioned=True,
        ),
        Route(
            "PUT",
            path,
            "replace_routing",
            replace_summary,
            Scope.CONFIG,
            partial(change, replace=True),
            view,
            body=RoutingWrite,
            asks=RoutingOf,
            single=True,
            versioned=True,
        ),
    ]


def _tenant(call: Call) -> str | None:
    """The tenant that is named in the address, or in a body that was read here and is written back."""
    named = parse(RoutingOf, dict(call.parameters)).tenant_id
    return named or parse(RoutingOf, {"tenant_id": call.given.get("tenant_id")}).tenant_id
