# SPDX-License-Identifier: MIT
"""From options to the core: taps designed, words and numbers told apart."""

import numpy as np

from rpsd import _core
from rpsd._errors import ConfigError
from rpsd._options import Options
from rpsd._taps import design_taps
from rpsd._wavelet import filter_bank

_AUTO_LEVEL = -1


def build_chain(options: Options) -> _core.Denoiser:
    """Return what the core runs for resolved options; ConfigError for a filter that cannot be designed."""
    given = isinstance(options.noise, float | int)
    taps = np.empty(0)
    if options.use_fir_filter:
        try:
            taps = design_taps(options.fir_taps, options.fir_cutoff, options.fir_window)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"fir_window {options.fir_window!r} cannot be designed: {error}") from None
        if not np.isfinite(taps).all():
            raise ConfigError(
                f"fir_window {options.fir_window!r} must not be zero at all of fir_taps, got "
                f"{options.fir_taps} taps; allowed: more taps or another window"
            )
    try:
        return _core.Denoiser(
            method="wavelet" if options.method == "fir" else options.method,
            bank=filter_bank(options.wavelet),
            transform=options.transform,
            boundary=options.boundary,
            level=_AUTO_LEVEL if options.level == "auto" else options.level,
            threshold_mode=options.threshold_mode,
            threshold_rule=options.threshold_rule,
            threshold_scale=options.threshold_scale,
            prior=options.prior,
            noise="given" if given else str(options.noise),
            noise_sd=float(options.noise) if given else 0.0,
            fir_taps=taps,
            min_gain_db=float(options.min_gain_db),
            space=options.space,
            missing=options.missing,
            outliers=options.outliers,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
