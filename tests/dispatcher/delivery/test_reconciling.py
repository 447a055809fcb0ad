"""A lost answer is searched for in the carrier's list. Only exactly one match that is no other message settles it."""

import asyncio
from datetime import timedelta

import pytest

from sms_common.errors import Code, OutcomeUnknown, TemporaryFailure, Throttled
from sms_common.messages import Status
from tests.dispatcher.builders import HANDSET, NOW, config, entry, receipt, snapshot

SILENCE = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")
OTHER = "+13125550132"
AWAY = TemporaryFailure(Code.CARRIER_UNREACHABLE, "The list cannot be reached.")


@pytest.fixture
async def lost(rig):
    """A message whose answer was lost."""
    rig.carrier.script(HANDSET, SILENCE)
    await rig.send()
    assert rig.story() == ["accepted", "unknown"]
    return rig


async def minutes(rig, count: float) -> None:
    await rig.pass_time(count * 60)


async def test_nobody_asks_at_once(lost):
    await minutes(lost, 9)

    assert lost.carrier.sought == []


async def test_the_list_is_asked_for_the_message_and_its_time(lost):
    await minutes(lost, 10)

    ((message, account, window),) = lost.carrier.sought
    assert (message.reference, account.config_id) == ("acme/m-1", "cfg")
    assert window.since < NOW < window.until


async def test_one_alike_settles_it_and_its_receipt_is_known_by_the_carriers_id(lost):
    lost.carrier.found[HANDSET] = ["carrier-7"]
    await minutes(lost, 10)
    last = lost.statuses()[-1]
    assert (last.status, last.provider_msg_id, last.error) == (Status.SUBMITTED, "carrier-7", None)
    await lost.carrier_says(receipt(carrier_message_id="carrier-7", reference=None))

    assert lost.story() == ["accepted", "unknown", "submitted", "delivered"]
    assert len(lost.carrier.sent) == 1


@pytest.mark.parametrize("found", [[], ["one", "another"]], ids=["none", "several"])
async def test_none_or_several_leave_it_open_to_the_end_of_the_window(lost, found):
    lost.carrier.found[HANDSET] = found
    await minutes(lost, 10)
    await minutes(lost, 60)
    assert (lost.story()[-1], len(lost.carrier.sought)) == ("unknown", 1)
    await minutes(lost, 100 * 60)

    assert (lost.story()[-1], lost.statuses()[-1].error.code) == ("undetermined", "no_receipt")


async def test_what_belongs_to_another_message_settles_nothing(lost):
    lost.carrier.script(HANDSET, *[])
    await lost.send(message_id="known")
    (id_,) = {event.provider_msg_id for event in lost.statuses("known")} - {None}
    lost.carrier.found[HANDSET] = [id_]
    await minutes(lost, 10)

    assert lost.story("m-1")[-1] == "unknown"


async def test_of_two_lost_alike_neither_is_settled(lost):
    lost.carrier.script(HANDSET, SILENCE)
    await lost.send(message_id="twin")
    lost.carrier.found[HANDSET] = ["only one"]
    await minutes(lost, 10)

    assert {lost.story(id_)[-1] for id_ in ("m-1", "twin")} == {"unknown"}


@pytest.mark.parametrize("failure", [AWAY, Throttled(Code.CARRIER_BUSY, "Too often.")], ids=["away", "throttled"])
async def test_a_list_that_cannot_be_read_is_asked_again(lost, failure):
    lost.carrier.found[HANDSET] = failure
    await minutes(lost, 10)
    assert lost.story()[-1] == "unknown"
    lost.carrier.found[HANDSET] = ["carrier-7"]
    await minutes(lost, 5)

    assert lost.story()[-1] == "submitted"


async def test_a_receipt_that_came_first_is_not_asked_after(lost):
    await lost.carrier_says(receipt(Status.SENT))
    lost.carrier.found[HANDSET] = ["carrier-7"]
    await minutes(lost, 60)
    assert (lost.story()[-1], lost.carrier.sought) == ("sent", [])
    await lost.pass_time(timedelta(hours=100).total_seconds())

    assert lost.story()[-1] == "undetermined"


async def test_a_deleted_configurations_message_waits_for_its_receipt(lost):
    await lost.use(snapshot(config(id="another"), retired_config_ids=("cfg",)))
    await minutes(lost, 10)

    assert (lost.story()[-1], lost.carrier.sought) == ("unknown", [])


async def test_a_slow_list_holds_nothing_else_up(lost):
    begun, answered = asyncio.Event(), asyncio.Event()
    find_sent = lost.carrier.find_sent

    async def slow(*arguments):
        begun.set()
        await answered.wait()
        return await find_sent(*arguments)

    lost.carrier.find_sent = slow
    lost.carrier.found[HANDSET] = ["carrier-7"]
    await lost.send(message_id="later", to=OTHER, send_after=NOW + timedelta(minutes=10))
    lost.clock.now += timedelta(minutes=10)
    async with asyncio.timeout(5):
        await lost.work()
        await begun.wait()
        await lost.carrier.wait_until_sent(2)
    assert lost.story("m-1")[-1] == "unknown"
    answered.set()
    await lost.idle()

    assert (lost.story("m-1")[-1], lost.story("later")[-1]) == ("submitted", "submitted")


async def test_more_lost_answers_than_can_be_looked_for_at_a_time_come_one_after_the_other(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.delivery.scheduler._RECONCILED_AT_A_TIME", 2)
    for n in range(5):
        lost = entry(message_id=f"m-{n}", to=(f"+1312555010{n}",), status=Status.UNKNOWN, due_at=NOW)
        rig.ledger.entries[lost.id] = lost
    for _ in range(4):
        await minutes(rig, 1.1)

    assert sorted(message.reference for message, _, _ in rig.carrier.sought) == [f"acme/m-{n}" for n in range(5)]


async def test_what_a_dead_process_had_claimed_is_looked_for_at_the_time_of_its_claim(rig):
    rig.ledger.entries["acme/m-1"] = entry(status=Status.SUBMITTING, claim_id="dead", sequence=2, due_at=NOW)
    rig.ledger.claimed_at["acme/m-1"] = NOW
    await rig.let_pass(3600)
    await rig.work()
    await rig.idle()
    await minutes(rig, 10)

    ((_, _, window),) = rig.carrier.sought
    assert window.since < NOW < window.until


async def test_one_that_is_being_sent_to_the_same_may_be_the_one_in_the_list(lost):
    twin = entry(message_id="twin", status=Status.SUBMITTING, claim_id="other", due_at=NOW + timedelta(hours=1))
    lost.ledger.entries[twin.id] = twin
    lost.carrier.found[HANDSET] = ["only one"]
    await minutes(lost, 10)

    assert lost.story("m-1")[-1] == "unknown"
