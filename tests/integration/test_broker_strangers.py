"""Messages of clients in other languages: whatever their properties hold, they are read and nobody else suffers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aio_pika
import pytest
from aiormq import spec
from aiormq.abc import AbstractChannel

from sms_common.broker import RabbitBroker, RetryLater
from sms_common.broker.headers import trace_of
from sms_common.errors import Code, UnreadableEvent
from sms_common.topology import DEAD, OUTBOUND, SMS, base
from tests.common.broker.broker_contract import KEY, Inbox, until_well

pytestmark = pytest.mark.integration


class Latin(str):
    """A text that goes out in Latin-1, as careless clients send it."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "strict") -> bytes:
        return super().encode("latin-1", errors)


class Moment(datetime):
    """A timestamp that goes out as a number of a stranger's choice."""

    number: int

    @classmethod
    def of(cls, number: int) -> "Moment":
        moment = cls(2026, 1, 1, tzinfo=UTC)
        moment.number = number
        return moment

    def timestamp(self) -> float:
        return self.number


@pytest.fixture
async def broker(vhost: str) -> AsyncIterator[RabbitBroker]:
    async with RabbitBroker(vhost, name="test", topology=base()) as broker:
        await asyncio.wait_for(broker.ready(), 20)
        yield broker


@pytest.fixture
async def stranger(vhost: str, broker: RabbitBroker) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(vhost) as connection, connection.channel() as channel:
        yield await channel.get_underlay_channel()


async def publish(stranger: AbstractChannel, *, routing_key: str = KEY, **properties: Any) -> None:
    await stranger.basic_publish(
        b"{}", exchange=SMS, routing_key=routing_key, properties=spec.Basic.Properties(**properties)
    )


@pytest.mark.parametrize(
    ("properties", "seen"),
    [
        ({"message_id": Latin("grün")}, {"message_id": "gr\N{REPLACEMENT CHARACTER}n"}),
        ({"message_type": Latin("grün")}, {"type": "gr\N{REPLACEMENT CHARACTER}n"}),
        ({"correlation_id": Latin("grün")}, {"correlation_id": "gr\N{REPLACEMENT CHARACTER}n"}),
        ({"app_id": Latin("grün")}, {}),
        ({"timestamp": Moment.of(1_764_000_000)}, {"timestamp": datetime.fromtimestamp(1_764_000_000, UTC)}),
        ({"timestamp": Moment.of(1_764_000_000_000)}, {"timestamp": datetime.fromtimestamp(1_764_000_000, UTC)}),
        ({"timestamp": Moment.of(1_764_000_000_000_000)}, {"timestamp": None}),
        ({"timestamp": Moment.of(2**64 - 1)}, {"timestamp": None}),
        ({"headers": {"x": Moment.of(2**64 - 1), "y": "z"}}, {"headers": {}}),
        ({"headers": {Latin("grün"): "x"}}, {"headers": {}}),
        (
            {
                "headers": {
                    "text": "a",
                    "number": 7,
                    "flag": True,
                    "nothing": None,
                    "real": 0.5,
                    "money": Decimal("1.5"),
                    "bytes": bytearray(b"\xff"),
                    "latin": Latin("grün"),
                    "list": [1, {"deep": [2]}],
                    "table": {"deep": {"deeper": 1}},
                }
            },
            {"headers": {"text": "a", "number": 7, "flag": True}},
        ),
        ({}, {"message_id": None, "type": None, "timestamp": None, "headers": {}, "content_type": None}),
        (
            {"content_type": "text/plain", "priority": 9, "expiration": "60000", "reply_to": "x"},
            {"content_type": "text/plain"},
        ),
    ],
    ids=[
        "id not UTF-8",
        "type not UTF-8",
        "correlation id not UTF-8",
        "application not UTF-8",
        "seconds",
        "milliseconds",
        "microseconds",
        "no moment at all",
        "no moment in a header",
        "header name not UTF-8",
        "headers of all kinds",
        "no properties",
        "properties we do not use",
    ],
)
async def test_odd_properties_are_mended_or_left_out(
    broker: RabbitBroker, stranger: AbstractChannel, properties: dict[str, Any], seen: dict[str, Any]
):
    inbox = Inbox()
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    await publish(stranger, **({"message_id": "m1"} | properties if properties else {"message_id": ""}))
    got = await inbox.next()
    for name, value in seen.items():
        # aiormq gives every message that has none an id of its own.
        if (name, value) != ("message_id", None):
            assert getattr(got, name) == value
    assert got.body == b"{}"
    assert not got.redelivered
    await until_well(broker)


async def test_a_routing_key_that_is_not_utf8_is_read(broker: RabbitBroker, stranger: AbstractChannel):
    inbox = Inbox()
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    await publish(stranger, routing_key=Latin("sms.outbound.grün"), message_id="m1")
    assert (await inbox.next()).routing_key == "sms.outbound.gr\N{REPLACEMENT CHARACTER}n"


@pytest.mark.parametrize(
    "failure",
    [UnreadableEvent(Code.NOT_JSON, "No. " * 10_000), RetryLater(1)],
    ids=["dead letter", "ladder"],
)
async def test_properties_that_grew_while_they_were_read_can_be_written_again(
    broker: RabbitBroker, stranger: AbstractChannel, failure: Exception
):
    """255 bytes of Latin-1 are 765 bytes once each is a replacement character."""
    inbox, dead = Inbox(failure), Inbox()
    await broker.consume(OUTBOUND, inbox, prefetch=1)
    await broker.consume(DEAD, dead, prefetch=1)
    long = Latin("ü" * 255)
    await publish(
        stranger,
        routing_key=Latin("sms.outbound." + "ü" * 240),
        message_id=long,
        message_type=long,
        correlation_id=long,
        content_type=long,
        headers={"traceparent": "x" * 60_000, "x-attempt": 2**62, "x-deferrals": -1},
    )
    first = await inbox.next()
    assert (first.attempt, first.deferrals) == (0, 0)
    again = await (inbox if isinstance(failure, RetryLater) else dead).next()
    assert again.message_id == "\N{REPLACEMENT CHARACTER}" * 85
    assert trace_of(again.headers) is not None
    await until_well(broker)
