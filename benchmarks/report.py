"""Figures for people (markdown and SVG) and for programs (JSON)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, Part
from benchmarks.plots import svg

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def table(part: Part) -> str:
    """One part as a markdown section."""
    lines = [
        f"### {part.title}",
        "",
        part.setting,
        "",
        "| what | value | bare | ratio | aim | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(figure) for figure in part.figures]
    for note in part.notes:
        lines += ["", note]
    return "\n".join(lines)


def write(directory: Path, parts: list[Part], machine: Mapping[str, str], *, quick: bool) -> None:
    """Put the tables between the two marks of `performance.md` in the directory, and JSON and plots of each part into
    `performance/` beside it. What was measured before and not this time stays as files, and leaves the page.
    """
    folder = directory / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        document = {"machine": machine, "quick": quick, **asdict(part)}
        (folder / f"{part.name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        for plot in part.plots:
            (folder / f"{plot.name}.svg").write_text(svg(plot))
    page = directory / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text("\n\n".join([f"{before}{BEGIN}", *_sections(parts, machine, quick=quick), f"{END}{after}"]))


def _sections(parts: list[Part], machine: Mapping[str, str], *, quick: bool) -> Iterator[str]:
    command = "python -m benchmarks --quick" if quick else "make bench"
    named = ", ".join(f"{name} {value}" for name, value in machine.items())
    yield f"`{command}` on {datetime.now(UTC):%-d %B %Y}; {named}."
    for part in parts:
        yield table(part)
        yield from (f"![{plot.title}: {plot.y} by {plot.x}](performance/{plot.name}.svg)" for plot in part.plots)


def _row(figure: Figure) -> str:
    bare = _number(figure.bare) if figure.bare is not None else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    aim = "" if figure.aim is None else f"{'≤' if figure.at_most else '≥'} {figure.aim:g}"
    verdict = {None: "", True: "reached", False: "missed"}[figure.reached]
    return f"| {figure.what} | {_number(figure.value)} {figure.unit} | {bare} | {ratio} | {aim} | {verdict} |"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
