"""What happens to a message in its lane: every way in which a carrier call can end."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from sms_common.errors import Code, Misconfigured, OutcomeUnknown, PermanentFailure, TemporaryFailure
from sms_common.messages import Accepted, Status
from sms_dispatcher.lanes.lane_entries import lane_message
from tests.dispatcher.builders import HANDSET, NOW, config, entry, snapshot
from tests.dispatcher.conftest import Rig

DOWN = TemporaryFailure(Code.CARRIER_UNREACHABLE, "The carrier cannot be reached.")
REFUSED = PermanentFailure(Code.CARRIER_REFUSED, "The carrier refused it.", carrier_code="400", carrier_text="no")
SILENCE = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")


async def test_a_refusal_is_final_and_keeps_the_carriers_words(rig):
    rig.carrier.script(HANDSET, REFUSED)
    await rig.send()

    last = rig.statuses()[-1]
    assert (last.status, last.final, last.delivery) == (Status.FAILED, True, "ERR")
    assert (last.error.error_class, last.error.code, last.error.carrier_code) == ("permanent", "carrier_refused", "400")


async def test_a_temporary_failure_waits_in_the_ladder_and_is_tried_again(rig):
    rig.carrier.script(HANDSET, DOWN, DOWN, Accepted("id-3"))
    await rig.send()
    assert rig.story() == ["accepted", "queued"]
    await rig.pass_time(600)
    await rig.pass_time(600)

    assert rig.story() == ["accepted", "queued", "queued", "submitted"]
    assert rig.statuses()[-1].attempt == 3


async def test_after_a_day_of_failures_a_message_fails(rig):
    rig.carrier.script(HANDSET, DOWN)
    await rig.send()
    rig.clock.now += timedelta(hours=25)
    await rig.pass_time(600)

    assert rig.statuses()[-1].error.code == "retries_exhausted"


async def test_a_message_that_expires_while_it_waits_is_not_sent(rig):
    rig.carrier.script(HANDSET, DOWN, Accepted("late"))
    await rig.send(expires_at=NOW + timedelta(seconds=30))
    await rig.pass_time(600)

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "queued", "expired"], 1)


@pytest.mark.parametrize(
    ("policy", "story", "duplicate"),
    [
        ("hold", ["accepted", "unknown"], None),
        ("fail", ["accepted", "failed"], None),
        ("resend", ["accepted", "queued"], True),
    ],
)
async def test_a_lost_answer_follows_the_policy(rig, policy, story, duplicate):
    await rig.use(snapshot(config(failure_policy=policy)))
    rig.carrier.script(HANDSET, SILENCE)
    await rig.send()

    assert rig.story() == story
    assert rig.statuses()[-1].possible_duplicate is duplicate


async def test_held_unknowns_are_never_sent_again(rig):
    rig.carrier.script(HANDSET, SILENCE)
    await rig.send()
    await rig.send()
    await rig.pass_time(600)

    assert len(rig.carrier.sent) == 1


async def test_a_resend_is_marked_as_a_possible_duplicate_to_its_end(rig):
    await rig.use(snapshot(config(failure_policy="at_least_once")))
    rig.carrier.script(HANDSET, SILENCE, Accepted("second"))
    await rig.send()
    await rig.pass_time(30)

    assert (rig.story(), rig.statuses()[-1].possible_duplicate) == (["accepted", "queued", "submitted"], True)


async def test_a_crash_inside_a_carrier_is_an_unknown_outcome(rig):
    async def crash(_):
        raise RuntimeError("bug")

    rig.carrier.script(HANDSET, crash)
    await rig.send()

    assert rig.story() == ["accepted", "unknown"]


async def test_refused_credentials_keep_the_message_until_the_configuration_changes(rig):
    refused = Misconfigured(Code.CREDENTIALS_REFUSED, "The carrier refused the credentials.")
    rig.carrier.script(HANDSET, refused, Accepted("id"))
    await rig.send()
    assert (rig.story(), rig.statuses()[-1].error.code) == (["accepted", "queued"], "credentials_refused")

    await rig.use(snapshot(config(credentials={"account_id": SecretStr("mended")})))
    await rig.pass_time(1)

    assert rig.story()[-1] == "submitted"


async def test_a_text_that_failed_a_thousand_times_can_fail_once_more(rig):
    rig.carrier.script(HANDSET, DOWN)
    await rig.ledger.accept(entry(attempt=2000))
    await rig.broker.publish(lane_message(entry(), NOW))
    await rig.idle()

    assert rig.story() == ["queued"]


async def test_an_answer_is_kept_while_the_store_is_away(rig):
    async def then_the_store_goes(_):
        rig.ledger.away = True
        return Accepted("carrier-8")

    rig.carrier.script(HANDSET, then_the_store_goes)
    sending = asyncio.create_task(rig.send())
    await rig.carrier.wait_until_sent(1)
    await asyncio.sleep(0)
    rig.ledger.away = False
    await sending

    assert rig.story() == ["accepted", "submitted"]
    assert len(rig.carrier.sent) == 1


async def test_a_dead_senders_message_is_unknown_once_its_lease_is_over(rig):
    rig.ledger.entries["acme/m-1"] = entry(status=Status.SUBMITTING, claim_id="dead", sequence=2)
    rig.ledger.claimed_at["acme/m-1"] = NOW
    await rig.broker.publish(lane_message(entry(), NOW))
    await rig.idle()
    assert (rig.story(), rig.carrier.sent) == ([], [])

    await rig.pass_time(61)

    assert (rig.story(), rig.carrier.sent) == (["unknown"], [])


async def test_a_lane_entry_of_a_message_nobody_knows_is_parked(rig):
    await rig.broker.publish(lane_message(entry(), NOW))
    await rig.idle()

    assert (rig.dead(), rig.carrier.sent) == (["unknown_message"], [])


async def test_a_deleted_configurations_messages_end(rig):
    rig.carrier.script(HANDSET, DOWN)
    await rig.send()
    await rig.use(snapshot(config(id="another"), retired_config_ids=("cfg",)))
    await rig.pass_time(600)

    assert rig.statuses()[-1].error.code == "unknown_config"


@pytest.mark.parametrize("policy", ["hold", "resend", "fail"])
async def test_what_the_carrier_said_it_took_is_waited_for_under_every_policy(rig, policy):
    await rig.use(snapshot(config(failure_policy=policy)))
    rig.carrier.script(HANDSET, OutcomeUnknown(Code.OUTCOME_UNKNOWN, "HTTP 202 without an id.", taken=True))
    await rig.send()
    await rig.pass_time(120)

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "unknown"], 1)


async def test_a_carriers_wish_of_an_hour_is_kept(rig):
    rig.carrier.script(HANDSET, TemporaryFailure(Code.CARRIER_ERROR, "Later.", retry_after=3600), Accepted("id"))
    await rig.send()
    for minutes in (10, 10, 10, 10, 10, 9):
        await rig.pass_time(minutes * 60)
    assert len(rig.carrier.sent) == 1
    await rig.pass_time(120)

    assert (len(rig.carrier.sent), rig.story()[-1]) == (2, "submitted")


async def test_a_retry_that_was_recorded_before_its_process_died_is_not_lost_and_not_sent_twice(rig):
    finish, dies = rig.ledger.finish, True

    async def finish_and_die(*args):
        nonlocal dies
        done = await finish(*args)
        if dies:
            dies = False
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        return done

    rig.ledger.finish = finish_and_die
    rig.carrier.script(HANDSET, DOWN, Accepted("id-2"))
    await rig.send()
    await rig.pass_time(10)
    await rig.pass_time(600)

    assert rig.story()[-1] == "submitted"
    assert len(rig.carrier.sent) == 2


class Untold:
    """A retry falls due while the PBX's queue does not take the outcome before it."""

    def __init__(self, rig, *, note_last: bool) -> None:
        self._rig = rig
        self._note_last = note_last
        self._publish, self._postpone = rig.broker.publish, rig.ledger.postpone
        self._untold, self._dropped, self._taken = asyncio.Event(), asyncio.Event(), asyncio.Event()
        rig.broker.publish, rig.ledger.postpone = self._publish_slowly, self._note

    async def _publish_slowly(self, message) -> None:
        if message.routing_key.endswith(".queued"):
            self._untold.set()
            await self._taken.wait()
        await self._publish(message)

    async def _note(self, entry, until, *, leased=False) -> None:
        """The scheduler notes that it has put a lane entry, before or after that was dropped."""
        if leased and self._note_last:
            await self._dropped.wait()
        await self._postpone(entry, until, leased=leased)
        if not leased:
            self._dropped.set()

    async def begin(self) -> "asyncio.Task[None]":
        self._rig.carrier.script(HANDSET, DOWN, Accepted("id-2"))
        sending = asyncio.create_task(self._rig.send())
        await self._untold.wait()
        self._rig.clock.now += timedelta(seconds=6)
        await self._rig.work()
        await self._dropped.wait()
        return sending

    def end(self) -> None:
        self._taken.set()


