"""The scenarios, each a promise and what is done against it. Numbers are those of the list of promises in
docs/reliability.md.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.chaos import door
from tests.chaos.flooding import flood as flood_of
from tests.chaos.network import Network
from tests.chaos.running import Draw, Row, Traffic, calm, disturb, never_twice, recovery
from tests.chaos.site import Customer, Site, until

IN_FLIGHT = 64
"""What one dispatcher has under way to the carrier at most, of one lane."""
_SLOW = {"kind": "slow", "stage": "after", "delay": 0.1, "times": None}
"""Calls take a while, so that some are always under way."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One promise under one kind of fault. `environment` is what the services are told besides."""

    numbers: str
    promise: str
    play: Callable[[Site, Draw], Awaitable[Row]]
    environment: Mapping[str, str]


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    numbers: str, promise: str, **environment: str
) -> Callable[[Callable[[Site, Draw], Awaitable[Row]]], Callable[[Site, Draw], Awaitable[Row]]]:
    """Enter a function into SCENARIOS under its name."""

    def enter(play: Callable[[Site, Draw], Awaitable[Row]]) -> Callable[[Site, Draw], Awaitable[Row]]:
        SCENARIOS[play.__name__.replace("_", "-")] = Scenario(numbers, promise, play, environment)
        return play

    return enter


async def _opened(site: Site, dispatchers: int, customers: int = 1, **fields: Any) -> list[Customer]:
    """Make customers, then start ingress and dispatchers, so that these know them from the start."""
    made = [await site.customer(**fields) for _ in range(customers)]
    await site.start("ingress")
    for _ in range(dispatchers):
        await site.add_dispatcher()
    return made


@scenario("1, 2", "A killed dispatcher loses nothing, and nothing is sent twice")
async def killed_dispatchers(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, draw.of(2, 3), draw.of(2, 6))
    await site.simulator("POST", "/faults", _SLOW)

    async def kill_one() -> float:
        await site.kill(draw.chance.choice(site.dispatchers))
        killed = time.monotonic()
        recovered = asyncio.create_task(recovery(site, killed))
        await site.add_dispatcher()
        return await recovered

    async with Traffic(site, customers, draw.of(60, 80)).flowing():
        await disturb(row, draw.of(2, 40), kill_one, lambda: draw.chance.uniform(0.5, 3))
    verdict = await calm(site, draw, row)
    never_twice(row, verdict)
    most = row.faults * IN_FLIGHT * len(customers)
    row.expect(holds=row.unknown <= most, otherwise=f"{row.unknown} unknown; at most {most} were in hand")
    return row


@scenario("3", "The policy `resend` sends twice within bounds, and says so")
async def resent(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 1, failure_policy="resend")
    await site.simulator("POST", "/outcomes", {"to": "*", "outcome": {"progress": False, "delay": 45}})
    await site.simulator(
        "POST", "/faults", {"kind": "cut", "stage": "after", "times": draw.of(20, 200), "probability": 0.3}
    )
    async with Traffic(site, customers, draw.of(40, 40)).flowing():
        await asyncio.sleep(draw.of(5, 40))
    verdict = await calm(site, draw, row)
    row.faults = draw.of(20, 200)
    row.expect(holds=row.duplicates <= row.faults, otherwise=f"{row.duplicates} sent twice, {row.faults} answers lost")
    row.expect(holds=row.duplicates > 0, otherwise="nothing was sent again")
    row.expect(holds=not verdict.unflagged, otherwise=f"not flagged: {sorted(verdict.unflagged)[:5]}")
    return row


