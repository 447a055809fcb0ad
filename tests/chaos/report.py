"""The table of what was promised and what came of it, printed and written into docs/reliability.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.running import Row

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass(frozen=True, slots=True)
class Result:
    """One played scenario."""

    name: str
    numbers: str
    promise: str
    row: Row


def table(results: list[Result]) -> str:
    """The results in markdown."""
    lines = [
        "| | promise | messages | faults | lost | duplicates | unknown | slowest recovery | kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        row = result.row
        kept = "yes" if not row.failures else "**no**"
        lines.append(
            f"| {result.numbers} | {result.promise} (`{result.name}`) | {row.messages:,} | {row.faults:,} | {row.lost}"
            f" | {row.duplicates} | {row.unknown} | {row.slowest:.1f} s | {kept} |"
        )
    remarks = [f"* `{result.name}`: {'; '.join(result.row.notes)}." for result in results if result.row.notes]
    broken = [f"* **`{result.name}`**: {'; '.join(result.row.failures)}." for result in results if result.row.failures]
    return "\n".join([*lines, "", *broken, *remarks])


def write(page: Path, results: list[Result], machine: Mapping[str, str], *, command: str) -> None:
    """Put the table in the page, between its two marks."""
    named = ", ".join(f"{name} {value}" for name, value in machine.items())
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    measured = f"`{command}` on {datetime.now(UTC):%-d %B %Y}; {named}."
    page.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{table(results)}\n\n{END}{after}")
