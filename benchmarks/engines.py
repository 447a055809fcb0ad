"""A RabbitMQ and a MongoDB of its own for one run of a benchmark or of the chaos suite."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sms_native.engines.mongodb import MongoNode
from sms_native.engines.rabbitmq import RabbitNode
from sms_native.machine.processes import Process
from sms_native.settings import NativeSettings


@dataclass(frozen=True, slots=True)
class Engines:
    """Both, and the directory in which all they keep lies."""

    directory: Path
    rabbit: RabbitNode
    mongo: MongoNode

    @classmethod
    @asynccontextmanager
    async def running(cls, name: str, *, fast_counts: bool) -> AsyncIterator[Self]:
        """Start both for a run of this kind; they are gone afterwards, and so is what earlier ones left that were
        killed. With `fast_counts` the broker counts its queues as often as tests need it, else as an operator's does.
        """
        settings = NativeSettings.from_environment()
        parent = settings.run_directory / name
        await asyncio.to_thread(_clear, parent, settings)
        me = Process.running_now()
        directory = parent / f"{me.pid}-{me.born}"
        place = directory / "rabbitmq"
        rabbit = RabbitNode(place, user="test", password=secrets.token_hex(8), fast_counts=fast_counts)
        mongo = MongoNode.temporary(directory / "mongodb", settings.cache_directory)
        try:
            await asyncio.to_thread(rabbit.start, may_install=settings.may_install)
            await asyncio.to_thread(mongo.start, may_install=settings.may_install)
            yield cls(directory, rabbit, mongo)
        finally:
            await asyncio.to_thread(rabbit.remove)
            await asyncio.to_thread(mongo.remove)
            shutil.rmtree(directory, ignore_errors=True)


def _clear(parent: Path, settings: NativeSettings) -> None:
    """Remove what runs left that were killed."""
    for left in parent.glob("*-*"):
        pid, born = left.name.split("-")
        if not Process(int(pid), int(born)).alive:
            RabbitNode.temporary(left / "rabbitmq").remove()
            MongoNode.temporary(left / "mongodb", settings.cache_directory).remove()
            shutil.rmtree(left, ignore_errors=True)
