"""The routes by which a running gateway is looked after: what is parked, what works, and what happens right now."""

from dataclasses import dataclass

from pydantic import BaseModel

from sms_config.access.auth import Scope
from sms_config.http.requests import Call
from sms_config.http.routes import PREFIX, ApiRoute, Listing, LiveStream
from sms_config.operations.connection_tests import ConnectionTests
from sms_config.operations.message_history import MessageHistory
from sms_config.operations.parking import MAX_LISTED, Parking
from sms_config.operations.server_sent_events import LiveUpdates
from sms_config.operations.webhook_activity import ConfigHealth
from sms_config.schemas.bodies import CredentialTrial, HealthOf, LiveFilter, ParkedChoice, ParkedFilter, Replay, parse
from sms_config.schemas.views import ParkedBodyView, ParkedResultView, ParkedView, SmsHealthView, TrialView


@dataclass(frozen=True, slots=True)
class Operations:
    """Everything these routes are about."""

    dead_letters: Parking
    unrouted: Parking
    live: LiveUpdates
    history: MessageHistory
    health: ConfigHealth
    trials: ConnectionTests


def operations_routes(operations: Operations) -> list[ApiRoute]:
    """Every route of this module."""
    return [
        *parking_routes("dead-letters", "dead letter", operations.dead_letters),
        *parking_routes("unrouted", "unrouted message", operations.unrouted),
        live_route(operations.live, operations.history),
        health_route(operations.health),
        *connection_test_routes(operations.trials),
    ]


def connection_test_routes(trials: ConnectionTests) -> list[ApiRoute]:
    """Make the routes that try an SMS configuration."""

    async def credentials(call: Call) -> BaseModel:
        return await trials.credentials(call.caller, call.object_id, call.given)

    async def webhook(call: Call) -> BaseModel:
        return await trials.webhook(call.caller, call.object_id)

    path, scope = f"{PREFIX}/sms/{{id}}", Scope.CONFIG
    tried = "Try the credentials at the carrier, sending nothing"
    called = "Call the webhook as the carrier would, bringing in nothing"
    return [
        ApiRoute(
            "POST",
            path + "/test-credentials",
            "test_credentials",
            tried,
            scope,
            credentials,
            TrialView,
            body=CredentialTrial,
        ),
        ApiRoute("POST", path + "/test-webhook", "test_webhook", called, scope, webhook, TrialView),
    ]


def health_route(health: ConfigHealth) -> ApiRoute:
    """Make the route that says how SMS configurations do."""

    async def ask(call: Call) -> Listing:
        found = await health.of(call.caller, parse(HealthOf, dict(call.parameters)).ids.split(","))
        return Listing(len(found), found)

    path, summary = f"{PREFIX}/sms-health", "Tell how SMS configurations do, and when their last webhooks came"
    return ApiRoute("GET", path, "sms_health", summary, Scope.READ, ask, SmsHealthView, asks=HealthOf)


def live_route(live: LiveUpdates, history: MessageHistory) -> ApiRoute:
    """Make the route by which a page is told when to read messages again."""

    async def listen(call: Call) -> LiveStream:
        asked = parse(LiveFilter, dict(call.parameters))
        tenant = await history.tenant(call.caller, asked.tenant_id)
        return LiveStream(await live.watch(call.caller.id, tenant, asked.message_id), live.rhythm)

    path, summary = f"{PREFIX}/events/messages", "Be told when messages change"
    return ApiRoute("GET", path, "watch_messages", summary, Scope.READ, listen, asks=LiveFilter, streams=True)


def parking_routes(name: str, noun: str, parking: Parking) -> list[ApiRoute]:
    """Make the routes of one parking place."""

    async def list_all(call: Call) -> Listing:
        return Listing(*await parking.find(call.caller, parse(ParkedFilter, dict(call.parameters))))

    async def read(call: Call) -> BaseModel:
        return await parking.read(call.caller, call.object_id)

    async def reveal(call: Call) -> BaseModel:
        return await parking.reveal(call.caller, call.object_id)

    async def replay(call: Call) -> BaseModel:
        body = parse(Replay, call.given)
        return await parking.replay(call.caller, body.ids, body.tenant_id)

    async def discard(call: Call) -> BaseModel:
        return await parking.discard(call.caller, parse(ParkedChoice, call.given).ids)

    path, word = f"{PREFIX}/{name}", noun.replace(" ", "_")
    scope, result = Scope.OPERATE, ParkedResultView
    listed = f"List {noun}s, the oldest first, among the oldest {MAX_LISTED}"
    seen = f"Show the whole body of a {noun}; the audit log keeps who saw it"
    back = f"Send {noun}s back to where they came from"
    return [
        ApiRoute("GET", path, f"list_{word}s", listed, Scope.READ, list_all, ParkedView, asks=ParkedFilter),
        ApiRoute("GET", path + "/{id}", f"read_{word}", f"Read one {noun}, masked", Scope.READ, read, ParkedBodyView),
        ApiRoute("POST", path + "/{id}/reveal", f"reveal_{word}", seen, scope, reveal, ParkedBodyView),
        ApiRoute("POST", path + "/replay", f"replay_{word}s", back, scope, replay, result, body=Replay),
        ApiRoute(
            "POST", path + "/discard", f"discard_{word}s", f"Remove {noun}s", scope, discard, result, body=ParkedChoice
        ),
    ]
