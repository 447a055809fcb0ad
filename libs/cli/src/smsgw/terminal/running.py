"""Runs a command: its coroutine, its error message, its exit status."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

import typer

from sms_common.errors import GatewayError
from smsgw.terminal.output import plain

OK = 0
FAILED = 1
INTERRUPTED = 130


class Failure(Exception):  # its text is shown to the person
    """Why a command could not do its work: sentences for a person, without secrets."""


def run(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Run a command to its end. Exits with the status it returns (None: 0), or with 1 after printing its failure."""
    try:
        status = asyncio.run(work)
    except (Failure, GatewayError) as error:
        print_failure(error.reason if isinstance(error, GatewayError) else str(error))
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(status or OK)


def print_failure(reason: str) -> None:
    """Write an error to standard error."""
    sys.stderr.write(f"error: {plain(reason, lines=True)}\n")
