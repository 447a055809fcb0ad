"""The floor under ingress: parse the array, publish each event with a confirm, answer 200. No check, log or metric.

python -m benchmarks.bare_ingress AMQP_URL PORT
"""

import asyncio
import sys

import aio_pika
import orjson
import uvloop
from aiohttp import web

from benchmarks.bare_queues import INBOUND_KEY, declare


async def main(url: str, port: int) -> None:
    connection = await aio_pika.connect(url)
    channel = await connection.channel(publisher_confirms=True)
    exchange = await declare(channel)

    async def receive(request: web.Request) -> web.Response:
        for event in orjson.loads(await request.read()):
            message = aio_pika.Message(orjson.dumps(event), delivery_mode=2)
            await exchange.publish(message, routing_key=INBOUND_KEY, mandatory=True)
        return web.Response(status=200)

    app = web.Application()
    app.router.add_post("/webhooks/bandwidth/{token}", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
