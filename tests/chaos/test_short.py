"""The short form of the scenarios that no other test plays; `make chaos` plays all of them for longer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from benchmarks.engines import Engines
from sms_native.machine.processes import NativeError
from tests.chaos.__main__ import play

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines() -> AsyncIterator[Engines]:
    """A broker and a database that are ours to kill, so never those that run elsewhere or in containers."""
    try:
        async with Engines.running("chaos", fast_counts=True) as engines:
            yield engines
    except NativeError as error:
        pytest.skip(f"no broker or database to kill: {error}")


@pytest.mark.parametrize("name", ["killed-dispatchers", "killed-broker", "failing-store"])
async def test_a_promise_is_kept(engines, name):
    row = await play(engines, name, seed=1, long=False)

    assert row.failures == []
    assert (row.lost, row.duplicates) == (0, 0)
    assert row.messages > 0
    assert row.faults > 0
