"""Runs a simulator on a free loopback port inside the current event loop, for tests and benchmarks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bandwidth_simulator.app import create_app
from bandwidth_simulator.clock import Clock
from bandwidth_simulator.settings import SimulatorSettings
from bandwidth_simulator.simulator import Simulator

__all__ = ["running"]


@asynccontextmanager
async def running(
    settings: SimulatorSettings | None = None, *, clock: Clock | None = None, port: int = 0
) -> AsyncIterator[Simulator]:
    """Serve a simulator on 127.0.0.1 (`port` 0 takes a free one, whatever the settings say) until the block ends."""
    simulator = Simulator(settings or SimulatorSettings(), clock)
    runner = web.AppRunner(create_app(simulator), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        simulator.bound_to("127.0.0.1", runner.addresses[0][1])
        yield simulator
    finally:
        await runner.cleanup()
