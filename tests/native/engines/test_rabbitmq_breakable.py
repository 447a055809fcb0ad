"""The RabbitMQ that a test may kill or block."""

import aio_pika
import pytest

pytestmark = pytest.mark.integration


async def test_what_was_confirmed_outlives_a_kill_of_the_breakable_broker(breakable_rabbitmq, breakable_vhost):
    async with await aio_pika.connect(breakable_vhost) as connection, connection.channel() as channel:
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"still here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    breakable_rabbitmq.write_down_declarations()
    breakable_rabbitmq.kill()
    assert not breakable_rabbitmq.running
    breakable_rabbitmq.start()
    async with await aio_pika.connect(breakable_vhost) as connection, connection.channel() as channel:
        queue = await channel.declare_queue("kept", durable=True)
        kept = await queue.get(no_ack=True)
        assert kept is not None
        assert kept.body == b"still here"


def test_the_breakable_broker_may_be_left_blocked(breakable_rabbitmq):
    breakable_rabbitmq.set_memory_alarm(on=True)
    assert breakable_rabbitmq.management.memory_alarm()


def test_the_next_test_finds_it_whole(breakable_rabbitmq):
    assert not breakable_rabbitmq.management.memory_alarm()
    assert breakable_rabbitmq.management.ready()
