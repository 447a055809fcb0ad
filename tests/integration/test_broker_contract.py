"""RabbitMQ keeps the contract that the broker in memory keeps."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sms_common.broker import RabbitBroker
from sms_common.topology import base
from tests.common.broker.broker_contract import BrokerContract, PassTime


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="contract", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


@pytest.fixture
def pass_time() -> PassTime:
    """RabbitMQ's time passes by itself; the inbox waits for it."""

    async def pass_time(_: float) -> None:
        return

    return pass_time


@pytest.mark.integration
class TestContract(BrokerContract):
    pass
