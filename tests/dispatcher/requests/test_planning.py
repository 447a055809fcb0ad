"""Which messages a request becomes, through which configuration and with which sender; or why none."""

from datetime import timedelta

import pytest

from sms_common.configuration import Tenant
from sms_common.errors import Code, Rejection
from sms_common.events import StatusError
from sms_common.messages import Category, ErrorClass, MsgType, Status
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.ledger.entries import EntryKind
from sms_dispatcher.requests.planning import children, plan, rejected
from tests.dispatcher.builders import DID, HANDSET, NOW, config, request, snapshot

CARRIERS = {"fake": FakeCarrier()}
LONG = "x" * 2049


def planned(asked, *configs, **changes):
    return plan(asked, snapshot(*configs, **changes), CARRIERS, NOW)


def refusal(asked, *configs, **changes):
    with pytest.raises(Rejection) as caught:
        planned(asked, *configs, **changes)
    return caught.value.code, caught.value.field


def test_the_smallest_body_becomes_one_text_from_the_default_number():
    entry = planned(request())

    assert (entry.kind, entry.status, entry.sender, entry.to) == (EntryKind.SINGLE, Status.ACCEPTED, DID, (HANDSET,))
    assert (entry.segments, entry.encoding, entry.msg_type) == (1, "GSM-7", MsgType.SMS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"tenant_id": "nobody"}, (Code.UNKNOWN_TENANT, "tenant_id"), id="unknown tenant"),
        pytest.param({"to": "12"}, (Code.INVALID_NUMBER, "to"), id="number too short"),
        pytest.param({"to": "hello"}, (Code.INVALID_NUMBER, "to"), id="no number"),
        pytest.param({"text": None}, (Code.NO_CONTENT, "text"), id="neither text nor media"),
        pytest.param({"text": ""}, (Code.NO_CONTENT, "text"), id="empty text"),
        pytest.param({"text": LONG}, (Code.TEXT_TOO_LONG, "text"), id="2049 characters"),
        pytest.param({"media": ["https://a.example/1"] * 11}, (Code.TOO_MANY_MEDIA, "media"), id="11 media files"),
        pytest.param(
            {"to": [f"+1404555{n:04}" for n in range(1000, 1011)], "group": True},
            (Code.TOO_MANY_RECIPIENTS, "to"),
            id="group of 11",
        ),
        pytest.param({"to": [HANDSET, "x"], "group": True}, (Code.INVALID_NUMBER, "to"), id="bad number in a group"),
        pytest.param({"expires_at": NOW}, (Code.EXPIRED, "expires_at"), id="expired"),
        pytest.param({"config_id": "nope"}, (Code.UNKNOWN_CONFIG, "config_id"), id="unknown configuration"),
        pytest.param({"from": "+13035550100"}, (Code.SENDER_NOT_ALLOWED, "from"), id="another tenant's number"),
        pytest.param({"from": "ACME"}, (Code.SENDER_NOT_ALLOWED, "from"), id="a name nobody set as sender id"),
        pytest.param(
            {"config_id": "cfg", "from": "+13035550100"},
            (Code.SENDER_NOT_ALLOWED, "from"),
            id="foreign number, config named",
        ),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused_with_its_reason(changes, expected):
    assert refusal(request(**changes)) == expected


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        pytest.param([config(enabled=False)], (Code.CONFIG_DISABLED, "config_id"), id="disabled"),
        pytest.param([config(carrier="pigeon")], (Code.CONFIG_INCOMPLETE, None), id="unknown carrier"),
        pytest.param([config(default_did=None)], (Code.NO_SENDER, "from"), id="no sender at all"),
        pytest.param([config(tenant_id="other")], (Code.NO_CONFIG, None), id="none of this tenant"),
        pytest.param([config(id="a"), config(id="b")], (Code.NO_CONFIG, "config_id"), id="two and no default"),
    ],
)
def test_a_configuration_that_cannot_send_refuses(configs, expected):
    assert refusal(request(), *configs) == expected


def test_missing_credentials_are_named():
    carrier = FakeCarrier()
    carrier.require("account_id", "api_secret")

    with pytest.raises(Rejection, match="api_secret") as caught:
        plan(request(), snapshot(), {"fake": carrier}, NOW)

    assert caught.value.code is Code.CONFIG_INCOMPLETE


