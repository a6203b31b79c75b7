# SPDX-License-Identifier: MIT
"""Draw the pictures of docs/: python bench/quality/plots.py."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import rpsd
from rpsd.report import plot_vintages

DOCS = Path(__file__).resolve().parents[2] / "docs"
IMAGES = DOCS / "images"
SEEN, TRUTH, MARK = "#9aa5b1", "#b3261e", "#1f5f8b"


def local_level(axes: list[Axes]) -> None:
    """a: the same walk under three noises."""
    for axis, nsr in zip(axes, (0.1, 1.0, 3.0), strict=True):
        dots(axis, rpsd.simulate("a", 120, 4, nsr=nsr))
        axis.set_title(f"NSR {nsr:g}", fontsize=9)
    axes[0].set_ylabel("price, steps")


def volatility(axes: list[Axes]) -> None:
    """b: price and step sd over three days."""
    s = rpsd.simulate("b", 3 * 390, 2)
    dots(axes[0], s, size=1.5)
    axes[0].set_ylabel("price")
    axes[1].plot(s.step_sd, color=MARK, linewidth=0.9)
    axes[1].axhline(s.noise_sd, color=SEEN, linewidth=0.9, linestyle="--", label="noise sd")
    axes[1].set_ylabel("step sd")
    axes[1].set_ylim(0, None)


def jumps(axes: list[Axes]) -> None:
    """c: jumps marked."""
    s = rpsd.simulate("c", 1000, 3)
    dots(axes[0], s, size=1.5)
    for i, at in enumerate(s.jumps):
        axes[0].axvline(at, color=MARK, linewidth=0.8, alpha=0.6, label="jump" if i == 0 else None)
    axes[0].set_ylabel("price, mean steps")


def bounce(axes: list[Axes]) -> None:
    """d: trades on the tick grid."""
    s = rpsd.simulate("d", 120, 5)
    axes[0].step(np.arange(120), s.noisy, where="mid", color=SEEN, linewidth=0.7, zorder=1)
    dots(axes[0], s)
    axes[0].set_yticks(np.arange(s.noisy.min(), s.noisy.max() + 1, 2))
    axes[0].ticklabel_format(axis="y", useOffset=False)
    axes[0].set_ylabel("price, cents")


def outliers(axes: list[Axes]) -> None:
    """e: Student noise on the left, bad ticks on the right."""
    dots(axes[0], rpsd.simulate("e_t3", 400, 6), size=2.5)
    axes[0].set_title("e_t3", fontsize=9)
    axes[0].set_ylabel("price, steps")
    s = rpsd.simulate("e_out", 1000, 2)
    dots(axes[1], s, size=1.5)
    places = np.flatnonzero(s.bad_ticks)
    axes[1].plot(places, s.noisy[places], "o", markersize=5, fillstyle="none", color=MARK, label="bad tick")
    axes[1].set_title("e_out", fontsize=9)


def missing(axes: list[Axes]) -> None:
    """f: holes shaded."""
    s = rpsd.simulate("f", 150, 9)
    for i, at in enumerate(np.flatnonzero(np.isnan(s.noisy))):
        axes[0].axvspan(
            at - 0.5, at + 0.5, color=MARK, alpha=0.25, linewidth=0, label="missing" if i == 0 else None
        )
    axes[0].plot(s.noisy, color=SEEN, linewidth=0.7)
    dots(axes[0], s)
    axes[0].set_ylabel("price, mean steps")


def nights(axes: list[Axes]) -> None:
    """g: five days."""
    s = rpsd.simulate("g", 5 * 390, 46)
    starts = np.flatnonzero(s.breaks)
    for start, end in zip(starts, [*starts[1:], len(s.truth)], strict=True):
        at = np.arange(start, end)
        first = start == 0
        axes[0].plot(at, s.noisy[at], ".", markersize=1.5, color=SEEN, label="seen" if first else None)
        axes[0].plot(at, s.truth[at], color=TRUTH, linewidth=0.9, label="truth" if first else None)
    for i, at in enumerate(starts[1:]):
        axes[0].axvline(at, color=MARK, linewidth=0.8, linestyle="--", label="night" if i == 0 else None)
    axes[0].set_xticks(starts)
    axes[0].set_ylabel("price, mean steps")


def test_signals(axes: list[Axes]) -> None:
    """The four curves at root-SNR 7."""
    for axis, kind in zip(axes, ("blocks", "bumps", "heavisine", "doppler"), strict=True):
        dots(axis, rpsd.simulate(kind, 512, 1), size=1.8)
        axis.set_title(kind, fontsize=9)


def leak(axes: list[Axes]) -> None:
    """The backtest of docs/causality.md, run as it stands there: cumulative profits over a year."""
    page = (DOCS / "causality.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- backtest -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found.group(1), names)
    styles = [(SEEN, "-"), (MARK, "-"), (TRUTH, "-"), (TRUTH, "--"), ("black", "--"), ("black", "-")]
    days = np.arange(0, names["MINUTES"] - 1, 390)
    for (name, profit), (colour, line) in zip(names["results"].items(), styles, strict=True):
        axes[0].plot(days / 390, np.cumsum(profit)[days], color=colour, linestyle=line, linewidth=1.2)
        axes[0].lines[-1].set_label(f"{name}: Sharpe ratio {names['sharpe'](profit):.1f}")
    axes[0].legend(loc="upper left", fontsize=8, frameon=False)
    axes[0].set_xlabel("trading day", fontsize=9)
    axes[0].set_ylabel("cumulative profit of one share")


def dots(axis: Axes, series: rpsd.Simulated, size: float = 3.0) -> None:
    """Draw what is seen as dots, and the truth as a line."""
    axis.plot(series.noisy, ".", markersize=size, color=SEEN, label="seen")
    axis.plot(series.truth, color=TRUTH, linewidth=0.9, label="truth")


# Name of the file, what draws it, rows and columns of panels, and the height in inches.
PICTURES: dict[str, tuple[Callable[[list[Axes]], None], int, int, float]] = {
    "cell_a": (local_level, 1, 3, 2.3),
    "cell_b": (volatility, 2, 1, 3.2),
    "cell_c": (jumps, 1, 1, 2.3),
    "cell_d": (bounce, 1, 1, 2.3),
    "cell_e": (outliers, 1, 2, 2.4),
    "cell_f": (missing, 1, 1, 2.3),
    "cell_g": (nights, 1, 1, 2.3),
    "cell_curves": (test_signals, 1, 4, 2.1),
    "leak": (leak, 1, 1, 3.6),
}


def figures() -> Iterator[tuple[str, Figure]]:
    """Return each picture with the name of its file."""
    for name, (draw, rows, columns, height) in PICTURES.items():
        figure = Figure(figsize=(8, height), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(rows, columns, sharex=rows > 1, squeeze=False).flat)
        draw(axes)
        for axis in axes:
            axis.margins(x=0.01)
            axis.tick_params(labelsize=8)
            axis.grid(alpha=0.25, linewidth=0.6)
            axis.spines[["top", "right"]].set_visible(False)
            axis.yaxis.label.set_size(9)
        entries = {}
        for axis in axes:
            if axis.get_legend():
                continue  # its own legend, for long labels
            entries |= {
                label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
            }
        if entries:
            figure.legend(
                entries.values(),
                entries.keys(),
                loc="outside upper right",
                ncols=len(entries),
                fontsize=8,
                frameon=False,
            )
        yield name, figure


def revisions() -> Figure:
    """Vintages and their band at the end of a series."""
    s = rpsd.simulate("b", 1500, 6, nsr=2.0)
    vintages = rpsd.Denoiser().vintages(s.noisy)
    figure = plot_vintages(None, s.noisy, vintages, newest=150, name="price, mean steps", truth=s.truth)
    figure.set_size_inches(10, 6)
    return figure


def results() -> Iterator[tuple[str, Figure]]:
    """Return the pictures of docs/plots.md: its example, and wavelets at several strengths."""
    page = (DOCS / "plots.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?\.run\(prices\)\n)", page, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found.group(1), names)
    yield "overview", names["result"].plot("overview")
    yield "multiresolution", names["result"].plot("multiresolution")
    noisy = rpsd.simulate("a", 1500, seed=2).noisy
    yield "pareto", rpsd.Denoiser(wavelet="db4", level=4).run(noisy).plot("pareto")


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name, figure in (*figures(), ("vintages", revisions()), *results()):
        figure.savefig(
            IMAGES / f"{name}.png", dpi=100, metadata={"Software": None}, pil_kwargs={"optimize": True}
        )


if __name__ == "__main__":
    main()
