# SPDX-License-Identifier: MIT
"""Thresholds of the guardrails that no output breaches."""

import rpsd
from rpsd._schema import fields

LOOSE = {name: -1e9 for name in fields(rpsd.Guardrails) if name.endswith("_threshold")}
LOOSE |= {"correlation_threshold": -1, **dict.fromkeys(("trend_threshold", "power_threshold"), 0)}
LOOSE |= dict.fromkeys(("rmse_threshold", "bias_threshold", "roughness_threshold", "lag_threshold"), 1e9)
LOOSE |= {
    "scale_threshold": 1e9,
    "overshoot_threshold": 1e99,
    "stuck_threshold": 1,
    "whiteness_threshold": 1,
    "variance_threshold": 0,
}
