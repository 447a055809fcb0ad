"""The health of an SMS configuration: judged by its state, its lane, and the webhooks that ingress reported."""

import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sms_common.broker import Delivery
from sms_common.events import SeenWebhook, WebhooksSeen
from sms_config.operations.config_health import health
from sms_config.operations.webhook_activity import WebhookActivityRecorder
from sms_config.schemas.views import LaneView, SmsView
from tests.config.world import CREDENTIALS, TRUNK, Clock, make_settings

pytestmark = pytest.mark.loopback

HEALTH = "/api/v1/sms-health"
NOW = Clock()()


def seen(result, seconds_ago=60.0, status=200, config_id="c1", **values):
    at = NOW - timedelta(seconds=seconds_ago)
    return SeenWebhook(config_id=config_id, result=result, status=status, at=at, **values)


def config(state="active"):
    given: dict[str, Any] = {"id": "c1", "tenant_id": "acme", "state": state}
    return SmsView.model_construct(**given)


PAUSED = LaneView(why="paused", code="carrier_busy", reason="Bandwidth answered HTTP 429: queue full", since=NOW)
PERSON = LaneView(why="person", code="credentials_refused", reason="Bandwidth answered HTTP 401.", since=NOW)
TAKEN, OLD = seen("accepted"), seen("accepted", 86_400)
# The state of the configuration, its lane and the webhooks that came; how it is judged, and its code.
VERDICTS: dict[str, Any] = {
    "nothing yet": ("active", None, [], "never_seen", "never_seen"),
    "taken": ("active", None, [TAKEN], "ok", "ok"),
    "taken after its challenge": ("active", None, [seen("challenged", 60.2, 401), TAKEN], "ok", "ok"),
    "a challenge that is being answered": ("active", None, [OLD, seen("challenged", 1, 401)], "ok", "ok"),
    "the first challenge of all": ("active", None, [seen("challenged", 1, 401)], "never_seen", "never_seen"),
    "a challenge nobody answered": (
        "active",
        None,
        [OLD, seen("challenged", 60, 401)],
        "failing",
        "webhook_unauthorized",
    ),
    "another password": ("active", None, [OLD, seen("unauthorized", 1, 401)], "failing", "webhook_unauthorized"),
    "another password, mended since": ("active", None, [seen("unauthorized", 120, 401), TAKEN], "ok", "ok"),
    "never anything but refused": ("active", None, [seen("unauthorized", 1, 401)], "failing", "webhook_unauthorized"),
    "the broker was away": ("active", None, [OLD, seen("unavailable", 9, 503)], "failing", "webhook_not_taken"),
    "not understood": ("active", None, [OLD, seen("unreadable")], "failing", "webhook_unreadable"),
    "not acted on": ("active", None, [seen("not_handled")], "ok", "ok"),
    "a lane that pauses": ("active", PAUSED, [TAKEN], "failing", "lane_paused"),
    "a lane that needs a person": ("active", PERSON, [TAKEN], "failing", "credentials_refused"),
    "a lane that needs a person, switched off": ("disabled", PERSON, [TAKEN], "disabled", "config_disabled"),
    "a draft": ("draft", None, [TAKEN], "draft", "config_incomplete"),
    "switched off": ("disabled", None, [seen("unauthorized", 1, 401)], "disabled", "config_disabled"),
}


@pytest.mark.parametrize(("state", "lane", "webhooks", "verdict", "code"), VERDICTS.values(), ids=VERDICTS)
def test_the_health_of_a_configuration(state, lane, webhooks, verdict, code):
    found = health(config(state), webhooks, lane, NOW)
    turned = health(config(state), reversed(webhooks), lane, NOW)

    assert (found.health, found.code) == (verdict, code)
    assert found.says.endswith(".")
    assert found == turned


