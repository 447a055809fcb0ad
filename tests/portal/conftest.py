"""One browser for all tests of the portal, and services for it to look at."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from sms_native.engines.mongodb import drop_database
from sms_native.settings import NativeSettings
from tests.portal.chromium import chromium
from tests.portal.sample import EXPLAINED, MESSAGES
from tests.portal.served import Served, dispatcher
from tests.stack import Broker, Database

# A page asks who is logged in before anybody is; the browser notes such answers by itself, and what plain http lacks.
_EXPECTED = ("Failed to load resource", "The Cross-Origin-Opener-Policy header has been ignored, because")

# A busy machine takes its time; what never comes is still told.
expect.set_options(timeout=20_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="write a picture of every page into this directory")


@pytest.fixture(scope="session")
def browser(native_settings: NativeSettings) -> Iterator[Browser]:
    with chromium(native_settings) as found:
        yield found


@pytest.fixture(scope="session")
def serving(rabbitmq: Broker, mongodb: str) -> Any:
    """Start a config service on a virtual host and a database of its own; `module` is what runs it."""

    @contextmanager
    def start(module: str = "sms_config", **settings: str) -> Iterator[Served]:
        name = f"portal_{secrets.token_hex(5)}"
        rabbitmq.management.create_vhost(name)
        rabbitmq.management.create_user(name, name, name)
        try:
            with (
                dispatcher(MESSAGES, EXPLAINED) as url,
                Served.running(
                    f"amqp://{name}:{name}@{rabbitmq.address}/{name}",
                    Database(mongodb, name),
                    url,
                    module=module,
                    **settings,
                ) as served,
            ):
                yield served
        finally:
            rabbitmq.management.delete_vhost(name)
            rabbitmq.management.delete_user(name)
            drop_database(mongodb, name)

    return start


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A laptop's window in which nobody is logged in."""
    options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
    with looking(browser, permissions=["clipboard-read", "clipboard-write"], **options) as found:
        yield found


@contextmanager
def looking(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a fresh profile. Whatever it complains of to the console, content policy included, is a failure."""
    complaints: list[str] = []
    context = browser.new_context(locale="en-US", timezone_id="America/New_York", **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    try:
        yield page
    finally:
        context.close()
    assert [line for line in complaints if not line.startswith(_EXPECTED)] == []
