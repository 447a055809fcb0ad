"""How fast ingress answers webhooks, and how fast what they say reaches the PBX's queues."""

import asyncio
import time
from collections.abc import Iterator

import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from benchmarks.dispatching import prepare
from benchmarks.figures import Figure, Part, median, percentile
from benchmarks.http_load import Load, for_seconds, load, post
from benchmarks.installation import number_of, receipt, text_in, webhook_headers, webhook_path
from benchmarks.traffic import fill
from benchmarks.world import PATIENCE, Corner, NotMeasured, World

CONNECTIONS = 64
INBOUND, STATUS = "pbx.main.inbound", "pbx.main.status"
_LOOK = 0.02


async def ingress(world: World, *, quick: bool) -> Part:
    """Requests a second at 64 connections, in turns with the bare ingress."""
    seconds, rounds = (3.0, 1) if quick else (6.0, 3)
    ours: list[tuple[Load, float]] = []
    bare: list[tuple[Load, float]] = []
    request = post(webhook_path(0), text_in(0), webhook_headers())
    for _ in range(rounds):
        for found, start in ((bare, Corner.bare_ingress), (ours, Corner.ingress)):
            async with world.corner() as corner:
                program, port = await start(corner)
                await load(port, for_seconds(request, 0.5), connections=CONNECTIONS)
                before = program.cpu_seconds
                one = await load(port, for_seconds(request, seconds), connections=CONNECTIONS)
                found.append((_all_accepted(one), (program.cpu_seconds - before) / len(one.latencies)))
    part = Part(
        "ingress",
        "Ingress",
        f"One inbound text a webhook, {CONNECTIONS} connections, {seconds:g} s; median of {rounds}, in turns with the"
        " bare ingress. Ours authenticates, checks, logs and counts.",
    )
    part.figures += [
        _compared("ingress", [one.rate for one, _ in ours], [one.rate for one, _ in bare], "requests/s", 0.85),
        *(_latency(f"ingress, {percent} %", percent, ours, bare) for percent in (50, 99)),
        _compared("processor time a request", [c * 1e6 for _, c in ours], [c * 1e6 for _, c in bare], "µs", None),
    ]
    p99 = part.figures[2].value
    part.figures.append(Figure(f"ingress, 99 % at {CONNECTIONS} connections", p99, "ms", aim=50, at_most=True))
    return part


async def receipts(world: World, *, quick: bool) -> Part:
    """Delivery receipts a second from `sms.carrier` to the PBX's status queue, and inbound texts likewise."""
    messages = 2_000 if quick else 10_000
    async with world.corner() as corner:
        await prepare(corner)
        await corner.keep_messages()
        channel = await corner.channel()
        await fill(await channel.get_exchange("sms"), corner.installation.requests(messages))
        dispatcher = await corner.dispatcher()
        await corner.until_seen(messages)
        await dispatcher.stop()
        sent = await corner.kept_messages()
        bodies = [receipt(identifier, request) for _, identifier, request in sent]
        told = await _drained(corner, bodies, STATUS)
        texts = await _drained(corner, [text_in(number) for number in range(messages)], INBOUND)
    part = Part("receipts", "Carrier to PBX", f"{messages:,} of each wait in `sms.carrier`; one dispatcher.")
    part.figures += [Figure("receipts told", told, "events/s"), Figure("texts received", texts, "events/s")]
    return part


async def _drained(corner: Corner, bodies: list[bytes], queue: str) -> float:
    """Fill `sms.carrier` through ingress, start a dispatcher, and measure between its first event in `queue` and its
    last.
    """
    ingress_, port = await corner.ingress()
    requests = (post(webhook_path(0), body, webhook_headers()) for body in bodies)
    _all_accepted(await load(port, requests, connections=CONNECTIONS))
    await ingress_.stop()
    before = await corner.depth(queue)
    dispatcher = await corner.dispatcher()
    first: tuple[float, int] | None = None
    deadline = time.monotonic() + PATIENCE
    while (count := await corner.depth(queue) - before) < len(bodies):
        now = time.monotonic()
        if first is None and count:
            first = (now, count)
        if now > deadline:
            raise NotMeasured(f"{queue} got {count} of {len(bodies)} events")
        await asyncio.sleep(_LOOK)
    last = time.monotonic()
    await dispatcher.stop()
    if first is None:
        raise NotMeasured("all came at once; use more messages")
    return (len(bodies) - first[1]) / (last - first[0])


async def webhook_latency(world: World, *, quick: bool) -> Part:
    """From a webhook's first byte to the event in the PBX's hands, at half of what both services bear together."""
    seconds = 5.0 if quick else 15.0
    async with world.corner() as corner:
        dispatcher = await corner.dispatcher()
        await corner.until_lanes(1)
        _, port = await corner.ingress()
        arrived: dict[int, float] = {}
        channel = await _read_texts(corner, arrived)
        count = 4_000
        began = time.monotonic()
        await load(port, _texts(range(count)), connections=CONNECTIONS)
        await _until(arrived, count)
        capacity = count / (time.monotonic() - began)
        rate = capacity / 2
        numbers = range(count, count + int(rate * seconds))
        requests = _texts(numbers)
        loaded = await load(port, requests, connections=CONNECTIONS, rate=rate)
        await _until(arrived, numbers.stop)
        await channel.close()
        await dispatcher.stop()
    waits = [(arrived[number] - loaded.began - n / rate) * 1000 for n, number in enumerate(numbers)]
    part = Part(
        "webhook-latency",
        "Webhook to PBX queue",
        f"{rate:,.0f} inbound texts a second for {seconds:g} s: half of the {capacity:,.0f} that ingress and dispatcher"
        " bear together here, the client that posts and the one that reads on the same machine.",
    )
    part.figures.append(Figure("webhook to PBX, 50 %", percentile(waits, 50), "ms"))
    part.figures.append(Figure("webhook to PBX, 99 %", percentile(waits, 99), "ms", aim=25, at_most=True))
    return part


def _texts(numbers: range) -> Iterator[bytes]:
    return (post(webhook_path(0), text_in(number), webhook_headers()) for number in numbers)


async def _read_texts(corner: Corner, arrived: dict[int, float]) -> AbstractChannel:
    """Read the PBX's inbound queue, noting when each number came; closing the channel ends it."""
    channel = await corner.channel()
    await channel.set_qos(500)

    async def take(message: AbstractIncomingMessage) -> None:
        now = time.monotonic()
        await message.ack()
        arrived[number_of(orjson.loads(message.body)["content"])] = now

    await (await channel.get_queue(INBOUND)).consume(take)
    return channel


async def _until(arrived: dict[int, float], count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(arrived) < count:
        if time.monotonic() > deadline:
            raise NotMeasured(f"the PBX got {len(arrived)} of {count} texts")
        await asyncio.sleep(_LOOK)


def _all_accepted(one: Load) -> Load:
    if set(one.statuses) != {200}:
        raise NotMeasured(f"not every webhook was accepted: {dict(one.statuses)}")
    return one


def _compared(what: str, ours: list[float], bare: list[float], unit: str, aim: float | None) -> Figure:
    return Figure(what, median(ours), unit, median(bare), aim)


def _latency(what: str, percent: int, ours: list[tuple[Load, float]], bare: list[tuple[Load, float]]) -> Figure:
    def typical(rounds: list[tuple[Load, float]]) -> float:
        return median([percentile(one.latencies, percent) * 1000 for one, _ in rounds])

    return Figure(what, typical(ours), "ms", typical(bare))
