"""The routes, the sender and the time of a message: rules, extensions, conversations, and what a request names."""

from datetime import UTC, datetime, timedelta

import pytest

from sms_common.configuration import Tenant
from sms_common.errors import Code, Rejection
from sms_common.events import StatusError
from sms_common.messages import ErrorClass, Status
from sms_common.rules import Extension, OutsideHours, Permission, RuleRoute
from sms_common.rules.senders import CallerId
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.ledger.documents import from_document, to_document
from sms_dispatcher.ledger.entries import EntryKind, SendRoute
from sms_dispatcher.requests.planning import children, plan
from sms_dispatcher.requests.routing import threads_to_look_up
from tests.dispatcher.builders import DID, HANDSET, NOW, config, request, snapshot
from tests.dispatcher.rules import BACKUP, BACKUP_DID, MAIN, MORNINGS, rule, ruled

CARRIERS = {"fake": FakeCarrier()}
OPENS = datetime(2026, 11, 25, 8, tzinfo=UTC)
SECOND_DID = "+12025550144"
SECOND = "+442079460018"


def planned(asked, snapshot_, conversations=None):
    return plan(asked, snapshot_, CARRIERS, NOW, conversations or {})


def refusal(asked, snapshot_):
    with pytest.raises(Rejection) as caught:
        planned(asked, snapshot_)
    return caught.value.code, caught.value.field


def test_a_rule_decides_the_configuration_and_keeps_the_routes_that_follow():
    entry = planned(request(), ruled(rule("backup", "cfg")))

    assert (entry.config_id, entry.sender, entry.rule_id) == ("backup", BACKUP_DID, "r1")
    assert entry.next_routes == (SendRoute("cfg", "fake", DID),)


def test_a_route_may_rewrite_the_number_and_the_pbx_still_finds_its_own():
    entry = planned(request(), ruled(rule(RuleRoute(config_id="cfg", strip_digits=1, prepend="99"))))

    assert (entry.to, entry.dialled) == ((HANDSET,), ("+994045550121",))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        pytest.param({}, ("backup", "+16175550105", ("+14045550121",)), id="nothing: the first route"),
        pytest.param({"config_id": "cfg"}, ("cfg", DID, ("+14045550121",)), id="a configuration of no route"),
        pytest.param({"from": SECOND_DID}, ("cfg", SECOND_DID, ("+14045550121",)), id="a number of no route"),
        pytest.param(
            {"config_id": "backup", "from": "+16175550102"},
            ("backup", "+16175550102", ("+14045550121",)),
            id="both of the route",
        ),
    ],
)
def test_what_a_request_names_comes_before_the_routes(named, expected):
    entry = planned(request(**named), ruled(rule(RuleRoute(config_id="backup", caller_id="+16175550105"))))

    assert (entry.config_id, entry.sender, entry.dialled or entry.to) == expected


def test_a_named_configuration_is_used_the_way_the_rule_uses_it():
    routes = (RuleRoute(config_id="backup"), RuleRoute(config_id="cfg", prepend="7"), RuleRoute(config_id="cfg"))

    entry = planned(request(config_id="cfg"), ruled(rule(*routes)))

    assert (entry.dialled, entry.next_routes) == (("+714045550121",), (SendRoute("cfg", "fake", DID),))


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(config(enabled=False), id="disabled"),
        pytest.param(config(carrier="pigeon"), id="incomplete"),
        pytest.param(config(default_did=None), id="without a sender"),
        pytest.param(config(tenant_id="other"), id="another tenant's"),
        pytest.param(config(id="elsewhere"), id="deleted"),
    ],
)
def test_a_route_that_cannot_be_used_is_passed_over(lost):
    entry = planned(request(), ruled(rule("cfg", "backup"), configs=(lost, BACKUP)))

    assert (entry.config_id, entry.next_routes) == ("backup", ())


def test_when_no_route_can_be_used_the_first_says_why():
    configs = (config(enabled=False), BACKUP.model_copy(update={"default_did": None}))

    assert refusal(request(), ruled(rule("cfg", "backup"), configs=configs)) == (Code.CONFIG_DISABLED, "config_id")


def test_a_route_that_leaves_no_number_is_no_route():
    short = RuleRoute(config_id="cfg", strip_digits=9)

    assert refusal(request(), ruled(rule(short))) == (Code.INVALID_NUMBER, "to")


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        pytest.param({"permission": Permission.DISABLE}, (Code.SENDER_NOT_ALLOWED, "extension"), id="disabled"),
        pytest.param(
            {"permission": Permission.ALLOW, "caller_ids": (CallerId(number=DID, trunk_id="trunk"),)},
            (Code.SENDER_NOT_ALLOWED, "from"),
            id="another's number",
        ),
    ],
)
def test_an_extension_may_be_forbidden_to_send(extension, expected):
    named = {"from": SECOND_DID} if "caller_ids" in extension else {}
    rules = ruled(rule("cfg"), extensions=(Extension(extension="101", **extension),))

    assert refusal(request(**named), rules) == expected


