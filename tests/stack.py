"""RabbitMQ and MongoDB for tests: those of the environment, else in containers, else native; a fresh corner for each.

AMQP_URL with RABBITMQ_MANAGEMENT_URL, and MONGO_URL, name what runs elsewhere; NATIVE=1 forbids containers.
"""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import pytest

from sms_native.engines.management import ManagementApi, QueueState
from sms_native.engines.mongodb import MongoNode, drop_database
from sms_native.engines.rabbitmq import RabbitNode
from sms_native.machine.processes import NativeError, Process
from sms_native.settings import NativeSettings


class Broker(Protocol):
    """A RabbitMQ in which virtual hosts can be made."""

    @property
    def management(self) -> ManagementApi: ...

    @property
    def address(self) -> str:
        """host:port"""
        ...


class BreakableBroker(Broker, Protocol):
    """A RabbitMQ that belongs to the tests, which may do to it what they like."""

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def remove(self) -> None: ...

    @property
    def running(self) -> bool: ...

    def set_memory_alarm(self, *, on: bool) -> None: ...


class Database(NamedTuple):
    url: str
    name: str


class _BrokerElsewhere:
    def __init__(self, amqp_url: str, management_url: str | None) -> None:
        if management_url is None:
            raise NativeError("AMQP_URL is set; set RABBITMQ_MANAGEMENT_URL too, since each test makes a virtual host")
        self.address = urlsplit(amqp_url).netloc.rpartition("@")[2]
        self.management = ManagementApi(management_url)


@pytest.fixture(scope="session")
def native_settings() -> NativeSettings:
    return NativeSettings.from_environment()


@pytest.fixture(scope="session")
def _nodes_directory(native_settings: NativeSettings) -> Iterator[Path]:
    """Where this run's nodes keep their data; what runs left that were killed is cleaned up first."""
    parent = native_settings.run_directory / "tests"
    for left in parent.glob("*-*"):
        pid, born = left.name.split("-")
        if not Process(int(pid), int(born)).alive:
            RabbitNode.temporary(left / "rabbitmq").remove()
            RabbitNode.temporary(left / "breakable").remove()
            MongoNode.temporary(left / "mongodb", native_settings.cache_directory).remove()
            shutil.rmtree(left, ignore_errors=True)
    me = Process.running_now()
    directory = parent / f"{me.pid}-{me.born}"
    directory.mkdir(parents=True)
    yield directory
    directory.rmdir()


@contextmanager
def _own_broker(settings: NativeSettings, directory: Path) -> Iterator[BreakableBroker]:
    from tests import containers  # noqa: PLC0415 - loads libraries that a unit test must not wait for

    node: BreakableBroker
    if not settings.native and containers.available(containers.RABBITMQ_IMAGE):
        node = containers.RabbitContainer()
        node.start()
    else:
        node = RabbitNode.temporary(directory)
        node.start(may_install=settings.may_install)
    try:
        yield node
    finally:
        node.remove()


@pytest.fixture(scope="session")
def rabbitmq(native_settings: NativeSettings, _nodes_directory: Path) -> Iterator[Broker]:
    """One broker for all tests; it is never stopped or blocked (see `breakable_rabbitmq`)."""
    if native_settings.amqp_url:
        yield _BrokerElsewhere(native_settings.amqp_url, native_settings.management_url)
        return
    with _own_broker(native_settings, _nodes_directory / "rabbitmq") as broker:
        yield broker


@pytest.fixture(scope="session")
def mongodb(native_settings: NativeSettings, _nodes_directory: Path) -> Iterator[str]:
    """The URL of one MongoDB replica set for all tests."""
    if native_settings.mongo_url:
        yield native_settings.mongo_url
        return
    from tests import containers  # noqa: PLC0415 - as in _own_broker

    if not native_settings.native and containers.available(containers.MONGO_IMAGE):
        with containers.mongodb() as url:
            yield url
        return
    node = MongoNode.temporary(_nodes_directory / "mongodb", native_settings.cache_directory)
    try:
        node.start(may_install=native_settings.may_install)
        yield node.url
    finally:
        node.remove()


@pytest.fixture
def vhost_name(rabbitmq: Broker, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh virtual host for one test, and of the same name its only account."""
    with _fresh_vhost(rabbitmq, request) as name:
        yield name


@pytest.fixture
def vhost(rabbitmq: Broker, vhost_name: str) -> str:
    """The AMQP URL of a fresh virtual host."""
    return _url(rabbitmq, vhost_name)


@pytest.fixture
def queues(rabbitmq: Broker, vhost_name: str) -> Callable[[], dict[str, QueueState]]:
    """Ask for the queues of the test's virtual host: some milliseconds, messages up to 0.3 s and consumers 1 s old."""
    return partial(rabbitmq.management.queues, vhost_name)


@pytest.fixture
def close_connections(rabbitmq: Broker, vhost_name: str) -> Callable[[], int]:
    """Have the broker cut every connection to the test's virtual host; returns how many."""
    return partial(rabbitmq.management.close_connections, vhost_name)


@pytest.fixture
def database(mongodb: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The URL of MongoDB and the name of a database that is empty, and gone after the test."""
    name = _name_after(request)
    yield Database(mongodb, name)
    drop_database(mongodb, name)


@pytest.fixture(scope="session")
def _breakable_broker(native_settings: NativeSettings, _nodes_directory: Path) -> Iterator[BreakableBroker]:
    with _own_broker(native_settings, _nodes_directory / "breakable") as broker:
        yield broker


@pytest.fixture
def breakable_rabbitmq(_breakable_broker: BreakableBroker) -> Iterator[BreakableBroker]:
    """A second broker, to be killed, restarted or blocked. It is whole again before the next test."""
    yield _breakable_broker
    if not _breakable_broker.running:
        _breakable_broker.start()
    if _breakable_broker.management.memory_alarm():
        _breakable_broker.set_memory_alarm(on=False)


@pytest.fixture
def breakable_vhost(breakable_rabbitmq: BreakableBroker, request: pytest.FixtureRequest) -> Iterator[str]:
    """The AMQP URL of a fresh virtual host on the breakable broker.

    A quorum queue declared less than a second before the broker is killed may come back without a leader.
    """
    with _fresh_vhost(breakable_rabbitmq, request) as name:
        yield _url(breakable_rabbitmq, name)


@contextmanager
def _fresh_vhost(broker: Broker, request: pytest.FixtureRequest) -> Iterator[str]:
    name = _name_after(request)
    broker.management.create_vhost(name)
    broker.management.create_user(name, name, name)
    yield name
    broker.management.delete_vhost(name)
    broker.management.delete_user(name)


def _url(broker: Broker, vhost: str) -> str:
    """The name needs no escaping and is the account's name and password too."""
    return f"amqp://{vhost}:{vhost}@{broker.address}/{vhost}"


def _name_after(request: pytest.FixtureRequest) -> str:
    """Unique, legal for both servers, and it tells which test it was for."""
    return f"{re.sub('[^a-z0-9]+', '_', request.node.name.lower())[:36]}_{secrets.token_hex(5)}"
