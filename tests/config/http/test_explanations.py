"""What would become of a text, asked from the dispatcher for the caller's tenant and no other."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sms_config.http import explanations as shown
from sms_dispatcher.api import explaining as decided
from tests.config.world import make_settings

pytestmark = pytest.mark.loopback

TOKEN = "token-of-the-read-api"
OUTBOUND, INBOUND = "/api/v1/explain/outbound", "/api/v1/explain/inbound"
TEXT = {"extension": "101", "to": "+13125550100", "text": "Hello", "from": "+12015550100", "category": "otp"}
ARRIVED = {"sender": "+13125550100", "did": "+12015550100", "channel": "MMS"}
VERDICT = {"rule_id": "r1", "name": "One", "won": True, "reason": ""}
ANSWERS: dict[str, Any] = {
    OUTBOUND: {
        "to": "+13125550100",
        "config_id": "c1",
        "config_name": "Main",
        "sender": "+12015550100",
        "sender_reason": "The request names it.",
        "rule_id": "r1",
        "reason": "Rule 'One' matches.",
        "routes": [
            {
                "config_id": "c1",
                "config_name": "Main",
                "to": "+13125550100",
                "sender": None,
                "reason": "It is disabled.",
            }
        ],
        "verdicts": [VERDICT],
        "lane": "sms.lane.c1",
        "bulk": False,
        "msg_type": "SMS",
        "segments": 1,
        "encoding": "GSM-7",
        "held_until": "2026-03-02T08:00:00Z",
        "rejection": {"code": "blocked_by_rule", "reason": "Closed.", "field": None},
    },
    INBOUND: {
        "did": "+12015550100",
        "tenant_id": "acme",
        "config_id": None,
        "blocked": False,
        "route": {"rule_id": None, "kind": "did", "destination": "12015550100", "reason": "No inbound rule matches."},
        "period": "office",
        "verdicts": [VERDICT],
        "rejection": None,
    },
}


class Dispatcher:
    """Stands in for the dispatcher and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.status = 200
        self.answers = dict(ANSWERS)

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        self.asked.append(await request.json())
        return web.json_response(self.answers[request.path], status=self.status)


@pytest.fixture
def dispatcher():
    return Dispatcher()


@pytest.fixture
async def settings(dispatcher):
    app = web.Application()
    app.router.add_post("/{path:.*}", dispatcher.handle)
    async with TestServer(app) as server:
        yield make_settings(dispatcher_url=str(server.make_url("")).rstrip("/"), dispatcher_read_token=TOKEN)


@pytest.mark.parametrize(("path", "question"), [(OUTBOUND, TEXT), (INBOUND, ARRIVED)])
async def test_a_question_about_ones_own_tenant(ann, dispatcher, path, question):
    answer = await ann.call("POST", path, {**question, "at": "2026-03-01T12:00:00+01:00"})

    assert (answer.status, answer.json) == (200, ANSWERS[path])
    assert dispatcher.asked == [{**question, "tenant_id": "acme", "at": "2026-03-01T11:00:00Z"}]


@pytest.mark.parametrize(
    ("path", "question", "field"),
    [
        (OUTBOUND, {"extension": None}, "extension"),
        (OUTBOUND, {"to": ["+13125550100"]}, "to"),
        (OUTBOUND, {"text": "x" * 20_000}, "text"),
        (OUTBOUND, {"category": "spam"}, "category"),
        (OUTBOUND, {"at": "noon"}, "at"),
        (OUTBOUND, {"colour": "red"}, "colour"),
        (INBOUND, {"channel": "FAX"}, "channel"),
        (INBOUND, {"did": ""}, "did"),
        (INBOUND, {"config_id": "a.b"}, "config_id"),
    ],
)
async def test_a_wrong_question_is_told_and_nobody_is_asked(ann, dispatcher, path, question, field):
    answer = await ann.call("POST", path, {**(TEXT if path == OUTBOUND else ARRIVED), **question})

    assert (answer.status, set(answer.field_errors())) == (422, {field})
    assert dispatcher.asked == []


