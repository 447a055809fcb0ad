"""Serves a simulator: on a free loopback port in a test's event loop, or as a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from carrier_simulator.app import create_app
from carrier_simulator.carrier.clock import Clock
from carrier_simulator.settings import SimulatorSettings
from carrier_simulator.simulator import Simulator
from sms_common.service.process import serve

__all__ = ["main", "running"]

_LOOPBACK = "127.0.0.1"
_SHUTDOWN_TIMEOUT_SECONDS = 1.0  # a simulated fault may delay an answer without end

log = structlog.get_logger(__name__)


@asynccontextmanager
async def running(
    settings: SimulatorSettings | None = None, *, clock: Clock | None = None, port: int = 0
) -> AsyncIterator[Simulator]:
    """Serve a simulator on 127.0.0.1 (`port` 0 takes a free one, whatever the settings say) until the block ends."""
    async with _serving(Simulator(settings or SimulatorSettings(), clock), _LOOPBACK, port) as simulator:
        yield simulator


async def main(settings: SimulatorSettings, stop: asyncio.Event) -> None:
    """Serve a simulator at the address in the settings until `stop` is set; does not wait for pending webhooks."""
    async with _serving(Simulator(settings), settings.host, settings.port) as simulator:
        log.info("simulator.ready", url=simulator.url, accounts=len(settings.accounts))
        if not settings.accounts:
            log.warning("simulator.no_account", advice="set SIMULATOR_ACCOUNTS or PUT one to /_simulator/accounts/{id}")
        await stop.wait()


@asynccontextmanager
async def _serving(simulator: Simulator, host: str, port: int) -> AsyncIterator[Simulator]:
    async with serve(create_app(simulator), host, port, shutdown_timeout=_SHUTDOWN_TIMEOUT_SECONDS) as taken:
        simulator.bound_to(host, taken)
        yield simulator
