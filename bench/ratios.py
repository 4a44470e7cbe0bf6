"""Medians over rounds, and ratios that are taken within a round: only servers that met the same machine are compared.

Used by tables and plots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.raw import Measurement


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, and the least and greatest of them."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None for no values."""
        found = list(values)
        return cls(median(found), min(found), max(found)) if found else None


def by_round(measurements: Iterable[Measurement], peer: str, cell: str, figure: str) -> dict[int, float]:
    """Round -> the figure, for one contestant in one cell."""
    return {
        each.round: each.figures[figure]
        for each in measurements
        if (each.peer, each.cell) == (peer, cell) and figure in each.figures
    }


def spread(measurements: Iterable[Measurement], peer: str, cell: str, figure: str) -> Spread | None:
    """The figure over all rounds; None if it was not measured."""
    return Spread.of(by_round(measurements, peer, cell, figure).values())


def ratio(
    measurements: list[Measurement], ours: str, theirs: str, cell: str, figure: str, *, more_is_better: bool = True
) -> Spread | None:
    """How many times as good as theirs ours is, within each round that has both; None if none has."""
    mine, other = (by_round(measurements, name, cell, figure) for name in (ours, theirs))
    shared = [number for number in mine if other.get(number) and mine[number]]
    return Spread.of(
        mine[number] / other[number] if more_is_better else other[number] / mine[number] for number in shared
    )
