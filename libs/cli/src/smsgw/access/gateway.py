"""Access to the gateway for a command: the settings, read when first needed, the broker and the HTTP APIs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from sms_common.broker import Broker, RabbitBroker
from sms_common.topology import Topology
from smsgw.access.http_api import ServiceApi, session
from smsgw.settings import CliSettings, load
from smsgw.terminal.running import Failure

OpenBroker = Callable[[CliSettings], AbstractAsyncContextManager[Broker]]
_GLANCE = 0.1


@dataclass
class Gateway:
    """The gateway named by the settings, which come from the environment and from `env_file`."""

    env_file: Path | None
    open_broker: OpenBroker

    @cached_property
    def settings(self) -> CliSettings:
        """The settings. Exits with status 2 when they cannot be used."""
        return load(self.env_file)

    def broker(self) -> AbstractAsyncContextManager[Broker]:
        """Connect to RabbitMQ, declaring nothing; ready inside the context. Raises Failure."""
        return self.open_broker(self.settings)

    @asynccontextmanager
    async def config(self) -> AsyncIterator[ServiceApi]:
        """Open the config service's API. Raises Failure when there is no API key."""
        settings = self.settings
        token = _needed(settings.api_key, "SMSGW_API_KEY", "an API key of the config service")
        async with session(settings.timeout, settings.ca_file) as http:
            yield ServiceApi(http, settings.config_url, token, "config service")

    @asynccontextmanager
    async def dispatcher(self) -> AsyncIterator[ServiceApi]:
        """Open the dispatcher's message history. Raises Failure when there is no token."""
        settings = self.settings
        token = _needed(settings.dispatcher_token, "SMSGW_DISPATCHER_TOKEN", "the dispatcher's DISPATCHER_READ_TOKEN")
        async with session(settings.timeout, settings.ca_file) as http:
            yield ServiceApi(http, settings.dispatcher_url, token, "dispatcher")

    def tenant(self, given: str | None) -> str:
        """Return the given tenant, or the one in the settings. Raises a usage error if there is neither."""
        tenant = given or self.settings.tenant
        if tenant is None:
            raise typer.BadParameter("name the tenant with --tenant, or set SMSGW_TENANT")
        return tenant


def of(ctx: typer.Context) -> Gateway:
    """The gateway of a running command."""
    gateway = ctx.obj
    assert isinstance(gateway, Gateway)
    return gateway


@asynccontextmanager
async def open_rabbit(settings: CliSettings) -> AsyncIterator[Broker]:
    """Connect to RabbitMQ. Raises Failure, with RabbitMQ's own reason, when that does not work in time."""
    url = _needed(settings.amqp_url, "SMSGW_AMQP_URL", "RabbitMQ's address").get_secret_value()
    try:
        broker = RabbitBroker(url, name="smsgw", topology=Topology())
    except ValueError as error:
        raise Failure(f"SMSGW_AMQP_URL cannot be used: {error}.") from None
    async with broker:
        await _until_ready(broker, url, settings.timeout)
        yield broker


async def _until_ready(broker: RabbitBroker, url: str, seconds: float) -> None:
    """Return when `broker` is ready. Raises Failure with the first reason why it is not."""
    ready = asyncio.ensure_future(broker.ready())
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        while not ready.done():
            await asyncio.wait({ready}, timeout=_GLANCE)
            why = broker.why_away()
            if not ready.done() and (why or asyncio.get_running_loop().time() > deadline):
                raise Failure(f"RabbitMQ at {_address(url)} cannot be used: {why or broker.check()}")
    finally:
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)


def _address(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _needed(secret: SecretStr | None, variable: str, what: str) -> SecretStr:
    if secret is None:
        raise Failure(f"{variable} is not set; this command needs {what}.")
    return secret
