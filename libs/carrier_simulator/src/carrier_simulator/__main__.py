"""Starts the simulator as a process: `python -m carrier_simulator`, set up by SIMULATOR_* variables."""

import asyncio
import sys

from carrier_simulator.running import main
from carrier_simulator.settings import SimulatorSettings
from sms_common.service import process
from sms_common.telemetry import configure


def start() -> int:
    """Serve until SIGINT or SIGTERM and return the exit status."""
    settings = process.load_settings(SimulatorSettings)
    configure("simulator", log_format=settings.log_format, level=settings.log_level)

    process.log_passed_over(settings)

    async def serve_until(stop: asyncio.Event) -> None:
        await main(settings, stop)

    return process.run(serve_until)


if __name__ == "__main__":
    sys.exit(start())