@pytest.mark.parametrize("written", ["109", "109 ", "0109", "\uff11\uff10\uff19", "1\u200b09", "+109"])
def test_an_extension_that_may_not_send_may_not_under_another_spelling(written):
    rules = ruled(rule("cfg"), extensions=(Extension(extension="109", permission=Permission.DISABLE),))

    assert refusal(request(extension=written), rules) == (Code.SENDER_NOT_ALLOWED, "extension")


@pytest.mark.parametrize("written", ["109", "109 ", "0109"])
def test_a_rule_for_an_extension_takes_it_however_it_is_written(written):
    listed = Extension(extension="109", groups=frozenset({"sales"}))
    rules = ruled(rule("backup", prefixes="", extensions="100-109", groups=frozenset({"sales"})), extensions=(listed,))

    assert planned(request(extension=written), rules).config_id == "backup"


def test_unlisted_extensions_may_send_until_the_tenant_forbids_it():
    listed = (Extension(extension="101"),)
    closed = ruled(rule("cfg"), extensions=listed, unlisted_extensions=Permission.DISABLE)

    assert planned(request(extension="102"), ruled(rule("cfg"), extensions=listed)).config_id == "cfg"
    assert planned(request(extension="101"), closed).config_id == "cfg"
    assert refusal(request(extension="102"), closed) == (Code.SENDER_NOT_ALLOWED, "extension")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(SECOND_DID, SECOND_DID, id="its own"),
        pytest.param("+19998887777", DID, id="one the tenant has lost since"),
    ],
)
def test_an_extension_sends_as_its_own_caller_id_on_the_trunk(number, expected):
    own = Extension(
        extension="101", permission=Permission.ALLOW, caller_ids=(CallerId(number=number, trunk_id="trunk"),)
    )
    entry = planned(request(), ruled(rule("cfg", "backup"), extensions=(own,)))

    assert (entry.sender, entry.next_routes[0].sender) == (expected, BACKUP_DID)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param((), ("cfg", SECOND_DID), id="no rule: the configuration that has the number"),
        pytest.param((rule("cfg", "backup"),), ("cfg", SECOND_DID), id="a route that has it"),
        pytest.param((rule("backup"),), ("backup", BACKUP_DID), id="a route that has it not"),
    ],
)
def test_a_conversation_goes_on_with_the_number_it_was_begun_with(rules, expected):
    tenants = (Tenant(id="acme", default_config_id="backup"),)
    known = ruled(*rules).model_copy(update={"tenants": tenants})

    entry = planned(request(), known, {HANDSET: SECOND_DID})

    assert (entry.config_id, entry.sender) == expected


@pytest.mark.parametrize(
    "lost", [config(enabled=False), config(carrier="pigeon"), config(trunk_id="sold")], ids=["off", "draft", "moved"]
)
def test_a_conversation_whose_configuration_cannot_send_goes_on_by_the_default(lost):
    tenants = (Tenant(id="acme", default_config_id="backup"),)
    known = ruled(configs=(lost, BACKUP)).model_copy(update={"tenants": tenants})

    assert planned(request(), known, {HANDSET: SECOND_DID}).sender == BACKUP_DID


@pytest.mark.parametrize(
    ("changes", "pools", "sender_id", "expected"),
    [
        pytest.param({}, None, None, (HANDSET,), id="several numbers"),
        pytest.param({"to": [HANDSET, "404-555-0121", "x"]}, None, None, (HANDSET,), id="a list, each once"),
        pytest.param({"from": DID}, None, None, (), id="a sender by name"),
        pytest.param({"to": [HANDSET, SECOND], "group": True}, None, None, (), id="a group"),
        pytest.param({"tenant_id": "nobody"}, None, None, (), id="an unknown tenant"),
        pytest.param({}, DID, None, (), id="one number"),
        pytest.param({}, DID, "ACME", (HANDSET,), id="one number and a name"),
        pytest.param({}, "", "ACME", (), id="only a name"),
    ],
)
def test_a_conversation_is_looked_up_only_where_it_can_decide(changes, pools, sender_id, expected):
    known = snapshot(config(sender_id=sender_id))
    if pools is not None:
        own = known.pools[0].model_copy(update={"numbers": pools})
        known = known.model_copy(update={"pools": (own, *known.pools[1:]) if pools else known.pools[1:]})

    assert threads_to_look_up(request(**changes), known) == expected


