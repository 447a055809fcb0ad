"""What docker-compose.yml says, read as text. These need no Docker engine."""

from typing import Any

import yaml

from sms_native.environment import parse
from tests.compose.stack import REPOSITORY


def services() -> dict[str, Any]:
    document = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    found: dict[str, Any] = document["services"]
    return found


def test_how_many_dispatchers_run_is_said_in_env_so_that_the_next_up_keeps_them():
    assert services()["dispatcher"]["scale"] == "${DISPATCHERS:-1}"
    assert parse((REPOSITORY / ".env.example").read_text())["DISPATCHERS"] == "1"
