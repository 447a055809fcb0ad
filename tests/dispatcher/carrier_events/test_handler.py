"""What happens to receipts and inbound texts."""

from datetime import timedelta

import pytest

from sms_common.broker.parked import Parked
from sms_common.events import InboundEvent, MediaItem, StatusError
from sms_common.messages import ErrorClass, MsgType, Status
from tests.dispatcher.builders import DID, HANDSET, NOW, arrived, config, receipt, snapshot


async def test_a_receipt_ends_the_message(rig):
    await rig.send()
    await rig.carrier_says(receipt())

    last = rig.statuses()[-1]
    assert (rig.story(), last.final, last.delivery) == (["accepted", "submitted", "delivered"], True, "DELIVERED")
    assert last.occurred_at == NOW + timedelta(seconds=3)


async def test_a_failure_carries_class_code_and_advice(rig):
    error = StatusError(
        error_class=ErrorClass.POLICY, code="opted_out", carrier_code="4775", advice="Do not send again."
    )
    await rig.send()
    await rig.carrier_says(receipt(Status.FAILED, error=error))

    assert rig.statuses()[-1].error == error


async def test_a_repeated_or_older_receipt_tells_nothing(rig):
    await rig.send()
    for status in (Status.DELIVERED, Status.DELIVERED, Status.SENT, Status.FAILED):
        await rig.carrier_says(receipt(status))

    assert rig.story() == ["accepted", "submitted", "delivered"]


async def test_without_our_reference_the_carriers_id_matches(rig):
    await rig.send()
    await rig.carrier_says(receipt(reference=None))

    assert rig.story()[-1] == "delivered"


async def test_a_reference_we_never_gave_falls_back_to_the_carriers_id(rig):
    await rig.send()
    await rig.carrier_says(receipt(reference="gw-1/01J8Z3T0V9"))

    assert rig.story()[-1] == "delivered"


async def test_a_receipt_nobody_waits_for_is_tried_for_a_while_and_then_parked(rig):
    await rig.carrier_says(receipt())
    for seconds in (1, 5, 30, 120):
        assert rig.dead() == []
        await rig.pass_time(seconds)

    assert rig.dead() == ["unmatched_receipt"]


async def test_a_receipt_through_a_strangers_webhook_settles_nothing(rig):
    theirs = config(id="theirs", tenant_id="other", trunk_id="trunk2")
    await rig.use(snapshot(config(), theirs))
    await rig.send()
    await rig.carrier_says(receipt(config_id="theirs", tenant_id="other"), config_id="theirs")

    assert rig.story() == ["accepted", "submitted"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"reference": "acme/{inbound}"}, id="an inbound text"),
        pytest.param({"reference": "acme/list"}, id="a list as a whole"),
        pytest.param({"carrier": "other"}, id="another carrier's message"),
        pytest.param({"reference": "other/m-1"}, id="the same id at another tenant"),
    ],
)
async def test_a_receipt_settles_nothing_it_cannot_speak_of(rig, changes):
    await rig.carrier_says(arrived())
    (text,) = rig.inbound()
    await rig.send()
    await rig.send(message_id="list", to=["+13125550132", "+13035550165"])
    told = len(rig.statuses())
    named = {name: value.format(inbound=text.message_id) for name, value in changes.items()}
    await rig.carrier_says(receipt(**{"carrier_message_id": "nobody's", **named}))

    assert (len(rig.statuses()), len(rig.broker.waiting("sms.wait.1s"))) == (told, 1)


async def test_an_inbound_text_reaches_the_tenant_that_owns_the_number(rig):
    await rig.carrier_says(arrived())

    (event,) = rig.inbound()
    assert (event.tenant_id, event.sender, event.receiver, event.did, event.content) == (
        "acme",
        HANDSET,
        DID,
        DID,
        "Hi there",
    )
    assert (event.brand, event.provider_id, event.route.destination) == ("Fake", "trunk", "12025550143")
    assert rig.broker.waiting("pbx.main.inbound")[0].routing_key == "sms.inbound.acme.12025550143"


