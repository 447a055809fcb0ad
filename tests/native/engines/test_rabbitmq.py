"""The private RabbitMQ: its messages, its account, its alarms."""

import aio_pika
import pytest

from sms_native.engines.rabbitmq import RabbitNode
from sms_native.machine.processes import NativeError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def node(tmp_path_factory, native_settings):
    node = RabbitNode.temporary(tmp_path_factory.mktemp("rabbitmq"))
    node.start(may_install=native_settings.may_install)
    yield node
    node.remove()


async def _publish(url: str, text: bytes) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(text, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def _take(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        queue = await channel.declare_queue("kept", durable=True)
        message = await queue.get(no_ack=True)
        assert message is not None
        return message.body


def test_a_second_start_finds_the_node_running(node):
    port, before = node.port, node.control("eval", "os:getpid().")
    node.start()
    assert (node.port, node.control("eval", "os:getpid().")) == (port, before)


def test_there_is_no_account_but_ours(node):
    users = [line.split("\t")[0] for line in node.control("list_users").splitlines()]
    assert users == ["test"]


async def test_a_confirmed_message_survives_a_kill(node):
    url = node.url()
    await _publish(url, b"still here")
    node.write_down_declarations()
    node.kill()
    assert not node.running
    node.start()
    assert node.url() == url
    assert await _take(url) == b"still here"


def test_the_memory_alarm_is_raised_and_cleared(node):
    node.set_memory_alarm(on=True)
    assert node.management.memory_alarm()
    node.set_memory_alarm(on=False)
    assert not node.management.memory_alarm()


async def test_two_nodes_live_side_by_side(node, tmp_path, native_settings):
    other = RabbitNode.temporary(tmp_path / "other")
    other.start(may_install=native_settings.may_install)
    try:
        await _publish(node.url(), b"one")
        await _publish(other.url(), b"two")
        assert (await _take(node.url()), await _take(other.url())) == (b"one", b"two")
        other.stop()
        assert node.management.ready()
    finally:
        other.remove()


def test_a_taken_port_is_named(node, tmp_path):
    other = RabbitNode(tmp_path / "other", user="a", password="b", port=node.port)
    with pytest.raises(NativeError, match=str(node.port)):
        other.start()
