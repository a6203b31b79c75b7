# SPDX-License-Identifier: MIT
"""SHA-256 of what every function gives, on data that is the same everywhere; prints JSON when run.

``python tests/bits.py`` prints all of them, ``python tests/bits.py --portable`` only those that are equal
on every system and processor: they come from + - x / and square roots alone. The latter are kept in
golden_bits.json.
"""

import hashlib
import json
import sys
import warnings

import numpy as np

import rpsd

WAVELETS = ("haar", "db4", "sym5", "bior2.4", "dmey")
MODES = (
    "zero", "constant", "symmetric", "periodic", "smooth",
    "periodization", "reflect", "antisymmetric", "antireflect",
)  # fmt: skip
LENGTHS = (2, 3, 7, 16, 101, 1000, 4097)
CHAINS = {
    "bayes soft": {"method": "wavelet", "noise": "mad"},
    "universal hard level": {"threshold_mode": "universal", "threshold_rule": "hard", "noise": "level"},
    "bayes garrote": {
        "threshold_rule": "garrote",
        "wavelet": "sym8",
        "boundary": "periodization",
        "noise": "mad",
    },
    "modwt": {"transform": "modwt", "threshold_rule": "hard", "noise": 0.05, "wavelet": "sym4"},
    "windowed": {
        "lookahead": 3,
        "window": 64,
        "min_periods": 10,
        "wavelet": "db4",
        "level": 2,
        "noise": "mad",
    },
    "windowed modwt": {
        "lookahead": 0,
        "window": 20,
        "transform": "modwt",
        "wavelet": "haar",
        "level": 2,
        "noise": "mad",
    },
    "given firm": {"threshold_rule": "firm", "noise": 0.1, "threshold_scale": 0.7, "wavelet": "coif2"},
}
# Through exp and log, or taps that were designed with cosines.
UNPORTABLE_CHAINS = {
    "log": {"space": "log", "noise": "mad"},
    "fir": {"use_fir_filter": True, "noise": "mad"},
    "ebayes": {"threshold_mode": "ebayes", "noise": "mad"},
    "ebayes laplace": {"threshold_mode": "ebayes", "prior": "laplace", "noise": "mad", "transform": "modwt"},
    "fir only": {"method": "fir", "fir_taps": 30},
}
# Methods that fit a price model, by exp and log.
FITTED = {
    "auto": {},
    "kalman": {"method": "kalman"},
    "wavelet": {"method": "wavelet"},
    "windowed wavelet": {"lookahead": 1, "window": 50, "min_periods": 40, "wavelet": "haar"},
    "causal auto": {"lookahead": 0, "outliers": "spike"},
    "causal kalman": {"lookahead": 2, "method": "kalman"},
}
FITTED_LENGTHS = (33, 101, 1000)


