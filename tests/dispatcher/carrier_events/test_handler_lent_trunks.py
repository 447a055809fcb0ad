"""Who may speak for whom on a trunk that several tenants share."""

import orjson
import pytest

from sms_common.broker.parked import Parked
from sms_common.configuration import DidPool
from sms_common.messages import Status
from tests.dispatcher.builders import DID, arrived, config, receipt, snapshot
from tests.dispatcher.unrouted import replay, unrouted, wait_in_vain

OTHERS = "+13035550100"
LENT = (
    DidPool(tenant_id="acme", trunk_id="trunk", numbers="+12025550140-+12025550149"),
    DidPool(tenant_id="other", trunk_id="trunk", numbers=OTHERS),
)


def lent(*, acme=False, other=False, **changes):
    """Both tenants have a configuration on one lent trunk; whose has proved to have the account."""
    configs = (
        config(account_proved=acme, **changes),
        config(id="theirs", tenant_id="other", brand="Theirs", account_proved=other),
    )
    return snapshot(*configs, pools=LENT)


class TestTexts:
    @pytest.mark.parametrize("enabled", [True, False])
    async def test_a_proved_webhook_speaks_for_every_borrower(self, rig, enabled):
        await rig.use(lent(acme=True, enabled=enabled))
        await rig.carrier_says(arrived(did=OTHERS))

        (event,) = rig.inbound()
        assert (event.tenant_id, event.config_id, event.brand) == ("other", "theirs", "Theirs")

    async def test_an_unproved_webhook_speaks_for_its_own_tenant_only(self, rig):
        await rig.use(lent())
        await rig.carrier_says(arrived())
        await rig.carrier_says(arrived(did=OTHERS, carrier_message_id="forged"))
        await wait_in_vain(rig)

        assert [event.did for event in rig.inbound()] == [DID]
        assert unrouted(rig) == ["account_unproved"]
        (parked,) = rig.broker.waiting("sms.unrouted")
        assert parked.routing_key == "sms.inbound.-.13035550100"

    @pytest.mark.parametrize("parked_first", [True, False], ids=["after it was parked", "while it waits"])
    async def test_a_forged_text_does_not_swallow_the_real_one(self, rig, parked_first):
        await rig.use(lent(other=True))
        await rig.carrier_says(arrived(did=OTHERS, text="Forged"))
        if parked_first:
            await wait_in_vain(rig)
        real = arrived(did=OTHERS, config_id="theirs", tenant_id="other", text="Real", event_id="i-2")
        await rig.carrier_says(real, config_id="theirs")
        await wait_in_vain(rig)

        assert [event.content for event in rig.inbound()] == ["Real"]
        assert unrouted(rig) == ["account_unproved"]

    async def test_a_real_text_by_a_webhook_that_is_unproved_too_is_kept_beside_the_forged_one(self, rig):
        await rig.use(lent())
        third = config(id="lenders", tenant_id="lender")
        await rig.use(snapshot(*lent().configs, third, pools=LENT))
        await rig.carrier_says(arrived(did=OTHERS, text="Forged"))
        await rig.carrier_says(
            arrived(did=OTHERS, text="Real", config_id="lenders", tenant_id="lender"), config_id="lenders"
        )
        await wait_in_vain(rig)

        kept = [orjson.loads(one.body)["content"] for one in rig.broker.waiting("sms.unrouted")]
        assert sorted(kept) == ["Forged", "Real"]

    async def test_a_text_that_waits_goes_on_by_itself_once_the_account_is_proved(self, rig):
        await rig.use(lent())
        await rig.carrier_says(arrived(did=OTHERS))
        await rig.use(lent(acme=True))
        await rig.pass_time(1)

        assert [event.tenant_id for event in rig.inbound()] == ["other"]
        assert unrouted(rig) == []

    async def test_one_that_was_kept_is_replayed_after_the_proof_and_given_once(self, rig):
        await rig.use(lent())
        await rig.carrier_says(arrived(did=OTHERS))
        await wait_in_vain(rig)
        await rig.use(lent(acme=True))
        await replay(rig)
        await rig.carrier_says(arrived(did=OTHERS))

        (event,) = rig.inbound()
        assert (event.tenant_id, event.content, event.config_id) == ("other", "Hi there", "theirs")

    async def test_a_configuration_on_a_trunk_of_its_own_speaks_for_nobody_else(self, rig):
        elsewhere = config(id="own", trunk_id="own", trunk_owner="acme", sender_id=OTHERS, account_proved=True)
        await rig.use(snapshot(elsewhere, *lent().configs, pools=LENT))
        await rig.carrier_says(arrived(did=OTHERS, config_id="own"), config_id="own")

        assert (rig.inbound(), unrouted(rig)) == ([], ["unrouted_did"])

    async def test_a_sender_that_is_nobodys_number_is_claimed_by_the_own_webhook_only(self, rig):
        await rig.use(snapshot(config(sender_id="54321"), config(id="theirs", tenant_id="other", sender_id="54321")))
        await rig.carrier_says(arrived(did="54321", config_id="theirs", tenant_id="other"), config_id="theirs")

        assert [event.tenant_id for event in rig.inbound()] == ["other"]
        assert [one.routing_key for one in rig.broker.waiting("pbx.main.inbound")] == ["sms.inbound.other.54321"]


class TestReceipts:
    async def test_a_proved_webhook_speaks_for_every_borrowers_messages(self, rig):
        await rig.use(lent(other=True))
        await rig.send()
        await rig.carrier_says(receipt(config_id="theirs", tenant_id="other"), config_id="theirs")

        assert rig.story()[-1] == "delivered"

    @pytest.mark.parametrize("reference", ["acme/m-1", None], ids=["our reference", "the carrier's id"])
    async def test_an_unproved_one_settles_nothing_and_is_kept_with_its_code(self, rig, reference):
        await rig.use(lent())
        await rig.send()
        forged = receipt(Status.FAILED, config_id="theirs", tenant_id="other", reference=reference)
        await rig.carrier_says(forged, config_id="theirs")
        await wait_in_vain(rig)
        await rig.carrier_says(receipt())

        assert rig.story() == ["accepted", "submitted", "delivered"]
        assert rig.dead() == ["account_unproved"]

    async def test_one_that_was_kept_counts_when_it_is_replayed_after_the_proof(self, rig):
        await rig.use(lent())
        await rig.send()
        await rig.carrier_says(receipt(config_id="theirs", tenant_id="other"), config_id="theirs")
        await wait_in_vain(rig)
        await rig.use(lent(other=True))
        (letter,) = rig.broker.waiting("sms.dead")
        await rig.broker.publish(Parked.read(letter).back())
        await rig.idle()

        assert rig.story()[-1] == "delivered"
