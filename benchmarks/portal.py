"""How long the portal's pages wait for the REST API: python -m benchmarks.portal [--messages 1000000] [--calls 60]

Config service and the dispatcher's read API run in this process on a MongoDB of their own, which is filled first: 1,000
tenants, 5,000 SMS configurations, 10,000 rules, and half of the messages in one tenant.
"""

import argparse
import asyncio
import itertools
import logging
import random
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pymongo
import structlog
from aiohttp import web
from pydantic import SecretStr
from pymongo.collection import Collection

from benchmarks.machine import machine
from sms_common.messages import Status
from sms_config.http.app import DISPATCHER_SNAPSHOT
from sms_config.main import build_app
from sms_config.model.keyring import new_entry
from sms_config.model.records import AuditRecord, Record, SmsConfigRecord, StoredRecord, TenantRecord, TrunkRecord
from sms_config.model.rule_records import ExtensionRecord, InboundRuleRecord, OutboundRuleRecord
from sms_config.resources.sealing import Sealer
from sms_config.settings import ConfigSettings
from sms_config.storage.documents import to_document
from sms_config.storage.store import MongoStore
from sms_dispatcher.api.routes import MessagesApi
from sms_dispatcher.ledger.database import open_database
from sms_dispatcher.ledger.documents import to_document as to_message
from sms_dispatcher.ledger.entries import EntryKind, LedgerEntry
from sms_dispatcher.ledger.history import History
from sms_dispatcher.ledger.ledger import Ledger
from sms_native.engines.mongodb import MongoNode
from sms_native.machine.ports import LOOPBACK
from sms_native.machine.processes import Process
from sms_native.settings import NativeSettings

TENANTS, CONFIGS, RULES, EXTENSIONS, AUDIT = 1_000, 5_000, 10_000, 10_000, 100_000
LIMIT_MS = 100
KEY, INGRESS, DISPATCHER, READ_API = (f"{name}-of-the-benchmark" for name in ("key", "ingress", "snapshot", "reads"))
START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = (Status.DELIVERED,) * 90 + (Status.SENT,) * 8 + (Status.FAILED, Status.EXPIRED)
BIG = "t0"
DATABASE, LEDGER = "bench_config", "bench_ledger"


@dataclass(frozen=True, slots=True)
class Page:
    """One call of a page: what a person looks at, and the address it asks."""

    name: str
    path: str
    tenant: str | None = None


PAGES = (
    Page("tenants", "/tenants?top=100"),
    Page("tenants, search", "/tenants?search=Tenant 77"),
    Page("tenants, last page", "/tenants?skip=900"),
    Page("one tenant", "/tenants/t500"),
    Page("trunks", "/trunks?top=100"),
    Page("trunks, search by number", "/trunks?search=12015550"),
    Page("trunks of a tenant", "/trunks", "t500"),
    Page("SMS configurations", "/sms?top=100"),
    Page("SMS configurations, search", "/sms?search=Config 4999"),
    Page("SMS configurations, by name", "/sms?orderby=name desc"),
    Page("SMS configurations of a tenant", "/sms", "t500"),
    Page("one SMS configuration", "/sms/c2500"),
    Page("inbound rules", "/inbound-rules?top=100"),
    Page("inbound rules of a tenant", "/inbound-rules", "t500"),
    Page("inbound rules, search by number", "/inbound-rules?search=2015550"),
    Page("one inbound rule", "/inbound-rules/i2500"),
    Page("outbound rules", "/outbound-rules?top=100"),
    Page("outbound rules of a tenant", "/outbound-rules", "t500"),
    Page("extensions", "/extensions?top=100"),
    Page("extensions of a tenant", "/extensions", "t500"),
    Page("hours of a tenant", "/routing", "t500"),
    Page("audit", "/audit?top=100"),
    Page("audit of a tenant", "/audit", "t500"),
    Page("audit of an object", "/audit?object_id=c2500"),
    Page("users", "/users"),
    Page("API keys", "/api-keys"),
    Page("messages", "/messages?top=100", "t501"),
    Page("messages, large tenant", "/messages?top=100", BIG),
    Page("messages, large tenant, oldest first", "/messages?orderby=time asc", BIG),
    Page("messages, large tenant, page 50", "/messages?skip=5000", BIG),
    Page("messages, large tenant, of a number", "/messages?number=%2B13125550042", BIG),
    Page("messages, large tenant, inbound", "/messages?direction=IN", BIG),
    Page("messages, large tenant, failed", "/messages?status=failed", BIG),
    Page("messages, large tenant, a status there is none of", "/messages?status=canceled", BIG),
    Page("messages, large tenant, of a configuration", "/messages?config_id=c0", BIG),
    Page("messages, large tenant, of a day", "/messages?since=2026-01-03T00:00:00Z&until=2026-01-04T00:00:00Z", BIG),
    Page("messages, large tenant, search an id", "/messages?search=m42", BIG),
    Page("one message", "/messages/m42", BIG),
)


def stamps(number: int) -> dict[str, Any]:
    at = START + timedelta(seconds=number)
    return {"created_at": at, "created_by": "bench", "updated_at": at, "updated_by": "bench"}


