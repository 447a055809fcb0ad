"""The floor under the dispatcher: consume, one POST, one confirmed status publish, ack. No ledger, route or pace.

python -m benchmarks.bare_dispatch AMQP_URL CARRIER_URL
"""

import asyncio
import sys

import aio_pika
import aiohttp
import uvloop

from benchmarks.bare_queues import IN_FLIGHT, OUTBOUND, STATUS_KEY, declare


async def main(url: str, carrier: str) -> None:
    connection = await aio_pika.connect(url)
    publisher = await connection.channel(publisher_confirms=True)
    exchange = await declare(publisher)
    consumer = await connection.channel()
    await consumer.set_qos(IN_FLIGHT)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT))
    address, headers = f"{carrier}/api/v2/users/u/messages", {"Content-Type": "application/json"}

    async def handle(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        async with session.post(address, data=message.body, headers=headers) as response:
            await response.read()
        await exchange.publish(aio_pika.Message(message.body, delivery_mode=2), routing_key=STATUS_KEY)
        await message.ack()

    await (await consumer.get_queue(OUTBOUND)).consume(handle)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
