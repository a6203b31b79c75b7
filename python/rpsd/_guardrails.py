# SPDX-License-Identifier: MIT
"""The guardrails: their names, thresholds and policies; what they mean is in docs/guardrails.md."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from rpsd._schema import Kind, refuse, shown

#: Those that compare the output with the input alone.
PLAIN: Final = ("correlation", "rmse", "trend", "power")
#: Those that hold it against the best estimate of the fitted model, in the core's order.
HONEST: Final = (
    "gain",
    "edges",
    "bias",
    "variance",
    "roughness",
    "lag",
    "scale",
    "overshoot",
    "stuck",
    "jumps",
    "whiteness",
)
#: Every check of a report, in its order.
NAMES: Final = (*PLAIN, *HONEST, "missing")
#: What passes lies at or below the threshold of these, at or above that of the others.
AT_MOST: Final = frozenset(
    {"rmse", "bias", "roughness", "lag", "scale", "overshoot", "stuck", "whiteness", "missing"}
)

POLICIES: Final = ("report", "warn", "raise", "relax", "passthrough")


def _pairs(text: str) -> dict[str, str]:
    pairs = [part.split("=") for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        refuse()
    given = {name.strip(): policy.strip() for name, policy in pairs}
    if len(given) < len(pairs):
        refuse("; a guardrail is named twice")
    return given


def _check_policies(value: object) -> str | None:
    """Return the policies as text, whichever way they were given: it is the same in every place."""
    if value is None:
        return None
    given = _pairs(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not given:
        refuse()
    for name, policy in given.items():
        if name not in NAMES:
            refuse(f"; no guardrail is called {shown(name)}")
        if policy not in POLICIES:
            refuse(f"; no policy is called {shown(policy)}")
    return ",".join(f"{name}={given[name]}" for name in NAMES if name in given)


def _parse_policies(text: str) -> object:
    return None if text.lower() in ("none", "null") else text


_PoliciesValue = Annotated[
    Any,
    Kind(
        f'None (null in YAML) or "guardrail=policy,..." (or a mapping) of {", ".join(NAMES)} '
        f"to {', '.join(POLICIES)}",
        _check_policies,
        _parse_policies,
    ),
]
_Share = Annotated[float, Meta(ge=0, le=1)]
_NonNegative = Annotated[float, Meta(ge=0)]


class Guardrails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds of the guardrail checks and what a breach does; a mapping of its keys does as well.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.Denoiser(guardrails={"lag_threshold": 0.3}).guardrails.lag_threshold
    0.3
    """

    correlation_threshold: Annotated[
        float, Meta(ge=-1, le=1, description="Least correlation of output and input.")
    ] = 0.85
    rmse_threshold: Annotated[
        _NonNegative, Meta(description="Greatest RMS change, in standard deviations of the input.")
    ] = 0.5
    trend_threshold: Annotated[
        _Share, Meta(description="Least share of 30-sample trends that keep their sign.")
    ] = 0.90
    power_threshold: Annotated[_Share, Meta(description="Least share of low-frequency power kept.")] = 0.95
    gain_threshold: Annotated[float, Meta(description="Least predicted gain of the output, in dB.")] = -0.1
    edges_threshold: Annotated[
        float, Meta(description="Least predicted gain of the first and of the last five samples, in dB.")
    ] = -6.0
    bias_threshold: Annotated[
        _NonNegative, Meta(description="Greatest mean change, in root mean squared errors of the input.")
    ] = 0.25
    variance_threshold: Annotated[
        _NonNegative, Meta(description="Least realised variance, as a share of the best estimate's.")
    ] = 0.25
    roughness_threshold: Annotated[
        _NonNegative, Meta(description="Greatest roughness, relative to what such smoothing may leave.")
    ] = 1.02
    lag_threshold: Annotated[
        _NonNegative, Meta(description="Samples by which the output may come late, or early.")
    ] = 0.5
    scale_threshold: Annotated[
        _NonNegative, Meta(description="Share by which the output's moves may be too large or too small.")
    ] = 0.05
    overshoot_threshold: Annotated[
        _NonNegative, Meta(description="Greatest distance from the input's prices nearby, in usual moves.")
    ] = 1.0
    stuck_threshold: Annotated[
        _Share, Meta(description="Greatest share of the input's moves at which the output repeats a value.")
    ] = 0.05
    jumps_threshold: Annotated[
        float, Meta(description="Least share of the input's jumps that the output keeps.")
    ] = 0.5
    whiteness_threshold: Annotated[
        _Share, Meta(description="Greatest autocorrelation of the model's innovations, beyond chance.")
    ] = 0.05
    policy: Annotated[
        Literal["report", "warn", "raise", "relax", "passthrough"],
        Meta(description="What a breach of a guardrail does."),
    ] = "report"
    policies: Annotated[
        _PoliciesValue, Meta(description="Policies of single guardrails, in place of policy.")
    ] = None

    def policy_of(self, name: str) -> str:
        """Return what a breach of this guardrail does."""
        return _pairs(self.policies).get(name, self.policy) if self.policies else self.policy

    @property
    def acts(self) -> bool:
        """Whether any breach does more than stand in the report."""
        if not self.policies:  # asked on every call
            return self.policy != "report"
        return any(self.policy_of(name) != "report" for name in NAMES)
