"""Which is faster: the answer or the receipt, the sender or the new owner of its lane."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from sms_common.errors import Code, OutcomeUnknown, PermanentFailure, TemporaryFailure
from sms_common.messages import Accepted, Status
from sms_dispatcher.lanes.lane_entries import lane_message
from tests.dispatcher.builders import HANDSET, NOW, config, receipt, snapshot
from tests.dispatcher.conftest import Rig

SECOND = "+13125550132"
REFUSED = PermanentFailure(Code.CARRIER_REFUSED, "The carrier refused it.")
DOWN = TemporaryFailure(Code.CARRIER_UNREACHABLE, "Away.")


class Slow:
    """A carrier's answer that waits until the test lets it go."""

    def __init__(self, rig, answer) -> None:
        self._rig = rig
        self._answer = answer
        self._gate = asyncio.Event()

    async def __call__(self, message):
        await self._gate.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def begin(self, **changes):
        self._rig.carrier.script(HANDSET, self, Accepted("again"))
        self._sending = asyncio.create_task(self._rig.send(**changes))
        await self._rig.carrier.wait_until_sent(1)

    async def hear(self, event):
        """A receipt comes in while the answer is awaited."""
        told = len(self._rig.statuses())
        hearing = asyncio.create_task(self._rig.carrier_says(event))
        await self._rig.until_told(told + 1)
        return hearing

    async def end(self, *tasks):
        self._gate.set()
        await asyncio.gather(self._sending, *tasks)


async def test_a_receipt_that_is_faster_than_the_answer_stands_and_is_told_once(rig):
    slow = Slow(rig, Accepted("carrier-7", segments=2))
    await slow.begin()
    await slow.end(await slow.hear(receipt(carrier_message_id="carrier-7")))

    found = await rig.ledger.find("acme", "m-1")
    assert (found.status, found.provider_msg_id, rig.story()) == (
        Status.DELIVERED,
        "carrier-7",
        ["accepted", "delivered"],
    )


async def test_one_recipients_fast_receipt_does_not_lose_the_groups_answer(rig):
    slow = Slow(rig, Accepted("fake-1"))
    await slow.begin(to=[HANDSET, SECOND], group=True)
    await slow.end(await slow.hear(receipt()))
    assert rig.story("m-1") == ["accepted", "submitted"]
    assert rig.story("m-1.1") == ["delivered"]

    await rig.carrier_says(receipt(recipient=SECOND))

    found = await rig.ledger.find("acme", "m-1")
    assert (found.status, rig.story("m-1")) == (Status.DELIVERED, ["accepted", "submitted", "delivered"])
    assert [r.status for r in found.recipients] == [Status.DELIVERED, Status.DELIVERED]


async def test_a_group_whose_second_receipt_never_comes_ends_as_undetermined(rig):
    slow = Slow(rig, Accepted("fake-1"))
    await slow.begin(to=[HANDSET, SECOND], group=True)
    await slow.end(await slow.hear(receipt()))
    await rig.pass_time(101 * 3600)
    await rig.work()

    assert rig.story("m-1")[-1] == "undetermined"


async def test_a_refused_groups_fast_receipt_does_not_hide_the_refusal(rig):
    slow = Slow(rig, REFUSED)
    await slow.begin(to=[HANDSET, SECOND], group=True)
    await slow.end(await slow.hear(receipt(Status.SENT)))

    assert rig.story("m-1")[-1] == "failed"


async def take_over(rig, changed=None):
    """The lane has moved to another dispatcher, which gets the same lane entry and finds the lease over."""
    other = Rig(rig.clock, rig.ledger)
    async with other.broker:
        await other.start(changed or snapshot())
        entry = await rig.ledger.find("acme", "m-1")
        await other.broker.publish(lane_message(entry, NOW))
        await other.broker.idle()
    return other


@pytest.mark.parametrize(
    ("answer", "story", "at_last"),
    [
        pytest.param(Accepted("late"), ["accepted", "submitted"], Status.SUBMITTED, id="accepted"),
        pytest.param(REFUSED, ["accepted", "failed"], Status.FAILED, id="refused"),
        pytest.param(DOWN, ["accepted"], Status.UNKNOWN, id="not sent"),
    ],
)
async def test_an_answer_that_comes_after_the_claim_was_given_up_corrects_unknown(rig, answer, story, at_last):
    slow = Slow(rig, answer)
    await slow.begin()
    rig.clock.now += timedelta(seconds=61)
    other = await take_over(rig)
    assert (other.story(), other.carrier.sent) == (["unknown"], [])
    await slow.end()

    found = await rig.ledger.find("acme", "m-1")
    assert (found.status, rig.story(), len(rig.carrier.sent)) == (at_last, story, 1)
    assert found.due_at is None if at_last is Status.FAILED else found.due_at > rig.clock()


async def test_two_dispatchers_on_one_lane_send_once(rig):
    slow = Slow(rig, Accepted("id"))
    await slow.begin()
    other = await take_over(rig)
    await slow.end()

    assert (len(rig.carrier.sent), other.carrier.sent, other.story()) == (1, [], [])


async def test_a_late_answer_prevents_the_resend_that_was_planned_meanwhile(rig):
    resending = snapshot(config(failure_policy="resend"))
    await rig.use(resending)
    slow = Slow(rig, Accepted("late"))
    await slow.begin()
    rig.clock.now += timedelta(seconds=61)
    other = await take_over(rig, resending)
    assert other.story() == ["queued"]
    await slow.end()
    await rig.broker.publish(lane_message(await rig.ledger.find("acme", "m-1"), NOW))
    await rig.idle()

    assert (len(rig.carrier.sent), rig.story()[-1]) == (1, "submitted")


async def test_a_text_is_sent_again_a_few_times_and_not_for_ever(rig):
    await rig.use(snapshot(config(failure_policy="resend")))
    rig.carrier.script(HANDSET, OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came."))
    await rig.send()
    for _ in range(20):
        await rig.pass_time(30)

    assert (len(rig.carrier.sent), rig.story()[-1]) == (5, "unknown")
    assert rig.statuses()[-1].possible_duplicate is True


async def test_a_lane_entry_twice_is_sent_once(rig):
    slow = Slow(rig, Accepted("id"))
    await slow.begin()
    await rig.broker.publish(lane_message(await rig.ledger.find("acme", "m-1"), NOW))
    await slow.end()
    await rig.pass_time(5)

    assert (len(rig.carrier.sent), set(rig.story())) == (1, {"accepted", "submitted"})


async def test_a_process_does_not_give_up_its_own_claim_however_long_the_answer_takes(rig):
    slow = Slow(rig, Accepted("id"))
    await slow.begin()
    rig.clock.now += timedelta(seconds=61)
    await rig.broker.publish(lane_message(await rig.ledger.find("acme", "m-1"), NOW))
    await slow.end()

    assert len(rig.carrier.sent) == 1
    assert {event.status.value for event in rig.statuses()} == {"accepted", "submitted"}


@pytest.mark.parametrize("rig", ["through the queue"], indirect=True)
async def test_a_text_claimed_and_put_back_meanwhile_is_left_to_its_next_turn(rig):
    claim = rig.ledger.claim

    async def lose_the_race(id_, claim_id):
        found = await claim(id_, "somebody else's")
        rig.ledger.claim = claim
        queued = rig.ledger.entries[id_] = replace(found, status=Status.QUEUED, sequence=found.sequence + 1)
        return queued

    rig.ledger.claim = lose_the_race
    await rig.send()
    assert rig.carrier.sent == []
    await rig.pass_time(5)

    assert rig.story()[-1] == "submitted"
