# SPDX-License-Identifier: MIT
"""Random cases of the contract of causality, and the SHA-256 of what many of them give, printed when run.

``python tests/causal_cases.py N`` prints one digest of N cases, the same ones each time.
"""

import hashlib
import sys
import warnings
from dataclasses import dataclass, field

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import rpsd

BOUNDARIES = (
    "symmetric", "zero", "constant", "smooth", "periodic", "reflect", "periodization", "antisymmetric",
    "antireflect",
)  # fmt: skip
MODES = (
    "bayes", "universal", "sure", "hybrid", "minimax", "fdr", "blockjs", "neighblock", "ebayes", "wiener",
    "none",
)  # fmt: skip


@dataclass
class Case:
    """Options, series x time, where sessions begin, and a seed of all that is cut and altered."""

    options: dict = field(default_factory=dict)
    x: np.ndarray = field(default_factory=lambda: np.empty((1, 0)), repr=False)
    starts: list[int] = field(default_factory=list)
    seed: int = 0

    @property
    def lookahead(self):
        return self.options["lookahead"]

    def denoiser(self, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rpsd.RpsdWarning)  # options that the method drawn does not use
            return rpsd.Denoiser(**self.options, **more)

    def stream(self, rows):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in batch
            return self.denoiser().stream(rows)

    def batch(self, x, threads=1):
        mask = np.zeros(x.shape[-1], dtype=bool)
        mask[[start for start in self.starts if start < len(mask)]] = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # levels above what the window allows, ticks lost to logarithms
            return self.denoiser(breaks=mask if self.starts else None).denoise(x, threads=threads)


@st.composite
def wavelet_options(draw):
    transform = draw(st.sampled_from(["dwt", "dwt", "modwt"]))
    options = {
        "method": "wavelet",
        "wavelet": draw(st.sampled_from(["db4", "haar", "sym8", "bior2.4"])),
        "level": draw(st.sampled_from(["auto", 1, 2, 3])),
        "transform": transform,
        "boundary": draw(st.sampled_from(BOUNDARIES if transform == "dwt" else ("symmetric", "periodic"))),
        "threshold_mode": draw(st.sampled_from(MODES)),
        "noise": draw(st.sampled_from(["mad", "level", "local", "price", 0.1])),
        "threshold_scale": draw(st.sampled_from([1.0, 0.5])),
    }
    if draw(st.booleans()):
        options["threshold_rule"] = draw(st.sampled_from(["soft", "hard", "garrote", "firm", "scad"]))
    if options["threshold_mode"] == "ebayes":
        options["prior"] = draw(st.sampled_from(["cauchy", "laplace"]))
    if draw(st.integers(0, 4)) == 0:
        options |= {"use_fir_filter": True, "fir_taps": draw(st.integers(3, 30)), "fir_cutoff": 0.3}
    return options


@st.composite
def windows(draw):
    window = draw(st.sampled_from([2, 5, 16, 33, 64]))
    options = {"window": window}
    if draw(st.booleans()):
        options["min_periods"] = draw(st.integers(1, window))
    return options


@st.composite
def cases(draw):
    method = draw(st.sampled_from(["auto", "auto", "kalman", "wavelet", "wavelet", "fir"]))
    options = {"method": method}
    if method == "wavelet":
        options = draw(wavelet_options())
    if method == "fir":
        options["fir_taps"] = draw(st.integers(3, 30))
    if method in {"wavelet", "fir"}:
        options |= draw(windows())
    options["lookahead"] = draw(st.sampled_from([0, 0, 1, 2, 7, 20]))
    options["space"] = draw(st.sampled_from(["price", "price", "log"]))
    if method != "fir":
        options["outliers"] = draw(st.sampled_from(["none", "spike"]))
    n = draw(st.integers(0, 150) | st.sampled_from([300]))
    rows = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    breaks = draw(st.integers(0, 3)) == 0 and n > 3
    starts = sorted(set(draw(st.lists(st.integers(1, n - 1), min_size=1, max_size=3)))) if breaks else []
    dirt = draw(
        st.fixed_dictionaries({}, optional={name: st.just(True) for name in ("gaps", "spikes", "ticks")})
    )
    dtype = draw(st.sampled_from([np.float64, np.float64, np.float32]))
    return Case(options, prices(seed, rows, n, dtype, **dirt), starts, seed)


def prices(seed, rows, n, dtype, *, gaps=False, spikes=False, ticks=False):
    """Random walks seen through noise that halves or doubles midway, and jump; all positive."""
    rng = np.random.default_rng(seed)
    noise = rng.choice([0.0, 0.2, 1.0, 5.0], size=(rows, 1)) * rng.normal(size=(rows, n))
    noise[:, n // 2 :] *= rng.choice([0.1, 1.0, 10.0])
    x = 500 + np.cumsum(rng.normal(size=(rows, n)), axis=1) + noise
    x += np.cumsum(50 * (rng.random((rows, n)) < 0.01), axis=1)
    if ticks:
        x = np.round(x / 2) * 2
    if spikes:
        x[rng.random((rows, n)) < 0.02] *= 3
    x = np.abs(x) + 1
    if gaps:
        x[rng.random((rows, n)) < rng.choice([0.05, 0.5])] = np.nan
        x[:, : rng.integers(0, 10)] = np.nan
    return x.astype(dtype)


def digest(count):
    """Return the SHA-256 of the outputs of `count` cases, drawn alike each time."""
    total = hashlib.sha256()

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(cases())
    def add(case):
        total.update(case.batch(case.x).tobytes())

    add()
    return total.hexdigest()


if __name__ == "__main__":
    print(digest(int(sys.argv[1])))
