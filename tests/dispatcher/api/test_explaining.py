"""What an explanation says, that it agrees with what is done, and that it records nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from sms_common.configuration import DidPool
from sms_common.rules import Action, Extension, InboundRule, OutsideHours, Permission, RuleRoute
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.api.explaining import Explainer, OutboundQuestion
from sms_dispatcher.api.routes import ExplainApi
from tests.dispatcher.builders import DID, HANDSET, NOW, arrived, config, request, snapshot
from tests.dispatcher.memory_ledger import MemoryLedger
from tests.dispatcher.rules import BACKUP, BACKUP_DID, MORNINGS, rule, ruled

pytestmark = pytest.mark.loopback

TOKEN = "correct horse"
ASKED = {"tenant_id": "acme", "extension": "101", "to": HANDSET, "text": "Hello"}
WRITTEN = {"tenant_id": "acme", "sender": HANDSET, "did": DID}
TWO_ROUTES = ruled(
    rule(RuleRoute(config_id="cfg", prepend="7"), RuleRoute(config_id="backup", caller_id="+16175550105")),
    rule("cfg", id="r2", name="Two", priority=2000),
    rule("cfg", id="r3", name="", prefixes="44"),
)


class World:
    """An explainer behind its door, and what it looks at."""

    def __init__(self) -> None:
        self.snapshot: Any = TWO_ROUTES
        self.ledger = MemoryLedger(lambda: NOW, timedelta(days=90))
        explainer = Explainer(self.ledger, {"fake": FakeCarrier()}, lambda: self.snapshot, lambda: NOW)
        self.app = web.Application()
        ExplainApi(explainer, SecretStr(TOKEN)).add_to(self.app)
        self.client: TestClient[web.Request, web.Application]

    async def ask(self, direction: str, **question: Any) -> Any:
        path = f"/api/v1/explain/{direction}"
        async with self.client.post(path, json=question) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with TestClient(TestServer(world.app), headers={"Authorization": f"Bearer {TOKEN}"}) as world.client:
        yield world


async def test_a_text_to_the_number_it_would_be_sent_as_is_explained_as_refused(world):
    explained = await world.ask("outbound", **ASKED | {"to": DID, "from": DID})

    assert (explained["rejection"]["code"], explained["sender"]) == ("to_own_number", None)


async def test_one_recipient_is_explained_at_a_time(world):
    async with world.client.post("/api/v1/explain/outbound", json=ASKED | {"to": f"{HANDSET};+13125550100"}) as answer:
        assert answer.status == 422


async def test_an_outbound_text_is_explained_to_the_last_field(world):
    assert await world.ask("outbound", **ASKED | {"to": "(404) 555-0121", "category": "marketing"}) == {
        "to": HANDSET,
        "config_id": "cfg",
        "config_name": "Main line",
        "sender": DID,
        "sender_reason": "The trunk's default number.",
        "rule_id": "r1",
        "reason": "Rule 'One' matches.",
        "routes": [
            {
                "config_id": "cfg",
                "config_name": "Main line",
                "to": "+714045550121",
                "sender": DID,
                "reason": "The trunk's default number.",
            },
            {
                "config_id": "backup",
                "config_name": "Main line",
                "to": HANDSET,
                "sender": "+16175550105",
                "reason": "The route's caller id.",
            },
        ],
        "verdicts": [
            {"rule_id": "r1", "name": "One", "won": True, "reason": ""},
            {"rule_id": "r2", "name": "Two", "won": False, "reason": "It matches, but rule 'One' comes first."},
            {"rule_id": "r3", "name": "", "won": False, "reason": "No prefix fits the recipient. It is for 44."},
        ],
        "lane": "sms.lane.cfg.bulk",
        "bulk": True,
        "msg_type": "SMS",
        "segments": 1,
        "encoding": "GSM-7",
        "held_until": None,
        "rejection": None,
    }


async def test_a_refusal_is_explained_with_what_was_looked_at(world):
    world.snapshot = ruled(
        rule("cfg", "gone"),
        configs=(config(enabled=False), BACKUP),
        extensions=(Extension(extension="102", permission=Permission.DISABLE),),
    )

    answer = await world.ask("outbound", **ASKED)
    assert (answer["config_id"], answer["sender"], answer["lane"]) == (None, None, None)
    assert answer["rejection"] == {
        "code": "config_disabled",
        "reason": "The SMS configuration cfg is disabled.",
        "field": "config_id",
    }
    assert [(route["config_id"], route["sender"], route["reason"]) for route in answer["routes"]] == [
        ("cfg", None, "The SMS configuration cfg is disabled."),
        ("gone", None, "There is no SMS configuration gone."),
    ]
    muted = await world.ask("outbound", **ASKED | {"extension": "102"})
    assert (muted["rejection"]["field"], muted["verdicts"][0]["won"]) == ("extension", True)


async def test_another_tenants_configuration_has_neither_a_name_nor_a_state(world):
    theirs = config(id="theirs", tenant_id="other", trunk_id="trunk2", name="Secret", enabled=False)
    world.snapshot = ruled(rule("theirs", "cfg"), configs=(config(), theirs))

    by_rule = await world.ask("outbound", **ASKED)
    by_name = await world.ask("outbound", **ASKED | {"config_id": "theirs"})
    arriving = await world.ask("inbound", **WRITTEN | {"config_id": "theirs"})

    assert "Secret" not in f"{by_rule}{by_name}"
    assert (by_rule["config_id"], by_name["rejection"]["code"]) == ("cfg", "unknown_config")
    assert (arriving["config_id"], arriving["rejection"]) == ("cfg", None)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"tenant_id": "nobody"}, "unknown_tenant"),
        ({"to": "hello"}, "invalid_number"),
        ({"text": None}, "no_content"),
        ({"text": "x" * 5000}, "text_too_long"),
        ({"config_id": "nope"}, "unknown_config"),
        ({"from": "+13035550100"}, "sender_not_allowed"),
    ],
)
async def test_every_refusal_has_its_code(world, question, code):
    assert (await world.ask("outbound", **ASKED | question))["rejection"]["code"] == code


@pytest.mark.parametrize(
    ("closed", "at", "held_until", "code"),
    [
        (OutsideHours.HOLD, None, "2026-11-25T08:00:00Z", None),
        (OutsideHours.BLOCK, None, None, "blocked_by_rule"),
        (OutsideHours.BLOCK, "2026-11-24T12:00:00+02:00", None, None),
    ],
)
async def test_hours_are_those_of_the_asked_moment(world, closed, at, held_until, code):
    world.snapshot = ruled(rule("cfg", closed=closed), schedule=MORNINGS)

    answer = await world.ask("outbound", **ASKED, **({"at": at} if at else {}))

    assert (answer["held_until"], answer["rejection"] and answer["rejection"]["code"]) == (held_until, code)


@pytest.mark.parametrize(
    "named",
    [{}, {"from": BACKUP_DID}, {"config_id": "backup"}, {"to": "+442079460018"}, {"text": "Grüße 😀" * 30}],
    ids=["nothing", "sender", "configuration", "abroad", "long"],
)
async def test_what_is_explained_is_what_is_done(world, rig, named):
    await rig.use(TWO_ROUTES)
    await rig.carrier_says(arrived(did="+12025550147", recipients=("+12025550147",)))
    world.ledger.entries = dict(rig.ledger.entries)

    answer = await world.ask("outbound", **ASKED | named)
    await rig.send(**named)

    accepted = rig.statuses()[0]
    (call,) = rig.carrier.sent
    (first, *_) = [route["to"] for route in answer["routes"] if route["sender"] is not None]
    told = (accepted.config_id, accepted.sender, accepted.to, accepted.segments, accepted.encoding)
    assert tuple(answer[name] for name in ("config_id", "sender", "to", "segments", "encoding")) == told
    assert (first, answer["rule_id"]) == (call.message.recipients[0], rig.ledger.entries["acme/m-1"].rule_id)


async def test_asking_records_nothing(world):
    await world.ask("outbound", **ASKED)
    await world.ask("inbound", **WRITTEN)

    assert world.ledger.entries == {}


INBOUND = (
    InboundRule(id="day", name="Day", office=Action(destination="101"), outside=Action(destination="102")),
    InboundRule(id="mms", name="MMS", channels=frozenset({"MMS"}), did_numbers=DID, office=Action(destination="103")),
)


async def test_an_inbound_text_is_explained_to_the_last_field(world):
    world.snapshot = ruled(inbound=INBOUND, schedule=MORNINGS)

    assert await world.ask("inbound", **WRITTEN | {"did": "202-555-0143"}) == {
        "did": DID,
        "tenant_id": "acme",
        "config_id": "cfg",
        "blocked": False,
        "route": {
            "rule_id": "day",
            "kind": "extension",
            "destination": "102",
            "reason": "Rule 'Day' matches; it is outside time.",
        },
        "period": "outside",
        "verdicts": [
            {"rule_id": "day", "name": "Day", "won": True, "reason": ""},
            {"rule_id": "mms", "name": "MMS", "won": False, "reason": "It is not for SMS."},
        ],
        "rejection": None,
    }


@pytest.mark.parametrize(
    ("question", "destination"),
    [({"channel": "MMS"}, "103"), ({"at": "2026-11-24T09:00:00Z"}, "101"), ({}, "102")],
    ids=str,
)
async def test_channel_and_time_decide_as_they_do_for_a_real_text(world, question, destination):
    world.snapshot = ruled(inbound=INBOUND, schedule=MORNINGS)
    asked = {"at": "2026-11-24T13:00:00Z", **question}
    if "channel" in question:
        asked["at"] = "2026-11-24T09:00:00Z"

    assert (await world.ask("inbound", **WRITTEN | asked))["route"]["destination"] == destination


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False}, "It is disabled."),
        ({"config_ids": {"backup"}}, "It is for other SMS configurations."),
        ({"did_numbers": "+12025550149"}, "hold the number written to. It is for +12025550149."),
        ({"caller_mask": "+1202555****;ACME"}, "does not match the sender. It is for +1202555****, ACME."),
        ({"caller_mask": "1900*"}, "It is for 1900*. 1900* can match no number"),
        ({"caller_mask": "1202555XXXX"}, "1202555XXXX can match no number; write * for one digit"),
    ],
)
async def test_why_an_inbound_rule_does_not_match_is_told_with_what_it_is_for(world, changes, reason):
    world.snapshot = ruled(inbound=(InboundRule(id="r", name="R", **changes),))

    (verdict,) = (await world.ask("inbound", **WRITTEN))["verdicts"]

    assert (verdict["won"], reason in verdict["reason"]) == (False, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prefixes": "+44;+49"}, "No prefix fits the recipient. It is for +44, +49."),
        ({"prefixes": "999"}, "It is for 999. No number begins with 999."),
        ({"lengths": {10, 12}}, "The recipient has 11 digits. It is for 10, 12."),
        ({"lengths": {20}}, "It is for 20. No number has 20."),
        ({"extensions": "102-110"}, "It is for other extensions: 102-110."),
        ({"extensions": "1XX"}, "1XX is no extension: write * for one digit"),
        ({"groups": {"sales"}}, "It is for other groups: sales."),
        ({"categories": {"otp"}}, "It is not for conversational texts."),
    ],
)
async def test_why_an_outbound_rule_does_not_match_is_told_with_what_it_is_for(world, changes, reason):
    world.snapshot = ruled(rule("cfg", **{"prefixes": "", **changes}))

    (verdict,) = (await world.ask("outbound", **ASKED))["verdicts"]

    assert (verdict["won"], reason in verdict["reason"]) == (False, True)


async def test_a_block_that_blocks_nobody_is_told(world):
    world.snapshot = ruled(blocked_senders="1900*;+1303555****;1202555XXXX")

    answer = await world.ask("inbound", **WRITTEN)

    (verdict,) = answer["verdicts"]
    assert (answer["blocked"], verdict["name"], verdict["rule_id"]) == (False, "Blocked senders", "")
    assert "1900* can match no number" in verdict["reason"]
    assert "1202555XXXX can match no number" in verdict["reason"]
    assert "1303555" not in verdict["reason"]


async def test_an_extension_that_is_not_listed_is_told_to_be_so(world):
    world.snapshot = ruled(rule("cfg"), unlisted_extensions=Permission.DISABLE)

    assert (await world.ask("outbound", **ASKED))["rejection"] == {
        "code": "sender_not_allowed",
        "reason": "The extension is not listed, and such an extension may not send texts.",
        "field": "extension",
    }


async def test_without_a_rule_the_number_itself_is_the_destination(world):
    answer = await world.ask("inbound", **WRITTEN)

    assert (answer["route"]["kind"], answer["route"]["destination"], answer["period"]) == ("did", DID[1:], "office")


@pytest.mark.parametrize(
    ("changes", "question", "expected"),
    [
        pytest.param({"blocked_senders": HANDSET}, {}, (True, None, None), id="a blocked sender"),
        pytest.param(
            {"configs": (config(enabled=False), BACKUP)}, {}, (False, None, "config_disabled"), id="a disabled one"
        ),
        pytest.param({}, {"did": "+19998887777"}, (False, None, "unrouted_did"), id="nobody's number"),
        pytest.param({}, {"did": "+13035550100"}, (False, None, "unrouted_did"), id="another tenant's number"),
        pytest.param({}, {"tenant_id": None, "did": "+13035550100"}, (False, "did", None), id="whoever's number"),
    ],
)
async def test_what_no_pbx_gets_is_explained(world, changes, question, expected):
    world.snapshot = ruled(**changes)

    answer = await world.ask("inbound", **WRITTEN | question)

    route, rejection = answer["route"], answer["rejection"]
    assert (answer["blocked"], route and route["kind"], rejection and rejection["code"]) == expected
    assert answer["tenant_id"] in {"acme", None, "other" if question.get("tenant_id", 1) is None else None}


@pytest.mark.parametrize(("proved", "code"), [(True, None), (False, "account_unproved")])
async def test_by_whose_webhook_a_text_would_come_on_a_lent_trunk_decides(world, proved, code):
    pools = (DidPool(tenant_id="other", trunk_id="trunk", numbers="+13035550100"),)
    world.snapshot = snapshot(config(account_proved=proved), pools=pools)

    asked = WRITTEN | {"tenant_id": None, "did": "+13035550100", "config_id": "cfg"}
    answer = await world.ask("inbound", **asked)

    assert (answer["rejection"] and answer["rejection"]["code"]) == code


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        pytest.param(b"{}", TOKEN, 422, id="nothing"),
        pytest.param(b"[1", TOKEN, 422, id="no JSON"),
        pytest.param(b'{"colour": "red"}', TOKEN, 422, id="an unknown field"),
        pytest.param(b" " * 70_000, TOKEN, 413, id="too large"),
        pytest.param(b"{}", "wrong", 401, id="a wrong token"),
    ],
)
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
async def test_a_question_must_be_one_and_come_from_the_service(world, direction, body, token, status):
    headers = {"Authorization": f"Bearer {token}"}
    async with world.client.post(f"/api/v1/explain/{direction}", data=body, headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize("missing", ["configuration", "store"])
async def test_while_something_is_away_it_says_so(world, missing):
    if missing == "configuration":
        world.snapshot = None
    world.ledger.away = missing == "store"
    async with world.client.post("/api/v1/explain/outbound", json=ASKED) as answer:
        assert (answer.status, (await answer.json())["code"]) == (
            503,
            "config_unavailable" if missing == "configuration" else "store_unavailable",
        )


def test_a_question_asks_for_what_a_request_asks_for():
    question = OutboundQuestion.model_validate({**ASKED, "from": DID, "config_id": "cfg"})

    assert question.request() == request(message_id="explain", **{"from": DID, "config_id": "cfg"})


@pytest.mark.parametrize(
    ("direction", "field", "written", "says"),
    [
        ("outbound", "extension", "\u200b", "is empty"),
        ("outbound", "to", " ", "is empty"),
        ("outbound", "to", 5, "must be text"),
        ("outbound", "to", "+13125550100;+13125550111", "must be one number: one recipient is explained at a time"),
        ("outbound", "category", "spam", "must be 'conversational', 'transactional', 'marketing' or 'otp'"),
        ("outbound", "at", "noon", "must be a time with its zone, such as 2026-05-04T05:02:01Z"),
        ("inbound", "sender", "x" * 255, "is too long; 254 are allowed"),
        ("inbound", "did", "\u200b", "is empty"),
        ("inbound", "colour", "red", "is not known here"),
    ],
)
async def test_a_question_that_cannot_be_read_is_refused_beside_its_field(world, direction, field, written, says):
    question = {**(ASKED if direction == "outbound" else WRITTEN), field: written}
    async with world.client.post(f"/api/v1/explain/{direction}", json=question) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"] == [{"field": field, "message": says}]


async def test_a_sender_with_a_long_address_can_be_asked_about(world):
    explained = await world.ask("inbound", **WRITTEN | {"sender": f"{'a' * 200}@example.com"})

    assert explained["blocked"] is False
