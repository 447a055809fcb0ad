"""A PBX in one page: sends a text, prints what becomes of it and what handsets write, until Ctrl-C.

    pip install aio-pika
    AMQP_URL=amqp://user:password@127.0.0.1:5672 python send.py +13125550100 "Hello"

TENANT and PBX name another tenant (demo) and its PBX (main).
"""

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import Callable
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage


async def main(url: str, tenant: str, pbx: str, to: str, text: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await read(channel, f"pbx.{pbx}.status", show_status)
        await read(channel, f"pbx.{pbx}.inbound", show_text)
        # The five fields that are needed. Publishing them again, with the same message_id, never sends a second text.
        request = {"message_id": str(uuid.uuid4()), "tenant_id": tenant, "extension": "101", "to": to, "text": text}
        message = aio_pika.Message(json.dumps(request).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        exchange = await channel.get_exchange("sms")
        await exchange.publish(message, f"sms.outbound.{tenant}")  # confirmed: from now on the text cannot be lost
        await asyncio.Future()


async def read(channel: AbstractChannel, queue: str, show: Callable[[dict[str, Any]], None]) -> None:
    """Read a queue from now on. An event may come twice: its event_id tells."""

    async def take(message: AbstractIncomingMessage) -> None:
        show(json.loads(message.body))
        await message.ack()  # it is dealt with; until now RabbitMQ kept it

    await (await channel.get_queue(queue)).consume(take)


def show_status(event: dict[str, Any]) -> None:
    print(event["message_id"], event["status"], event["to"], event.get("reason", ""), flush=True)


def show_text(event: dict[str, Any]) -> None:
    print(f"{event['sender']} wrote to {event['did']}: {event['content']}", flush=True)


if __name__ == "__main__":
    given = os.environ  # noqa: TID251 - one script, no settings
    if "AMQP_URL" not in given or not sys.argv[2:]:
        sys.exit("usage: AMQP_URL=amqp://... python send.py TO TEXT")
    # It may end at any moment: what is not acknowledged stays in RabbitMQ.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    asyncio.run(main(given["AMQP_URL"], given.get("TENANT", "demo"), given.get("PBX", "main"), *sys.argv[1:3]))
