"""Starts the simulator as a process: `python -m bandwidth_simulator`, set up by SIMULATOR_* variables."""

import asyncio
import signal
import sys

import uvloop
from pydantic import ValidationError

from bandwidth_simulator.running import main
from bandwidth_simulator.settings import SimulatorSettings
from sms_common.telemetry import configure


async def _until_signalled(settings: SimulatorSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await main(settings, stop)


def run() -> None:
    """Read the settings and serve until SIGINT or SIGTERM; wrong settings end the process with the reason."""
    try:
        settings = SimulatorSettings()
        configure("simulator", log_format=settings.log_format, level=settings.log_level)
    except (ValidationError, ValueError) as error:
        sys.exit(f"the settings cannot be used: {error}")
    uvloop.run(_until_signalled(settings))


if __name__ == "__main__":
    run()
