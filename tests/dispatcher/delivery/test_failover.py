"""How a message fails over to its next route, and when it must not."""

import asyncio
from datetime import timedelta

import pytest

from sms_common.errors import Code, Misconfigured, OutcomeUnknown, PermanentFailure, TemporaryFailure
from sms_common.messages import Accepted
from sms_common.rules import RuleRoute
from tests.dispatcher.builders import DID, HANDSET, NOW, config, receipt
from tests.dispatcher.rules import BACKUP, BACKUP_DID, rule, ruled

OURS = PermanentFailure(Code.CARRIER_REFUSED, "The sender is unknown here.", carrier_code="400", try_next_route=True)
THEIRS = PermanentFailure(Code.CARRIER_REFUSED, "The recipient opted out.")
LOCKED = Misconfigured(Code.CREDENTIALS_REFUSED, "The account is locked.")
DOWN = TemporaryFailure(Code.CARRIER_UNREACHABLE, "The carrier cannot be reached.")
SILENCE = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")
BOTH = rule("cfg", RuleRoute(config_id="backup", prepend="7"))
DIALLED = "+714045550121"


async def sent_by(rig, *outcomes, rules=None, **changes):
    """How the message's calls went: through which configuration, as whom and to what number."""
    await rig.use(rules or ruled(BOTH))
    rig.carrier.script(HANDSET, *outcomes)
    await rig.send(**changes)
    await rig.work()
    await rig.idle()
    return [(call.account.config_id, call.message.sender, *call.message.recipients) for call in rig.carrier.sent]


@pytest.mark.parametrize("refusal", [OURS, LOCKED], ids=["the sender is refused", "the account is refused"])
async def test_a_refusal_that_is_not_the_recipients_moves_the_message_to_the_next_route(rig, refusal):
    calls = await sent_by(rig, refusal)

    assert calls == [("cfg", DID, HANDSET), ("backup", BACKUP_DID, DIALLED)]
    assert rig.story() == ["accepted", "queued", "submitted"]
    queued, submitted = rig.statuses()[1:]
    assert (queued.config_id, queued.sender, queued.to, queued.error.code) == (
        "backup",
        BACKUP_DID,
        HANDSET,
        refusal.code,
    )
    assert "cfg would not send it" in queued.reason
    assert (submitted.attempt, submitted.error) == (2, None)


async def test_the_next_route_does_not_wait_for_the_schedulers_period(rig):
    await rig.use(ruled(BOTH))
    rig.carrier.script(HANDSET, OURS)
    stop = asyncio.Event()
    running = asyncio.create_task(rig.scheduler.run(stop, every=3600))
    await rig.send()
    await rig.until_told(3)
    stop.set()
    await running

    assert rig.story() == ["accepted", "queued", "submitted"]


@pytest.mark.parametrize(
    ("outcome", "story"),
    [
        pytest.param(THEIRS, ["accepted", "failed"], id="refused for the recipient's sake"),
        pytest.param(DOWN, ["accepted", "queued"], id="for now"),
        pytest.param(SILENCE, ["accepted", "unknown"], id="perhaps sent"),
        pytest.param(Accepted("id-1"), ["accepted", "submitted"], id="taken"),
    ],
)
async def test_anything_else_stays_on_its_route(rig, outcome, story):
    calls = await sent_by(rig, outcome)

    assert (calls, rig.story()) == ([("cfg", DID, HANDSET)], story)


async def test_the_last_routes_refusal_is_the_messages(rig):
    rig.carrier.script(DIALLED, OURS)
    calls = await sent_by(rig, OURS)

    assert (len(calls), rig.story()) == (2, ["accepted", "queued", "failed"])
    assert rig.statuses()[-1].error.carrier_code == "400"


async def test_never_after_an_answer_was_lost(rig):
    resending = ruled(BOTH, configs=(config(failure_policy="resend"), BACKUP))
    await sent_by(rig, SILENCE, OURS, rules=resending)
    await rig.pass_time(60)
    await rig.work()
    await rig.idle()

    assert [call.account.config_id for call in rig.carrier.sent] == ["cfg", "cfg"]
    assert rig.story()[-1] == "failed"


async def test_a_route_that_was_switched_off_since_is_passed_over(rig):
    three = rule("cfg", "backup", "third")
    third = config(id="third")
    off = ruled(three, configs=(config(), BACKUP.model_copy(update={"enabled": False}), third))

    async def refuse_and_switch_off(_):
        await rig.use(off)
        raise OURS

    calls = await sent_by(
        rig, refuse_and_switch_off, Accepted("id-2"), rules=ruled(three, configs=(config(), BACKUP, third))
    )

    assert [call[0] for call in calls] == ["cfg", "third"]


async def test_a_group_that_moved_still_knows_its_members_receipts(rig):
    second = "+13125550132"
    await sent_by(rig, LOCKED, to=[HANDSET, second], group=True)
    for number in (DIALLED, "+713125550132"):
        await rig.carrier_says(receipt(recipient=number, carrier_message_id="fake-2"), config_id="backup")

    assert [e.to for e in rig.statuses() if e.parent_id] == [HANDSET, second]
    assert rig.story("m-1")[-1] == "delivered"


async def test_the_timeline_tells_each_route(rig):
    await sent_by(rig, OURS)

    entry = rig.ledger.entries["acme/m-1"]
    assert (entry.config_id, entry.moves, entry.next_routes) == ("backup", 1, ())


async def test_a_configuration_that_was_deleted_sends_its_messages_on(rig):
    await rig.use(ruled(BOTH, configs=(config(), BACKUP)))
    later = NOW + timedelta(minutes=5)
    await rig.send(send_after=later)
    await rig.use(ruled(BOTH, configs=(BACKUP,)).model_copy(update={"retired_config_ids": ("cfg",)}))
    await rig.pass_time(301)
    for _ in range(2):
        await rig.work()
        await rig.broker.idle()

    assert [call.account.config_id for call in rig.carrier.sent] == ["backup"]
    assert rig.statuses()[-2].error.code == "unknown_config"
