"""Webhooks are reported to the config service: the last of each outcome."""

import base64

import aiohttp
import pytest

from sms_common.carriers.bandwidth import Bandwidth
from sms_common.carriers.protocol import TEST_BODY
from sms_common.errors import Code, Unavailable
from sms_common.events import WebhooksSeen
from sms_common.http.proxies import TrustedProxies, read_networks
from sms_common.topology import DEAD, SEEN, SMS
from sms_ingress.answers import WebhookOutcome
from sms_ingress.server import serve_webhooks
from sms_ingress.webhook_activity import WebhookActivity
from sms_ingress.webhook_handler import WebhookHandler
from tests.ingress.world import EARLIER, GUARDED, NOW, OPEN, PASSWORD, SNAPSHOT, USER, Ingress

pytestmark = pytest.mark.loopback

RECEIPT = (
    b'[{"type":"message-delivered","time":"2026-11-24T12:00:00Z","to":"+13125550100","description":"",'
    b'"message":{"id":"m","time":"2026-11-24T12:00:00Z","to":["+13125550100"],"from":"+12015550100"}}]'
)
RIGHT = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"x:y").decode()}


@pytest.fixture
def activity(broker):
    return WebhookActivity(broker)


@pytest.fixture
async def ingress(broker, activity):
    carriers = {"bandwidth": Bandwidth()}
    handler = WebhookHandler(
        publisher=broker, snapshot=lambda: SNAPSHOT, carriers=carriers, clock=lambda: NOW, activity=activity
    )
    async with aiohttp.ClientSession() as http, serve_webhooks(handler.handle, "127.0.0.1", 0) as port:
        yield Ingress(port, http)


@pytest.mark.parametrize(
    ("proxies", "source"),
    [("127.0.0.1", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")],
    ids=["a listed proxy", "a stranger"],
)
async def test_where_a_webhook_came_from_is_believed_of_listed_proxies_only(broker, proxies, source):
    activity = WebhookActivity(broker, proxies=TrustedProxies(read_networks(proxies)))
    handler = WebhookHandler(
        publisher=broker, snapshot=lambda: SNAPSHOT, carriers={"bandwidth": Bandwidth()}, activity=activity
    )
    async with aiohttp.ClientSession() as http, serve_webhooks(handler.handle, "127.0.0.1", 0) as port:
        await Ingress(port, http).post(RECEIPT, OPEN, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
    await activity.report()

    assert [one[-1] for one in reported(broker)] == [source]


def reported(broker):
    return [
        (one.config_id, one.result, one.status, one.kind, one.source)
        for delivery in broker.waiting(SEEN)
        for one in WebhooksSeen.model_validate_json(delivery.body).seen
    ]


@pytest.mark.parametrize(
    ("token", "body", "headers", "wanted"),
    [
        (OPEN, RECEIPT, {}, ("open", "accepted", 200, "message-delivered")),
        (OPEN, b"nonsense", {}, ("open", "unreadable", 200, None)),
        (OPEN, b'[{"type":"news"}]', {}, ("open", "not_handled", 200, "unknown")),
        (GUARDED, RECEIPT, {}, ("guarded", "challenged", 401, None)),
        (GUARDED, RECEIPT, WRONG, ("guarded", "unauthorized", 401, None)),
        (GUARDED, RECEIPT, RIGHT, ("guarded", "accepted", 200, "message-delivered")),
    ],
    ids=["accepted", "unreadable", "not handled", "challenged", "unauthorized", "with credentials"],
)
async def test_what_came_is_reported(ingress, broker, activity, token, body, headers, wanted):
    answer = await ingress.post(body, token, headers=headers)
    await activity.report()

    assert answer.status == wanted[2]
    assert reported(broker) == [(*wanted, "127.0.0.1")]


async def test_an_unknown_token_is_nobodys(ingress, broker, activity):
    await ingress.post(RECEIPT, "nothing")
    await activity.report()

    assert reported(broker) == []


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (RIGHT, 200)])
async def test_the_gateways_own_call_is_answered_and_leaves_nothing(ingress, broker, activity, headers, status):
    answer = await ingress.post(TEST_BODY, GUARDED, headers=headers)
    await activity.report()

    assert (answer.status, "WWW-Authenticate" in answer.headers) == (status, status == 401)
    assert broker.published == []
    assert broker.waiting(DEAD) == []


async def test_only_the_last_of_a_kind_is_reported(activity, broker):
    endpoint = SNAPSHOT.endpoints[0]
    activity.record(endpoint, WebhookOutcome.ACCEPTED, EARLIER, "message-sent", "a")
    activity.record(endpoint, WebhookOutcome.ACCEPTED, NOW, "k" * 100, "b")
    await activity.report()
    await activity.report()

    assert reported(broker) == [("open", "accepted", 200, "k" * 64, "b")]


async def test_while_the_broker_is_away_it_waits_and_the_newer_wins(activity, broker):
    first, second = SNAPSHOT.endpoints[:2]
    activity.record(first, WebhookOutcome.ACCEPTED, EARLIER, "old", None)
    activity.record(second, WebhookOutcome.ACCEPTED, EARLIER, "kept", None)
    broker.away = True
    await activity.report()
    activity.record(first, WebhookOutcome.ACCEPTED, NOW, "new", None)
    broker.away = False
    await activity.report()

    assert {kind for *_, kind, _ in reported(broker)} == {"new", "kept"}


async def test_what_comes_while_an_older_one_is_not_reported_is_kept(broker, activity, monkeypatch):
    endpoint = SNAPSHOT.endpoints[0]
    publish = broker.publish

    async def lost(_):
        activity.record(endpoint, WebhookOutcome.ACCEPTED, NOW, "new", None)
        raise Unavailable(Code.BROKER_UNAVAILABLE, "The broker went.")

    activity.record(endpoint, WebhookOutcome.ACCEPTED, EARLIER, "old", None)
    monkeypatch.setattr(broker, "publish", lost)
    await activity.report()
    monkeypatch.setattr(broker, "publish", publish)
    await activity.report()

    assert [kind for *_, kind, _ in reported(broker)] == ["new"]


async def test_what_is_left_is_reported_at_the_end(broker):
    async with WebhookActivity(broker) as activity:
        activity.record(SNAPSHOT.endpoints[0], WebhookOutcome.UNAVAILABLE, NOW, None, None)

    assert reported(broker) == [("open", "unavailable", 503, None, None)]
    assert broker.published_to(SMS) == []


async def test_many_are_reported_in_several_events(activity, broker):
    for number in range(501):
        endpoint = SNAPSHOT.endpoints[0].model_copy(update={"config_id": f"c{number}"})
        activity.record(endpoint, WebhookOutcome.ACCEPTED, NOW, None, None)
    await activity.report()

    assert len(broker.waiting(SEEN)) == 2
    assert len(reported(broker)) == 501
