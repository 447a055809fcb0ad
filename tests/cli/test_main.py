"""What the command does before it knows of a gateway."""

from pathlib import Path

import pytest

from sms_common.version import VERSION
from tests.cli.world import Command


async def test_the_file_in_the_working_directory_is_found_and_another_can_be_named(directory: Path):
    (directory / ".env").write_text("SMSGW_CONFIG_URL=nonsense\n")
    assert "SMSGW_CONFIG_URL" in (await Command()("doctor")).err
    (directory / "other.env").write_text("SMSGW_DISPATCHER_URL=nonsense\n")
    ended = await Command()("--env-file", "other.env", "doctor")
    assert ended.status == 2
    assert "SMSGW_DISPATCHER_URL: must be the base of a URL" in ended.err
    assert "nonsense" not in ended.err


async def test_a_file_that_is_not_there_is_refused():
    ended = await Command()("--env-file", "absent.env", "doctor")
    assert ended.status == 2
    assert "absent.env" in ended.err


@pytest.mark.parametrize("arguments", [["--help"], ["config", "import", "--help"], ["dead-letters", "replay", "-h"]])
async def test_help_needs_no_settings(directory: Path, arguments: list[str]):
    (directory / ".env").write_text("SMSGW_CONFIG_URL=nonsense\n")
    ended = await Command()(*arguments)
    assert ended.status == 0
    assert "For example:" in ended.out


async def test_it_tells_its_version():
    assert (await Command()("--version")).out == f"{VERSION}\n"
