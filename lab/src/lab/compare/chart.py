"""The same comparison as bars: as PNG, and in the terminal. The libraries are imported when they draw."""

from pathlib import Path
from typing import Any

from lab.compare.result import Comparison, Metric, Spread
from lab.experiments.view import number

__all__ = ["as_png", "in_terminal"]

PANELS = ("throughput", "p95", "memory", "context switches")
TERMINAL = ("throughput", "p95")
INCHES, DPI, COLOURS = (9.0, 6.0), 120, ("#4878a8", "#e0803a", "#5aa05a", "#8a64a8")


def as_png(found: Comparison, path: Path, title: str) -> None:
    """Write bars of the medians, with the lowest and the highest round as whiskers, to `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    rows = _rows(found, PANELS)
    for at, (metric, row) in enumerate(rows.items(), 1):
        _bars(figure.add_subplot((len(rows) + 1) // 2, 2, at), metric, row)
    figure.savefig(path, format="png", dpi=DPI)


def _bars(axes: Any, metric: Metric, row: dict[str, Spread]) -> None:
    spreads = list(row.values())
    medians = [spread.median for spread in spreads]
    down = [spread.median - spread.low for spread in spreads]
    up = [spread.high - spread.median for spread in spreads]
    drawn = axes.bar(list(row), medians, yerr=[down, up], capsize=6, color=COLOURS[: len(row)])
    axes.bar_label(drawn, [f"{value:.3g}" for value in medians], label_type="center", color="white")
    axes.set_title(f"{metric.name} ({metric.unit})")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)


def in_terminal(found: Comparison, width: int) -> str:
    """Horizontal bars of the medians, `width` columns wide."""
    import plotext  # type: ignore[import-untyped]  # it comes without types

    rows = _rows(found, TERMINAL)
    figure = plotext.figure
    figure.clear()
    figure.subplots(1, len(rows))
    for at, (metric, row) in enumerate(rows.items(), 1):
        plot = figure.subplot(1, at)
        bars = {
            f"{engine} {number(spread.median)}": spread.median for engine, spread in reversed(row.items())
        }
        plot.draw(plot.bar(list(bars), list(bars.values()), orientation="horizontal", width=0.2))
        plot.ruler("x").lim(0, max(bars.values()) or 1.0)
        plot.ruler("x").frequency(0)
        plot.title(f"{metric.name} ({metric.unit})")
    figure.plot_size(width, 2 * len(found.engines) + 2)
    return str(figure.build().string(colorless=True))


def _rows(found: Comparison, names: tuple[str, ...]) -> dict[Metric, dict[str, Spread]]:
    return {metric: row for metric, row in found.table().items() if metric.name in names}
