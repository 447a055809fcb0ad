"""Output for a person or a program: tables and lines, or JSON; never a control character."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sms_common.phone import mask
from sms_common.telemetry import redact

_WIDE = 200  # the width where there is no terminal, as in a pipe

STYLES: Mapping[str, str] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "create": "green",
    "update": "yellow",
    "delete": "bold red",
    "delivered": "green",
    "failed": "red",
    "rejected": "red",
    "expired": "red",
    "undetermined": "yellow",
    "unknown": "yellow",
}
"""The style of a cell or a line that consists of one of these words."""


def plain(text: str, *, lines: bool = False) -> str:
    """Return `text` without control characters: text from others may move the cursor or hide other text."""
    return "".join(letter if letter.isprintable() or (lines and letter == "\n") else "\ufffd" for letter in text)


def say(text: str = "", style: str = "") -> None:
    """Print a line as it is."""
    _console().print(Text(plain(text, lines=True), style=style), soft_wrap=True)


def note(text: str) -> None:
    """Print a note on standard error, so that a pipe gets only the result."""
    sys.stderr.write(f"{plain(text, lines=True)}\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows under their columns; None is an empty cell."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    _console().print(shown)


def pairs(facts: Mapping[str, object]) -> None:
    """Print facts one below the other, without those that are None or empty."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            shown.add_row(name, _cell(value))
    _console().print(shown)


def write_json(value: object) -> None:
    """Print one JSON value on one line."""
    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def masked(value: Any) -> Any:
    """Return a JSON value with numbers masked and texts, media and secrets starred, as in a log."""
    return redact(None, "", {"value": value})["value"]


def number(text: str | None, *, show: bool) -> str:
    """A phone number for a person; masked unless `show`."""
    return "" if not text else text if show else mask(text)


def counted(count: int, noun: str) -> str:
    """A count with its noun, such as `1 message` and `2 messages`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cell(value: object) -> Text:
    text = "" if value is None else plain(str(value), lines=True)
    return Text(text, style=STYLES.get(text, ""))


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
