"""The table of what was promised and what came of it, printed and written into docs/reliability.md."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.running import Row

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass(frozen=True, slots=True)
class Result:
    """One played scenario; `played` says when and how."""

    name: str
    numbers: str
    promise: str
    row: Row
    played: str


def table(results: Iterable[Result]) -> str:
    """The results in markdown."""
    lines = [
        "| | promise | messages | faults | lost | duplicates | unknown | slowest recovery | kept | played |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    remarks, broken = [], []
    for result in results:
        row = result.row
        kept = "yes" if not row.failures else "**no**"
        lines.append(
            f"| {result.numbers} | {result.promise} (`{result.name}`) | {row.messages:,} | {row.faults:,} | {row.lost}"
            f" | {row.duplicates} | {row.unknown} | {row.slowest:.1f} s | {kept} | {result.played} |"
        )
        if row.notes:
            remarks.append(f"* `{result.name}`: {'; '.join(row.notes)}.")
        if row.failures:
            broken.append(f"* **`{result.name}`**: {'; '.join(row.failures)}.")
    return "\n".join([*lines, "", *broken, *remarks])


def played(*, seed: int, long: bool) -> str:
    """When and how, in few words."""
    return f"{datetime.now(UTC):%-d %B %Y}, {'long' if long else 'short'}, seed {seed}"


def write(page: Path, results: Iterable[Result], machine: Mapping[str, str], order: Iterable[str]) -> None:
    """Put the table in the page, between its two marks, with what was played before and not this time; all of it lies
    in a JSON file beside the page.
    """
    store = page.with_suffix(".json")
    known = json.loads(store.read_text()) if store.exists() else {}
    named = ", ".join(f"{name} {value}" for name, value in machine.items())
    known |= {result.name: asdict(result) | {"machine": named} for result in results}
    known = {name: known[name] for name in order if name in known}
    store.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    sections = []
    for where in dict.fromkeys(entry["machine"] for entry in known.values()):
        here = [_result(entry) for entry in known.values() if entry["machine"] == where]
        sections += [f"On {where}:", table(here)]
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text("\n\n".join([f"{before}{BEGIN}", *sections, f"{END}{after}"]))


def _result(entry: Mapping[str, object]) -> Result:
    values = {name: value for name, value in entry.items() if name not in {"machine", "row"}}
    row = entry["row"]
    assert isinstance(row, dict)
    return Result(row=Row(**row), **values)  # type: ignore[arg-type]  # as it was written
