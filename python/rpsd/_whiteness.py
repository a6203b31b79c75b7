# SPDX-License-Identifier: MIT
"""Whether what a model leaves over is white."""

import numpy as np
import numpy.typing as npt

from rpsd import _core


def ljung_box(
    residuals: npt.NDArray[np.float64], lags: int = 20, fitted: int = 0, *, threads: int = 1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the statistic of Ljung and Box (1978) and its p-value, one of each a series.

    Q = n (n + 2) sum_k r_k^2 / (n - k) over k = 1 .. lags; under whiteness chi-square of lags - fitted
    degrees of freedom.

    Parameters
    ----------
    residuals : ndarray, series x time
    lags : int
        From 1 to the length less one, and more than fitted.
    fitted : int
        Parameters that were estimated from the series.
    threads : int

    Returns
    -------
    statistic, p_value : ndarray
        NaN for a series that is constant or not finite.
    """
    # Here, since importing scipy takes longer than the test.
    from scipy.special import gammaincc

    n = residuals.shape[-1]
    r = _core.autocorrelation(residuals, lags=lags, threads=threads)
    statistic = n * (n + 2) * np.sum(r * r / (n - np.arange(1, lags + 1)), axis=-1)
    return statistic, gammaincc((lags - fitted) / 2, statistic / 2)
