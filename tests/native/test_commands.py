import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path):
    """Run a command of the tools in an empty checkout."""
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    environment = {**os.environ, "NATIVE": "1", "SMS_INSTALL": "0"}

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sms_native", *arguments],
            cwd=tmp_path,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_nothing_is_made_where_nothing_was_started(command, tmp_path):
    assert command("down").returncode == 0
    assert command("status").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == [".env.example"]


def test_outside_a_checkout_the_command_says_so(command, tmp_path):
    (tmp_path / ".env.example").unlink()
    done = command("smoke")
    assert done.returncode == 1
    assert ".env.example" in done.stderr