@scenario("4", "What ingress answered with 2xx reaches the PBX, however often ingress is killed")
async def killed_ingress(site: Site, draw: Draw) -> Row:
    row, (customer,) = Row(), await _opened(site, 1)
    stop = asyncio.Event()
    taken: list[str] = []

    async def write(number: int) -> None:
        body = {
            "from": f"+1415{200 + number % 700}{number % 10_000:04d}",
            "to": customer.did(number),
            "text": f"{number}",
        }
        answer = await site.simulator("POST", "/inbound", body)
        taken.append(answer["messages"][0]["message_id"])

    async def flow() -> None:
        number = 0
        while not stop.is_set():
            await asyncio.gather(*(write(number + n) for n in range(10)))
            number += 10
            await asyncio.sleep(0.1)

    async def kill() -> float:
        await site.kill("ingress")
        await site.start("ingress")
        return 0.0

    flowing = asyncio.create_task(flow())
    await disturb(row, draw.of(2, 50), kill, lambda: draw.chance.uniform(0.3, 1.5))
    stop.set()
    await flowing
    inbound = site.pbx.books.inbound
    await until(lambda: inbound.keys() >= set(taken), 60)
    row.messages, row.lost = len(taken), len(set(taken) - inbound.keys())
    row.duplicates = sum(inbound.values()) - len(inbound)
    row.expect(holds=row.lost == 0, otherwise=f"{row.lost} inbound texts lost")
    row.expect(holds=row.duplicates == 0, otherwise="one inbound text under several event ids")
    return row


@scenario("5", "A webhook is answered in time, also with the broker away or frozen")
async def prompt_webhooks(site: Site, draw: Draw) -> Row:
    row, (customer,) = Row(), await _opened(site, 0)
    count = draw.of(100, 1000)
    row.messages = 4 * count
    usual = await door.texts(site, customer, count, rate=100)
    await site.to_broker.take_away()
    away = await door.texts(site, customer, count, rate=100)
    await site.to_broker.restore()
    await until(lambda: site.to_broker.connections > 0, 30)
    site.to_broker.freeze()
    frozen = await door.texts(site, customer, count, rate=100)
    site.to_broker.thaw()
    began = time.monotonic()
    while not (await door.texts(site, customer, 1, rate=10)).statuses[200]:
        pass
    row.slowest, row.faults = time.monotonic() - began, 2
    again = await door.texts(site, customer, count, rate=100)
    for what, told, allowed in (
        ("usually", usual, {200}),
        ("with the broker away", away, {503}),
        ("with the broker frozen", frozen, {200, 503}),
        ("afterwards", again, {200}),
    ):
        row.expect(holds=told.statuses.keys() <= allowed, otherwise=f"{what}: {dict(told.statuses)}")
        row.notes.append(f"{what} {told.percentile(99) * 1000:.0f} ms at p99, slowest {told.percentile(100):.1f} s")
    return row


@scenario("6", "A hard kill of the broker loses nothing that was confirmed")
async def killed_broker(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 2, 2)

    async def kill() -> float:
        await site.kill_broker()
        return await recovery(site, time.monotonic())

    async with Traffic(site, customers, draw.of(50, 100)).flowing():
        # A quorum queue that is younger than about a second may not survive.
        await disturb(row, draw.of(1, 12), kill, lambda: draw.chance.uniform(4, 7))
    never_twice(row, await calm(site, draw, row))
    row.expect(
        holds=row.slowest < 15 or not draw.long, otherwise=f"{row.slowest:.1f} s until the next message was sent"
    )
    return row


@scenario("7", "A memory alarm is survived")
async def memory_alarm(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 1)
    async with Traffic(site, customers, 40).flowing():
        await asyncio.sleep(3)
        await asyncio.to_thread(site.rabbit.set_memory_alarm, on=True)
        try:
            told_away = await _until_ready_is(site, "ingress", 503)
            await asyncio.sleep(draw.of(3, 60))
        finally:
            await asyncio.to_thread(site.rabbit.set_memory_alarm, on=False)
        row.slowest, row.faults = await recovery(site, time.monotonic()), 1
        told_back = await _until_ready_is(site, "ingress", 200)
        await asyncio.sleep(2)
    row.expect(holds=told_away and told_back, otherwise="ingress did not tell of the alarm, or not of its end")
    never_twice(row, await calm(site, draw, row))
    row.expect(
        holds=row.slowest < 10 or not draw.long, otherwise=f"{row.slowest:.1f} s until the next message was sent"
    )
    return row


async def _until_ready_is(site: Site, name: str, status: int) -> bool:
    deadline = time.monotonic() + 20
    while await site.ready(name) != status:  # another process: it announces nothing
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
    return True


