"""RabbitMQ and MongoDB in containers, where a Docker engine answers and has the images or can pull them."""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any

import docker
import pymongo
from docker.errors import DockerException, ImageNotFound
from pymongo.errors import PyMongoError
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from sms_native.engines.management import ManagementApi
from sms_native.engines.rabbitmq import FAST_COUNTS
from sms_native.gateway.compose import IMAGES
from sms_native.machine.ports import LOOPBACK, free_port

_, RABBITMQ_IMAGE, MONGO_IMAGE = IMAGES


def _engine_listens() -> bool:
    """Whether an engine listens on this machine; asked first, since its library leaks a socket when none does."""
    kind, _, path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return kind == "unix"


@cache
def available(image: str) -> bool:
    """Whether a Docker engine on this machine has the image, or can pull it."""
    if not _engine_listens():
        return False
    try:
        with closing(docker.from_env(timeout=300)) as engine:
            engine.ping()
            try:
                engine.images.get(image)
            except ImageNotFound:
                engine.images.pull(image)
    except DockerException:
        return False
    return True


class RabbitContainer:
    """A broker in a container that can be killed and brought back, its data kept."""

    def __init__(self) -> None:
        self._password = secrets.token_hex(8)
        self._port = free_port()
        self._management_port = free_port()
        self._container: DockerContainer | None = None

    @property
    def management(self) -> ManagementApi:
        return ManagementApi(f"http://test:{self._password}@{LOOPBACK}:{self._management_port}")

    @property
    def running(self) -> bool:
        if self._container is None:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    def start(self) -> None:
        if self._container is None:
            ports = {5672: self._port, 15672: self._management_port}
            self._container = _container(RABBITMQ_IMAGE, ports, hostname="rabbitmq")
            self._container.with_envs(
                RABBITMQ_DEFAULT_USER="test",
                RABBITMQ_DEFAULT_PASS=self._password,
                RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=FAST_COUNTS,
            )
            self._container.start()
        elif not self.running:
            self._container.get_wrapped_container().start()
        _until(self.management.ready, RABBITMQ_IMAGE)

    def kill(self) -> None:
        assert self._container is not None
        self._container.get_wrapped_container().kill()

    def remove(self) -> None:
        if self._container is not None:
            self._container.stop()

    def set_memory_alarm(self, *, on: bool) -> None:
        assert self._container is not None
        status, output = self._container.exec(["rabbitmqctl", "set_vm_memory_high_watermark", "0" if on else "0.6"])
        assert status == 0, output


@contextmanager
def mongodb() -> Iterator[str]:
    """The URL of a replica set of one node. It has the same port inside and out, since members are known by address."""
    port = free_port()
    container = _container(MONGO_IMAGE, {port: port}).with_command(f"--replSet rs0 --port {port} --bind_ip_all")
    with container:
        members = [{"_id": 0, "host": f"{LOOPBACK}:{port}"}]

        def primary() -> bool:
            try:
                with pymongo.MongoClient[dict[str, Any]](
                    LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=1000
                ) as client:
                    hello = client.admin.command("hello")
                    if not hello.get("setName"):
                        client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
                    return bool(hello["isWritablePrimary"])
            except PyMongoError:
                return False

        _until(primary, MONGO_IMAGE)
        yield f"mongodb://{LOOPBACK}:{port}/?replicaSet=rs0"


def _container(image: str, ports: dict[int, int], **options: Any) -> DockerContainer:
    # The reaper is an image of its own, which cleans up after runs that were killed. Without it those are left behind.
    if not available(testcontainers_config.ryuk_image):
        testcontainers_config.ryuk_disabled = True
    container = DockerContainer(image, **options)
    for inside, outside in ports.items():
        container.ports[f"{inside}/tcp"] = (LOOPBACK, outside)  # type: ignore[assignment]  # the engine's library takes an address too
    return container


def _until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline, f"{what} is not ready after 120 s"
        time.sleep(0.1)
