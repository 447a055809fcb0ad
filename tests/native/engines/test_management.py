"""RabbitMQ's HTTP API."""

import asyncio

import aio_pika
import pytest

from sms_native.engines.management import QueueState
from tests.eventually import eventually

pytestmark = pytest.mark.integration


async def _ignore(message: aio_pika.abc.AbstractIncomingMessage) -> None: ...


async def test_queues_show_their_depth_and_consumers(vhost, queues):
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        assert queues() == {}
        queue = await channel.declare_queue("deep", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.consume(_ignore)
        await channel.default_exchange.publish(aio_pika.Message(b"one"), "deep")
        expected = QueueState(name="deep", messages=1, ready=0, unacknowledged=1, consumers=1)
        await eventually(lambda: queues()["deep"], lambda state: state == expected)


async def test_the_broker_cuts_connections_when_asked(vhost, close_connections):
    connection = await aio_pika.connect(vhost)
    cut = asyncio.get_running_loop().create_future()
    connection.close_callbacks.add(lambda _, reason: cut.set_result(reason))
    assert await asyncio.to_thread(close_connections) == 1
    assert isinstance(await asyncio.wait_for(cut, 10), Exception)
    await connection.close()
