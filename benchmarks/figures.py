"""Figures as the benchmark reports them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what it is of, its value, the bare program's beside it, and the aim it is held against.

    `aim` is a least value, or a largest one where `at_most`; it is held against the ratio to `bare` where there is one.
    """

    what: str
    value: float
    unit: str
    bare: float | None = None
    aim: float | None = None
    at_most: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours to the bare program's."""
        return self.value / self.bare if self.bare else None

    @property
    def reached(self) -> bool | None:
        """Whether the aim was reached; None when there is none."""
        if self.aim is None:
            return None
        judged = self.value if self.ratio is None else self.ratio
        return judged <= self.aim if self.at_most else judged >= self.aim


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over common places on the x axis."""

    name: str
    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]
    logarithmic: bool = False


@dataclass(slots=True)
class Part:
    """What one part of the benchmark found out."""

    name: str
    title: str
    setting: str
    figures: list[Figure] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all do not exceed; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
