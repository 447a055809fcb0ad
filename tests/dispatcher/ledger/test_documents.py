"""What is stored of a message is read as it was recorded, also by a later version."""

from dataclasses import replace
from datetime import timedelta

from sms_common.messages import Status
from sms_common.rules import RuleRoute
from sms_common.testing.carriers import FakeCarrier
from sms_dispatcher.ledger.documents import from_document, to_document
from sms_dispatcher.requests.planning import children, plan
from tests.dispatcher.builders import DID, HANDSET, NOW, request, snapshot
from tests.dispatcher.rules import BACKUP_DID, rule, ruled

CARRIERS = {"fake": FakeCarrier()}
SECOND = "+442079460018"


def planned(asked, snapshot_, conversations=None):
    return plan(asked, snapshot_, CARRIERS, NOW, conversations or {})


def stored(entry):
    """As another dispatcher reads it, from the ledger."""
    return from_document(to_document(entry, timedelta(days=90)))


def test_a_list_recorded_before_there_were_routes_is_read_as_it_was():
    document = to_document(planned(request(to=[HANDSET, SECOND]), snapshot()), timedelta(days=90))
    assert all(len(recipient) == 6 for recipient in document["recipients"])
    assert "routing" not in document

    first, second = children(from_document(document))

    assert [(child.status, child.config_id, child.sender) for child in (first, second)] == [
        (Status.ACCEPTED, "cfg", DID)
    ] * 2


def test_what_was_decided_for_one_message_is_read_as_it_was_recorded():
    entry = planned(request(), ruled(rule(RuleRoute(config_id="cfg", prepend="1"), "backup")))

    assert stored(entry) == entry
    assert stored(replace(entry, moves=1, sender=BACKUP_DID)).sender == BACKUP_DID
