"""Durations as small pictures within the page, a dot for each: shape and outliers are seen. Used by html."""

from __future__ import annotations

import math
import statistics
from html import escape

WIDTH, HEIGHT, MIDDLE = 500, 34, 14
DOTS = 250  # more than that nobody can tell apart
GOLDEN = 0.618034  # spreads the dots evenly without drawing lots


def strip(label: str, seconds: list[float]) -> str:
    """A figure with one dot a measurement, from 0 to the slowest, and a line at the median. Empty without any."""
    values = sorted(each for each in seconds if math.isfinite(each) and each >= 0)
    if not values:
        return ""
    slowest = values[-1] or 1e-9
    dots = "".join(
        f'<circle cx="{value / slowest * WIDTH:.1f}" cy="{MIDDLE + 16 * ((index * GOLDEN) % 1 - 0.5):.1f}" r="3"/>'
        for index, value in enumerate(_thinned(values))
    )
    median = statistics.median(values)
    x = f"{median / slowest * WIDTH:.1f}"
    text = f"{label}: median {duration(median)}, slowest {duration(values[-1])}, of {len(values)}"
    return f"""<figure>
<figcaption>{escape(text)}</figcaption>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(text)}">
<line class="axis" x1="0" y1="28" x2="{WIDTH}" y2="28"/>{dots}
<line class="median" x1="{x}" y1="2" x2="{x}" y2="28"/></svg>
</figure>
"""


def duration(seconds: float) -> str:
    """In the unit that reads best."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _thinned(values: list[float]) -> list[float]:
    """At most DOTS of sorted values, the least and the greatest among them."""
    if len(values) <= DOTS:
        return values
    step = (len(values) - 1) / (DOTS - 1)
    return [values[round(index * step)] for index in range(DOTS)]
