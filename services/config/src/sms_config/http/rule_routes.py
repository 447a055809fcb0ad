"""The routes of rules, extensions and tenants' clocks."""

from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel

from sms_config.access.auth import Scope
from sms_config.http.requests import Call
from sms_config.http.routes import PREFIX, ApiRoute, Resource, create, each, readable, writable
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.resources.routing import DefaultRouting
from sms_config.resources.routing import view as routing_view
from sms_config.resources.rules import EXTENSION_COLUMNS, INBOUND_COLUMNS, OUTBOUND_COLUMNS, RuleResource
from sms_config.schemas.bodies import parse
from sms_config.schemas.rule_bodies import (
    ExtensionCreate,
    ExtensionWrite,
    InboundRuleCreate,
    InboundRuleWrite,
    OutboundRuleCreate,
    OutboundRuleWrite,
    RoutingOf,
    RoutingWrite,
)
from sms_config.schemas.views import ExtensionView, InboundRuleView, OutboundRuleView, RoutingView


@dataclass(frozen=True, slots=True)
class RuleResources:
    """Everything a tenant decides by."""

    inbound: RuleResource[InboundRuleRecord]
    outbound: RuleResource[OutboundRuleRecord]
    extensions: RuleResource[ExtensionRecord]
    routing: DefaultRouting


def rule_routes(rules: RuleResources) -> list[ApiRoute]:
    """Every route about rules."""
    inbound = Resource("inbound-rules", "inbound_rule", INBOUND_COLUMNS, InboundRuleView, each(_inbound_view))
    outbound = Resource("outbound-rules", "outbound_rule", OUTBOUND_COLUMNS, OutboundRuleView, each(_outbound_view))
    extension = Resource("extensions", "extension", EXTENSION_COLUMNS, ExtensionView, each(_extension_view))
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


def _clock_routes(clocks: DefaultRouting) -> list[ApiRoute]:
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
        ApiRoute(
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
        ApiRoute(
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
        ApiRoute(
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
