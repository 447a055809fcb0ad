"""What every test lives under: closed sockets, unless it says that it talks to something on this machine."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.stack"]

_SPEAKS = ("integration", "e2e", "compose", "loopback")
_ON_LOOPBACK = ["127.0.0.1", "::1", "localhost"]
_SIMULATOR = Path(__file__).parent / "simulator"


# No example fails because the machine is busy; a test that hangs ends by its time limit.
settings.register_profile("without_deadline", settings(), deadline=None)
settings.load_profile("without_deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _SIMULATOR in item.path.parents or any(item.get_closest_marker(name) for name in _SPEAKS):
            item.add_marker(pytest.mark.allow_hosts(_ON_LOOPBACK))
