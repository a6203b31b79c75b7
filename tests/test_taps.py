# SPDX-License-Identifier: MIT
"""Designed taps are SciPy's to the bit, the usual windows' without it."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import signal

import rpsd
from rpsd._taps import design_taps

OWN = ("hann", "han", "hamming", "hamm", "ham", "blackman", "blk", "boxcar", "ones", "rect")
OTHERS = ("nuttall", ("kaiser", 8.6), 5.0, ("tukey", 0.3))
CUTOFFS = (0.1, 0.5, 1e-3, 0.999, *np.random.default_rng(0).random(5).tolist())


@pytest.mark.parametrize("window", [*OWN, *OTHERS], ids=str)
def test_taps_are_those_of_firwin(window: object) -> None:
    """For any number of them, one and even ones too; where the window is zero at all of them NaN."""
    for taps in (1, 2, 3, 4, 15, 16, 101, 1000, 4097):
        for cutoff in CUTOFFS:
            with np.errstate(all="ignore"):
                expected = signal.firwin(taps, cutoff, window=window)
            made = design_taps(taps, cutoff, window)
            np.testing.assert_array_equal(made, expected)
            assert np.isnan(made).all() or made.tobytes() == expected.tobytes()


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "boxcar"])
def test_the_usual_windows_do_not_load_scipy(window: str) -> None:
    """Its signal package takes longer to load than a file of a million rows to denoise."""
    run = f"rpsd.Denoiser(method='fir', fir_window={window!r})"
    code = f"import sys, rpsd; {run}; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_windows_are_still_refused() -> None:
    """By what SciPy says of them."""
    with pytest.raises(rpsd.ConfigError, match="cannot be designed"):
        rpsd.Denoiser(method="fir", fir_window=("general_cosine", 3))
