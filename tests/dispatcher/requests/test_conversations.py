"""A text leaves from the number that its recipients wrote to."""

from datetime import timedelta

import pytest

from sms_common.messages import MsgType
from sms_dispatcher.ledger.entries import Echo, conversation_id
from tests.dispatcher.builders import DID, arrived

SECOND_DID = "+12025550144"
A, B = "+13125550100", "+13125550111"


@pytest.mark.parametrize(
    ("to", "asked"),
    [
        pytest.param([A, B], True, id="the group, by its id"),
        pytest.param([B, A, SECOND_DID], True, id="everybody in it, by its id"),
        pytest.param([A, B, SECOND_DID], False, id="everybody in it"),
        pytest.param([A, B, "+13125550122"], True, id="one more than the group, by its id"),
    ],
)
async def test_a_group_is_answered_from_the_number_that_it_wrote_to(rig, to, asked):
    await rig.carrier_says(
        arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID, B), msg_type=MsgType.MMS, carrier_message_id="g1")
    )
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    conversation = rig.inbound()[0].conversation_id
    await rig.send(to=to, group=True, conversation_id=conversation if asked else None)

    (sent,) = rig.carrier.sent
    assert (sent.message.sender, set(sent.message.recipients)) == (SECOND_DID, {*to} - {SECOND_DID})


async def test_a_single_text_is_answered_from_the_number_of_its_conversation(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    await rig.send(to=A, conversation_id=rig.inbound()[0].conversation_id)

    assert rig.carrier.sent[0].message.sender == SECOND_DID


@pytest.mark.parametrize("to", [A, [A, B]], ids=["one of it", "a message to each of it"])
async def test_who_answers_some_of_a_group_does_so_from_the_number_that_it_wrote_to(rig, to):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID, B, "+13125550122")))
    await rig.carrier_says(arrived(sender=A, carrier_message_id="later"))
    await rig.send(to=to, conversation_id=rig.inbound()[0].conversation_id)

    assert {sent.message.sender for sent in rig.carrier.sent} == {SECOND_DID}


async def test_a_conversation_of_the_pbxs_own_decides_nothing(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.send(to=A, conversation_id="thread 7")

    assert rig.carrier.sent[0].message.sender == SECOND_DID


async def test_a_group_that_is_new_leaves_from_the_default_number(rig):
    await rig.carrier_says(arrived(sender=A, did=SECOND_DID, recipients=(SECOND_DID,)))
    await rig.send(to=[A, B], group=True, conversation_id="unknown")

    assert rig.carrier.sent[0].message.sender == DID


@pytest.mark.parametrize("first", ["+5215512345678", "5215512345678", "+525512345678"])
async def test_one_person_has_one_conversation_and_can_be_answered(rig, first):
    await rig.carrier_says(arrived(sender=first, did="12025550144", recipients=("12025550144",)))
    await rig.carrier_says(
        arrived(sender="+525512345678", did=SECOND_DID, recipients=(SECOND_DID,), carrier_message_id="in-2")
    )
    one, two = rig.inbound()
    await rig.send(to=one.sender, conversation_id=one.conversation_id)

    assert (one.sender, one.did, one.conversation_id) == (two.sender, two.did, two.conversation_id)
    (sent,) = rig.carrier.sent
    assert (sent.message.sender, sent.message.recipients) == (SECOND_DID, ("+525512345678",))


@pytest.mark.parametrize("kept", [("+5215512345678", SECOND_DID), ("525512345678", "12025550144")])
async def test_a_conversation_that_a_former_version_recorded_goes_on(rig, kept):
    sender, did = kept
    await rig.carrier_says(arrived(sender="+525512345678", did=SECOND_DID, recipients=(SECOND_DID,)))
    ((key, entry),) = rig.ledger.entries.items()
    former = conversation_id("former", (sender, did))
    rig.ledger.entries[key] = entry.replace(sender=sender, to=(did,), echo=Echo(conversation_id=former))
    await rig.carrier_says(arrived(sender="+525512345678", carrier_message_id="later"))
    await rig.send(to="+525512345678", conversation_id=former)

    assert rig.carrier.sent[0].message.sender == SECOND_DID


async def test_a_reply_goes_from_the_number_the_customer_wrote_to_last(rig):
    for number, did in enumerate((DID, "+12025550147")):
        rig.clock.now += timedelta(minutes=1)
        await rig.carrier_says(arrived(did=did, recipients=(did,), carrier_message_id=f"in-{number}"))
    first = rig.inbound()[0]

    await rig.send()
    await rig.send(message_id="m-2", conversation_id=first.conversation_id)
    await rig.send(message_id="m-3", conversation_id="the PBX's own")

    assert [call.message.sender for call in rig.carrier.sent] == ["+12025550147", DID, "+12025550147"]


async def test_a_sender_that_is_named_asks_the_ledger_nothing(rig):
    await rig.send(**{"from": DID})

    assert rig.ledger.recalled == 0