@pytest.mark.parametrize(
    ("changes", "due_at", "held_by_rule"),
    [
        pytest.param({}, OPENS, True, id="now"),
        pytest.param({"send_after": NOW + timedelta(hours=3)}, OPENS, True, id="for later, still closed"),
        pytest.param(
            {"send_after": OPENS + timedelta(hours=1)}, OPENS + timedelta(hours=1), False, id="for open hours"
        ),
        pytest.param({"expires_at": OPENS - timedelta(hours=1)}, OPENS - timedelta(hours=1), True, id="expires before"),
        pytest.param({"category": "otp"}, NOW + timedelta(hours=24), False, id="of no category that the rule is for"),
    ],
)
def test_a_closed_rule_holds_until_it_opens(changes, due_at, held_by_rule):
    closed = rule("cfg", closed=OutsideHours.HOLD, categories={"conversational"})
    entry = planned(request(**changes), ruled(closed, configs=(MAIN,), schedule=MORNINGS))

    assert (entry.status is Status.HELD, entry.due_at) == ("category" not in changes, due_at)
    assert (entry.reason is not None) == held_by_rule


def test_a_held_message_names_the_rule():
    entry = planned(request(), ruled(rule("cfg", closed=OutsideHours.HOLD), schedule=MORNINGS))

    assert (entry.reason, entry.send_after, entry.deadline) == (
        "Rule 'One' keeps texts until the office opens.",
        OPENS,
        OPENS + timedelta(hours=24),
    )


@pytest.mark.parametrize("named", [{}, {"config_id": "backup"}, {"from": BACKUP_DID}])
def test_a_closed_rule_refuses_whatever_the_request_names(named):
    blocking = ruled(rule("cfg", closed=OutsideHours.BLOCK), schedule=MORNINGS)

    assert refusal(request(**named), blocking) == (Code.BLOCKED_BY_RULE, None)


def test_a_group_is_held_back_by_the_rule_of_any_member():
    british = rule("cfg", id="r2", prefixes="44", priority=1, closed=OutsideHours.BLOCK)

    assert refusal(request(to=[HANDSET, SECOND], group=True), ruled(rule("cfg"), british, schedule=MORNINGS)) == (
        Code.BLOCKED_BY_RULE,
        None,
    )


def test_a_group_leaves_by_the_routes_of_its_first_member():
    british = rule("backup", id="r2", prefixes="44", priority=1)

    entry = planned(request(to=[HANDSET, SECOND], group=True), ruled(rule("cfg"), british))

    assert (entry.kind, entry.config_id, entry.rule_id) == (EntryKind.GROUP, "cfg", "r1")


BRITISH = (
    rule("cfg", "backup", id="us", prefixes="1"),
    rule(RuleRoute(config_id="backup", strip_digits=2), id="uk", prefixes="44", closed=OutsideHours.HOLD),
    rule("cfg", id="fr", prefixes="33", closed=OutsideHours.BLOCK),
)


def stored(entry):
    """As another dispatcher reads it, from the ledger."""
    return from_document(to_document(entry, timedelta(days=90)))


def test_each_recipient_of_a_list_has_its_own_route_from_the_recorded_parent():
    parent = planned(request(to=[HANDSET, SECOND, "+33142685300", "x"]), ruled(*BRITISH, schedule=MORNINGS))

    us, uk, french, bad = children(stored(parent))

    assert (us.status, us.config_id, us.sender, us.rule_id) == (Status.ACCEPTED, "cfg", DID, "us")
    assert us.next_routes == (SendRoute("backup", "fake", BACKUP_DID),)
    assert (uk.status, uk.config_id, uk.sender, uk.rule_id) == (Status.HELD, "backup", BACKUP_DID, "uk")
    assert (uk.dialled, uk.send_after, uk.due_at, uk.next_routes) == (("+2079460018",), OPENS, OPENS, ())
    assert (french.status, bad.status) == (Status.REJECTED, Status.REJECTED)
    assert [french.error, bad.error] == [
        StatusError(error_class=ErrorClass.POLICY, code=Code.BLOCKED_BY_RULE),
        StatusError(error_class=ErrorClass.PERMANENT, code=Code.INVALID_NUMBER, field="to"),
    ]


def test_a_list_whose_recipients_are_all_refused_alike_is_refused_as_a_whole():
    french = request(to=["+33142685300", "+33142685301", "x"])

    assert refusal(french, ruled(*BRITISH, schedule=MORNINGS)) == (Code.BLOCKED_BY_RULE, None)


def test_a_draw_is_the_same_each_time_one_message_is_asked_for():
    drawn = ruled(rule("cfg", "backup", strategy="RANDOMLY"), configs=(MAIN, BACKUP))

    seen = {planned(request(message_id=f"m-{n}"), drawn).config_id for n in range(40)}

    assert seen == {"cfg", "backup"}
    assert len({planned(request(), drawn).config_id for _ in range(5)}) == 1


def test_each_message_of_a_list_draws_for_itself():
    drawn = ruled(rule("cfg", "backup", strategy="RANDOMLY"))

    messages = children(planned(request(to=[f"+1404555{n:04d}" for n in range(40)]), drawn))

    assert {message.config_id for message in messages} == {"cfg", "backup"}
