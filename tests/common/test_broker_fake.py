"""The broker in memory keeps the contract, and does on demand what a real one does on bad days."""

from collections.abc import AsyncIterator

import pytest

from sms_common.testing.broker import FakeBroker
from tests.common.broker_contract import BrokerContract, PassTime


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as fake:
        yield fake


@pytest.fixture
def pass_time(broker: FakeBroker) -> PassTime:
    async def pass_time(seconds: float) -> None:
        await broker.idle()
        broker.advance(seconds)

    return pass_time


class TestContract(BrokerContract):
    pass