def numbers(tenant: int) -> str:
    return f"+1{201 + tenant // 100}555{tenant % 100:02}00-+1{201 + tenant // 100}555{tenant % 100:02}99"


def tenants() -> Iterator[Record]:
    for n in range(TENANTS):
        yield TenantRecord(id=f"t{n}", name=f"Tenant {n}", country="US", **stamps(n))
        trunk = {"name": f"Trunk {n}", "brand": "Bandwidth", "carrier": "bandwidth", "dids": numbers(n)}
        yield TrunkRecord(id=f"k{n}", tenant_id=f"t{n}", **trunk, **stamps(n))


def configs(settings: ConfigSettings) -> Iterator[Record]:
    for n in range(CONFIGS):
        owner = {"tenant_id": f"t{n % TENANTS}", "provider_id": f"k{n % TENANTS}"}
        record = SmsConfigRecord(id=f"c{n}", **owner, name=f"Config {n}", webhook_sha256=str(n), **stamps(n))
        sealer = Sealer(settings.keys, START)
        yield sealer.new_token(record, timedelta(0)).model_copy(update={"former_tokens": ()})


def rules() -> Iterator[Record]:
    for n in range(RULES // 2):
        tenant = n % TENANTS
        common = {"tenant_id": f"t{tenant}", "name": f"Rule {n}", "enabled": True, "priority": 1000, "own_hours": None}
        masks = {"did_numbers": numbers(tenant), "caller_mask": "1404*******"}
        yield InboundRuleRecord(
            **{"id": f"i{n}", **common, **masks, "channels": ("SMS", "MMS"), "config_ids": (), "outside": None},
            **{"holiday": None, "office": {"kind": "extension", "destination": "100-199"}, **stamps(n)},
        )
        conditions = {"prefixes": "44;49", "lengths": (), "extensions": "100-199", "groups": (), "categories": ()}
        routes = {"closed": None, "strategy": "PRIORITIZED", "routes": ({"config_id": f"c{tenant}"},)}
        yield OutboundRuleRecord(**{"id": f"o{n}", **common, **conditions, **routes, **stamps(n)})


def extensions() -> Iterator[Record]:
    for n in range(EXTENSIONS):
        caller = {"number": numbers(n % TENANTS).split("-")[0], "trunk_id": f"k{n % TENANTS}"}
        given = {"extension": str(100 + n // TENANTS), "permission": "ALLOW", "groups": (), "caller_ids": (caller,)}
        yield ExtensionRecord(**{"id": f"e{n}", "tenant_id": f"t{n % TENANTS}", **given, **stamps(n)})


def audit() -> Iterator[AuditRecord]:
    for n in range(AUDIT):
        what = {"kind": "sms_configs", "object_id": f"c{n % CONFIGS}", "action": "updated", "version": n // CONFIGS + 2}
        who = {"actor": "u1", "actor_name": "ann", "request_id": f"r{n}", "tenant_id": f"t{n % TENANTS}"}
        at = START + timedelta(seconds=n)
        yield AuditRecord.model_validate({"id": f"a{n}", "at": at, **who, **what, "changes": ("name",)})


def messages(count: int) -> Iterator[dict[str, Any]]:
    """Half of them in one tenant; over about twelve days, one in five inbound."""
    draw = random.Random(1)  # the same messages in every run
    template = LedgerEntry(
        "t", "m", EntryKind.SINGLE, Status.DELIVERED, START, START, text="Your parcel comes today. " * 3
    )
    document = to_message(template, timedelta(days=3650))
    for n in range(count):
        tenant = 0 if n % 2 == 0 else n % TENANTS
        inbound, at = n % 5 == 0, START + timedelta(seconds=n)
        own, other = numbers(tenant).split("-")[0], f"+1312555{draw.randrange(10_000):04}"
        sender, to = (other, own) if inbound else (own, other)
        arrived = {"did": own, "destination": None} if inbound else {}
        yield {
            **document,
            "_id": f"t{tenant}/m{n}",
            "tenant_id": f"t{tenant}",
            "message_id": f"m{n}",
            "kind": EntryKind.INBOUND.value if inbound else EntryKind.SINGLE.value,
            "direction": "IN" if inbound else "OUT",
            "config_id": f"c{tenant + TENANTS * (n // 2 % 5)}",
            "sender": sender,
            "to": [to],
            "numbers": [sender, to],
            "status": (Status.DELIVERED if inbound else draw.choice(STATUSES)).value,
            "created_at": at,
            "updated_at": at,
            "provider_msg_id": f"p{n}",
            "due_at": None,
            **arrived,
        }


def fill(collection: Collection[dict[str, Any]], documents: Iterable[dict[str, Any]]) -> None:
    """Insert many, quickly."""
    left = iter(documents)
    while batch := list(itertools.islice(left, 5_000)):
        collection.insert_many(batch, ordered=False)


def fill_all(url: str, settings: ConfigSettings, count: int) -> None:
    """Fill both databases; indexes are made faster afterwards."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    with client:
        by_collection: dict[str, list[dict[str, Any]]] = {}
        records: Iterable[StoredRecord] = itertools.chain(tenants(), configs(settings), rules(), extensions(), audit())
        for record in records:
            by_collection.setdefault(record.COLLECTION, []).append(to_document(record))
        for name, documents in by_collection.items():
            fill(client[DATABASE][name], documents)
        fill(client[LEDGER]["messages"], messages(count))


@asynccontextmanager
async def mongodb() -> AsyncIterator[str]:
    """A MongoDB of our own; gone afterwards."""
    settings = NativeSettings.from_environment()
    me = Process.running_now()
    directory = settings.run_directory / "benchmarks" / f"{me.pid}-{me.born}"
    directory.mkdir(parents=True)
    node = MongoNode.temporary(directory / "mongodb", settings.cache_directory)
    try:
        await asyncio.to_thread(node.start, may_install=settings.may_install)
        yield node.url
    finally:
        await asyncio.to_thread(node.remove)
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve on a free port; the address."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    try:
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings_for(url: str, dispatcher_url: str) -> ConfigSettings:
    """The config service's settings."""
    given: dict[str, Any] = {
        "amqp_url": "amqp://localhost",
        "mongo_url": url,
        "mongo_database": DATABASE,
        "key_ring": new_entry("k"),
        "public_url": "https://sms.example.com",
        "bootstrap_api_key": KEY,
        "ingress_token": INGRESS,
        "dispatcher_token": DISPATCHER,
        "dispatcher_url": dispatcher_url,
        "dispatcher_read_token": READ_API,
    }
    return ConfigSettings(**given)


@asynccontextmanager
async def services(url: str, count: int) -> AsyncIterator[str]:
    """Config service and the dispatcher's read API on filled databases; the config service's address."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url, LEDGER))
        ledger = Ledger(database, owner="bench", retention=timedelta(days=3650))
        read_api = web.Application()
        MessagesApi(History(database), SecretStr(READ_API)).add_to(read_api)
        settings = settings_for(url, await stack.enter_async_context(served(read_api)))
        began = time.monotonic()
        await asyncio.to_thread(fill_all, url, settings, count)
        await ledger.prepare()
        store = await stack.enter_async_context(MongoStore(settings.mongo_url, settings.mongo_database))
        await store.prepare()
        print(f"filled in {time.monotonic() - began:.0f} s")
        app = build_app(settings, store, wake=lambda: None, waiting_for=lambda: None)
        yield await stack.enter_async_context(served(app))


async def measure(http: aiohttp.ClientSession, base: str, page: Page, calls: int) -> tuple[list[float], str]:
    """Milliseconds of each call, and what the answer counted."""
    headers = {"Authorization": f"Bearer {KEY}", **({"X-Tenant": page.tenant} if page.tenant else {})}
    took: list[float] = []
    counted = ""
    for turn in range(calls + 1):
        began = time.perf_counter()
        async with http.get(f"{base}/api/v1{page.path}", headers=headers) as answer:
            body = await answer.json()
            assert answer.ok, (page.name, body)
        if turn:  # the first opens connections and plans
            took.append((time.perf_counter() - began) * 1000)
        counted = str(body.get("count", ""))
    return took, counted


async def measure_snapshot(http: aiohttp.ClientSession, base: str) -> str:
    """How long a change of one rule takes until the dispatcher's snapshot with it is read."""
    took: list[float] = []
    for turn in range(6):
        headers = {"Authorization": f"Bearer {KEY}"}
        began = time.perf_counter()
        async with http.patch(
            f"{base}/api/v1/inbound-rules/i7", json={"priority": turn + 1}, headers=headers
        ) as answer:
            assert answer.ok, await answer.text()
        changed = time.perf_counter()
        async with http.get(base + DISPATCHER_SNAPSHOT, headers={"Authorization": f"Bearer {DISPATCHER}"}) as answer:
            size = len(await answer.read())
        if turn:
            took.append(time.perf_counter() - changed)
    change = (changed - began) * 1000
    read = f"{statistics.median(took):.2f} s, {size / 1e6:.1f} MB"
    return f"changing a rule: {change:.0f} ms; reading the dispatcher's snapshot with it: {read}"


async def run(count: int, calls: int) -> int:
    """Measure every page and print a table; 1 when one is over the limit."""
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    slow = 0
    async with mongodb() as url, services(url, count) as base, aiohttp.ClientSession() as http:
        print("| page | counted | p50 ms | p95 ms |\n| --- | ---: | ---: | ---: |")
        for page in PAGES:
            took, counted = await measure(http, base, page, calls)
            p95 = statistics.quantiles(took, n=20)[18]
            slow += p95 > LIMIT_MS
            mark = " **" if p95 > LIMIT_MS else ""
            print(f"| {page.name} | {counted} | {statistics.median(took):.1f} | {p95:.1f}{mark} |", flush=True)
        print(await measure_snapshot(http, base))
    print(f"{slow} pages over {LIMIT_MS} ms")
    return 1 if slow else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portal", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many messages the history has")
    parser.add_argument("--calls", type=int, default=60, help="how often each page is asked for")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return asyncio.run(run(given.messages, given.calls))


if __name__ == "__main__":
    sys.exit(main())
