"""Inputs that once failed, each with the value to assert: tests/data/cases holds them as they were found."""

import json
from pathlib import Path
from typing import Any

_CASES = Path(__file__).parent / "data" / "cases"


def case(name: str) -> dict[str, Any]:
    """The case of a file name without its ending."""
    found: dict[str, Any] = json.loads((_CASES / f"{name}.json").read_text())
    return found


def cases(name: str) -> Any:
    """The inputs of a case, in most cases a list."""
    return case(name)["input"]
