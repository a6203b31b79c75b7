# SPDX-License-Identifier: MIT
"""Measure how often the 90 % band of vintages holds: python bench/quality/bands.py [prices.csv ...]."""

import sys

import numpy as np
import numpy.typing as npt

import rpsd

SEEDS, SAMPLES = 16, 2048
CELLS = [(kind, nsr) for kind in "abcd" for nsr in (0.5, 1.0, 3.0)]
LADDERS: tuple[tuple[int | None, ...], ...] = ((0, 1, 5, 30), (0, 1, 5, None))


def shares(vintages: rpsd.Vintages) -> list[float]:
    """Return, for each lag but the last, the percentage of final values that lie in the band."""
    lower, upper = vintages.band(0.9)
    final = vintages.values[..., -1:]
    judged = np.isfinite(lower) & np.isfinite(final)
    inside = judged & (lower <= final) & (final <= upper)
    axes = tuple(range(inside.ndim - 1))
    return list(100 * inside.sum(axis=axes)[:-1] / judged.sum(axis=axes)[:-1])


def row(name: str, prices: npt.NDArray[np.float64]) -> str:
    """Return a line of the table."""
    cells = []
    for method in ("auto", "kalman"):
        for lags in LADDERS:
            found = shares(rpsd.Denoiser(method=method).vintages(prices, lags))
            cells.append(" ".join(f"{share:.1f}" for share in found))
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table: cells, then the second column of each file given, in pieces of at most 4,000 rows."""
    for kind, nsr in CELLS:
        drawn = [rpsd.simulate(kind, SAMPLES, seed, nsr=nsr).noisy for seed in range(SEEDS)]
        print(row(f"{kind}{nsr:g}", np.stack(drawn)), flush=True)
    for path in sys.argv[1:]:
        prices = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=1, max_rows=64_000)
        length = min(len(prices), 4000)
        print(row(f"{len(prices)} prices", prices[: len(prices) // length * length].reshape(-1, length)))


if __name__ == "__main__":
    main()
