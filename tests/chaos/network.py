"""A stretch of network in front of one server, which can be cut, frozen, slowed, reset and taken away."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

from sms_native.machine.ports import LOOPBACK, free_port

_CHUNK = 65_536


class Network:
    """Forwards connections from a port of its own, `port`, to the one of a server on this machine."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay = 0.0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.take_away()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many connections go through."""
        return len(self._writers) // 2

    def cut(self) -> int:
        """End every connection; returns how many. New ones go through."""
        count = self.connections
        for writer in self._writers:
            writer.transport.abort()
        return count

    def reset(self) -> int:
        """End every connection with a reset rather than a polite end; returns how many."""
        for writer in self._writers:
            connection = writer.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.cut()

    def freeze(self) -> None:
        """From now on nothing arrives on either side, and nobody is told."""
        self._flowing.clear()

    def thaw(self) -> None:
        """What was held up arrives."""
        self._flowing.set()

    def delay(self, seconds: float) -> None:
        """From now on every portion takes so much longer; 0 ends that."""
        self._delay = seconds

    async def take_away(self) -> None:
        """Refuse new connections and end those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    async def restore(self) -> None:
        """Whole again: connections are taken, nothing is frozen or slow."""
        self._flowing.set()
        self._delay = 0.0
        if self._server is None:
            self._server = await asyncio.start_server(self._forward, LOOPBACK, self.port)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            there = asyncio.ensure_future(self._copy(reader, far_writer))
            back = asyncio.ensure_future(self._copy(far_reader, writer))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for each in (there, back):
                each.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            for each_writer in (writer, far_writer):
                each_writer.transport.abort()
                self._writers.discard(each_writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
