"""One running gateway for all end-to-end tests. Each has customers of its own in it, as a real one does."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.customer import Customer
from tests.e2e.gateway import Gateway
from tests.stack import Broker

_HERE = Path(__file__).parent
_MEASURED = pytest.StashKey[dict[str, str]]()
NewCustomer = Callable[..., AbstractAsyncContextManager[Customer]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All share the loop that reads what the processes print."""
    for item in items:
        if item.path.parent == _HERE and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway(rabbitmq: Broker, mongodb: str) -> AsyncIterator[Gateway]:
    """The gateway. When all tests are done, nothing private may be in any line that it printed."""
    async with Gateway.running(rabbitmq, mongodb) as gateway:
        yield gateway
    assert gateway.leaks() == []


@pytest.fixture(scope="session")
def new_customer(gateway: Gateway, _areas: Iterator[int]) -> NewCustomer:
    """Make a customer with three numbers of its own."""

    def make(name: str, **options: Any) -> AbstractAsyncContextManager[Customer]:
        area = next(_areas)
        dids = options.pop("dids", [f"+1201{area}{line:04d}" for line in (143, 144, 145)])
        return Customer.of(gateway, f"{name}{area}", dids, **options)

    return make


@pytest.fixture(scope="session")
def _areas() -> Iterator[int]:
    return itertools.count(300)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> dict[str, str]:
    """Figures to be shown at the end of the run, by what they are."""
    return pytestconfig.stash.setdefault(_MEASURED, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_MEASURED, {})
    if figures:
        terminalreporter.section("measured end to end")
        for what, value in figures.items():
            terminalreporter.line(f"{what:<44} {value}")
