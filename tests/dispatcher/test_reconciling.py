"""A lost answer is looked for in the carrier's list: only exactly one that nobody else can be settles it."""

from datetime import timedelta

import pytest

from sms_common.errors import Code, OutcomeUnknown, TemporaryFailure, Throttled
from sms_common.messages import Status
from tests.dispatcher.builders import HANDSET, NOW, config, snapshot
from tests.dispatcher.test_carrier_events import receipt

SILENCE = OutcomeUnknown(Code.OUTCOME_UNKNOWN, "No answer came.")
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
