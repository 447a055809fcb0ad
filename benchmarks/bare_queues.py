"""What the bare programs declare on the broker: quorum queues, as the gateway's are."""

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange

IN_FLIGHT = 64
OUTBOUND, STATUS, INBOUND = "bare.out", "bare.status", "bare.in"
OUTBOUND_KEY, STATUS_KEY, INBOUND_KEY = "out.t", "status.t", "in.event"


async def declare(channel: AbstractChannel) -> AbstractExchange:
    """Make the exchange with its three queues, and return it."""
    exchange = await channel.declare_exchange("bare", aio_pika.ExchangeType.TOPIC, durable=True)
    for name, key in ((OUTBOUND, "out.#"), (STATUS, "status.#"), (INBOUND, "in.#")):
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, key)
    return exchange
