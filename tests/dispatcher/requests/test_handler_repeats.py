"""Repeated requests: repeated by the PBX, redelivered after a crash, or under another configuration."""

import asyncio
from datetime import timedelta

import pytest

from sms_common.configuration import Tenant
from sms_common.messages import Status
from tests.dispatcher.builders import HANDSET, NOW, config, snapshot

SECOND, THIRD = "+13125550132", "+13035550165"
DISABLED = snapshot(config(enabled=False))


async def crash_while_recording_a_list(rig, **changes):
    """As if the process had died when the request and its first message were recorded, and nothing was told."""
    await rig.send(to=[HANDSET, SECOND], **changes)
    del rig.ledger.entries["acme/m-1.2"]
    rig.carrier.sent.clear()


async def test_a_list_begun_before_its_configuration_was_disabled_is_completed_and_never_sent_as_one(rig):
    await crash_while_recording_a_list(rig)
    await rig.use(DISABLED)
    again = asyncio.create_task(rig.send(to=[HANDSET, SECOND]))
    await rig.until_told(5)
    assert rig.carrier.sent == []
    await rig.use(snapshot())
    await again

    assert [sent.message.recipients for sent in rig.carrier.sent] == [(SECOND,)]
    assert rig.story("m-1.2")[-1] == "submitted"
    assert rig.statuses("m-1") == []


async def test_a_list_that_was_rejected_is_not_sent_when_it_comes_again_under_a_better_configuration(rig):
    await rig.use(DISABLED)
    await rig.send(to=[HANDSET, SECOND])
    await rig.use(snapshot())
    await rig.send(to=[HANDSET, SECOND])

    assert (rig.story("m-1"), rig.carrier.sent) == (["rejected", "rejected"], [])


async def test_a_list_keeps_its_numbering_when_the_tenants_country_changes_in_between(rig):
    numbers = ["(404) 555-0121", HANDSET, SECOND]
    await rig.send(to=numbers)
    await rig.use(snapshot(tenants=(Tenant(id="acme", country="GB"),)))
    await rig.send(to=numbers)

    assert [sent.message.recipients for sent in rig.carrier.sent] == [(HANDSET,), (SECOND,)]


async def test_a_recording_whose_answer_was_lost_is_told_and_sent_once(rig):
    rig.ledger.lose_answers.add("accept")
    await rig.send()

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "submitted"], 1)


async def test_a_list_whose_messages_id_is_taken_says_so_for_that_message_and_sends_the_others(rig):
    await rig.send(message_id="m-1.1", text="Mine")
    await rig.send(to=[SECOND, THIRD])

    conflict = rig.statuses("m-1.1")[-1]
    assert (conflict.status, conflict.error.code, conflict.parent_id) == (Status.REJECTED, "id_conflict", "m-1")
    assert [sent.message.recipients for sent in rig.carrier.sent] == [(HANDSET,), (THIRD,)]
    assert rig.story("m-1.2") == ["accepted", "submitted"]


async def test_a_request_under_the_id_of_a_lists_message_is_a_conflict(rig):
    await rig.send(to=[SECOND, THIRD])
    await rig.send(message_id="m-1.1", text="Mine")

    assert rig.statuses("m-1.1")[-1].error.code == "id_conflict"
    assert len(rig.carrier.sent) == 2


async def test_a_held_list_is_held_again_and_not_sent_early(rig):
    later = NOW + timedelta(hours=1)
    await rig.send(to=[HANDSET, SECOND], send_after=later)
    await rig.send(to=[HANDSET, SECOND], send_after=later)

    assert rig.story("m-1.1") == ["accepted", "held", "held"]
    assert rig.carrier.sent == []


@pytest.mark.parametrize("rejected", ["junk", "+1"])
async def test_a_bad_number_of_a_list_keeps_its_reason_when_the_list_comes_again(rig, rejected):
    await rig.send(to=[HANDSET, rejected])
    await rig.send(to=[HANDSET, rejected])

    first, second = rig.statuses("m-1.2")
    assert (first.error.code, first.event_id, first.reason) == ("invalid_number", second.event_id, second.reason)
    assert first.reason.endswith(".")
