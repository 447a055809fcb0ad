"""Held messages are sent at their time. What was waited for in vain ends; that is recorded before it is published."""

import asyncio
from datetime import timedelta

import pytest

from sms_common.errors import Code, TemporaryFailure, Unavailable
from sms_common.events import LaneEntry
from sms_common.messages import Accepted, Status
from sms_common.telemetry import metrics
from sms_dispatcher.delivery.scheduler import DueScheduler
from sms_dispatcher.ledger.documents import to_document
from tests.dispatcher.builders import HANDSET, NOW, entry, receipt
from tests.dispatcher.conftest import Rig

SECOND = "+13125550132"
DOWN = TemporaryFailure(Code.CARRIER_UNREACHABLE, "The carrier cannot be reached.")


def hours(number: float) -> float:
    return number * 3600


@pytest.mark.parametrize("delay", [1, 23, 25, 24 * 300], ids="after {} h".format)
async def test_a_text_for_later_is_held_and_sent_at_its_time(rig, delay):
    await rig.send(send_after=NOW + timedelta(hours=delay))
    assert (rig.story(), rig.carrier.sent) == (["accepted", "held"], [])

    await rig.let_pass(hours(delay) - 1)
    assert await rig.work() == 0
    await rig.let_pass(2)
    assert await rig.work() == 1
    await rig.idle()

    assert rig.story() == ["accepted", "held", "submitted"]
    assert await rig.work() == 0


@pytest.mark.parametrize("days", [367, 365 * 7000])
async def test_a_text_for_a_far_future_is_refused(rig, days):
    await rig.send(send_after=NOW + timedelta(days=days))

    (event,) = rig.statuses()
    assert (event.status, event.error.code, event.error.field) == (Status.REJECTED, "invalid_request", "send_after")


async def test_a_held_text_stays_in_the_ledger_until_it_was_sent_and_some_days_longer(rig):
    await rig.send(send_after=NOW + timedelta(days=300))
    (held,) = rig.ledger.entries.values()

    assert to_document(held, timedelta(days=90))["delete_at"] == NOW + timedelta(days=390)


async def test_a_held_text_that_expires_before_its_time_is_not_sent(rig):
    await rig.send(send_after=NOW + timedelta(hours=2), expires_at=NOW + timedelta(hours=1))
    await rig.let_pass(hours(2))
    await rig.work()

    assert (rig.story(), rig.carrier.sent) == (["accepted", "held", "expired"], [])


async def test_a_held_text_whose_hand_over_was_cut_short_is_handed_over_again_and_sent_once(rig):
    await rig.send(send_after=NOW + timedelta(hours=1))
    await rig.let_pass(hours(1))
    rig.broker.blocked = True
    with pytest.raises(Unavailable):
        await rig.work()
    rig.broker.blocked = False
    await rig.let_pass(61)
    await rig.work()
    await rig.idle()

    assert rig.story() == ["accepted", "held", "submitted"]


async def test_no_receipt_in_the_window_makes_a_message_undetermined(rig):
    await rig.send()
    await rig.let_pass(hours(101))
    await rig.work()
    assert await rig.work() == 0

    last = rig.statuses()[-1]
    assert (last.status, last.final, last.error.code, last.sequence) == (Status.UNDETERMINED, True, "no_receipt", 4)


async def test_a_late_receipt_corrects_undetermined_once(rig):
    await rig.send()
    await rig.let_pass(hours(101))
    await rig.work()
    await rig.carrier_says(receipt())
    await rig.carrier_says(receipt(Status.FAILED))

    assert rig.story() == ["accepted", "submitted", "undetermined", "delivered"]


async def test_a_receipt_that_wins_the_race_against_the_clock_is_the_only_final_status(rig):
    await rig.send()
    await rig.let_pass(hours(101))
    take = rig.ledger.take_due

    async def take_and_hear(limit):
        taken = await take(limit)
        await rig.carrier_says(receipt())
        rig.ledger.take_due = take
        return taken

    rig.ledger.take_due = take_and_hear
    await rig.work()

    assert rig.story() == ["accepted", "submitted", "delivered"]


async def test_an_end_that_was_recorded_and_not_told_is_told_later(rig):
    await rig.send()
    await rig.let_pass(hours(101))
    rig.ledger.lose_answers.add("change")
    with pytest.raises(Unavailable):
        await rig.work()
    assert rig.story()[-1] == "submitted"

    await rig.let_pass(61)
    await rig.work()
    assert await rig.work() == 0

    assert rig.story() == ["accepted", "submitted", "undetermined"]


async def test_a_receipt_before_the_last_one_does_not_make_the_window_longer(rig):
    await rig.send()
    await rig.let_pass(hours(99))
    await rig.carrier_says(receipt(Status.SENT))
    await rig.let_pass(hours(0.9))
    assert await rig.work() == 0
    await rig.let_pass(hours(0.2))
    await rig.work()

    assert rig.story() == ["accepted", "submitted", "sent", "undetermined"]


