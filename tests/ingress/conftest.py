"""The public door on a port of this machine, with a broker in memory behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sms_common.broker import Publisher
from sms_common.carriers.bandwidth import Bandwidth
from sms_common.testing.broker import FakeBroker
from sms_ingress.server import serve_webhooks
from sms_ingress.webhook_handler import WebhookHandler, WebhookLimits
from tests.ingress.world import Gate, Ingress, Serve, World


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serve(world: World) -> Serve:
    @asynccontextmanager
    async def serving(publisher: Publisher, limits: WebhookLimits | None = None) -> AsyncIterator[Ingress]:
        handler = WebhookHandler(
            publisher=publisher,
            snapshot=lambda: world.snapshot,
            carriers={"bandwidth": Bandwidth()},
            limits=limits,
            clock=lambda: world.now,
        )
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            async with serve_webhooks(handler.handle, "127.0.0.1", 0) as port:
                ingress = Ingress(port, http)
                yield ingress
            for writer in ingress.connections:
                writer.close()

    return serving


@pytest.fixture
async def ingress(serve: Serve, broker: FakeBroker) -> AsyncIterator[Ingress]:
    async with serve(broker) as running:
        yield running
