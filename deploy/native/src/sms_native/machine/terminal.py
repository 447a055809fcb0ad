"""Output for the person at the terminal: each line after the name of its service, in colour where that is possible."""

import sys
from itertools import cycle
from typing import TextIO

_COLOURS = ("\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[33m", "\x1b[34m", "\x1b[31m")
_PLAIN = "\x1b[0m"
_BOLD = "\x1b[1m"
_WIDTH = 10


class Terminal:
    """Prints whole lines to `out`."""

    def __init__(self, out: TextIO = sys.stdout, *, colour: bool | None = None) -> None:
        self._out = out
        self.colour = out.isatty() if colour is None else colour
        self._colours = cycle(_COLOURS)
        self._of: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        """Print a line that the service `name` wrote."""
        if name not in self._of:
            self._of[name] = next(self._colours)
        self._print(f"{self._painted(f'{name:>{_WIDTH}} |', self._of[name])} {text}")

    def say(self, text: str = "") -> None:
        """Print a line of the command itself."""
        self._print(self._painted(text, _BOLD) if text else "")

    def show(self, text: str) -> None:
        """Print text as it is."""
        self._print(text)

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self.colour else text

    def _print(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
