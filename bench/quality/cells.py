# SPDX-License-Identifier: MIT
"""The cells of the yardstick: simulated series whose truth, and often whose limit, is known."""

import math
from dataclasses import dataclass, field

import rpsd

# Best mean gain in dB that knows every parameter, by a point-mass filter and smoother on a fine grid
# (Kitagawa, J. Amer. Statist. Assoc. 82, 1987); 32 seeds, n = 2048, standard errors up to 0.1 dB (0.3 in e).
GRID_LIMITS = {
    "a0.1": 0.08,
    "a0.5": 1.47,
    "a1": 3.51,
    "a3": 7.77,
    "a10": 13.08,
    "b1": 3.86,
    "b3": 8.18,
    "c1": 3.90,
    "c3": 7.93,
    "d": 9.31,
    "e_t3": 8.94,
    "e_out": 15.27,
    "e_both": 17.18,
    "f1": 3.68,
    "f3": 7.96,
}
OFFLINE = (*GRID_LIMITS, "g1", "g3")
# The letters of cell names that are not kinds: a walk with Student-t(4) steps.
_STEPS = {"t": {"kind": "a", "steps": "t", "df": 4.0}}


@dataclass(frozen=True)
class Cell:
    """A kind of series with its parameters and length; name is its row in the tables."""

    name: str
    group: str
    kind: str
    n: int
    parameters: dict[str, float | str] = field(default_factory=dict)

    def draw(self, seed: int) -> rpsd.Simulated:
        """Simulate one series."""
        return rpsd.simulate(self.kind, self.n, seed, **self.parameters)

    @property
    def closed_form(self) -> float:
        """Steady-state gain of the optimal smoother of a random walk under noise, in dB."""
        return 5 * math.log10(1 + 4 * float(self.parameters["nsr"]) ** 2)


def cell(name: str, group: str, n: int) -> Cell:
    """Return the cell of a name such as b3 (a kind of one letter and its NSR), t0.1, d, e_t3."""
    ratio = name[1:]
    if not ratio[:1].isdigit():
        return Cell(name, group, name, n)
    parameters = {"nsr": float(ratio), **_STEPS.get(name[0], {"kind": name[0]})}
    kind = str(parameters.pop("kind"))
    return Cell(name if group == "offline" else f"{name} n={n}", group, kind, n, parameters)


def every_cell() -> list[Cell]:
    """Return all cells of all groups."""
    near_clean = [f"{kind}{nsr}" for kind in "abct" for nsr in ("0.05", "0.1", "0.18", "0.3")]
    curves = ("blocks", "bumps", "heavisine", "doppler")
    return [
        *(cell(name, "offline", 1950 if name[0] == "g" else 2048) for name in OFFLINE),
        *(cell(name, "harm", n) for name in near_clean for n in (600, 1500, 4000)),
        *(cell(f"{kind}0", "walk", n) for kind in "abt" for n in (128, 256, 600, 2048)),
        *(cell(f"a{nsr}", "short", n) for n in (128, 256) for nsr in ("0.6", "1", "2")),
        *(Cell(f"{c} {snr:g}", "curve", c, 1024, {"snr": snr}) for c in curves for snr in (3.0, 7.0)),
    ]
