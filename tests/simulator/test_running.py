"""Serving a simulator until it is stopped."""

import asyncio

import pytest

from carrier_simulator import SimulatorSettings
from carrier_simulator.running import main
from tests.simulator.conftest import account


@pytest.mark.parametrize("accounts", [(), (account(),)])
async def test_it_listens_where_the_settings_say_until_it_is_stopped(accounts):
    stop = asyncio.Event()
    stop.set()

    await main(SimulatorSettings(host="0.0.0.0", port=0, accounts=accounts), stop)