def noise(n, seed):
    """Multiples of 2^-20 in [-1, 1), by the splitmix64 sequence: the same on every system."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z >> np.uint64(43)).astype(np.float64) / 2**20 - 1


def prices(series, n, dtype):
    """Random walks about 100, exact sums of multiples of 2^-10 that float32 holds too."""
    steps = np.round(noise(series * n, 1).reshape(series, n) * 2**7) / 2**10
    return (100 + np.cumsum(steps, axis=1)).astype(dtype)


def noisy_prices(series, n, dtype):
    """Prices that bounce, so that there is noise to find: steps of 0.07 and noise of 0.14."""
    bounce = np.round(noise(series * n, 6).reshape(series, n) * 2**8) / 2**10
    return (prices(series, n, np.float64) + bounce).astype(dtype)


def digest(*arrays):
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(repr((array.shape, array.dtype.str)).encode())
        sha.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes())
    return sha.hexdigest()


def nan_digests(dtype, nans, bits_of):
    """Return the digest of each linear function on data in which NaN (and infinities) lie."""
    found = {}
    for n in LENGTHS:
        x = prices(3, n, dtype)
        for i, value in enumerate(nans):
            x[i % 3, (i * n) // len(nans)] = value
        for mode in MODES:
            coeffs = rpsd.wavedec(x, "db4", mode, level=2)
            y = rpsd.waverec(coeffs, "db4", mode)
            found[f"wavedec {mode} {n}"] = digest(*map(bits_of, (*coeffs, y)))
        for boundary in ("periodic", "symmetric"):
            found[f"modwt {boundary} {n}"] = digest(bits_of(rpsd.modwt(x, "db4", 2, boundary)))
        for mode in ("zero_phase", "causal", "same"):
            found[f"fir_filter {mode} {n}"] = digest(bits_of(rpsd.fir_filter(x, noise(5, 2), mode)))
    return found


def portable_digests(dtype, threads=1):
    """Return the digest of each function on float32 or float64 data."""
    found = {}
    for wavelet in WAVELETS:
        decomposed = [
            rpsd.wavedec(prices(3, n, dtype), wavelet, mode, level=2 if n > 2 else 1)
            for n in LENGTHS
            for mode in MODES
        ]
        found[f"wavedec {wavelet}"] = digest(*(c for coeffs in decomposed for c in coeffs))
        found[f"waverec {wavelet}"] = digest(
            *(rpsd.waverec(coeffs, wavelet, MODES[i % len(MODES)]) for i, coeffs in enumerate(decomposed))
        )
        for boundary in ("periodic", "symmetric"):
            coeffs = [rpsd.modwt(prices(3, n, dtype), wavelet, 3, boundary) for n in LENGTHS]
            found[f"modwt {boundary} {wavelet}"] = digest(*coeffs)
            found[f"imodwt {boundary} {wavelet}"] = digest(
                *(rpsd.imodwt(c, wavelet, boundary) for c in coeffs)
            )
    for mode in ("zero_phase", "causal", "same"):
        found[f"fir_filter {mode}"] = digest(
            *(
                rpsd.fir_filter(prices(3, n, dtype), noise(taps, 2) / taps, mode, threads=threads)
                for n in LENGTHS
                for taps in (1, 2, 5, 101)
            )
        )
    for name, options in CHAINS.items():
        found[f"denoise {name}"] = chain_digest(options, dtype, threads)
    return found


def chain_digest(options, dtype, threads):
    outputs = []
    for n in (1, 30, *LENGTHS):
        x = prices(9, n, dtype)
        x[noise(9 * n, 3).reshape(9, n) > 0.9] = np.nan
        outputs.append(rpsd.denoise(x, threads=threads, **options))
    return digest(*outputs)


def all_digests(dtype, threads=1):
    """The portable ones, and those that may differ in the last digits on another system."""
    found = portable_digests(dtype, threads)
    for name, options in UNPORTABLE_CHAINS.items():
        found[f"denoise {name}"] = chain_digest(options, dtype, threads)
    for name, options in FITTED.items():
        outputs = []
        for n in FITTED_LENGTHS:
            x = noisy_prices(9, n, dtype)
            x[noise(9 * n, 3).reshape(9, n) > 0.9] = np.nan
            outputs.append(rpsd.denoise(x, threads=threads, **options))
        found[f"denoise {name}"] = digest(*outputs)
    # Of two NaN that meet in a sum the processor keeps one, and which one is up to the compiler: compared
    # by their bits where all that came are alike, else as NaN.
    found |= {f"NaN: {name}": d for name, d in nan_digests(dtype, [np.nan] * 3, np.asarray).items()}
    mixed = [np.nan, -np.nan, np.inf, -np.inf, -np.nan, np.nan]
    found |= {
        f"NaN of any kind: {name}": d
        for name, d in nan_digests(dtype, mixed, lambda y: np.where(np.isnan(y), np.nan, y)).items()
    }
    for n in (25, *LENGTHS, 10_007):
        x = prices(5, n, np.float64)
        y = (x + noise(5 * n, 4).reshape(5, n) / 4).astype(dtype)
        found[f"metrics {n}"] = digest(rpsd._core.metrics(x, y.astype(np.float64), threads=threads))
    return found


def main(arguments):
    of = portable_digests if "--portable" in arguments else all_digests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        print(json.dumps({np.dtype(t).name: of(t) for t in (np.float64, np.float32)}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
