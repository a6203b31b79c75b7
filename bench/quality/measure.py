# SPDX-License-Identifier: MIT
"""Run the methods on one simulated series and compare their outputs with the truth."""

import math
from dataclasses import dataclass

import numpy as np
from cells import Cell
from methods import METHODS, filled


@dataclass(frozen=True)
class Record:
    """One method on one series.

    gain_db is NaN where there was no noise; seen_gain_db counts the samples alone that are not missing,
    as predictions do; moved is the RMS change of the series in step sds.
    """

    cell: str
    method: str
    seed: int
    gain_db: float
    seen_gain_db: float
    mse: float
    moved: float
    unchanged: bool
    action: str
    predicted_db: float


def gain_db(before: np.ndarray, after: np.ndarray) -> float:
    """Return the gain in dB from squared errors before and after."""
    raw = float(np.mean(before))
    return 10 * math.log10(raw / float(np.mean(after))) if raw > 0 else math.nan


def measure(cell: Cell, seed: int, names: list[str]) -> list[Record]:
    """Return one record a method."""
    series = cell.draw(seed)
    raw = filled(series.noisy)
    seen = ~np.isnan(series.noisy)
    before = np.square(raw - series.truth)
    records = []
    for method in METHODS:
        if method.name not in names:
            continue
        outcome = method.run(series)
        after = np.square(outcome.values - series.truth)
        change = float(np.sqrt(np.mean((outcome.values - raw) ** 2)))
        records.append(
            Record(
                cell=cell.name,
                method=method.name,
                seed=seed,
                gain_db=gain_db(before, after),
                seen_gain_db=gain_db(before[seen], after[seen]),
                mse=float(np.mean(after)),
                moved=change / max(float(np.mean(series.step_sd)), 1e-300),
                unchanged=np.array_equal(outcome.values, raw),
                action=outcome.action,
                predicted_db=outcome.predicted_db,
            )
        )
    return records
