"""A PBX in a process of its own that publishes one tenant's requests as fast as the broker confirms them."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

import uvloop

from tests.chaos.pbx import Publisher
from tests.chaos.site import Customer, Site

_AT_A_TIME = 100
_SENDERS = 1_000


async def flood(site: Site, customer: Customer, count: int) -> None:
    """Publish so many requests from another process, and note them; cancelled, it ends that process."""
    what = json.dumps({"url": site.amqp_url, "customer": asdict(customer), "count": count})
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE)
    try:
        await process.communicate(what.encode())
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, f"the flood ended with {process.returncode}"
    for number in range(count):
        message_id = customer.request(number)["message_id"]
        site.pbx.books.confirmed[message_id] = site.pbx.books.published[message_id] = 0.0


async def _publish(publisher: Publisher, customer: Customer, numbers: Iterator[int]) -> None:
    for number in numbers:
        await publisher.send(customer.request(number, senders=_SENDERS))


async def _main() -> None:
    what = json.loads(sys.stdin.read())
    publisher, customer, numbers = Publisher(what["url"]), Customer(**what["customer"]), iter(range(what["count"]))
    await asyncio.gather(*(_publish(publisher, customer, numbers) for _ in range(_AT_A_TIME)))
    await publisher.close()


if __name__ == "__main__":
    uvloop.run(_main())