async def test_a_message_that_was_sent_before_its_acceptance_was_known_ends_too(rig):
    """The receipt is recorded, the answer is not: the window runs all the same."""
    rig.ledger.entries["acme/m-1"] = entry(status=Status.SUBMITTING, claim_id="dead", sequence=2)
    await rig.carrier_says(receipt(Status.SENT))
    await rig.let_pass(hours(101))
    await rig.work()

    assert rig.story() == ["sent", "undetermined"]


@pytest.mark.parametrize("rig", ["through the queue"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "story"),
    [
        pytest.param({}, ["accepted", "failed"], id="at first"),
        pytest.param({"to": [SECOND, HANDSET]}, ["accepted", "failed"], id="of a list"),
        pytest.param({"send_after": NOW + timedelta(hours=1)}, ["accepted", "held", "failed"], id="at its time"),
    ],
)
async def test_a_message_whose_lane_entry_vanished_ends_all_the_same(rig, changes, story):
    rig.lose_lane_entries()
    await rig.send(**changes)
    for span in (1, 22.9, 1.2):
        await rig.let_pass(hours(span))
        await rig.work()

    id_ = "m-1.1" if "to" in changes else "m-1"
    last = rig.statuses(id_)[-1]
    assert (rig.story(id_), last.error.code, last.final) == (story, "retries_exhausted", True)


async def test_a_message_whose_retry_vanished_ends_all_the_same(rig):
    rig.carrier.script(HANDSET, DOWN)
    await rig.send()
    rig.lose_lane_entries()
    for _ in range(25):
        await rig.let_pass(hours(1))
        await rig.work()

    assert (rig.story()[-1], rig.statuses()[-1].error.code) == ("failed", "retries_exhausted")


async def test_a_dead_senders_message_whose_lane_entry_vanished_becomes_unknown(rig):
    dead = entry(status=Status.SUBMITTING, claim_id="dead", sequence=2, due_at=NOW + timedelta(hours=24))
    rig.ledger.entries["acme/m-1"] = dead
    rig.ledger.claimed_at["acme/m-1"] = NOW
    await rig.let_pass(hours(25))
    await rig.work()
    await rig.idle()

    assert (rig.story(), rig.carrier.sent) == (["unknown"], [])


async def test_an_entry_that_cannot_be_worked_on_keeps_no_other_from_its_end(rig):
    broken = entry(message_id="broken", status=Status.HELD, config_id=None, due_at=NOW)
    rig.ledger.entries[broken.id] = broken
    await rig.send(send_after=NOW + timedelta(seconds=1))
    await rig.let_pass(2)
    await rig.work()
    await rig.idle()

    assert rig.story("m-1")[-1] == "submitted"


@pytest.mark.parametrize(
    "error", [Unavailable(Code.STORE_UNAVAILABLE, "Away."), RuntimeError("bug")], ids=["away", "bug"]
)
async def test_the_clock_goes_on_after_trouble(rig, error):
    stop, looks = asyncio.Event(), []
    take = rig.ledger.take_due

    async def trouble_at_first(limit):
        looks.append(limit)
        if len(looks) == 1:
            raise error
        stop.set()
        return await take(limit)

    rig.ledger.take_due = trouble_at_first
    async with asyncio.timeout(5):
        await rig.scheduler.run(stop, every=0.001)

    assert len(looks) == 2


async def test_hundreds_of_texts_for_one_moment_all_go(rig):
    for n in range(600):
        await rig.ledger.accept(entry(message_id=f"m-{n}", status=Status.HELD, send_after=NOW, due_at=NOW))

    assert await rig.work() == 600
    await rig.idle()
    assert len(rig.carrier.sent) == 600


