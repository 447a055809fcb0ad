"""A parked text that is sent on goes the way of a new one."""

import pytest

from sms_common.broker.parked import Parked
from sms_common.configuration import DidPool
from sms_common.events import InboundEvent
from sms_common.rules import Action, ActionKind, InboundRule
from tests.dispatcher.builders import HANDSET, arrived, config, snapshot
from tests.dispatcher.rules import ruled
from tests.dispatcher.unrouted import replay, unrouted, wait_in_vain

OTHERS = "+13035550100"


def owned(found):
    """This snapshot, in which acme has the number that was nobody's."""
    pools = (DidPool(tenant_id="acme", trunk_id="trunk", numbers="+19998887777"),)
    return found.model_copy(update={"pools": pools})


class TestReplay:
    """A text that was parked goes the way of a new one."""

    @pytest.fixture
    async def parked(self, rig):
        await rig.carrier_says(arrived(did="+19998887777"))
        assert unrouted(rig) == ["unrouted_did"]

    async def test_a_number_that_is_owned_by_now_gets_it_by_its_rules(self, rig, parked):
        rule = InboundRule(id="r1", did_numbers="+19998887777", office=Action(destination="105"))
        await rig.use(owned(ruled(inbound=(rule,))))
        await replay(rig)

        (event,) = rig.inbound()
        assert (event.route.rule_id, event.route.destination) == ("r1", "105")
        found = await rig.ledger.find("acme", event.message_id)
        assert (found.text, found.destination.rule_id) == ("Hi there", "r1")

    async def test_a_blocked_senders_text_is_not_given(self, rig, parked):
        await rig.use(owned(ruled(blocked_senders=HANDSET)))
        await replay(rig)

        assert (rig.inbound(), unrouted(rig)) == ([], [])

    async def test_a_discarding_rule_holds(self, rig, parked):
        rule = InboundRule(id="bin", office=Action(kind=ActionKind.DISCARD))
        await rig.use(owned(ruled(inbound=(rule,))))
        await replay(rig)

        assert rig.inbound() == []

    async def test_one_that_still_nobody_owns_lies_there_again(self, rig, parked):
        await replay(rig)
        await replay(rig)

        assert (rig.inbound(), unrouted(rig)) == ([], ["unrouted_did"])

    @pytest.mark.parametrize("named", ["other", "nobody"])
    async def test_a_tenant_that_does_not_own_the_number_gets_nothing(self, rig, parked, named):
        await rig.use(owned(snapshot()))
        await replay(rig, named)
        await wait_in_vain(rig)

        assert (rig.inbound(), len(rig.broker.waiting("sms.unrouted"))) == ([], 1)

    async def test_a_person_may_say_that_a_text_by_anothers_webhook_is_real(self, rig):
        await rig.carrier_says(arrived(did=OTHERS))
        await rig.use(snapshot(config(), config(id="theirs", tenant_id="other", trunk_id="trunk2")))
        await replay(rig, "other")

        (event,) = rig.inbound()
        assert (event.tenant_id, event.config_id) == ("other", "theirs")

    async def test_the_carriers_repeat_and_a_second_replay_are_given_once(self, rig, parked):
        (copy,) = rig.broker.waiting("sms.unrouted")
        await rig.use(owned(snapshot()))
        await rig.carrier_says(arrived(did="+19998887777"))
        await replay(rig)
        await rig.broker.publish(Parked.read(copy).back())
        await rig.idle()

        assert len(rig.inbound()) == 1

    async def test_one_of_a_disabled_configuration_is_given_when_it_is_enabled(self, rig):
        await rig.use(snapshot(config(enabled=False)))
        await rig.carrier_says(arrived())
        await rig.carrier_says(arrived())
        assert unrouted(rig) == ["config_disabled"]
        await rig.use(snapshot(config()))
        await replay(rig)

        assert [event.content for event in rig.inbound()] == ["Hi there"]
        assert [entry.destination is not None for entry in rig.ledger.entries.values() if entry.tenant_id == "acme"]

    async def test_one_that_the_former_state_recorded_when_it_parked_it_is_given(self, rig):
        await rig.carrier_says(arrived())
        (delivered,) = rig.broker.waiting("pbx.main.inbound")
        former = InboundEvent.model_validate_json(delivered.body)
        await rig.broker.publish(Parked.read(as_unrouted(delivered)).back())
        await rig.idle()

        assert [event.message_id for event in rig.inbound()] == [former.message_id] * 2

    async def test_a_webhook_that_is_gone_meanwhile_does_not_matter_to_who_owns_the_number(self, rig):
        await rig.use(snapshot(config(enabled=False)))
        await rig.carrier_says(arrived())
        await rig.use(snapshot(config(id="new")))
        await replay(rig)

        assert [(event.tenant_id, event.config_id) for event in rig.inbound()] == [("acme", "new")]


def as_unrouted(delivery):
    """What nobody was bound for, as the broker keeps it."""
    return type(delivery)(
        queue="sms.unrouted",
        routing_key=delivery.routing_key,
        body=delivery.body,
        type=delivery.type,
        message_id=delivery.message_id,
    )
