"""A process that stops while it is still connecting must end all the same."""

import asyncio

import pytest

from sms_common import topology
from sms_common.broker import RabbitBroker

pytestmark = [
    pytest.mark.integration,
    # aiormq drops its own closing when it is cancelled while it connects.
    pytest.mark.filterwarnings("ignore:.*Connection.close:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*Connection.close:pytest.PytestUnraisableExceptionWarning"),
]


async def test_leaving_a_broker_in_the_midst_of_connecting_and_declaring_ends(vhost):
    for milliseconds in range(0, 48, 2):
        async with asyncio.timeout(15), RabbitBroker(vhost, name="leaving", topology=topology.base()):
            await asyncio.sleep(milliseconds / 1000)  # the case: how far it has come
