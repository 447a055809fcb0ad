"""Loads an HTTP server over kept connections with requests made beforehand; as light as Python can be.

The latency of a request counts from the moment it was due, so that a slow server cannot hide by slowing its client.
"""

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"
_TICK = 0.002


@dataclass(slots=True)
class Load:
    """What came of it: seconds a request, answers by status, and the seconds it took in all."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    began: float = 0.0
    """When the first request was due (monotonic, seconds)."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Build one request."""
    given = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (given | (headers or {})).items())]
    return "\r\n".join(lines).encode() + _END + body


class _Connection(asyncio.Protocol):
    """One kept connection that has at most one request under way."""

    def __init__(self, source: "_Source") -> None:
        self._source = source
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its ancestors
        self._source.free(self)

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(_END)
        if not end:
            return
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        self._read = b""
        self._source.answered(int(head[9:12]), time.monotonic() - self._due)
        self._source.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._source.lost(error)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Source:
    """Hands requests to free connections; with a rate, each when it is due."""

    def __init__(self, requests: Iterator[bytes], rate: float | None) -> None:
        self.load = Load()
        self.ended = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._rate = rate
        self._free: deque[_Connection] = deque()
        self._due: deque[tuple[float, bytes]] = deque()
        self._under_way = 0
        self._exhausted = False

    def free(self, connection: _Connection) -> None:
        if self._due:
            self._send(connection, *self._due.popleft())
        elif self._rate is None and (request := self._next()) is not None:
            self._send(connection, time.monotonic(), request)
        else:
            self._free.append(connection)
            self._end_when_done()

    def answered(self, status: int, seconds: float) -> None:
        self._under_way -= 1
        self.load.latencies.append(seconds)
        self.load.statuses[status] += 1

    def lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed a connection"))

    async def keep_pace(self, rate: float) -> None:
        """Make requests due, `rate` a second, until there are no more."""
        self.load.began = began = time.monotonic()
        made = 0
        while not self._exhausted:
            while made < (time.monotonic() - began) * rate and (request := self._next()) is not None:
                due = began + made / rate
                made += 1
                if self._free:
                    self._send(self._free.popleft(), due, request)
                else:
                    self._due.append((due, request))
            await asyncio.sleep(_TICK)
        self._end_when_done()

    def _next(self) -> bytes | None:
        request = next(self._requests, None)
        self._exhausted = self._exhausted or request is None
        return request

    def _send(self, connection: _Connection, due: float, request: bytes) -> None:
        self._under_way += 1
        connection.send(due, request)

    def _end_when_done(self) -> None:
        if self._exhausted and not self._under_way and not self._due and not self.ended.done():
            self.ended.set_result(None)


async def load(port: int, requests: Iterator[bytes], *, connections: int = 64, rate: float | None = None) -> Load:
    """Send `requests` to a port of this machine: one after another on each connection, or `rate` a second in all."""
    source = _Source(requests, rate)
    loop = asyncio.get_running_loop()
    made: list[_Connection] = []

    def make() -> _Connection:
        made.append(_Connection(source))
        return made[-1]

    began = time.monotonic()
    for _ in range(connections):
        await loop.create_connection(make, "127.0.0.1", port)
    try:
        if rate is not None:
            await source.keep_pace(rate)
        await source.ended
    finally:
        source.load.seconds = time.monotonic() - began
        if not source.ended.done():
            source.ended.cancel()
        for connection in made:
            connection.close()
    return source.load


def for_seconds(request: bytes, seconds: float) -> Iterator[bytes]:
    """The same request again and again, for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield request
