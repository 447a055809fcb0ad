"""How records are stored as MongoDB documents."""

from sms_config.storage.documents import INDEXES
from sms_config.storage.store_protocol import RECORD_KINDS


def test_every_kind_of_record_has_its_indexes():
    assert [kind for kind in RECORD_KINDS if kind.COLLECTION not in INDEXES] == []
