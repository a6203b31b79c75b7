# SPDX-License-Identifier: MIT
"""Which requests take a time that their length bounds, whatever their samples are.

What one took says nothing of the next: fits take a thousand times longer for some samples than others, and
clients choose their samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rpsd import Config
from rpsd.service._request import Asked

#: The values of options that are computed in closed form, by filters of few taps and at most a sort.
_CLOSED: Final[Mapping[str, tuple[Any, ...]]] = {
    "method": ("wavelet",),
    "wavelet": ("auto", "haar", *(f"{kind}{k}" for kind in ("db", "sym") for k in range(2, 9))),
    "level": ("auto", 0, 1, 2, 3, 4),
    "transform": ("auto", "dwt"),
    "threshold_mode": ("auto", "bayes", "universal", "minimax", "none"),
    "threshold_rule": ("auto", "soft", "hard", "garrote", "firm"),
    "use_fir_filter": (False,),
    "lookahead": (None,),
    "outliers": ("none",),
    "breaks": (None,),
    "space": ("price",),
    "min_gain_db": ("auto", 0),  # what is gained is predicted by a fit
}
_NOISE: Final = ("mad", "level")
#: Samples, by report: of any of these options the worst that was found takes 0.4 ms of processor without a
#: report, and up to 1 with metrics.
_MOST: Final = {"none": 4_096, "metrics": 2_048}


def is_bounded(asked: Asked, config: Config) -> bool:
    """Return whether a request, on top of a configuration, takes a millisecond at most for any samples.

    Not with the full report, which fits a price model, and not where guardrails may act.
    """
    if asked.points > _MOST.get(asked.report, 0) or asked.guardrails is not None or config.guardrails.acts:
        return False
    options, base = asked.options, config.denoiser
    noise = options.get("noise", base.noise)
    if noise not in _NOISE and not isinstance(noise, int | float):
        return False
    return all(options.get(name, getattr(base, name)) in closed for name, closed in _CLOSED.items())
