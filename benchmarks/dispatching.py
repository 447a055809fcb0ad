"""How fast the dispatcher empties its queue, alone and beside the bare one."""

import asyncio
import time
from dataclasses import dataclass, field

from benchmarks.bare_queues import OUTBOUND_KEY, declare
from benchmarks.figures import Figure, Part, Plot, median, percentile
from benchmarks.installation import number_of
from benchmarks.traffic import at_rate, fill
from benchmarks.world import Corner, Program, Seen, World, cpu_seconds


@dataclass(slots=True)
class Drain:
    """One emptying of a filled queue: messages a second, and microseconds of each process a message."""

    rate: float
    cost: dict[str, float] = field(default_factory=dict)


class _Costs:
    """Counts what processes compute between the first look and the last."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._from: tuple[int, dict[str, float]] | None = None

    def look(self, seen: Seen) -> None:
        if self._from is None and seen.count:
            self._from = (seen.count, self._now())

    def until(self, seen: Seen) -> dict[str, float]:
        if self._from is None or seen.count <= self._from[0]:
            return {}
        count, before = self._from
        return {name: (now - before[name]) / (seen.count - count) * 1e6 for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}


async def prepare(corner: Corner) -> None:
    """Have a dispatcher declare everything once, and leave."""
    dispatcher = await corner.dispatcher()
    await corner.until_lanes(corner.installation.configs)
    await dispatcher.stop()


async def drain(corner: Corner, messages: int) -> Drain:
    """Fill the queue, start a dispatcher, and measure between the first and the last message at the carrier."""
    await prepare(corner)
    channel = await corner.channel()
    await fill(await channel.get_exchange("sms"), corner.installation.requests(messages))
    dispatcher = await corner.dispatcher()
    result = await _measured(corner, messages, [dispatcher])
    await dispatcher.stop()
    return result


async def flow(corner: Corner, messages: int, *, configs: int | None = None, dispatchers: int = 1) -> float:
    """Messages a second at the carrier that come as fast as they are confirmed to dispatchers that hold all their
    lanes already, so that their start is no part of it.
    """
    running = [await corner.dispatcher() for _ in range(dispatchers)]
    await corner.until_held(running)
    exchange = await (await corner.channel()).get_exchange("sms")
    filling = asyncio.create_task(fill(exchange, corner.installation.requests(messages, configs)))
    seen = await corner.until_seen(messages)
    await filling
    for dispatcher in running:
        await dispatcher.stop()
    return seen.rate


async def bare_drain(corner: Corner, messages: int) -> Drain:
    """The same with the bare dispatcher."""
    exchange = await declare(await corner.channel())
    bodies = ((OUTBOUND_KEY, body) for _, body in corner.installation.requests(messages))
    await fill(exchange, bodies)
    running = await corner.bare_dispatch()
    result = await _measured(corner, messages, [running])
    await running.stop()
    return result


async def _measured(corner: Corner, messages: int, running: list[Program]) -> Drain:
    pids = {f"{program.name}{n or ''}": program.pid for n, program in enumerate(running)}
    costs = _Costs(pids | corner.world.engines())
    seen = await corner.until_seen(messages, costs.look)
    return Drain(seen.rate, costs.until(seen))


async def dispatch(world: World, *, quick: bool) -> Part:
    """The full path against the bare one, in turns."""
    messages, rounds = (3_000, 1) if quick else (10_000, 3)
    ours, bare = [], []
    for _ in range(rounds):
        async with world.corner() as corner:
            bare.append(await bare_drain(corner, messages))
        async with world.corner() as corner:
            ours.append(await drain(corner, messages))
    part = Part(
        "dispatch",
        "Queue to carrier",
        f"{messages:,} messages of 1,000 senders and one configuration wait in `sms.outbound`; the carrier answers at"
        f" once; median of {rounds}, in turns with the bare dispatcher.",
    )
    rate, floor = median([d.rate for d in ours]), median([d.rate for d in bare])
    part.figures.append(Figure("dispatcher, full path", rate, "messages/s", floor, 0.75))
    for name in ours[-1].cost:
        cost = median([d.cost[name] for d in ours])
        other = median([d.cost.get("bare dispatch" if name == "dispatcher" else name, 0.0) for d in bare])
        part.figures.append(Figure(f"processor time a message, {name}", cost, "µs", other))
    return part


async def latency(world: World, *, quick: bool) -> Part:
    """From a request's publish to the carrier, at half of what publisher and dispatcher bear together."""
    seconds = 5.0 if quick else 15.0
    async with world.corner() as corner:
        dispatcher = await corner.dispatcher()
        await corner.until_lanes(1)
        exchange = await (await corner.channel()).get_exchange("sms")
        await corner.keep_messages()
        count = 3_000
        began = time.monotonic()
        await fill(exchange, map(corner.installation.request, range(count)))
        capacity = count / ((await corner.until_seen(count)).last - began)
        rate = capacity / 2
        numbers = range(count, count + int(rate * seconds))
        due = await at_rate(exchange, map(corner.installation.request, numbers), rate)
        await corner.until_seen(numbers.stop)
        came = {number_of(request["text"]): moment for moment, _, request in await corner.kept_messages()}
        await dispatcher.stop()
    waits = [(came[number] - moment) * 1000 for number, moment in zip(numbers, due, strict=True)]
    part = Part(
        "latency",
        "Queue to carrier at half load",
        f"{rate:,.0f} requests a second for {seconds:g} s: half of the {capacity:,.0f} that publisher and dispatcher"
        " bear together here; from the moment a publish was due to the request at the carrier.",
    )
    part.figures.append(Figure("queue to carrier, 50 %", percentile(waits, 50), "ms"))
    part.figures.append(Figure("queue to carrier, 99 %", percentile(waits, 99), "ms", aim=50, at_most=True))
    return part


async def growth(world: World, *, quick: bool) -> Part:
    """The full path with more and more configurations, all of them busy, and with few of many busy."""
    messages = 3_000 if quick else 8_000
    sizes = (1, 10, 100) if quick else (1, 10, 100, 1000)
    busy: dict[int, float] = {}
    for configs in sizes:
        async with world.corner(configs) as corner:
            busy[configs] = await flow(corner, messages)
    async with world.corner(sizes[-1]) as corner:
        few = await flow(corner, messages, configs=10)
    part = Part(
        "growth", "Growth with configurations", f"{messages:,} messages spread evenly, to one dispatcher that runs."
    )
    part.figures += [Figure(f"{n} configurations, all busy", rate, "messages/s") for n, rate in busy.items()]
    part.figures += [
        Figure(f"10 busy of {sizes[-1]}, against 10 of 10", few, "messages/s", busy[10], 0.95),
        Figure(f"all {sizes[-1]} busy, against 1", busy[sizes[-1]], "messages/s", busy[1], 0.65),
    ]
    points = [(float(n), rate) for n, rate in busy.items()]
    part.plots.append(
        Plot("growth", "One dispatcher", "configurations", "messages a second", {"all busy": points}, logarithmic=True)
    )
    return part


async def dispatchers(world: World, *, quick: bool) -> Part:
    """One dispatcher and two on ten configurations."""
    messages = 3_000 if quick else 8_000
    rates = []
    for count in (1, 2):
        async with world.corner(10) as corner:
            rates.append(await flow(corner, messages, dispatchers=count))
    part = Part("dispatchers", "Growth with dispatchers", f"{messages:,} messages over 10 configurations, all busy.")
    part.figures.append(Figure("two dispatchers, against one", rates[1], "messages/s", rates[0], 1.7))
    part.notes.append("Broker, database, carrier and dispatchers share the machine's cores.")
    return part
