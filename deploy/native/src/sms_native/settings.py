"""The settings of the native tools; the only module here that reads the environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """Directories, permissions, and the addresses of engines that run elsewhere."""

    run_directory: Path
    """Data, logs and process numbers; SMS_RUN_DIR, by default .run in the working directory."""
    cache_directory: Path
    """Downloads that several checkouts share; SMS_CACHE_DIR, by default sms-gateway in the user's cache directory."""
    may_install: bool
    """Whether missing system packages may be installed; SMS_INSTALL=0 forbids it."""
    native: bool
    """NATIVE=1: no containers, even where a Docker engine answers."""
    amqp_url: str | None
    management_url: str | None
    mongo_url: str | None
    """AMQP_URL, RABBITMQ_MANAGEMENT_URL (its HTTP API, with user and password) and MONGO_URL: what runs elsewhere."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment of this process; empty values count as absent."""
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(
            run_directory=Path(os.environ.get("SMS_RUN_DIR") or ".run").absolute(),
            cache_directory=Path(os.environ.get("SMS_CACHE_DIR") or caches / "sms-gateway").absolute(),
            may_install=os.environ.get("SMS_INSTALL") != "0",
            native=os.environ.get("NATIVE", "") not in {"", "0"},
            amqp_url=os.environ.get("AMQP_URL") or None,
            management_url=os.environ.get("RABBITMQ_MANAGEMENT_URL") or None,
            mongo_url=os.environ.get("MONGO_URL") or None,
        )


def inherited(*without: str) -> dict[str, str]:
    """Return the environment of this process for a child, less the names that begin with one of `without`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(without)}
