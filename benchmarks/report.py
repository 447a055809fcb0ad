"""Figures for people (markdown and SVG) and for programs (JSON)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Part, Plot
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


def write(directory: Path, parts: list[Part], machine: Mapping[str, str], order: Sequence[str], *, quick: bool) -> None:
    """Put JSON and plots of each part into `performance/` in the directory, and the tables of all parts that lie there
    between the two marks of `performance.md` beside it, in this order of their names, each with when and where it was
    measured.
    """
    folder = directory / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        command = f"python -m benchmarks {part.name}{' --quick' if quick else ''}"
        document = {"command": command, "date": f"{datetime.now(UTC):%-d %B %Y}", "machine": machine, **asdict(part)}
        (folder / f"{part.name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        for plot in part.plots:
            (folder / f"{plot.name}.svg").write_text(svg(plot))
    page = directory / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text("\n\n".join([f"{before}{BEGIN}", *_sections(folder, order), f"{END}{after}"]))


def _sections(folder: Path, order: Sequence[str]) -> Iterator[str]:
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    for machine in sorted({_named(document) for document in found}):
        here = sorted((d for d in found if _named(d) == machine), key=lambda d: order.index(d["name"]))
        yield f"On {machine}:"
        for document in here:
            part = _part(document)
            yield table(part)
            yield from (f"![{plot.title}: {plot.y} by {plot.x}](performance/{plot.name}.svg)" for plot in part.plots)
            yield f"(`{document['command']}`, {document['date']})"


def _named(document: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in document["machine"].items())


def _part(document: Mapping[str, Any]) -> Part:
    return Part(
        document["name"],
        document["title"],
        document["setting"],
        [Figure(**figure) for figure in document["figures"]],
        [Plot(**plot) for plot in document["plots"]],
        document["notes"],
    )


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
