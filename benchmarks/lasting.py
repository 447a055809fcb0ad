"""What the dispatcher holds in memory over many messages, and how soon it works again after a start."""

import asyncio
import time

from benchmarks.dispatching import prepare
from benchmarks.figures import Figure, Part, Plot
from benchmarks.traffic import fill
from benchmarks.world import Corner, Program, Seen, World

_EVERY = 5_000
_IN_QUEUE = 20_000


async def memory(world: World, *, quick: bool) -> Part:
    """Memory over many messages on one lane. The first quarter warms up caches, and the allocator's arenas."""
    messages = 10_000 if quick else 50_000
    return await _memory(world, messages)


async def memory_long(world: World, *, quick: bool) -> Part:
    """The same over 200,000 messages."""
    return await _memory(world, 20_000 if quick else 200_000)


async def _memory(world: World, messages: int) -> Part:
    held: list[tuple[float, float]] = []
    async with world.corner() as corner:
        dispatcher = await corner.dispatcher()
        await corner.until_lanes(1)
        filling = asyncio.create_task(_keep_filled(corner, messages))
        await corner.until_seen(messages, lambda seen: _note(held, dispatcher, seen))
        await filling
        await dispatcher.stop()
    warm = [(count, mebibytes) for count, mebibytes in held if count >= messages / 4] or held
    part = Part("memory", "Memory over many messages", f"{messages:,} messages, one configuration, 1,000 senders.")
    part.figures += [
        Figure("after the first", held[0][1], "MiB"),
        Figure("at the end", held[-1][1], "MiB", aim=250, at_most=True),
        Figure("growth after the first quarter", _slope(warm) * 100_000, "MiB per 100,000 messages"),
    ]
    part.plots.append(Plot("memory", "Dispatcher's memory", "messages", "MiB", {"resident": held}))
    return part


async def _keep_filled(corner: Corner, messages: int) -> None:
    """Publish in portions, so that the broker's queue stays short of its own limits."""
    exchange = await (await corner.channel()).get_exchange("sms")
    for start in range(0, messages, _IN_QUEUE // 4):
        while start - (await corner.seen()).count > _IN_QUEUE:  # noqa: ASYNC110  # another process's count: nobody can tell us
            await asyncio.sleep(0.2)
        await fill(exchange, map(corner.installation.request, range(start, min(start + _IN_QUEUE // 4, messages))))


def _note(held: list[tuple[float, float]], dispatcher: Program, seen: Seen) -> None:
    if seen.count and (not held or seen.count >= held[-1][0] + _EVERY / 5):
        held.append((float(seen.count), dispatcher.resident_mebibytes))


def _slope(points: list[tuple[float, float]]) -> float:
    """Least squares: change of the second for one of the first."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


async def start(world: World, *, quick: bool) -> Part:
    """A start with many lanes that exist already, one message waiting for each."""
    lanes = 100 if quick else 1_000
    async with world.corner(lanes) as corner:
        declared = time.monotonic()
        await prepare(corner)
        declared = time.monotonic() - declared
        await fill(await (await corner.channel()).get_exchange("sms"), corner.installation.requests(lanes))
        began = time.monotonic()
        dispatcher = await corner.dispatcher()
        ready = time.monotonic() - began
        seen = await corner.until_seen(lanes)
        resident = dispatcher.resident_mebibytes
        await dispatcher.stop()
    part = Part("start", f"A start with {lanes:,} lanes", f"One message waits for each of {lanes:,} configurations.")
    part.figures += [
        Figure("first declaration of every lane", declared, "s"),
        Figure("started and ready again", ready, "s", aim=10, at_most=True),
        Figure("until the first message is at the carrier", seen.first - began, "s"),
        Figure("until every lane has sent its message", seen.last - began, "s", aim=10, at_most=True),
        Figure(f"memory with {lanes:,} lanes", resident, "MiB", aim=250, at_most=True),
    ]
    return part