@scenario("8", "Network faults to broker, database and carrier lose nothing and send nothing twice")
async def network_faults(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 2, 2)
    await site.simulator("POST", "/faults", {**_SLOW, "delay": 0.02})

    async def fault() -> float:
        network = draw.chance.choice((site.to_broker, site.to_store, site.to_carrier))
        await _disturb_network(network, draw)
        return await recovery(site, time.monotonic())

    async with Traffic(site, customers, 40).flowing():
        await disturb(row, draw.of(6, 100), fault, lambda: draw.chance.uniform(0.2, 1.5))
    never_twice(row, await calm(site, draw, row))
    return row


async def _disturb_network(network: Network, draw: Draw) -> None:
    """One of the five faults, for a while."""
    seconds = draw.chance.uniform(0.2, draw.of(2, 8))
    match draw.chance.randrange(5):
        case 0:
            network.cut()
        case 1:
            network.reset()
        case 2:
            network.freeze()
            await asyncio.sleep(seconds)
        case 3:
            network.delay(draw.chance.uniform(0.05, 0.5))
            await asyncio.sleep(seconds)
        case _:
            await network.take_away()
            await asyncio.sleep(seconds)
    await network.restore()


@scenario("9", "Forced closes of all connections: every consumer comes back, nothing stays unacknowledged")
async def forced_closes(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 1, 2)
    watched = ["sms.outbound", "sms.carrier", *(f"sms.lane.{customer.config_id}" for customer in customers)]

    async def close() -> float:
        await site.close_connections()
        closed = time.monotonic()
        while not await _all_read(site, watched):  # noqa: ASYNC110  # the broker's counts: it announces nothing
            await asyncio.sleep(0.1)
        return time.monotonic() - closed

    async with Traffic(site, customers, 40).flowing():
        await disturb(row, draw.of(5, 50), close, lambda: draw.chance.uniform(0.3, 3))
    never_twice(row, await calm(site, draw, row))
    await asyncio.sleep(1.5)
    held = {name: unacknowledged for name, (_, unacknowledged, _) in (await site.queues()).items() if unacknowledged}
    row.expect(holds=not held, otherwise=f"unacknowledged in the end: {held}")
    row.expect(holds=row.slowest < 5 or not draw.long, otherwise=f"{row.slowest:.1f} s until all consumers were back")
    return row


async def _all_read(site: Site, names: list[str]) -> bool:
    queues = await site.queues()
    return all(queues[name][2] for name in names)


_SOUND: dict[str, Any] = {"message_id": "p", "tenant_id": "t1", "extension": "101", "to": "+13125550100", "text": "x"}
_NEVER = {"expires_at": "9999-12-31T23:59:59.999999Z", "send_after": "0001-01-01T00:00:00Z"}
_ODD: tuple[dict[str, Any], ...] = (
    {"message_id": "p\0"},
    {"text": "\ud800"},
    {"to": "\ud800"},
    {"extension": "\0"},
    {"metadata": {"n": 10**30}},
    {"metadata": {"$where": "1", "a.b": "\0"}},
    {"metadata": {"long": "x" * 20_000}},
    {"to": ["+13125550100"] * 5_000},
    {"media": [{"url": "http://[::1"}]},
    _NEVER,
)
_POISON = (
    b"",
    b"{",
    b"null",
    b"[" * 20_000,
    b"\xff\xfe\x00" * 100,
    b'{"message_id": 1}',
    *(json.dumps(_SOUND | {"message_id": f"poison-{number}"} | odd).encode() for number, odd in enumerate(_ODD)),
)


