# SPDX-License-Identifier: MIT
"""The simulated schedule of docs/planning.md against what can be computed by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
from schedule import Cluster, simulate

IDEAL = {"store": 1e18, "link": 1e18, "start": 0.0, "dispatch": 0.0, "slow": 0.0, "losses": 0.0}


def run(units, cores, size=1e8, seconds=64.0, **cluster):
    many = np.full(units, size)
    return simulate(Cluster(cores=cores, **IDEAL | cluster), np.full(units, seconds), many, many)


@pytest.mark.parametrize(
    ("units", "cluster", "expected"),
    [
        (320, {}, 10 * 64),
        (321, {}, 11 * 64),
        (320, {"start": 60.0}, 60 + 10 * 64),
        (320, {"link": 1e8}, 10 * (64 + 2)),
        (320, {"link": 1e9, "store": 16e8}, 10 * (64 + 2 * 2)),  # 32 share it: 50 MB/s each
        (32, {"dispatch": 1.0}, 32 + 64),
        (320, {"slow": 1.0, "slowness": 3.0}, 10 * 64 * 3),
    ],
)
def test_without_chance(units, cluster, expected):
    out = run(units, 32, **cluster)
    assert out.makespan == pytest.approx(expected, rel=1e-6)
    assert out.worked == pytest.approx(units * 64.0)
    assert out.retries == 0


def test_what_is_lost_is_done_again():
    out = run(640, 32, losses=100.0)
    assert out.retries > 10
    assert out.worked == pytest.approx(640 * 64.0)
    assert out.lost > 0
    assert out.makespan > 20 * 64
