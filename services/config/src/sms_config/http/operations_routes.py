"""The routes for operating a running gateway: parked messages, connection tests, health, and live updates."""

from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel

from sms_config.access.auth import Scope
from sms_config.http.requests import Call
from sms_config.http.routes import PREFIX, ApiRoute, Listing, LiveStream
from sms_config.operations.config_health import ConfigHealth
from sms_config.operations.connection_tests import ConnectionTests
from sms_config.operations.message_history import MessageHistory
from sms_config.operations.parking import MAX_LISTED, Parking
from sms_config.operations.server_sent_events import LiveUpdates
from sms_config.schemas.bodies import CredentialTrial, HealthOf, LiveFilter, ParkedChoice, ParkedFilter, Replay, parse
from sms_config.schemas.views import ParkedBodyView, ParkedResultView, ParkedView, SmsHealthView, TrialView


@dataclass(frozen=True, slots=True)
class Operations:
    """The objects that the routes of this module serve."""

    dead_letters: Parking
    unrouted: Parking
    live: LiveUpdates
    history: MessageHistory
    health: ConfigHealth
    connection_tests: ConnectionTests


def operations_routes(operations: Operations) -> list[ApiRoute]:
    """Return the routes of this module."""
    return [
        *parking_routes("dead-letters", "dead letter", operations.dead_letters),
        *parking_routes("unrouted", "unrouted message", operations.unrouted),
        live_route(operations.live, operations.history),
        health_route(operations.health),
        *connection_test_routes(operations.connection_tests),
    ]


def connection_test_routes(tests: ConnectionTests) -> list[ApiRoute]:
    """Return the routes that test an SMS configuration."""

    async def credentials(call: Call) -> BaseModel:
        return await tests.credentials(call.caller, call.object_id, call.given)

    async def webhook(call: Call) -> BaseModel:
        return await tests.webhook(call.caller, call.object_id)

    path, route = f"{PREFIX}/sms/{{id}}", partial(ApiRoute, scope=Scope.CONFIG, answer=TrialView)
    test_credentials = "Test the credentials at the carrier; nothing is sent"
    test_webhook = "Call the webhook as the carrier would; no message comes in"
    return [
        route(
            *("POST", path + "/test-credentials", "test_credentials", test_credentials),
            handle=credentials,
            body=CredentialTrial,
        ),
        route("POST", path + "/test-webhook", "test_webhook", test_webhook, handle=webhook),
    ]


def health_route(health: ConfigHealth) -> ApiRoute:
    """Return the route that reports the health of SMS configurations."""

    async def read(call: Call) -> Listing:
        found = await health.of(call.caller, parse(HealthOf, dict(call.parameters)).ids.split(","))
        return Listing(len(found), found)

    path, summary = f"{PREFIX}/sms-health", "Tell how SMS configurations do, and when their last webhooks came"
    return ApiRoute("GET", path, "sms_health", summary, Scope.READ, read, SmsHealthView, asks=HealthOf)


def live_route(live: LiveUpdates, history: MessageHistory) -> ApiRoute:
    """Return the route that notifies a page when messages changed."""

    async def listen(call: Call) -> LiveStream:
        asked = parse(LiveFilter, dict(call.parameters))
        tenant = await history.tenant(call.caller, asked.tenant_id)
        return LiveStream(await live.watch(call.caller.id, tenant, asked.message_id), live.timing)

    path, summary = f"{PREFIX}/events/messages", "Be told when messages change"
    return ApiRoute("GET", path, "watch_messages", summary, Scope.READ, listen, asks=LiveFilter, streams=True)


def parking_routes(name: str, noun: str, parking: Parking) -> list[ApiRoute]:
    """Return the routes of one queue of parked messages."""

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
