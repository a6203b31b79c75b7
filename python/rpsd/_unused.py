# SPDX-License-Identifier: MIT
"""Options that were asked for and that the method which was chosen does not use: told, not refused."""

from collections.abc import Iterable, Iterator
from typing import Final

from rpsd._errors import warn
from rpsd._options import Options
from rpsd._schema import fields, shown

_TRANSFORM: Final = ("level", "transform", "boundary")
_THRESHOLD: Final = ("threshold_mode", "threshold_rule", "threshold_scale", "prior")
_FILTER: Final = ("fir_cutoff", "fir_taps", "fir_window")
_CAUSAL: Final = ("window", "min_periods")
_WITHOUT_RULE: Final = {"blockjs", "neighblock", "wiener", "none"}  # rules of their own, or none
# auto knows one wavelet, to which it turns for smooth and spiky series.
_UNUSED: Final = {
    "auto": (*_TRANSFORM, *_THRESHOLD, "use_fir_filter", *_FILTER),
    "kalman": ("wavelet", *_TRANSFORM, *_THRESHOLD, "use_fir_filter", *_FILTER),
    "fir": ("wavelet", *_TRANSFORM, *_THRESHOLD, "noise"),
    "wavelet": (),
}


def warn_of_unused(asked: Options, resolved: Options, given: Iterable[str]) -> None:
    """Warn of each given option that changes nothing, where its value is not the default anyway.

    Parameters
    ----------
    asked, resolved : Options
        As they came, and with every ``auto`` replaced by what it stands for.
    given : iterable of str
        The options that the caller gave; those of files and of the environment are for many runs.
    """
    known = fields(Options)
    reasons = dict(_reasons(resolved))
    for name in given:
        value = getattr(asked, name)
        if name in reasons and value != known[name].default:
            warn(f"{name}={shown(value)} is not used {reasons[name]}")


def _reasons(options: Options) -> Iterator[tuple[str, str]]:
    """Yield each option that is not used, and where it is not."""
    for name in _UNUSED[options.method]:
        yield name, f"with method={shown(options.method)}"
    if options.method == "wavelet" and not options.use_fir_filter:
        for name in _FILTER:
            yield name, "with use_fir_filter=False"
    if options.method == "wavelet" and options.threshold_mode in _WITHOUT_RULE:
        yield "threshold_rule", f"with threshold_mode={shown(options.threshold_mode)}"
    if options.method == "wavelet" and options.threshold_mode != "ebayes":
        yield "prior", f"with threshold_mode={shown(options.threshold_mode)}"
    if options.lookahead == 0 and options.method in {"wavelet", "fir"}:
        # The odd extension about the newest sample, which is where a zero-phase filter has no lag, keeps it.
        for name in ("use_fir_filter", "fir_cutoff", "fir_taps", "fir_window"):
            yield name, "with lookahead=0: a zero-phase filter keeps the newest sample"
        if options.method == "fir":
            yield "method", "with lookahead=0: a zero-phase filter keeps the newest sample"
    where = ""
    if options.method in {"auto", "kalman"}:  # they use all of the past
        where = f"with method={shown(options.method)}"
    elif options.lookahead is None:
        where = "with lookahead=None, only by streams and with a lookahead"
    if where:
        for name in _CAUSAL:
            yield name, where
