"""How long it takes to draw a long history: `python -m benchmarks.chart`, in ms, the median of many runs.

What is measured is everything between a chart and the segments that Rich or Textual write: cleaning, smoothing,
gathering points by column, drawing and cutting the lines into runs of one style.
"""

from __future__ import annotations

from io import StringIO
from statistics import median
from time import perf_counter

import numpy as np
from rich.console import Console

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import GREY, ORANGE, Level, Series

RUNS = 200
YARDSTICKS = (("guessing", 4.17), ("unigram", 3.35), ("bigram", 2.48), ("trigram", 2.04), ("5-gram", 1.56))
SIZES = ((80, 24), (140, 40), (200, 60))


def history(points: int, smoothing: float) -> LossChart:
    """A run of `steps` logged steps with 100 evaluations, baselines, and two other runs over it."""
    steps = np.arange(points, dtype=np.float64)
    noise = np.random.default_rng(0).normal(0, 0.08, points)
    evaluated = steps[:: max(1, points // 100)]
    return LossChart(
        series=[
            Series("train", steps, _loss(steps, points) + noise),
            Series("validation", evaluated, _loss(evaluated, points) + 0.05, ORANGE, "points"),
            *(Series(f"run {n}", evaluated, _loss(evaluated, points) + 0.2 * n, GREY, "ghost") for n in (1, 2)),
        ],
        levels=[Level(name, loss) for name, loss in YARDSTICKS],
        best=(float(evaluated[-1]), 1.52),
        smoothing=smoothing,
    )


def _loss(steps: np.ndarray, points: int) -> np.ndarray:
    return 1.4 + 2.8 * np.exp(-steps / points * 12)


def drawing_ms(chart: LossChart, width: int, height: int) -> float:
    """The median time of a drawing in milliseconds."""
    console = Console(file=StringIO(), width=width, height=height, color_system="truecolor", force_terminal=True)
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        list(console.render(chart))
        times.append((perf_counter() - start) * 1000)
    return median(times)


def main() -> None:
    """Print a table."""
    print("  points  smoothing   " + "  ".join(f"{width}x{height}".rjust(8) for width, height in SIZES) + "   ms")
    for points in (1_000, 10_000, 100_000):
        for smoothing in (0.0, 0.98):
            chart = history(points, smoothing)
            times = "  ".join(f"{drawing_ms(chart, width, height):8.2f}" for width, height in SIZES)
            print(f"{points:8,}  {smoothing:9.2f}   {times}")


if __name__ == "__main__":
    main()