@pytest.mark.parametrize(("path", "question"), [(OUTBOUND, TEXT), (INBOUND, ARRIVED)])
async def test_another_tenants_texts_are_not_found(api, ann, dispatcher, path, question):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})

    asked = [await ann.call("POST", path, {**question, "tenant_id": tenant}) for tenant in ("globex", "nobody")]

    assert [answer.status for answer in asked] == [404, 404]
    assert asked[0].json["message"] == asked[1].json["message"]
    assert dispatcher.asked == []


@pytest.mark.parametrize(
    ("path", "question", "unsaid"), [(OUTBOUND, TEXT, 422), (INBOUND, ARRIVED, 200)], ids=["outbound", "inbound"]
)
async def test_who_acts_for_all_tenants_says_which_one_sends(boss, acme, dispatcher, path, question, unsaid):
    answers = [
        await boss.call("POST", path, question),
        await boss.call("POST", path, {**question, "tenant_id": "acme"}),
        await boss.call("POST", path, question, headers={"X-Tenant": "acme"}),
    ]

    assert [answer.status for answer in answers] == [unsaid, 200, 200]
    assert {asked["tenant_id"] for asked in dispatcher.asked} == {"acme"} | ({None} if unsaid == 200 else set())


@pytest.mark.parametrize(("path", "question"), [(OUTBOUND, TEXT), (INBOUND, ARRIVED)])
async def test_a_key_for_several_tenants_says_which(api, acme, key_for, dispatcher, path, question):
    await api.made("/api/v1/tenants", {"id": "globex", "name": "Globex"})
    both = await key_for("read", tenants=["acme", "globex"])

    answer = await both.call("POST", path, question)

    assert (answer.status, set(answer.field_errors())) == (422, {"tenant_id"})


async def test_it_needs_a_credential_with_the_scope_read(anyone, acme, key_for):
    reader, sender = await key_for("read", tenants=["acme"]), await key_for("send", tenants=["acme"])

    answers = [await who.call("POST", OUTBOUND, TEXT) for who in (anyone, sender, reader)]

    assert [answer.status for answer in answers] == [401, 403, 200]


@pytest.mark.parametrize(("status", "answer"), [(503, {}), (500, {}), (404, {}), (422, {}), (200, {"to": "+1"})])
async def test_a_dispatcher_that_cannot_tell_is_a_503_in_words(ann, dispatcher, status, answer):
    dispatcher.status, dispatcher.answers[OUTBOUND] = status, answer

    told = await ann.call("POST", OUTBOUND, TEXT)

    assert (told.status, told.json["code"], told.headers["Retry-After"]) == (503, "explanation_unavailable", "5")


async def test_what_only_the_dispatcher_finds_wrong_is_told_beside_its_field(ann, dispatcher):
    said = {"field": "to", "message": "must be one number: one recipient is explained at a time"}
    dispatcher.status, dispatcher.answers[OUTBOUND] = 422, {"code": "invalid_query", "errors": [said]}

    told = await ann.call("POST", OUTBOUND, {**TEXT, "to": "+13125550100;+13125550111"})

    assert (told.status, told.json["errors"]) == (422, [said])


@pytest.mark.parametrize(
    ("view", "answer"),
    [
        (shown.OutboundExplanationView, decided.OutboundExplanation),
        (shown.InboundExplanationView, decided.InboundExplanation),
        (shown.RouteView, decided.RouteShown),
        (shown.VerdictView, decided.VerdictShown),
        (shown.RejectionView, decided.RejectionShown),
        (shown.DestinationView, decided.ExplainedDestination),
        (shown.OutboundExplainBody, decided.OutboundQuestion),
        (shown.InboundExplainBody, decided.InboundQuestion),
    ],
)
def test_both_services_speak_of_the_same_things(view, answer):
    assert set(view.model_fields) == set(answer.model_fields)
