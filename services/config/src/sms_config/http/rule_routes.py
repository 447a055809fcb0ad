"""The routes of rules, extensions, and tenants' hours, holidays and blocked senders."""

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
    """The resources that the routes of this module serve."""

    inbound: RuleResource[InboundRuleRecord]
    outbound: RuleResource[OutboundRuleRecord]
    extensions: RuleResource[ExtensionRecord]
    routing: DefaultRouting


def rule_routes(rules: RuleResources) -> list[ApiRoute]:
    """Return the routes of this module."""
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
        *_routing_routes(rules.routing),
    ]


def _inbound_view(record: InboundRuleRecord) -> InboundRuleView:
    return InboundRuleView.model_validate(record, from_attributes=True)


def _outbound_view(record: OutboundRuleRecord) -> OutboundRuleView:
    return OutboundRuleView.model_validate(record, from_attributes=True)


def _extension_view(record: ExtensionRecord) -> ExtensionView:
    return ExtensionView.model_validate(record, from_attributes=True)


def _routing_routes(routing: DefaultRouting) -> list[ApiRoute]:
    """Return the routes of a tenant's hours, holidays and blocked senders: one object for each tenant."""

    async def read(call: Call) -> BaseModel:
        return routing_view(await routing.read(call.caller, _tenant(call)))

    async def change(call: Call, *, replace: bool) -> BaseModel:
        changed = routing.update(call.caller, _tenant(call), call.given, version=call.version, replace=replace)
        return routing_view(await changed)

    content = "a tenant's hours, holidays and blocked senders"
    path, route = f"{PREFIX}/routing", partial(ApiRoute, answer=RoutingView, asks=RoutingOf, single=True)
    writing = partial(route, scope=Scope.CONFIG, body=RoutingWrite, versioned=True)
    update, replace = partial(change, replace=False), partial(change, replace=True)
    return [
        route("GET", path, "read_routing", f"Read {content}", scope=Scope.READ, handle=read),
        writing("PATCH", path, "update_routing", f"Change some fields of {content}", handle=update, partial=True),
        writing("PUT", path, "replace_routing", f"Set all of {content}", handle=replace),
    ]


def _tenant(call: Call) -> str | None:
    """Return the tenant from the query, or from the body: a client may send back the object that it read here."""
    named = parse(RoutingOf, dict(call.parameters)).tenant_id
    return named or parse(RoutingOf, {"tenant_id": call.given.get("tenant_id")}).tenant_id
