"""What stands for a message in the queue of its lane, and which messages wait for one another."""

import pytest

from sms_common.events import LaneEntry
from sms_dispatcher.lanes.lane_entries import lane_message, order_key
from tests.dispatcher.builders import DID, HANDSET, NOW, entry

OTHER = "+13125550132"


@pytest.mark.parametrize(("bulk", "queue"), [(False, "sms.lane.cfg"), (True, "sms.lane.cfg.bulk")])
def test_it_goes_into_the_queue_of_its_configuration(bulk, queue):
    message = lane_message(entry(bulk=bulk), NOW)

    assert (message.exchange, message.routing_key) == ("", queue)


def test_it_names_the_message_and_says_what_the_pacer_counts():
    message = lane_message(entry(segments=3), NOW)
    read = LaneEntry.model_validate_json(message.body)

    assert (read.tenant_id, read.message_id, read.queued_at) == ("acme", "m-1", NOW)
    assert (read.sender, read.segments, read.order) == (DID, 3, DID)
    assert LaneEntry.model_validate_json(lane_message(entry(), NOW).body).segments == 1


def test_the_same_step_of_a_message_has_the_same_id_and_the_next_one_another():
    first, again, following = (lane_message(entry(sequence=number), NOW).message_id for number in (1, 1, 2))

    assert first == again != following


@pytest.mark.parametrize(
    ("changes", "others", "waits"),
    [
        pytest.param({}, {}, True, id="a sender to one recipient"),
        pytest.param({}, {"to": (OTHER,)}, True, id="a sender to two recipients"),
        pytest.param({}, {"sender": OTHER}, False, id="two senders"),
        pytest.param({"bulk": True}, {"bulk": True}, True, id="bulk to one recipient"),
        pytest.param({"bulk": True}, {"bulk": True, "to": (OTHER,)}, False, id="bulk to two recipients"),
        pytest.param(
            {"high_priority": True}, {"high_priority": True, "to": (OTHER,)}, False, id="one-time passwords to two"
        ),
        pytest.param(
            {"bulk": True, "to": (HANDSET, OTHER)}, {"bulk": True, "to": (HANDSET,)}, False, id="a group and a member"
        ),
    ],
)
def test_which_messages_are_sent_one_after_the_other(changes, others, waits):
    assert (order_key(entry(**changes)) == order_key(entry(**others))) is waits
