"""The composition root of ingress: the only place that constructs things, each after what it depends on."""

import asyncio
import gc
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web

from sms_common import topology
from sms_common.broker import Delivery, RabbitBroker, Timeouts
from sms_common.carriers import CARRIERS
from sms_common.config_client import ConfigClient
from sms_common.configuration import IngressSnapshot
from sms_common.http.proxies import TrustedProxies
from sms_common.service.process import SHUTDOWN_TIMEOUT_SECONDS, Health, add_health_routes, log_settings, run, serve
from sms_ingress.server import serve_webhooks
from sms_ingress.settings import IngressSettings
from sms_ingress.webhook_activity import WebhookActivity
from sms_ingress.webhook_handler import WebhookHandler, WebhookLimits

# After the pause of `leave_seconds`: the requests in progress, closing the broker's connections, and a margin.
_DRAIN_SECONDS = SHUTDOWN_TIMEOUT_SECONDS + 10.0


def run_service(settings: IngressSettings) -> int:
    """Answer webhooks until a signal, then drain; returns the exit status."""
    log_settings(settings)
    _tune_garbage_collection()
    return run(partial(main, settings), drain_seconds=settings.leave_seconds + _DRAIN_SECONDS)


async def main(settings: IngressSettings, stop: asyncio.Event) -> None:
    """Answer webhooks until `stop` is set, then finish the requests in progress."""
    async with AsyncExitStack() as stack:
        address = settings.amqp_url.get_secret_value()
        timeouts = Timeouts(publish=settings.deadline_seconds)
        broker = await stack.enter_async_context(
            RabbitBroker(address, name="sms-ingress", topology=topology.edge(), timeouts=timeouts)
        )
        client = await stack.enter_async_context(
            ConfigClient(settings.config_url, settings.config_token, IngressSnapshot)
        )

        async def changed(_: Delivery | None) -> None:
            client.changed()

        await broker.listen(topology.CONFIG_CHANGES, changed)
        health = web.Application()
        add_health_routes(health, _health(stop, broker, client))
        await stack.enter_async_context(serve(health, settings.health_host, settings.health_port))
        activity = await stack.enter_async_context(
            WebhookActivity(broker, proxies=TrustedProxies(settings.trusted_proxies))
        )
        handler = WebhookHandler(
            publisher=broker,
            snapshot=lambda: client.snapshot,
            carriers={name: carrier() for name, carrier in CARRIERS.items()},
            limits=WebhookLimits(settings.concurrent_requests, settings.deadline_seconds),
            activity=activity,
        )
        await stack.enter_async_context(serve_webhooks(handler.handle, settings.host, settings.port))
        await stop.wait()
        # Load balancers notice after a while that this process is not ready. Until then it goes on answering.
        await asyncio.sleep(settings.leave_seconds)


def _health(stop: asyncio.Event, broker: RabbitBroker, client: ConfigClient[IngressSnapshot]) -> Health:
    health = Health(stop)
    health.add("broker", broker.check)
    health.add("configuration", client.check)
    return health


def _tune_garbage_collection() -> None:
    """Collect garbage less often, and never among imported objects. A webhook makes hundreds of objects and no cycles;
    the search for cycles took a tenth of the time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