@scenario("10", "Poison blocks nobody")
async def poison(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 1)
    key = f"sms.outbound.{customers[0].tenant}"

    async def swallow() -> float:
        await site.pbx.publish(draw.chance.choice(_POISON), key)
        return 0.0

    async with Traffic(site, customers, 40).flowing():
        await disturb(row, draw.of(40, 400), swallow, lambda: 0.05)
    never_twice(row, await calm(site, draw, row))
    waits = _waits(site)
    row.slowest = waits[int(len(waits) * 0.99)] if waits else 0.0
    ready, unacknowledged, _ = (await site.queues())["sms.outbound"]
    row.expect(holds=ready + unacknowledged == 0, otherwise=f"{ready + unacknowledged} messages stuck in sms.outbound")
    row.notes.append(f"{(await site.queues())['sms.dead'][0]} dead letters; slowest: p99 of the good messages' wait")
    return row


def _waits(site: Site, tenant: str = "") -> list[float]:
    """How long messages took from their publish to `submitted`, shortest first."""
    books = site.pbx.books
    return sorted(
        moment - books.published[message_id]
        for message_id, moment in books.submitted_at.items()
        if message_id in books.published and message_id.startswith(tenant)
    )


@scenario("11", "Rates hold, also across dispatchers that come and go")
async def rates(site: Site, draw: Draw) -> Row:
    each, account = 10.0, 15.0
    limits = {"segments_per_second": each, "burst": 1, "account_segments_per_second": account}
    row = Row()
    customers = await _opened(site, draw.of(2, 4), 2, account_id="shared", limits=limits)
    seconds = draw.of(12, 300)
    for number in range(int(seconds * each * 0.8)):
        for customer in customers:
            await site.pbx.send(customer.request(number))

    async def replace_one() -> float:
        await site.stop(draw.chance.choice(site.dispatchers))
        await site.add_dispatcher()
        return 0.0

    await disturb(row, draw.of(1, 20), replace_one, lambda: draw.chance.uniform(2, 8))
    never_twice(row, await calm(site, draw, row))
    arrivals = await _arrivals(site)
    of_account = [moment for moment, _ in arrivals]
    for name, limit, moments in (
        *((c.tenant, each, [m for m, tag in arrivals if tag.startswith(f"{c.tenant}/")]) for c in customers),
        ("the account", account, of_account),
    ):
        worst = most_within(moments, 1.0)
        row.notes.append(f"{name}: at most {worst} in a second of {limit:g}")
        row.expect(holds=worst <= limit + 1, otherwise=f"{name} sent {worst} segments within a second, limit {limit:g}")
    return row


async def _arrivals(site: Site, which: str = "") -> list[tuple[float, str]]:
    """When each message came (epoch seconds) and its tag, in the order of their coming; `which` is a filter."""
    found = await site.simulator("GET", f"/arrivals?limit=100000{which}")
    return [(door.seconds(arrival["time"]), arrival["tag"]) for arrival in found["arrivals"]]


def most_within(moments: list[float], window: float) -> int:
    """The most moments in any half-open span of `window` seconds."""
    ordered, first, most = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


@scenario("12", "A flood from one tenant leaves another's texts alone")
async def flood(site: Site, draw: Draw) -> Row:
    row, (flooder, neighbour) = Row(), await _opened(site, 1, 2)
    count = draw.of(3_000, 100_000)
    flooding = asyncio.create_task(flood_of(site, flooder, count))
    try:
        await until(lambda: flooder.tenant in site.pbx.books.progress, 60)
        for number in range(draw.of(50, 600)):
            await site.pbx.send(neighbour.request(number))
            await asyncio.sleep(0.1)
        flooded = len(site.pbx.books.progress[flooder.tenant])
        await flooding
    finally:
        flooding.cancel()
    never_twice(row, await calm(site, draw, row))
    waits = sorted(await _waits_for_the_carrier(site, neighbour))
    row.slowest = waits[int(len(waits) * 0.99)]
    row.notes.append(
        f"slowest: p99 of the neighbour's wait from its publish to the carrier, at most {waits[-1]:.1f} s, usually"
        f" {waits[len(waits) // 2] * 1000:.0f} ms; {flooded} of {count} of the flood were sent by the end"
    )
    row.expect(holds=row.slowest < 2 or not draw.long, otherwise=f"the neighbour waited {row.slowest:.1f} s at p99")
    return row