async def test_a_repeated_webhook_is_told_once(rig):
    await rig.carrier_says(arrived())
    await rig.carrier_says(arrived(event_id="i-2"))

    assert len(rig.inbound()) == 1


async def test_each_of_our_numbers_in_a_group_gets_the_text(rig):
    both = (DID, "+12025550144", HANDSET)
    await rig.carrier_says(arrived(recipients=both, msg_type=MsgType.MMS))
    await rig.carrier_says(
        arrived(did="+12025550144", recipients=both, carrier_message_id="in-2", msg_type=MsgType.MMS)
    )

    assert {event.did for event in rig.inbound()} == {DID, "+12025550144"}


async def test_the_webhook_of_one_tenant_does_not_speak_to_the_numbers_of_another(rig):
    await rig.carrier_says(arrived(did="+13035550100"))

    (parked,) = rig.broker.waiting("sms.unrouted")
    assert (parked.headers["x-code"], rig.inbound()) == ("unrouted_did", [])


async def test_what_came_by_a_webhook_that_is_gone_since_is_still_its_tenants(rig):
    await rig.use(snapshot(config(id="another")))
    await rig.carrier_says(arrived())

    assert [event.tenant_id for event in rig.inbound()] == ["acme"]


@pytest.mark.parametrize("did", ["54321", "+54321"])
async def test_a_short_code_is_known_with_a_plus_and_without(rig, did):
    await rig.use(snapshot(config(sender_id="54321")))
    await rig.carrier_says(arrived(did=did))

    assert [event.tenant_id for event in rig.inbound()] == ["acme"]


async def test_a_text_that_was_recorded_and_parked_untold_is_told_when_it_is_replayed(rig):
    publish = rig.broker.publish

    async def fail(message) -> None:
        if message.type == InboundEvent.TYPE:
            raise RuntimeError("a bug")
        await publish(message)

    rig.broker.publish = fail
    await rig.carrier_says(arrived())
    for seconds in (1, 10, 60, 600):
        await rig.let_pass(seconds)
    rig.broker.publish = publish
    (parked,) = rig.broker.waiting("sms.dead")
    await publish(Parked.read(parked).back())
    await rig.idle()

    assert [event.content for event in rig.inbound()] == [arrived().text]


async def test_a_number_nobody_owns_is_parked_and_not_lost(rig):
    await rig.carrier_says(arrived(did="+19998887777"))

    (parked,) = rig.broker.waiting("sms.unrouted")
    assert (parked.headers["x-code"], rig.inbound()) == ("unrouted_did", [])


async def test_a_disabled_configurations_texts_are_parked(rig):
    await rig.use(snapshot(config(enabled=False)))
    await rig.carrier_says(arrived())

    (parked,) = rig.broker.waiting("sms.unrouted")
    assert parked.headers["x-code"] == "config_disabled"


async def test_a_named_sender_id_owns_what_is_written_to_it(rig):
    await rig.use(snapshot(config(sender_id="ExampleAgent")))
    await rig.carrier_says(arrived(did="ExampleAgent", recipients=("ExampleAgent",)))

    assert rig.inbound()[0].tenant_id == "acme"


async def test_media_travel_as_addresses(rig):
    item = MediaItem(url="https://carrier.example/media/1/a.jpg", content_type="image/jpeg")
    await rig.carrier_says(arrived(msg_type=MsgType.MMS, media=(item,), text=""))

    assert rig.inbound()[0].media == (item,)


@pytest.mark.parametrize("parties", [(HANDSET, DID), (DID, HANDSET)])
async def test_a_conversation_has_one_id(rig, parties):
    await rig.carrier_says(arrived(recipients=parties))
    await rig.carrier_says(arrived(carrier_message_id="in-9"))

    assert len({event.conversation_id for event in rig.inbound()}) == 1
