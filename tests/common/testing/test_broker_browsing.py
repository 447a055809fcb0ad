"""Looking into the queues of the broker in memory."""

from collections.abc import AsyncIterator

import pytest

from sms_common.errors import Unavailable
from sms_common.testing.broker import FakeBroker
from sms_common.topology import DEAD, base
from tests.common.broker.browsing_contract import BrowsingContract, letter


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as fake:
        yield fake


class TestContract(BrowsingContract):
    pass


async def test_while_it_is_away_nothing_can_be_looked_at_and_nothing_is_removed(broker: FakeBroker):
    await broker.publish(letter(1))
    async with broker.browse(DEAD, limit=1) as held:
        broker.away = True
        with pytest.raises(Unavailable):
            await held[0].remove()
    with pytest.raises(Unavailable):
        await broker.survey(base())
    broker.away = False
    assert [got.message_id for got in broker.waiting(DEAD)] == ["m1"]