def test_the_last_of_both_kinds_are_told():
    found = health(config(), [OLD, TAKEN, seen("unauthorized", 5, 401, source="203.0.113.7")], None, NOW)

    assert found.last_webhook
    assert found.last_refused
    assert (found.last_webhook.at, found.last_webhook.result) == (TAKEN.at, "accepted")
    assert (found.last_refused.status, found.last_refused.source) == (401, "203.0.113.7")


def delivered(*webhooks):
    event = WebhooksSeen(event_id="e", seen=webhooks)
    return Delivery(queue="sms.seen", routing_key="sms.seen", body=event.encode(), type=WebhooksSeen.TYPE)


async def test_what_ingress_tells_is_shown(api, sms, store, key_for):
    handle = WebhookActivityRecorder(store).handle
    await handle(delivered(seen("accepted", 50, config_id=sms["id"], kind="message-delivered", source="203.0.113.7")))
    await handle(delivered(seen("accepted", 60, config_id=sms["id"])))  # of another ingress, which was slower

    (item,) = (await api.get(f"{HEALTH}?ids={sms['id']},nothing")).json["items"]

    assert (item["config_id"], item["tenant_id"], item["health"]) == (sms["id"], "acme", "ok")
    assert item["last_webhook"] == {
        "at": "2026-03-01T11:59:10Z",
        "result": "accepted",
        "status": 200,
        "kind": "message-delivered",
        "source": "203.0.113.7",
    }


async def test_another_tenants_configuration_is_not_there(api, sms, key_for):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    theirs = await key_for("read", tenants=["globex"])

    assert (await theirs.get(f"{HEALTH}?ids={sms['id']}")).json == {"count": 0, "items": []}
    assert (await (await key_for("send")).get(f"{HEALTH}?ids={sms['id']}")).status == 403


@pytest.mark.parametrize("query", ["", "?ids=", "?ids=a..b", "?ids=" + ",".join(["a"] * 101)])
async def test_a_question_without_usable_ids_is_refused(api, query):
    assert (await api.get(HEALTH + query)).field_errors().keys() == {"ids"}


async def test_a_draft_says_what_it_is(api, trunk):
    made = await api.made("/api/v1/sms", {"name": "Draft", "provider_id": trunk["id"]})
    off = await api.made(
        "/api/v1/sms", {"name": "Off", "provider_id": trunk["id"], "credentials": CREDENTIALS, "enabled": False}
    )

    items = (await api.get(f"{HEALTH}?ids={made['id']},{off['id']}")).json["items"]

    assert {item["config_id"]: item["health"] for item in items} == {made["id"]: "draft", off["id"]: "disabled"}


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, {"items": [{"config_id": "THEIRS", "why": "person", "code": "c", "reason": "R.", "since": None}]}, "c"),
        (200, {"items": []}, "never_seen"),
        (200, {"strange": 1}, "never_seen"),
        (404, {}, "never_seen"),  # a dispatcher of an older version
        (503, {}, "never_seen"),
    ],
    ids=["stands", "moves", "strange", "older", "away"],
)
async def test_the_dispatcher_is_asked_for_lanes_and_may_be_away(serve, status, body, wanted):
    asked = []

    async def lanes(request):
        asked.append((request.path, request.query["ids"]))
        return web.Response(status=status, text=json.dumps(body).replace("THEIRS", request.query["ids"]))

    app = web.Application()
    app.router.add_get("/{path:.*}", lanes)
    async with TestServer(app) as server:
        given = {"dispatcher_url": str(server.make_url("")).rstrip("/"), "dispatcher_read_token": "token-of-the-api"}
        api = await serve(make_settings(**given))
        await api.made("/api/v1/tenants", {"id": "acme", "name": "Acme"})
        trunk = await api.made("/api/v1/trunks", {**TRUNK, "tenant_id": "acme"})
        made = {"name": "Main", "provider_id": trunk["id"], "credentials": CREDENTIALS}
        config_id = (await api.made("/api/v1/sms", made))["id"]
        (item,) = (await api.get(f"{HEALTH}?ids={config_id}")).json["items"]

    assert (item["code"], asked) == (wanted, [("/api/v1/lanes", config_id)])
