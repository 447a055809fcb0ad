"""The store or the broker fails in the middle: what was recorded is published, once or more, and nothing piles up."""

import asyncio
from contextlib import suppress

import pytest

from sms_common import topology
from sms_common.broker import Outgoing
from sms_common.errors import Code, Unavailable
from sms_common.messages import Status
from tests.dispatcher.builders import HANDSET, arrived, receipt


async def test_a_receipt_whose_recording_got_no_answer_is_told(rig):
    await rig.send()
    rig.ledger.lose_answers.add("apply")
    await rig.carrier_says(receipt())

    assert rig.story() == ["accepted", "submitted", "delivered"]


async def test_an_inbound_text_whose_recording_got_no_answer_reaches_the_pbx(rig):
    rig.ledger.lose_answers.add("accept")
    await rig.carrier_says(arrived())

    assert len(rig.inbound()) == 1


@pytest.mark.parametrize("event", [receipt(), arrived()], ids=["receipt", "inbound text"])
async def test_what_was_recorded_before_a_long_outage_is_told_after_it(rig, event):
    """The broker access puts a delivery into the retry ladder when a dependency stays away; it comes back as new."""
    await rig.send()
    await rig.carrier_says(event)
    told = len(rig.statuses()), len(rig.inbound())
    again = Outgoing("", topology.CARRIER, event.encode(), event.TYPE, "again", headers={"x-deferrals": 1})
    await rig.broker.publish(again)
    await rig.idle()

    assert (len(rig.statuses()), len(rig.inbound())) != told


async def test_a_claim_whose_answer_was_lost_is_ours_and_sent_once(rig):
    rig.ledger.lose_answers.add("claim")
    await rig.send()

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "submitted"], 1)


async def test_an_outcome_whose_recording_got_no_answer_is_told_once(rig):
    rig.ledger.lose_answers.add("finish")
    await rig.send()

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "submitted"], 1)


async def test_while_the_broker_has_an_alarm_on_nothing_piles_up_that_is_told_afterwards(rig):
    calls = asyncio.Semaphore(0)
    accept = rig.ledger.accept

    async def accept_and_alarm(entry, claim=None):
        rig.broker.blocked = True
        calls.release()
        return await accept(entry, claim)

    rig.ledger.accept = accept_and_alarm
    before = asyncio.all_tasks()
    sending = asyncio.create_task(rig.send())
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            for _ in range(5):
                await calls.acquire()
    rig.ledger.accept = accept
    rig.broker.blocked = False
    await sending
    await rig.idle()

    assert rig.story() == ["accepted", "submitted"]
    assert asyncio.all_tasks() == before


async def test_a_list_is_told_whole_although_one_of_its_messages_cannot_be_put_into_its_lane_at_once(rig):
    publish = rig.broker.publish
    failures = iter([True])

    async def fail_once(message):
        if message.exchange == topology.DEFAULT_EXCHANGE and next(failures, False):
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The lane's queue is full.")
        await publish(message)

    rig.broker.publish = fail_once
    await rig.send(to=[HANDSET, "+13125550132"])

    assert {rig.story(f"m-1.{n}")[-1] for n in (1, 2)} == {"submitted"}
    assert len(rig.carrier.sent) == 2


async def test_the_store_may_go_in_the_middle_of_a_list(rig):
    accept = rig.ledger.accept
    recorded = []

    async def accept_two(entry, claim=None):
        recorded.append(entry.message_id)
        rig.ledger.away = len(recorded) == 3
        return await accept(entry, claim)

    rig.ledger.accept = accept_two
    await rig.send(to=[HANDSET, "+13125550132", "+13035550165"])

    assert {rig.story(f"m-1.{n}")[-1] for n in (1, 2, 3)} == {Status.SUBMITTED}
    assert len(rig.carrier.sent) == 3
