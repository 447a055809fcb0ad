"""Publishes requests as a PBX would: all at once, or so many a second."""

import asyncio
import time
from collections.abc import Iterable

import aio_pika
from aio_pika.abc import AbstractExchange

_WINDOW = 500
_TICK = 0.002


async def fill(exchange: AbstractExchange, messages: Iterable[tuple[str, bytes]]) -> int:
    """Publish `messages` (routing key and body) as fast as they are confirmed; returns how many."""
    gate = asyncio.Semaphore(_WINDOW)

    async def one(key: str, body: bytes) -> None:
        try:
            await exchange.publish(aio_pika.Message(body, delivery_mode=2), key)
        finally:
            gate.release()

    count = 0
    async with asyncio.TaskGroup() as group:
        for key, body in messages:
            await gate.acquire()
            group.create_task(one(key, body))
            count += 1
    return count


async def at_rate(exchange: AbstractExchange, messages: Iterable[tuple[str, bytes]], rate: float) -> list[float]:
    """Publish `rate` messages a second; returns when each was due (monotonic), whatever it waited for afterwards."""
    due: list[float] = []
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, (key, body) in enumerate(messages):
            due.append(began + number / rate)
            while time.monotonic() < due[-1]:  # noqa: ASYNC110  # it is the time itself that is waited for
                await asyncio.sleep(_TICK)
            group.create_task(exchange.publish(aio_pika.Message(body, delivery_mode=2), key))
    return due