async def _waits_for_the_carrier(site: Site, customer: Customer) -> list[float]:
    """How long each of a customer's messages took from its publish to its arrival."""
    since_then = time.time() - time.monotonic()
    published = site.pbx.books.published
    return [
        moment - since_then - published[message_id]
        for moment, tag in await _arrivals(site, f"&account_id={customer.account_id}")
        if (message_id := tag.partition("/")[2]).startswith(f"{customer.tenant}-")
    ]


@scenario("13", "Order is kept for each sender while dispatchers come and go")
async def order(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 2, 2)
    senders = draw.of(50, 500)
    await site.simulator("POST", "/faults", {**_SLOW, "delay": 0.02})

    async def come_and_go() -> float:
        name = await site.add_dispatcher()
        await asyncio.sleep(draw.chance.uniform(0.5, 2))
        await site.stop(draw.chance.choice([other for other in site.dispatchers if other != name]))
        return 0.0

    async with Traffic(site, customers, draw.of(100, 120), senders=senders).flowing():
        await disturb(row, draw.of(2, 30), come_and_go, lambda: draw.chance.uniform(0.5, 2))
    never_twice(row, await calm(site, draw, row))
    of_sender: dict[tuple[str, int], list[int]] = defaultdict(list)
    for _, tag in await _arrivals(site):
        tenant, _, number = tag.partition("/")[2].rpartition("-")
        of_sender[tenant, int(number) % senders].append(int(number))
    inversions = sum(later < earlier for numbers in of_sender.values() for earlier, later in pairwise(numbers))
    row.notes.append(f"{len(of_sender)} senders")
    row.expect(holds=inversions == 0, otherwise=f"{inversions} inversions")
    return row


@scenario("14", "Rolling restarts leave nothing unknown")
async def rolling_restarts(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 2, 2)
    await site.simulator("POST", "/faults", _SLOW)

    async def restart() -> float:
        seconds = await site.stop(draw.chance.choice(site.dispatchers))
        await site.add_dispatcher()
        return seconds

    async with Traffic(site, customers, 60).flowing():
        await disturb(row, draw.of(3, 60), restart, lambda: draw.chance.uniform(0.2, 2))
    never_twice(row, await calm(site, draw, row))
    row.notes.append("slowest: the longest stop")
    row.expect(holds=row.unknown == 0, otherwise=f"{row.unknown} unknown")
    wrong = [(name, status) for name, status in site.exits if status != 0]
    row.expect(holds=not wrong, otherwise=f"stopped with another status than 0: {wrong}")
    row.expect(holds=row.slowest < 45, otherwise=f"a stop took {row.slowest:.0f} s")
    return row


@scenario("15", "Webhooks that come many times, in any order and late, change nothing")
async def repeated_webhooks(site: Site, draw: Draw) -> Row:
    row, (customer,) = Row(), await _opened(site, 1)
    count = draw.of(100, 2_000)
    for number in range(count):
        to = f"+1312{201 + number % 700}{number // 700 % 4000:04d}"
        outcome = {
            "copies": draw.chance.randint(1, 5),
            "order": draw.chance.choice(["normal", "before_sent", "before_answer"]),
            "delay": draw.chance.uniform(0, 1),
        }
        await site.simulator("POST", "/outcomes", {"to": to, "times": 1, "outcome": outcome})
    await asyncio.gather(*(site.pbx.send(customer.request(number)) for number in range(count)))
    for number in range(count):
        text = {"from": "+13125550100", "to": customer.did(number), "text": f"{number}", "copies": 1 + number % 5}
        await site.simulator("POST", "/inbound", text)
    never_twice(row, await calm(site, draw, row))
    await until(lambda: len(site.pbx.books.inbound) >= count, 60)
    before = await asyncio.to_thread(site.ledger)
    await site.simulator("POST", "/clock", {"advance": 26 * 3600})
    receipts = await door.receipts_of(site, customer)
    for copies in (1, 2):
        draw.chance.shuffle(receipts)
        told = await door.post_all(site, customer, receipts)
        row.faults += copies * len(receipts)
        row.expect(holds=told.statuses.keys() == {200}, otherwise=f"repeats were answered {dict(told.statuses)}")
    await asyncio.sleep(3)
    after = await asyncio.to_thread(site.ledger)
    changed = [key for key, entry in after.items() if _state(entry) != _state(before[key])]
    finals = Counter(e["message_id"] for events in site.pbx.books.statuses.values() for e in events if e["final"])
    inbound = site.pbx.books.inbound
    row.duplicates += sum(inbound.values()) - len(inbound)
    row.expect(holds=not changed, otherwise=f"{len(changed)} messages changed by repeats")
    row.expect(holds=set(finals.values()) == {1}, otherwise="a final status was told under several event ids")
    row.expect(holds=len(inbound) == sum(inbound.values()) == count, otherwise=f"{sum(inbound.values())} of {count} in")
    return row


