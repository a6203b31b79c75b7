# SPDX-License-Identifier: MIT
"""Snapshots that every later release must read: `python tests/snapshots.py` writes those of this format.

Those of earlier formats stay in tests/data/snapshots, and are not to be written again.
"""

from pathlib import Path

import numpy as np

import rpsd

FOLDER = Path(__file__).parent / "data" / "snapshots"
FORMAT = 2
SERIES, TAKEN, LENGTH = 2, 90, 200
SESSIONS = (50, TAKEN)

OPTIONS = {
    "auto": {"lookahead": 2, "outliers": "spike"},
    "kalman": {"method": "kalman", "lookahead": 1},
    "wavelet": {
        "method": "wavelet",
        "noise": "mad",
        "wavelet": "db2",
        "level": 2,
        "lookahead": 2,
        "window": 16,
        "min_periods": 8,
    },
    "fir": {"method": "fir", "lookahead": 1, "window": 12, "fir_taps": 5},
}


def prices():
    """Walks under noise, in sixty-fourths: the same bits everywhere, whatever draws random numbers."""
    state, rows = 1, []
    for _ in range(SERIES):
        level, row = 64 * 100, []
        for t in range(LENGTH):
            state = (state * 1664525 + 1013904223) % 2**32
            level += (state >> 16) % 33 - 16
            row.append(np.nan if t % 23 == 7 else (level + (state >> 8) % 65 - 32) / 64)
        rows.append(row)
    return np.array(rows)


def stream_at_snapshot(method):
    """A stream whose last sample can be amended, and of which a session is about to begin."""
    stream, x = rpsd.Denoiser(**OPTIONS[method]).stream(SERIES), prices()
    stream.push_many(x[:, : SESSIONS[0]])
    stream.new_session()
    stream.push_many(x[:, SESSIONS[0] : TAKEN - 1])
    stream.push([1.0, np.nan])
    stream.new_session()
    return stream


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for method in OPTIONS:
        (FOLDER / f"{method}.{FORMAT}").write_bytes(stream_at_snapshot(method).snapshot())
