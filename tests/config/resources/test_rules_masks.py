"""Masks at the API's doors: what can match nobody is refused beside its field, and what was kept before still loads."""

from datetime import UTC, datetime

import pytest

from sms_common.configuration import DispatcherSnapshot
from sms_common.messages import MsgType
from sms_common.rules import InboundQuery
from sms_config.http.app import DISPATCHER_SNAPSHOT
from sms_config.model.records import TenantRecord
from sms_config.model.rule_records import InboundRuleRecord, OutboundRuleRecord
from tests.cases import cases
from tests.config.world import DISPATCHER

pytestmark = pytest.mark.loopback
INBOUND, OUTBOUND, ROUTING = "/api/v1/inbound-rules", "/api/v1/outbound-rules", "/api/v1/routing?tenant_id=acme"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONE_DIGIT = "write * for one digit"


async def blocks(api, sender):
    """Whether a text from this sender is blocked, by what the dispatcher is given."""
    body = (await api.with_credential(DISPATCHER).get(DISPATCHER_SNAPSHOT)).text
    rules = DispatcherSnapshot.model_validate_json(body).rules_of("acme").inbound_rules
    return rules.decide(InboundQuery(sender, "+12015550100", MsgType.SMS, "cfg", NOW)).blocked


@pytest.mark.parametrize(
    "given", cases("01-national-pattern-never-matches"), ids=lambda given: given["blocked_senders"]
)
async def test_a_block_is_refused_or_blocks_the_sender_that_is_meant(api, acme, given):
    answer = await api.call("PATCH", ROUTING, {"blocked_senders": given["blocked_senders"]})

    if answer.status == 200:
        assert answer.json["blocked_senders"].startswith("+1202")
        assert await blocks(api, given["text_from"])
    else:
        assert ONE_DIGIT in answer.field_errors()["blocked_senders"]


@pytest.mark.parametrize("given", cases("02-wildcard-letters-stored-as-name"), ids=str)
async def test_another_notation_for_a_digit_is_refused_beside_its_field(api, sms, given):
    ((field, written),) = given.items()
    if field == "extensions":
        rule = {"tenant_id": "acme", "name": "Out", "extensions": written, "routes": [{"config_id": sms["id"]}]}
        answers = [await api.call("POST", OUTBOUND, rule)]
    else:
        of_rule = {"tenant_id": "acme", "name": "In", "caller_mask": written}
        answers = [await api.call("PATCH", ROUTING, given), await api.call("POST", INBOUND, of_rule)]

    assert [answer.status for answer in answers] == [422] * len(answers)
    assert all(ONE_DIGIT in " ".join(answer.field_errors().values()) for answer in answers)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (cases("03-pasted-column")[5]["PATCH /api/v1/routing"], "+12025550140;+12025550141"),
        (cases("03-pasted-column")[6]["PATCH /api/v1/routing"], "+12025550140;+12025550141"),
        (cases("03-pasted-column")[7]["PATCH /api/v1/routing"], "+12025550140-+12025550149"),
        ({"blocked_senders": "202555****\r\n\r\nACME\t7726"}, "+1202555****;ACME;7726"),
    ],
)
async def test_a_pasted_list_of_blocked_senders_is_read(api, acme, given, kept):
    answer = await api.call("PATCH", ROUTING, given)

    assert (answer.status, answer.json["blocked_senders"]) == (200, kept)


@pytest.mark.parametrize("given", cases("15-block-real-senders"), ids=lambda given: ascii(given["blocked_senders"]))
async def test_whoever_can_write_can_be_blocked(api, acme, given):
    answer = await api.call("PATCH", ROUTING, given)

    sender = given["blocked_senders"]
    assert answer.status == 200
    assert await blocks(api, sender.upper() if "." in sender or " " in sender else "+12025550140")


async def test_digits_that_may_begin_numbers_are_blocked_once_they_are_called_a_short_code(api, acme):
    refused = await api.call("PATCH", ROUTING, {"blocked_senders": "202555"})
    taken = await api.call("PATCH", ROUTING, {"blocked_senders": "short code 202555; 611"})

    assert "short code 202555" in refused.field_errors()["blocked_senders"]
    assert taken.json["blocked_senders"] == "short code 202555;611"
    assert [await blocks(api, sender) for sender in ("202555", "611", "+12025550140")] == [True, True, False]


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"prefixes": "+999"}, "prefixes", "No number begins with"),
        ({"prefixes": "1202***"}, "prefixes", "must be digits"),
        ({"prefixes": "44\n202"}, "prefixes", "Entry 2: 202 may be +1202 or +202"),
        ({"lengths": [2]}, "lengths", "no number has 2 digits"),
        ({"lengths": [11, 16]}, "lengths", "no number has 16 digits"),
        ({"prefixes": "1404", "lengths": [10]}, "lengths", "no number that begins with +1404 has 10 digits"),
        ({"extensions": "101 102"}, "extensions", ONE_DIGIT),
        ({"extensions": "*"}, "extensions", "Empty is every extension"),
    ],
)
async def test_a_condition_that_no_text_can_meet_is_refused_beside_its_field(api, sms, values, field, said):
    rule = {"tenant_id": "acme", "name": "Out", "routes": [{"config_id": sms["id"]}], **values}

    answer = await api.call("POST", OUTBOUND, rule)

    assert (answer.status, said in answer.field_errors()[field]) == (422, True)


