"""A fresh working directory, a broker in memory, and the config service's real API on a store in memory."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from aiohttp.test_utils import TestServer

from sms_common.testing.broker import FakeBroker
from sms_config.main import build_app
from sms_config.storage.testing import InMemoryStore
from tests.cli.world import Command
from tests.config.world import BOOTSTRAP, make_settings


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where no .env of this machine lies, and with an environment that says nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("AMQP_URL", "CONFIG_URL", "API_KEY", "DISPATCHER_URL", "DISPATCHER_TOKEN", "TENANT", "EXTENSION"):
        monkeypatch.delenv(f"SMSGW_{name}", raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the fakes log goes elsewhere than to the command's own output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def smsgw(broker: FakeBroker) -> Command:
    return Command(broker=broker)


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
async def config_url(store: InMemoryStore) -> AsyncIterator[str]:
    """The base address of a config service whose bootstrap key is BOOTSTRAP."""
    app = build_app(make_settings(), store, wake=lambda: None, waiting_for=lambda: None)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
def admin(config_url: str) -> Command:
    """The command with the config service at hand."""
    return Command(env={"SMSGW_CONFIG_URL": config_url, "SMSGW_API_KEY": BOOTSTRAP})
