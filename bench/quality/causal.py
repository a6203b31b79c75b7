# SPDX-License-Identifier: MIT
"""Print what the causal methods gain, for docs/decisions/0011-causal.md.

python bench/quality/causal.py
"""

import numpy as np
from cells import Cell, cell

import rpsd

SEEDS, HARM_SEEDS, WARMUP = 16, 100, 64
CELLS = ["a0.1", "a0.5", "a1", "a3", "a10", "b1", "b3", "c1", "c3", "d", "e_t3", "e_both", "f1", "f3"]
LAGS = {"a1": (1, 2, 5), "a3": (1, 2, 5), "c3": (1, 2, 5)}
HARM = [("a0.05", 600), ("a0.1", 600), *((name, 1500) for name in ("a0.1", "a0.3", "b0.1", "b0.3", "t0.1"))]


def gains(drawn: Cell, seeds: int, **options: object) -> np.ndarray:
    """Return the gain in dB of each seed, without the first samples and the last that a lag leaves out."""
    series = [drawn.draw(seed) for seed in range(seeds)]
    noisy, truth = (np.stack([getattr(s, name) for s in series])[:, WARMUP:] for name in ("noisy", "truth"))
    values = rpsd.denoise(np.stack([s.noisy for s in series]), **options)[:, WARMUP:]
    there = np.isfinite(values)
    before = np.mean((noisy - truth) ** 2, axis=1, where=there)
    return 10 * np.log10(before / np.mean((values - truth) ** 2, axis=1, where=there))


def main() -> None:
    """Print the three tables."""
    print("|      |", " | ".join([*CELLS, "spike"]), "|")
    for method in ("auto", "kalman"):
        row = [gains(cell(name, "offline", 2048), SEEDS, method=method, lookahead=0).mean() for name in CELLS]
        if method == "auto":
            row.append(gains(cell("e_both", "offline", 2048), SEEDS, lookahead=0, outliers="spike").mean())
        print(f"| {method} |", " | ".join(f"{gain:.2f}" for gain in row), "|")
    for name, lags in LAGS.items():
        row = [gains(cell(name, "offline", 2048), SEEDS, lookahead=lag).mean() for lag in lags]
        print(name, "at lags", lags, " ".join(f"{gain:.2f}" for gain in row))
    for name, n in HARM:
        found = gains(cell(name, "harm", n), HARM_SEEDS, lookahead=0)
        print(f"{name}, n {n}: {found.mean():.3f} {np.mean(found < -0.05):.0%} {found.min():.1f}")


if __name__ == "__main__":
    main()
