"""What was taken as due is not left for its lease to end, also when MongoDB goes away meanwhile."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from sms_common.errors import Unavailable
from sms_dispatcher.ledger.documents import Document, to_document
from sms_dispatcher.ledger.ledger import Ledger
from tests.dispatcher.builders import NOW, entry

RETENTION = timedelta(days=90)


class GoesAway:
    """A database that gives these entries, and goes away then."""

    def __init__(self, *found: str) -> None:
        self._found = [to_document(entry(message_id=id_, due_at=NOW), RETENTION) for id_ in found]

    def get_collection(self, *_: Any, **__: Any) -> "GoesAway":
        return self

    async def find_one_and_update(self, *_: Any, **__: Any) -> Document:
        if not self._found:
            raise AutoReconnect("gone")
        return self._found.pop(0)


async def test_those_that_were_taken_before_mongodb_went_away_are_given():
    ledger = Ledger(GoesAway("m-1", "m-2"), owner="tests", retention=RETENTION)  # type: ignore[arg-type]

    assert [one.message_id for one in await ledger.take_due(500)] == ["m-1", "m-2"]
    with pytest.raises(Unavailable):
        await ledger.take_due(500)
