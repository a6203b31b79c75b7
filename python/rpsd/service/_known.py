# SPDX-License-Identifier: MIT
"""A series whose output is known: what the service and those who ask it hold the kernel against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_STEPS: Final = np.arange(64)
#: Exact in binary: noise of no pattern, and a jump.
SERIES: Final = 100 + (_STEPS * 37 % 64) / 64 + (_STEPS**2 % 29) / 16 + np.where(_STEPS > 40, 4, 0)

#: Every option, so that no configuration changes the output.
CHAIN: Final[Mapping[str, Any]] = {
    "method": "wavelet",
    "wavelet": "db4",
    "level": 3,
    "transform": "dwt",
    "boundary": "symmetric",
    "threshold_mode": "bayes",
    "threshold_rule": "soft",
    "threshold_scale": 1.0,
    "noise": "mad",
    "use_fir_filter": False,
    "min_gain_db": 0.0,
    "lookahead": None,
    "missing": "interpolate",
    "outliers": "none",
    "breaks": None,
    "space": "price",
}
CAUSAL: Final[Mapping[str, Any]] = {"method": "kalman", "noise": "price", "lookahead": 0}

# fmt: off
CHAIN_VALUES: Final = np.array([
    100.52145014026536, 100.80976904190376, 100.98642294458192, 101.00865644162619, 101.1051402194404,
    101.20937704420525, 101.30288363097, 101.40806111562821, 101.48184916537409, 101.52434383030646,
    101.58618848729695, 101.66159260781875, 101.7251350493259, 101.78511845553227, 101.82177162163,
    101.83039175909117, 101.82503490249134, 101.79929714949324, 101.7536917551112, 101.68834889110491,
    101.59682206062959, 101.47837146617708, 101.37786888104644, 101.29770732039954, 101.21518940040342,
    101.14190672738418, 101.04908477035201, 100.93411091828023, 100.82091085478991, 100.70291241219265,
    100.70367990189861, 100.83878026510241, 101.04583720727886, 101.36169514475809, 101.49292580560864,
    101.41354461168518, 101.29685916905478, 101.06520755673, 101.33285310268319, 102.16618798353718,
    103.20903659066828, 104.63147591752012, 105.4792685425159, 105.65425683784484, 105.7587622529742,
    105.53873539248022, 105.49540678886446, 105.70005381517478, 105.6949747207148, 105.60273629824889,
    105.52045642551572, 105.40282113689294, 105.29323702263332, 105.20323045330599, 105.08856786918625,
    104.96137143491643, 104.85308458763313, 104.76196980354491, 104.78166295245362, 104.93019605439275,
    105.16850244400513, 105.52905216797025, 105.72317440468613, 105.7295366530682,
])
#: Every eighth value.
CAUSAL_VALUES: Final = np.array([
    100.0, 101.07791375866599, 101.69753212301376, 101.58384238019806, 101.02899701157791,
    101.24302963806882, 105.38701187645749, 104.989252838195,
])
# fmt: on

#: What other processors and mathematical libraries may differ by, relative to the largest value.
_TOLERANCE: Final = 1e-9


def difference(values: Any, expected: Any) -> str | None:
    """Return by how much values differ from those expected, or None where they do not."""
    values = np.asarray(values, dtype=float)
    if values.shape != expected.shape:
        return f"{values.size} values, expected {expected.size}"
    worst = float(np.max(np.abs(values - expected)))
    if worst <= _TOLERANCE * float(np.max(np.abs(expected))):
        return None
    return f"values differ from those expected by up to {worst:.3g}"
