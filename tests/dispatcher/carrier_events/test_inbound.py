"""Where rules route an inbound text, and whom they block."""

from datetime import timedelta

import pytest

from sms_common.errors import Code, Unavailable
from sms_common.messages import MsgType
from sms_common.rules import Action, ActionKind, InboundRule
from sms_common.telemetry import metrics
from tests.dispatcher.builders import DID, HANDSET, NOW, arrived, config
from tests.dispatcher.rules import MORNINGS, ruled

RANGE = InboundRule(id="range", did_numbers="+12025550140-+12025550149", office=Action(destination="100-109"))
CALLER = InboundRule(
    id="vip", caller_mask=HANDSET, office=Action(kind=ActionKind.QUEUE, destination="8000"), priority=5
)
NIGHT = InboundRule(
    id="night",
    name="Night",
    office=Action(destination="101"),
    outside=Action(kind=ActionKind.VOICEMAIL, destination="199"),
)
BIN = InboundRule(id="bin", name="Bin", caller_mask=HANDSET, office=Action(kind=ActionKind.DISCARD))
BEFORE_NOON = NOW - timedelta(hours=1)


def counted(result):
    return metrics.registry.get_sample_value("smsgw_inbound_total", {"result": result}) or 0.0


@pytest.mark.parametrize(
    ("rules", "changes", "expected"),
    [
        pytest.param((), {}, (None, "did", "12025550143"), id="no rule: the number itself"),
        pytest.param((RANGE,), {}, ("range", "extension", "103"), id="a range one to one"),
        pytest.param((RANGE, CALLER), {}, ("vip", "queue", "8000"), id="the closer caller"),
        pytest.param((NIGHT,), {}, ("night", "voicemail", "199"), id="after hours"),
        pytest.param(
            (NIGHT,), {"occurred_at": BEFORE_NOON}, ("night", "extension", "101"), id="by the carrier's clock, not ours"
        ),
        pytest.param(
            (NIGHT.model_copy(update={"channels": frozenset({MsgType.MMS})}),),
            {},
            (None, "did", "12025550143"),
            id="another channel",
        ),
    ],
)
async def test_the_rules_decide_where_a_text_goes(rig, rules, changes, expected):
    await rig.use(ruled(inbound=rules, schedule=MORNINGS))
    await rig.carrier_says(arrived(**changes))

    (event,) = rig.inbound()
    assert (event.route.rule_id, event.route.kind, event.route.destination) == expected
    assert event.did == DID


async def test_a_discarded_text_is_recorded_with_its_reason_and_told_to_nobody(rig):
    await rig.use(ruled(inbound=(BIN,)))
    before = counted("discarded")
    await rig.carrier_says(arrived())
    await rig.carrier_says(arrived())

    (entry,) = rig.ledger.entries.values()
    assert (rig.inbound(), entry.text, entry.reason) == ([], "Hi there", "Rule 'Bin' matches; it is office time.")
    assert (entry.destination.rule_id, counted("discarded") - before) == ("bin", 1)


@pytest.mark.parametrize("configs", [(config(),), (config(enabled=False),)], ids=["enabled", "disabled"])
async def test_a_blocked_senders_text_is_counted_and_nothing_else(rig, configs):
    await rig.use(ruled(inbound=(CALLER,), configs=configs, blocked_senders="+1404*******;+15550000000"))
    before = counted("blocked")
    await rig.carrier_says(arrived())

    assert (rig.inbound(), rig.ledger.entries, rig.broker.waiting("sms.unrouted")) == ([], {}, [])
    assert counted("blocked") - before == 1


async def test_a_text_told_again_is_told_the_same_whatever_the_rules_say_by_then(rig):
    await rig.use(ruled(inbound=(RANGE,)))
    accept = rig.ledger.accept

    async def record_and_lose_the_answer(entry):
        rig.ledger.accept = accept
        await accept(entry)
        await rig.use(ruled(inbound=(BIN,)))
        raise Unavailable(Code.STORE_UNAVAILABLE, "The answer was lost.")

    rig.ledger.accept = record_and_lose_the_answer
    await rig.carrier_says(arrived())

    (event,) = rig.inbound()
    assert event.route.destination == "103"
