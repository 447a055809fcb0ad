"""Which number a request reaches: the one that was meant, or none, with a sentence that says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from sms_common.configuration import Tenant
from sms_common.messages import Status
from sms_common.rules.writing import international
from tests.dispatcher.builders import arrived, snapshot
from tests.dispatcher.rules import ruled

CASES = Path(__file__).parents[2] / "data" / "cases"
MEXICAN = snapshot(tenants=(Tenant(id="acme", name="Acme", country="MX"),))
TRUSTING = snapshot(tenants=(Tenant(id="acme", name="Acme", foreign_without_plus=True),))


def case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


SLIPS = case("13-float-and-slip-become-foreign")
MEXICO = case("07-mexico-old-form")["input"]["requests"]
FORMS = [asked["to"] for asked in case("18-uri-forms")["input"]]


async def sent_to(rig, to):
    """Whom a request for `to` reached, and what the PBX was told last."""
    before = len(rig.carrier.sent)
    await rig.send(message_id=f"m-{before}", to=to)
    return [number for one in rig.carrier.sent[before:] for number in one.message.recipients], rig.statuses(
        f"m-{before}"
    )[-1]


def is_refused(told):
    assert (told.status, told.error.code, told.error.field) == (Status.REJECTED, "invalid_number", "to")
    return told.reason


@pytest.mark.parametrize("asked", SLIPS["input"], ids=lambda asked: asked["to"])
async def test_a_slip_or_a_sheets_decimals_reach_nobody_abroad(rig, asked):
    mexican = "MX" in asked["tenant_id"]
    if mexican:
        await rig.use(MEXICAN)

    reached, told = await sent_to(rig, asked["to"])

    whole = asked["to"].rstrip("0").removesuffix(".")
    if whole.isdigit() and len(whole) <= 10 and "." in asked["to"]:
        assert reached == [("+52" if mexican else "+1") + whole]
    else:
        assert reached == []
        is_refused(told)


@pytest.mark.parametrize(("written", "number"), SLIPS["regression"]["still taken"].items())
async def test_what_is_beyond_doubt_is_sent(rig, written, number):
    assert (await sent_to(rig, written))[0] == [number]


async def test_the_old_form_of_a_mexican_number_is_sent_to_todays(rig):
    assert (await sent_to(rig, MEXICO[0]["to"]))[0] == ["+525555550100"]


async def test_a_foreign_number_without_its_plus_is_refused_with_the_way_to_write_it(rig):
    reached, told = await sent_to(rig, MEXICO[1]["to"])

    assert (reached, "write +52" in is_refused(told)) == ([], True)


async def test_a_tenant_may_allow_foreign_numbers_without_their_plus(rig):
    await rig.use(TRUSTING)

    assert (await sent_to(rig, "447911123456"))[0] == ["+447911123456"]
    assert (await sent_to(rig, MEXICO[1]["to"]))[0] == ["+525555550100"]


@pytest.mark.parametrize(
    ("written", "said"),
    list(zip(FORMS, [None, "extension", "extension", "name", None, None], strict=True)),
    ids=ascii,
)
async def test_an_address_or_mark_is_read_and_an_extension_or_name_is_named(rig, written, said):
    reached, told = await sent_to(rig, written)

    if said is None:
        assert reached == ["+13125550100"]
    else:
        assert (reached, said in is_refused(told)) == ([], True)


@pytest.mark.parametrize(
    ("sender", "said"),
    [("789", "short code"), ("7890", "short code"), ("AMAZON", "a name"), ("a@b.co", "e-mail")],
)
async def test_a_reply_to_what_cannot_be_answered_says_so(rig, sender, said):
    reached, told = await sent_to(rig, sender)

    assert (reached, said in is_refused(told)) == ([], True)


async def test_a_refusal_shows_no_more_than_the_masked_number(rig):
    _, told = await sent_to(rig, "312-555-01001")

    assert "3125***1001 has a digit too many for a US number; write + before a foreign number." in told.reason


async def test_both_forms_of_a_mexican_sender_are_one_conversation(rig):
    for place, sender in enumerate(("+5215555550100", "+525555550100")):
        await rig.carrier_says(arrived(event_id=f"i-{place}", carrier_message_id=f"in-{place}", sender=sender))

    old, new = rig.inbound()
    assert (old.sender, old.conversation_id) == (new.sender, new.conversation_id)
    assert old.sender == "+525555550100"


@pytest.mark.parametrize("sender", ["+5215555550100", "+525555550100", "5215555550100"])
@pytest.mark.parametrize("blocked", ["+5215555550100", "+525555550100"])
async def test_a_block_of_one_mexican_form_blocks_the_other(rig, blocked, sender):
    await rig.use(ruled(blocked_senders=international(blocked, "US")))

    await rig.carrier_says(arrived(sender=sender))

    assert rig.inbound() == []
