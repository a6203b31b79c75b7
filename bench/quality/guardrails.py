# SPDX-License-Identifier: MIT
"""Where guardrails lie for good outputs, for none and for late ones: python bench/quality/guardrails.py."""

from collections import defaultdict

import numpy as np

import rpsd

SEEDS, SAMPLES, OF_SIGNALS = 40, 2048, 1024
CELLS: list[tuple[str, float | None]] = [
    *[("a", nsr) for nsr in (0.1, 0.3, 0.5, 1.0, 3.0, 10.0)],
    *[(kind, nsr) for kind in "bcfg" for nsr in (1.0, 3.0)],
    *[(kind, None) for kind in ("d", "e_t3", "e_out", "e_both", "blocks", "bumps", "heavisine", "doppler")],
]
SIGNALS = ("blocks", "bumps", "heavisine", "doppler")
Found = defaultdict[str, list[float]]


def late(y: np.ndarray) -> np.ndarray:
    """Return y one sample later."""
    return y[np.maximum(np.arange(len(y)) - 1, 0)]


def main() -> None:
    """Print the share of seeds that pass by cell, and the range of each guardrail over all cells."""
    outputs = ("best", "causal", "input", "late best")
    values: dict[str, Found] = {name: defaultdict(list) for name in outputs}
    passed: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in outputs}
    for kind, nsr in CELLS:
        cell = kind if nsr is None else f"{kind}{nsr:g}"
        for seed in range(SEEDS):
            given = {} if nsr is None else {"nsr": nsr}
            x = rpsd.simulate(kind, OF_SIGNALS if kind in SIGNALS else SAMPLES, seed, **given).noisy
            best = rpsd.denoise(x)
            runs = {
                "best": rpsd.evaluate(x, best),
                "causal": rpsd.evaluate(x, rpsd.denoise(x, lookahead=0), lookahead=0),
                "input": rpsd.evaluate(x, x),
                "late best": rpsd.evaluate(x, late(best)),
            }
            for name, report in runs.items():
                passed[name][cell].append(bool(report.passed))
                for check in report.checks:
                    values[name][check.name].append(float(check.value))
    print(f"| cell | {' | '.join(outputs)} |\n| --- |{' --- |' * len(outputs)}")
    for cell in passed["best"]:
        shares = [f"{100 * np.mean(passed[name][cell]):.0f} %" for name in outputs]
        print(f"| {cell} | {' | '.join(shares)} |")
    print(f"\n| guardrail | threshold | {' | '.join(outputs)} |\n| --- |{' --- |' * (len(outputs) + 1)}")
    for check in report.checks:
        ranges = []
        for name in outputs:
            low, middle, high = np.nanpercentile(values[name][check.name], (1, 50, 99))
            ranges.append(f"{low:.3g} {middle:.3g} {high:.3g}")
        print(f"| {check.name} | {check.relation} {check.threshold:g} | {' | '.join(ranges)} |")


if __name__ == "__main__":
    main()
