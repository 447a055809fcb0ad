"""The simulator as a process of its own."""

import asyncio
import json
import os
import signal
import sys

import aiohttp
import pytest


def environment(**settings: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SIMULATOR_")},
        **{f"SIMULATOR_{name.upper()}": value for name, value in settings.items()},
    }


async def process(**settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "carrier_simulator",
        env=environment(log_format="json", **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_what_its_environment_says_and_stops_when_told(sent):
    accounts = json.dumps([{"account_id": "1", "credentials": [{"client_id": "c", "client_secret": "canary"}]}])
    child = await process(port="0", accounts=accounts, control_token="")
    assert child.stdout is not None
    lines = [json.loads(await child.stdout.readline()) for _ in range(2)]
    line = lines[1]

    async with aiohttp.ClientSession() as session, session.get(f"{line['url']}/_simulator/accounts") as response:
        shown = await response.json()
    child.send_signal(sent)
    rest, errors = await child.communicate()

    assert (line["event"], line["accounts"], shown[0]["account_id"]) == ("simulator.ready", 1, "1")
    assert (child.returncode, errors) == (0, b"")
    assert b"canary" not in rest


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"port": "many"}, "PORT"), ({"log_level": "loud"}, "LOG_LEVEL"), ({"accounts": "{"}, "SIMULATOR_ACCOUNTS")],
)
async def test_wrong_settings_end_it_with_the_reason(settings, named):
    child = await process(**settings)

    _, errors = await child.communicate()

    assert child.returncode == 2
    assert errors.decode().startswith("The settings cannot be used")
    assert named in errors.decode()
    assert "Traceback" not in errors.decode()
