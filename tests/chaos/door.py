"""Webhooks as they come to ingress: many good ones at a pace, and all kinds that nobody should send."""

import asyncio
import base64
import gzip
import json
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from sms_native.machine.ports import LOOPBACK
from tests.chaos.site import Customer, Site

_PATIENCE = 15.0
_NO_ANSWER = 0


@dataclass(slots=True)
class Told:
    """What webhooks were answered, and after how many seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float:
        """The duration that so many percent do not exceed."""
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


def seconds(text: str) -> float:
    """Epoch seconds of a time in the simulator's answers."""
    return datetime.fromisoformat(text).timestamp()


async def texts(site: Site, customer: Customer, count: int, *, rate: float) -> Told:
    """Post so many inbound texts, `rate` a second, each on its own."""
    told = Told()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            body = _event("message-received", f"door-{time.monotonic_ns()}-{number}", customer.did(number), "in")
            group.create_task(_post(site, customer, body, told))
            await asyncio.sleep(1 / rate)
    return told


async def post_all(site: Site, customer: Customer, bodies: list[bytes]) -> Told:
    """Post all of these, 20 at a time."""
    told, gate = Told(), asyncio.Semaphore(20)

    async def one(body: bytes) -> None:
        async with gate:
            await _post(site, customer, body, told)

    await asyncio.gather(*map(one, bodies))
    return told


async def receipts_of(site: Site, customer: Customer) -> list[bytes]:
    """For every message that arrived, three receipts: sending, sent and delivered."""
    found = await site.simulator("GET", f"/arrivals?limit=100000&account_id={customer.account_id}")
    kinds = ("message-sending", "message-sent", "message-delivered")
    return [
        _event(kind, arrival["message_id"], arrival["to"][0], "out", tag=arrival["tag"], sender=arrival["from"])
        for arrival in found["arrivals"]
        for kind in kinds
    ]


def _event(
    kind: str, identifier: str, to: str, direction: str, *, tag: str = "", sender: str = "+13125550100"
) -> bytes:
    moment = "2026-11-24T13:00:00.123Z"
    message: dict[str, Any] = {
        "id": identifier,
        "owner": to,
        "applicationId": "93de2206-9669-4e07-948d-329f4b722ee2",
        "time": moment,
        "segmentCount": 1,
        "direction": direction,
        "to": [to],
        "from": sender,
        "text": "hello",
    }
    if tag:
        message["tag"] = tag
    return json.dumps([{"type": kind, "time": moment, "description": kind, "to": to, "message": message}]).encode()


async def _post(site: Site, customer: Customer, body: bytes, told: Told) -> None:
    headers = {"Content-Type": "application/json", "Authorization": _basic(*customer.callback)}
    began = time.monotonic()
    try:
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        async with site.http.post(customer.webhook, data=body, headers=headers, timeout=timeout) as answer:
            await answer.read()
            told.statuses[answer.status] += 1
    except (aiohttp.ClientError, TimeoutError):
        told.statuses[_NO_ANSWER] += 1
    told.durations.append(time.monotonic() - began)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def hostile(customer: Customer) -> dict[str, bytes]:
    """Whole requests, each of which deserves a 4xx."""
    path = urlsplit(customer.webhook).path
    right = {"Authorization": _basic(*customer.callback)}
    name, password = customer.callback
    good = _event("message-received", "hostile", customer.did(0), "in")
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    return {
        "no credentials": _request(path, good, {}),
        "wrong password": _request(path, good, {"Authorization": _basic(name, password[:-1] + "x")}),
        "right prefix": _request(path, good, {"Authorization": _basic(name, password[:-1])}),
        "credentials that are no ASCII": _request(path, good, {"Authorization": _basic(name, "pässwörd\u20ac")}),
        "raw bytes as credentials": _request(path, good, {"Authorization": "Basic \u00ff\u00fe\u00e9"}),
        "no base64": _request(path, good, {"Authorization": "Basic %%%"}),
        "another scheme": _request(path, good, {"Authorization": "Bearer " + "a" * 500}),
        "unknown token": _request(path[:-4] + "AAAA", good, right),
        "token that is no ASCII": _request(path[:-2] + "%ff%fe", good, right),
        "one header of 1 MiB": _request(path, good, right | {"X-Long": "a" * 2**20}),
        "ten thousand headers": _request(path, good, right | {f"X-{n}": "a" for n in range(10_000)}),
        "a path of 1 MiB": _request("/" + "a" * 2**20, good, right),
        "gzip bomb": _request(path, bomb, right | {"Content-Encoding": "gzip"}),
        "deflated": _request(path, zlib.compress(good), right | {"Content-Encoding": "deflate"}),
        "1 MiB of body": _request(path, b"[" + b" " * 2**20 + b"]", right),
        "announced as 10 GB": _request(path, good, right, length=10**10),
        "negative length": _request(path, good, right, length=-1),
        "GET": _request(path, b"", right, method="GET"),
        "made-up method": _request(path, good, right, method="SEND"),
        "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n",
        "smuggled length": _request(path, good, right | {"Transfer-Encoding": "chunked"}),
    }


def _request(
    path: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST", length: int | None = None
) -> bytes:
    given = {"Host": LOOPBACK, "Content-Type": "application/json", "Connection": "close", **headers}
    given["Content-Length"] = str(len(body) if length is None else length)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


async def raw(site: Site, request: bytes) -> int:
    """The status a request written byte for byte is answered with; 0 when the connection just ends."""
    reader, writer = await asyncio.open_connection(LOOPBACK, int(site.env["INGRESS_PORT"]))
    try:
        async with asyncio.timeout(_PATIENCE):
            writer.write(request)
            line = await reader.readline()
    except (ConnectionError, TimeoutError):
        return _NO_ANSWER
    finally:
        writer.transport.abort()
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else _NO_ANSWER