def test_another_tenants_configuration_is_unknown():
    assert (
        refusal(request(config_id="theirs"), config(), config(id="theirs", tenant_id="other"))[0] is Code.UNKNOWN_CONFIG
    )


def test_the_configuration_that_owns_the_sender_is_chosen():
    mine, second = config(), config(id="second", trunk_id="trunk3", sender_id="+16175550100")

    entry = planned(request(**{"from": "+1 617 555 0100"}), mine, second)

    assert (entry.config_id, entry.sender) == ("second", "+16175550100")


def test_the_tenants_default_configuration_is_chosen_without_a_sender():
    tenants = (Tenant(id="acme", default_config_id="second"),)

    entry = planned(request(), config(), config(id="second"), tenants=tenants)

    assert entry.config_id == "second"


def test_a_disabled_configuration_is_no_candidate_for_the_default():
    entry = planned(request(), config(enabled=False), config(id="second"))

    assert entry.config_id == "second"


def test_the_sender_id_comes_before_the_default_number():
    entry = planned(request(), config(sender_id="+12025550149"))

    assert entry.sender == "+12025550149"


def test_an_alphanumeric_sender_id_is_used_as_it_is():
    entry = planned(request(**{"from": "ACME"}), config(sender_id="ACME"))

    assert entry.sender == "ACME"


def test_a_named_sender_id_that_is_no_number_is_used_without_being_asked_for():
    assert planned(request(), config(sender_id="My Shop")).sender == "My Shop"


def test_national_numbers_are_read_with_the_tenants_country():
    tenants = (Tenant(id="acme", country="GB"),)

    entry = planned(request(to="020 7946 0018"), tenants=tenants)

    assert entry.to == ("+442079460018",)


def test_a_list_becomes_one_message_a_recipient_under_ids_of_their_own():
    parent = planned(request(to=[HANDSET, "+13125550132", "404-555-0121"]))
    first, second = children(parent)

    assert (parent.kind, parent.message_id) == (EntryKind.PARENT, "m-1")
    assert [(e.message_id, e.parent_id, e.to) for e in (first, second)] == [
        ("m-1.1", "m-1", (HANDSET,)),
        ("m-1.2", "m-1", ("+13125550132",)),
    ]


def test_a_bad_number_in_a_list_refuses_its_own_message_only():
    good, bad = children(planned(request(to=[HANDSET, "nonsense"])))

    assert (good.status, good.error, bad.status) == (Status.ACCEPTED, None, Status.REJECTED)
    assert bad.error == StatusError(error_class=ErrorClass.PERMANENT, code=Code.INVALID_NUMBER, field="to")


def test_a_group_is_one_mms_with_an_id_for_each_recipient():
    group = planned(request(to=[HANDSET, "+13125550132"], group=True))

    assert (group.kind, group.msg_type, group.segments) == (EntryKind.GROUP, MsgType.MMS, 1)
    assert [r.message_id for r in group.recipients] == ["m-1.1", "m-1.2"]


def test_a_group_of_one_is_an_ordinary_text():
    entry = planned(request(to=[HANDSET, HANDSET], group=True))

    assert (entry.kind, entry.msg_type) == (EntryKind.SINGLE, MsgType.SMS)


def test_a_text_for_later_is_held_until_its_time():
    later = NOW + timedelta(hours=1)

    entry = planned(request(send_after=later))

    assert (entry.status, entry.due_at) == (Status.HELD, later)


@pytest.mark.parametrize(
    ("category", "bulk", "high"),
    [(Category.CONVERSATIONAL, False, False), (Category.MARKETING, True, False), (Category.OTP, False, True)],
)
def test_the_category_decides_lane_and_priority(category, bulk, high):
    entry = planned(request(category=category))

    assert (entry.bulk, entry.high_priority) == (bulk, high)


def test_a_refused_request_keeps_what_the_pbx_wrote():
    entry = rejected(request(to="nonsense"), Rejection(Code.INVALID_NUMBER, "No number.", field="to"), NOW)

    assert (entry.status, entry.to, entry.error) == (
        Status.REJECTED,
        ("nonsense",),
        StatusError(error_class=ErrorClass.PERMANENT, code="invalid_number", field="to"),
    )


def test_a_request_that_came_too_late_ends_as_expired():
    entry = rejected(request(), Rejection(Code.EXPIRED, "Too late."), NOW)

    assert entry.status is Status.EXPIRED