def _state(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["status"], entry["sequence"], entry["provider_msg_id"]


@scenario("17", "MongoDB stepping down or dying loses nothing and sends nothing twice")
async def failing_store(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 2, 2)
    await site.simulator("POST", "/faults", {**_SLOW, "delay": 0.02})

    async def fail() -> float:
        if draw.chance.random() < (0.7 if draw.long else 0.5):
            await site.step_down(2)
        else:
            await site.kill_store()
        return await recovery(site, time.monotonic())

    async with Traffic(site, customers, 40).flowing():
        await disturb(row, draw.of(2, 30), fail, lambda: draw.chance.uniform(1, 4))
    never_twice(row, await calm(site, draw, row))
    row.notes.append("a replica set of one node")
    return row


@scenario("20", "The webhook door withstands what strangers send")
async def hostile_webhooks(site: Site, draw: Draw) -> Row:
    row, (customer,) = Row(), await _opened(site, 1)
    good = asyncio.create_task(door.texts(site, customer, draw.of(100, 2_000), rate=50))
    answers: Counter[tuple[str, int]] = Counter()
    for _ in range(draw.of(1, 20)):
        for name, request in door.hostile(customer).items():
            answers[name, await door.raw(site, request)] += 1
            row.faults += 1
    told = await good
    row.messages = sum(told.statuses.values())
    refused = {name: status for name, status in answers if not 400 <= status < 500}
    row.slowest = told.percentile(100)
    row.notes.append(f"{len({name for name, _ in answers})} kinds; slowest: of the good webhooks beside them")
    row.expect(holds=not refused, otherwise=f"not answered with 4xx: {refused}")
    row.expect(holds=told.statuses.keys() == {200}, otherwise=f"good webhooks were answered {dict(told.statuses)}")
    row.expect(holds=await site.ready("ingress") == 200, otherwise="ingress was not ready afterwards")
    return row


@scenario("23", "Tokens that end, and a token endpoint that is away, cost no message", SIMULATOR_TOKEN_EXPIRES_IN="3")
async def tokens(site: Site, draw: Draw) -> Row:
    row, customers = Row(), await _opened(site, 1)
    calls = (await site.simulator("GET", ""))["tokens"]["calls"]
    began = time.monotonic()

    async def revoke() -> float:
        await site.simulator("DELETE", "/tokens")
        return await recovery(site, time.monotonic())

    async def away() -> float:
        await site.simulator("POST", "/faults", {"endpoint": "token", "kind": "empty", "times": None})
        await site.simulator("DELETE", "/tokens")
        await asyncio.sleep(draw.of(4, 60))
        await site.simulator("DELETE", "/faults")
        return await recovery(site, time.monotonic())

    async with Traffic(site, customers, 40).flowing():
        await disturb(row, draw.of(5, 50), revoke, lambda: draw.chance.uniform(0.3, 2))
        await disturb(row, 1, away, lambda: 0.5)
    never_twice(row, await calm(site, draw, row))
    made = (await site.simulator("GET", ""))["tokens"]["calls"] - calls
    most = row.faults + 2 * (time.monotonic() - began)
    row.notes.append(f"{made} token calls, tokens lived 3 s")
    row.expect(holds=made <= most, otherwise=f"{made} token calls; {most:.0f} were enough")
    row.expect(holds=row.unknown == 0, otherwise=f"{row.unknown} unknown")
    return row
