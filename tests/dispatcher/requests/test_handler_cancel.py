"""What happens to a cancel: it succeeds before its message is claimed. Afterwards it is answered with "too late"."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from sms_common.errors import Code, TemporaryFailure
from sms_common.messages import Accepted, Status
from tests.dispatcher.builders import HANDSET, NOW, arrived

SECOND = "+13125550132"
LATER = NOW + timedelta(hours=1)


async def withdraw(rig, message_id="m-1", **changes):
    body = {"message_id": message_id, "tenant_id": "acme", **changes}
    await rig.publish(body, key="sms.outbound.acme.cancel")


async def test_what_is_held_can_be_withdrawn(rig):
    await rig.send(send_after=LATER)
    await withdraw(rig)
    await rig.pass_time(3601)
    await rig.work()

    assert (rig.story(), rig.carrier.sent) == (["accepted", "held", "canceled"], [])


async def test_what_waits_for_a_retry_can_be_withdrawn_and_its_old_trouble_is_not_the_reason(rig):
    rig.carrier.script(HANDSET, TemporaryFailure(Code.CARRIER_UNREACHABLE, "Away."), Accepted("id"))
    await rig.send()
    await withdraw(rig)
    await rig.pass_time(600)

    last = rig.statuses()[-1]
    assert (set(rig.story()), len(rig.carrier.sent)) == ({"accepted", "queued", "canceled"}, 1)
    assert (last.error, last.final, last.delivery) == (None, True, "ERR")


async def test_a_withdrawal_that_came_too_late_is_answered_as_such(rig):
    await rig.send()
    await withdraw(rig)

    last = rig.statuses()[-1]
    assert (last.status, last.error.code) == (Status.SUBMITTED, "cancel_too_late")


async def test_a_withdrawal_while_the_request_is_under_way_is_too_late_and_shows_no_inner_status(rig):
    gate = asyncio.Event()

    async def slow(_):
        await gate.wait()
        return Accepted("id")

    rig.carrier.script(HANDSET, slow)
    sending = asyncio.create_task(rig.send())
    await rig.carrier.wait_until_sent(1)
    withdrawing = asyncio.create_task(withdraw(rig))
    await rig.until_told(2)
    gate.set()
    await asyncio.gather(sending, withdrawing)

    assert rig.story() == ["accepted", "accepted", "submitted"]
    assert rig.statuses()[1].error.code == "cancel_too_late"


async def test_a_withdrawn_list_is_withdrawn_message_by_message(rig):
    await rig.send(to=[HANDSET, SECOND, "junk"], send_after=LATER)
    await withdraw(rig)

    assert rig.story("m-1.1")[-1] == rig.story("m-1.2")[-1] == "canceled"
    assert rig.story("m-1.3")[-1] == "rejected"


async def test_a_list_withdrawn_while_it_is_being_recorded_is_withdrawn_whole(rig):
    await rig.send(to=[HANDSET, SECOND], send_after=LATER)
    del rig.ledger.entries["acme/m-1.2"]
    await withdraw(rig)
    await rig.send(to=[HANDSET, SECOND], send_after=LATER)
    await rig.pass_time(3601)
    await rig.work()

    assert (rig.story("m-1.2")[-1], rig.story("m-1.1")[-1], rig.carrier.sent) == ("canceled", "canceled", [])


async def test_a_withdrawn_list_leaves_a_message_alone_whose_id_only_looks_like_its_own(rig):
    await rig.send(message_id="m-1.1", text="Mine", send_after=LATER)
    await rig.send(to=[SECOND, "+13035550165"], send_after=LATER)
    await withdraw(rig)

    assert (await rig.ledger.find("acme", "m-1.1")).status is Status.HELD
    assert rig.story("m-1.2")[-1] == "canceled"


async def test_a_lists_message_can_be_withdrawn_alone_however_long_its_id(rig):
    long = "x" * 64
    await rig.send(message_id=long, to=[HANDSET, SECOND], send_after=LATER)
    await withdraw(rig, f"{long}.2")

    assert (rig.story(f"{long}.1")[-1], rig.story(f"{long}.2")[-1]) == ("held", "canceled")


async def test_a_repeated_withdrawal_repeats_its_answer(rig):
    await rig.send(send_after=LATER)
    await withdraw(rig)
    await withdraw(rig)

    first, second = rig.statuses()[-2:]
    assert (first.status, first.event_id) == (Status.CANCELED, second.event_id)


@pytest.mark.parametrize(
    ("meanwhile", "told", "parked"),
    [
        pytest.param(Status.CANCELED, "canceled", [], id="withdrawn by another reader"),
        pytest.param(Status.QUEUED, "canceled", [], id="tried and put back"),
        pytest.param(None, "held", ["unknown_message"], id="no longer kept"),
    ],
)
async def test_a_withdrawal_meets_what_became_of_the_message_meanwhile(rig, meanwhile, told, parked):
    await rig.send(send_after=LATER)
    change = rig.ledger.change

    async def be_too_late(before, after):
        rig.ledger.change = change
        del rig.ledger.entries[before.id]
        if meanwhile is not None:
            rig.ledger.entries[before.id] = replace(before, status=meanwhile, sequence=before.sequence + 1)
        return False

    rig.ledger.change = be_too_late
    await withdraw(rig)

    assert (rig.story()[-1], rig.dead()) == (told, parked)


async def test_a_withdrawal_whose_recording_got_no_answer_is_told(rig):
    await rig.send(send_after=LATER)
    rig.ledger.lose_answers.add("change")
    await withdraw(rig)

    assert rig.story() == ["accepted", "held", "canceled"]


async def test_a_withdrawal_of_nothing_waits_for_its_request_and_is_then_parked(rig):
    await withdraw(rig, "m-9")
    assert rig.dead() == []
    await rig.pass_time(1)
    await rig.pass_time(5)

    assert rig.dead() == ["unknown_message"]


async def test_an_inbound_text_cannot_be_withdrawn(rig):
    await rig.carrier_says(arrived())
    (text,) = rig.inbound()
    for _ in range(3):
        await withdraw(rig, text.message_id)
        await rig.pass_time(5)

    assert (set(rig.dead()), rig.story()) == ({"unknown_message"}, [])


@pytest.mark.parametrize("tenant", ["other", "ghost"])
async def test_another_tenants_message_cannot_be_withdrawn(rig, tenant):
    await rig.send(send_after=LATER)
    await withdraw(rig, tenant_id=tenant)

    assert rig.dead() == ["tenant_mismatch"]
    assert (await rig.ledger.find("acme", "m-1")).status is Status.HELD