async def test_a_pbx_whose_queue_takes_nothing_keeps_no_other_from_its_end(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.main._SHARED_WORK_SECONDS", 0.01)
    fresh, publish = Rig(rig.clock, rig.ledger), rig.broker.publish
    full = True

    async def refuse_some(message) -> None:
        if full and message.correlation_id == "stuck":
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The queue is full.")
        await publish(message)

    fresh.broker.publish = refuse_some  # type: ignore[method-assign]
    for id_ in ("stuck", "free"):
        ended = entry(message_id=id_, status=Status.HELD, expires_at=NOW, due_at=NOW)
        fresh.ledger.entries[ended.id] = ended
    await fresh.work()
    assert rig.story("free") == ["expired"]
    full = False
    rig.clock.now += timedelta(minutes=2)
    await fresh.work()

    assert rig.story("stuck") == ["expired"]


def test_the_clock_is_part_of_the_dispatcher(rig):
    assert isinstance(rig.scheduler, DueScheduler)


async def test_a_retry_that_its_lane_did_not_take_is_put_again_in_seconds(rig):
    rig.carrier.script(HANDSET, DOWN, Accepted("id-2"))
    await rig.send()
    await rig.let_pass(6)
    rig.broker.blocked = True
    with pytest.raises(Unavailable):
        await rig.work()
    rig.broker.blocked = False
    await rig.pass_time(2)

    assert rig.story() == ["accepted", "queued", "submitted"]


async def test_a_dead_senders_message_that_its_lane_did_not_take_is_put_again_in_seconds(rig):
    rig.ledger.entries["acme/m-1"] = entry(status=Status.SUBMITTING, claim_id="dead", sequence=2, due_at=NOW)
    rig.ledger.claimed_at["acme/m-1"] = NOW - timedelta(seconds=61)
    rig.broker.blocked = True
    with pytest.raises(Unavailable):
        await rig.work()
    rig.broker.blocked = False
    await rig.pass_time(2)

    assert rig.story() == ["unknown"]


async def test_one_text_that_its_lane_did_not_take_keeps_none_of_hundreds_from_theirs(rig):
    publish = rig.broker.publish

    async def refuse_one(message) -> None:
        if message.type == LaneEntry.TYPE and b'"m-7"' in message.body:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "The queue is full.")
        await publish(message)

    rig.broker.publish = refuse_one
    for n in range(600):
        await rig.ledger.accept(entry(message_id=f"m-{n}", status=Status.HELD, send_after=NOW, due_at=NOW))
    with pytest.raises(Unavailable):
        await rig.work()
    await rig.idle()

    assert len(rig.carrier.sent) == 599


async def test_a_retry_does_not_wait_for_a_pbx_whose_queue_takes_nothing(rig):
    publish, taken = rig.broker.publish, asyncio.Event()

    async def wait_for_one(message) -> None:
        if message.correlation_id == "stuck":
            await taken.wait()
        await publish(message)

    rig.broker.publish = wait_for_one
    stuck = entry(message_id="stuck", status=Status.HELD, expires_at=NOW, due_at=NOW)
    rig.ledger.entries[stuck.id] = stuck
    async with asyncio.timeout(2):
        await rig.scheduler.work()
        await rig.ledger.accept(entry(status=Status.HELD, send_after=NOW, due_at=NOW))
        await rig.scheduler.work()
        await rig.until_told(1)
    assert (rig.story(), rig.story("m-1")) == (["submitted"], ["submitted"])
    taken.set()
    await rig.idle()

    assert rig.story("stuck") == ["expired"]


async def test_an_end_beyond_those_that_may_be_published_at_a_time_is_published_after_its_lease(rig, monkeypatch):
    monkeypatch.setattr("sms_dispatcher.delivery.scheduler._PUBLISHED_AT_A_TIME", 1)
    for id_ in ("first", "second"):
        ended = entry(message_id=id_, status=Status.HELD, expires_at=NOW, due_at=NOW)
        rig.ledger.entries[ended.id] = ended
    await rig.work()
    assert rig.story() == ["expired"]
    await rig.pass_time(61)

    assert {event.message_id for event in rig.statuses()} == {"first", "second"}


async def test_a_stopped_scheduler_leaves_the_ends_that_it_was_publishing_due(rig):
    stop, publishing = asyncio.Event(), asyncio.Event()

    async def take_nothing(message) -> None:
        publishing.set()
        await asyncio.Event().wait()

    ended = entry(status=Status.HELD, expires_at=NOW, due_at=NOW)
    rig.ledger.entries[ended.id] = ended
    publish, rig.broker.publish = rig.broker.publish, take_nothing
    async with asyncio.timeout(2):
        running = asyncio.create_task(rig.scheduler.run(stop, every=60))
        await publishing.wait()
        stop.set()
        await running
    assert rig.scheduler.publishing == set()
    rig.broker.publish = publish
    await rig.pass_time(61)

    assert rig.story() == ["expired"]


async def test_a_ring_of_the_alarm_neither_reads_the_clock_nor_counts(rig):
    stop, done = asyncio.Event(), []

    def noting(name, act):
        async def note(*args):
            done.append(name)
            return await act(*args)

        return note

    async def look(limit):
        done.append("look")
        (stop if done.count("look") == 5 else rig.scheduler._alarm.rings).set()
        return []

    rig.ledger.take_due = look
    rig.ledger.set_clock = noting("clock", rig.ledger.set_clock)
    rig.ledger.count_unknown = noting("count", rig.ledger.count_unknown)
    async with asyncio.timeout(2):
        await rig.scheduler.run(stop, every=60)

    assert [done.count(name) for name in ("look", "clock", "count")] == [5, 1, 1]


async def test_the_unknown_are_counted_also_while_something_due_cannot_be_worked_on(rig):
    stop = asyncio.Event()

    async def away(limit):
        raise Unavailable(Code.STORE_UNAVAILABLE, "Away.")

    async def count():
        stop.set()
        return 7

    rig.ledger.take_due, rig.ledger.count_unknown = away, count
    async with asyncio.timeout(2):
        await rig.scheduler.run(stop, every=60)

    assert metrics.registry.get_sample_value("smsgw_unknown_outcomes") == 7