async def test_prefixes_and_extensions_are_kept_as_they_are_compared(api, sms):
    rule = {"prefixes": "44, 1202", "lengths": [11, 12], "extensions": "101\n102\u2013110"}

    made = await api.made(OUTBOUND, {"tenant_id": "acme", "name": "Out", "routes": [{"config_id": sms["id"]}], **rule})

    assert (made["prefixes"], made["extensions"]) == ("+44;+1202", "101;102-110")


@pytest.mark.parametrize("destination", ["1XX", "10x", "10xx"])
async def test_a_destination_in_another_notation_is_refused(api, sms, destination):
    rule = {"tenant_id": "acme", "name": "In", "outside": {"destination": destination}}

    assert "not a pattern" in (await api.call("POST", INBOUND, rule)).field_errors()["outside.destination"]


@pytest.fixture
async def former(api, acme, store):
    """Masks that a former version kept as they were written: one that is national and two that match nobody."""
    made = await api.made(INBOUND, {"tenant_id": "acme", "name": "Sales"})
    rules, tenants = store.records[InboundRuleRecord], store.records[TenantRecord]
    rules[made["id"]] = rules[made["id"]].model_copy(update={"caller_mask": "202555****;1202556XXXX"})
    tenants["acme"] = tenants["acme"].model_copy(update={"blocked_senders": "303555****;1900*"})
    return made["id"]


async def test_a_national_pattern_that_was_kept_before_begins_to_match(api, former):
    assert await blocks(api, "+13035550140")
    assert not await blocks(api, "+19005550140")


async def test_a_dead_mask_that_was_kept_before_is_shown_and_stands_in_the_way_of_no_other_change(api, former):
    where = f"{INBOUND}/{former}"
    shown = (await api.get(where)).json
    renamed = await api.call("PATCH", where, {"name": "Sales team"})
    moved = await api.call("PATCH", ROUTING, {"holidays": ["2026-12-25"]})

    assert shown["caller_mask"] == "202555****;1202556XXXX"
    assert (renamed.status, renamed.json["caller_mask"]) == (200, shown["caller_mask"])
    assert (moved.status, moved.json["blocked_senders"]) == (200, "303555****;1900*")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_dead_mask_that_is_saved_again_is_refused_beside_its_field(api, former, method):
    where = f"{INBOUND}/{former}"
    rule = await api.call(method, where, (await api.get(where)).json)
    clock = await api.call(method, ROUTING, (await api.get(ROUTING)).json)

    assert (rule.status, clock.status) == (422, 422)
    assert rule.field_errors()["caller_mask"].startswith("Entry 2: 1202556XXXX can match no number; " + ONE_DIGIT)
    assert clock.field_errors()["blocked_senders"].startswith("Entry 2: 1900* can match no number")


async def test_a_dead_condition_of_an_outbound_rule_that_was_kept_before_is_shown_and_changed_around(api, sms, store):
    made = await api.made(
        OUTBOUND, {"tenant_id": "acme", "name": "Out", "prefixes": "1", "routes": [{"config_id": sms["id"]}]}
    )
    rules = store.records[OutboundRuleRecord]
    dead = {"prefixes": "999", "lengths": (20,), "extensions": "1XX"}
    rules[made["id"]] = rules[made["id"]].model_copy(update=dead)
    where = f"{OUTBOUND}/{made['id']}"

    stopped = await api.call("PATCH", where, {"enabled": False})
    again = await api.call("PUT", where, (await api.get(where)).json)

    assert (stopped.status, stopped.json["lengths"]) == (200, [20])
    assert set(again.field_errors()) == {"prefixes", "lengths", "extensions"}


async def test_what_unlisted_extensions_may_do_is_decided_by_the_tenant(api, acme):
    before = await api.get(ROUTING)
    changed = await api.call("PATCH", ROUTING, {"unlisted_extensions": "DISABLE"})
    wrong = await api.call("PATCH", ROUTING, {"unlisted_extensions": "maybe"})
    body = (await api.with_credential(DISPATCHER).get(DISPATCHER_SNAPSHOT)).text
    extension = DispatcherSnapshot.model_validate_json(body).rules_of("acme").extension("101")

    assert (before.json["unlisted_extensions"], changed.json["unlisted_extensions"]) == (
        "ALLOW_WITH_SENDER_ID",
        "DISABLE",
    )
    assert "DISABLE, ALLOW" in wrong.field_errors()["unlisted_extensions"]
    assert extension is not None
    assert extension.permission == "DISABLE"


@pytest.mark.parametrize("written", ["1XX", "NXX", "101-110", "10x", "101.0", "101\u2013110"])
async def test_a_range_or_a_pattern_is_no_extension_to_list(api, acme, written):
    answer = await api.call("POST", "/api/v1/extensions", {"tenant_id": "acme", "extension": written})

    assert (answer.status, set(answer.field_errors())) == (422, {"extension"})


@pytest.mark.parametrize("written", ["101", "0109", "front-desk", "x101", "N26", "john.doe", "12025550140"])
async def test_an_extension_may_be_called_as_the_pbx_calls_it(api, acme, written):
    made = await api.made("/api/v1/extensions", {"tenant_id": "acme", "extension": written})

    assert made["extension"] == written


@pytest.mark.parametrize("written", ["1202555XXXX", "202555xxxx"])
async def test_a_pattern_is_no_sender_id(api, sms, written):
    answer = await api.call("PATCH", f"/api/v1/sms/{sms['id']}", {"sender_id": written})

    assert (answer.status, set(answer.field_errors())) == (422, {"sender_id"})


async def test_an_extension_is_listed_without_what_is_invisible_at_its_ends(api, acme):
    made = await api.made("/api/v1/extensions", {"tenant_id": "acme", "extension": "109 \u200b"})

    assert made["extension"] == "109"
