"""The commands of the config service: serve (the default), rewrap and new-key."""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from sms_common.errors import Unavailable
from sms_common.service.process import load_settings
from sms_common.telemetry import configure
from sms_config.main import run_service
from sms_config.model.keyring import new_entry
from sms_config.resources.key_rotation import check_key_ring, rewrap
from sms_config.settings import ConfigSettings
from sms_config.storage.store import MongoStore
from sms_config.storage.store_protocol import StoreUnusable


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m sms_config", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve the API and the snapshots (the default)")
    commands.add_parser("rewrap", help="encrypt every stored secret with the first key of CONFIG_KEY_RING again")
    new_key = commands.add_parser("new-key", help="print a new entry for CONFIG_KEY_RING")
    new_key.add_argument("id", nargs="?", default=f"k{datetime.now(UTC):%Y%m%d}", help="the id of the key")
    chosen = parser.parse_args(arguments)
    if chosen.command == "new-key":
        _print_line(new_entry(chosen.id))
        return 0
    settings = load_settings(ConfigSettings)
    configure("config", log_format=settings.log_format, level=settings.log_level)
    if chosen.command == "rewrap":
        return asyncio.run(_rewrap(settings))
    return run_service(settings)


async def _rewrap(settings: ConfigSettings) -> int:
    async with MongoStore(settings.mongo_url, settings.mongo_database) as store:
        try:
            await check_key_ring(store, settings.keys)
            return 0 if await rewrap(store, settings.keys, _print_line) else 1
        except (StoreUnusable, Unavailable) as error:
            _print_line(error.reason if isinstance(error, Unavailable) else str(error))
            return 1


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
