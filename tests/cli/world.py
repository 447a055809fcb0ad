"""The command as a person runs it, on a gateway of fakes or on addresses of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from typer.testing import CliRunner

from sms_common.broker import Broker
from sms_common.testing.broker import FakeBroker
from smsgw.access.gateway import open_rabbit
from smsgw.main import app
from smsgw.settings import CliSettings


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Command:
    """Calls `smsgw` with an environment of its own. Without a `broker` it connects to the one that is named there."""

    env: dict[str, str] = field(default_factory=dict)
    broker: FakeBroker | None = None

    async def __call__(self, *arguments: str, answer: str | None = None, env: Mapping[str, str] | None = None) -> Ended:
        """Run it in a thread, where it has a loop of its own; `answer` is what the person types."""

        def run() -> Ended:
            obj = open_rabbit if self.broker is None else self._open
            result = CliRunner().invoke(app, arguments, input=answer, env={**self.env, **(env or {})}, obj=obj)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return Ended(result.exit_code, result.stdout, result.stderr)

        return await asyncio.to_thread(run)

    def _open(self, _: CliSettings) -> AbstractAsyncContextManager[Broker]:
        assert self.broker is not None
        return opened(self.broker)


@asynccontextmanager
async def opened(broker: FakeBroker) -> AsyncIterator[Broker]:
    """The fake outlives the command, so that the test can look into it afterwards."""
    yield broker