@pytest.mark.parametrize("note_last", [False, True], ids=["noted before", "noted after"])
async def test_a_retry_that_is_due_before_its_outcome_is_published_is_sent_after_that(rig, note_last):
    untold = Untold(rig, note_last=note_last)
    async with asyncio.timeout(5):
        sending = await untold.begin()
        assert rig.broker.waiting("sms.wait.5s") == []
        untold.end()
        await sending
        await rig.work()
        await rig.idle()

    assert (rig.story(), len(rig.carrier.sent)) == (["accepted", "queued", "submitted"], 2)


@pytest.mark.parametrize("note_last", [False, True], ids=["noted before", "noted after"])
async def test_a_retry_that_is_due_before_its_outcome_is_published_is_sent_also_when_the_process_dies(rig, note_last):
    untold = Untold(rig, note_last=note_last)
    async with asyncio.timeout(5):
        sending = await untold.begin()
        rig.clock.now += timedelta(seconds=61)
        other = Rig(rig.clock, rig.ledger)
        async with other.broker:
            await other.start(snapshot())
            await other.work()
            await other.idle()
            assert (other.story(), len(other.carrier.sent)) == (["submitted"], 1)
        untold.end()
        await sending
        await rig.pass_time(61)

    assert len(rig.carrier.sent) == 1


async def test_a_lane_entry_that_rabbitmq_gives_again_brings_no_retry_before_its_time(rig):
    publish, postpone = rig.broker.publish, rig.ledger.postpone
    untold, dropped, taken = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def publish_slowly(message) -> None:
        if message.routing_key.endswith(".queued"):
            untold.set()
            await taken.wait()
        await publish(message)

    async def note(*args, **kwargs) -> None:
        await postpone(*args, **kwargs)
        dropped.set()

    rig.broker.publish, rig.ledger.postpone = publish_slowly, note
    later = TemporaryFailure(Code.CARRIER_ERROR, "Later.", retry_after=3600)
    rig.carrier.script(HANDSET, later, Accepted("id-2"))
    async with asyncio.timeout(5):
        sending = asyncio.create_task(rig.send())
        await untold.wait()
        await rig.broker.publish(lane_message(entry(), NOW))
        await dropped.wait()
        taken.set()
        await sending
        await rig.pass_time(3599)
    assert len(rig.carrier.sent) == 1
    await rig.pass_time(2)

    assert rig.story() == ["accepted", "queued", "submitted"]
