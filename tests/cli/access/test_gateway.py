"""The broker's address, and a broker that does not answer."""

import pytest

from tests.cli.world import Command


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        pytest.param("", 1, "SMSGW_AMQP_URL is not set", id="none"),
        pytest.param("http://u:hidden@h", 2, "begin it with amqp:// or amqps://", id="another scheme"),
        pytest.param("amqp://u:hid/den@h", 2, "percent-encoded", id="a password that is not escaped"),
    ],
)
async def test_an_address_of_the_broker_that_cannot_be_used(url: str, status: int, told: str):
    ended = await Command({"SMSGW_AMQP_URL": url})("tail")
    assert ended.status == status
    assert told in ended.err
    assert "hidden" not in ended.err


@pytest.mark.loopback
async def test_a_broker_that_does_not_answer_is_told_by_its_address_alone():
    ended = await Command({"SMSGW_AMQP_URL": "amqp://u:hidden@127.0.0.1:1/v"})("tail")
    assert ended.status == 1
    assert "RabbitMQ at 127.0.0.1:1 cannot be used" in ended.err
    assert "hidden" not in ended.err
