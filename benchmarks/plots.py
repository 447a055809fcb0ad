"""Line plots as SVG, drawn without any library."""

import math
from collections.abc import Callable
from html import escape

from benchmarks.figures import Plot

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df")
_STEPS = 5


def svg(plot: Plot) -> str:
    """The plot as one SVG document."""
    xs = [x for line in plot.lines.values() for x, _ in line]
    ys = [y for line in plot.lines.values() for _, y in line]
    top = _nice(max(ys, default=1.0))
    across = _scale(min(xs, default=0.0), max(xs, default=1.0), _LEFT, _WIDTH - _RIGHT, logarithmic=plot.logarithmic)
    up = _scale(0.0, top, _HEIGHT - _BOTTOM, _TOP, logarithmic=False)
    parts = [
        _head(plot.title),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 20, plot.title, anchor="start", size=14),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, plot.x),
        _text(_LEFT, _TOP - 6, plot.y, anchor="start"),
    ]
    for step in range(_STEPS + 1):
        value = top * step / _STEPS
        y = up(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#d0d7de"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{value:,.4g}", anchor="end"))
    parts += [_text(across(x), _HEIGHT - _BOTTOM + 18, f"{x:,.4g}") for x in _ticks(sorted(set(xs)))]
    for number, (name, line) in enumerate(plot.lines.items()):
        parts += _line(name, [(across(x), up(y)) for x, y in line], number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _head(title: str) -> str:
    size, fonts = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"', 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}" {fonts}>'


def _line(name: str, points: list[tuple[float, float]], number: int) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points if len(points) <= 20]
    legend = _text(_WIDTH - _RIGHT, 20 + 16 * number, name, anchor="end", colour=colour)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots, legend]


def _text(x: float, y: float, text: str, *, anchor: str = "middle", size: int = 12, colour: str = "#1f2328") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )


def _scale(low: float, high: float, start: float, end: float, *, logarithmic: bool) -> Callable[[float], float]:
    turn: Callable[[float], float] = math.log10 if logarithmic else float
    first, last = turn(low), turn(high)
    width = (last - first) or 1.0
    return lambda value: start + (turn(value) - first) / width * (end - start)


def _nice(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= value), 10 * power)


def _ticks(places: list[float]) -> list[float]:
    """At most ten of the places, the last one always."""
    every = math.ceil(len(places) / 10) or 1
    return places[::-every][::-1]
