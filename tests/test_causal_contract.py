# SPDX-License-Identifier: MIT
"""Causality, case by random case: no later sample changes a bit, and live is the backtest to the bit.

A hundred cases each; a thousand with ``pytest --hypothesis-profile=many``.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from causal_cases import cases
from hypothesis import HealthCheck, given, settings

import rpsd

# Each case is one to six runs, of up to 900 samples.
unhurried = settings(suppress_health_check=[HealthCheck.too_slow])


def same(a, b):
    """Equal to the bit, any NaN being like any other."""
    return np.array_equal(a, b, equal_nan=True)


@unhurried
@given(cases())
def test_no_later_sample_changes_a_bit(case):
    rng = np.random.default_rng(case.seed)
    x, n = case.x, case.x.shape[1]
    y = case.batch(x)
    for cut in rng.integers(0, n + 1, size=3):
        settled = max(int(cut) - case.lookahead, 0)
        later = x.copy()
        later[:, cut:] = rng.choice([1.0, 77.0, 1e6, np.nan], size=(len(x), n - cut))
        assert same(case.batch(later)[:, :settled], y[:, :settled])
        assert same(case.batch(np.ascontiguousarray(x[:, :cut]))[:, :settled], y[:, :settled])


@unhurried
@given(cases())
def test_threads_and_the_shape_of_the_batch_change_no_bit(case):
    y = case.batch(case.x)
    assert same(case.batch(case.x, threads=2), y)
    for row, expected in zip(case.x, y, strict=True):
        assert same(case.batch(row), expected)


@pytest.mark.filterwarnings("ignore::rpsd.RpsdWarning")  # of levels, when a snapshot is restored
@unhurried
@given(cases())
def test_live_is_the_backtest_in_any_pieces(case):
    """Blocks, single samples, some series before others, amended bars, snapshots."""
    case.starts.clear()
    rng = np.random.default_rng(case.seed)
    x, (rows, n) = case.x.astype(np.float64), case.x.shape
    stream = case.stream(rows)
    pieces, at = [], 0
    while at < n:
        way = rng.integers(4)
        part = x[:, at : at + (int(rng.integers(1, 40)) if way == 0 else 1)]
        if way == 0:
            y = stream.push_many(part)
        elif way == 1:
            y = stream.push(part[:, 0])[:, None]
        elif way == 2:
            stream.push(rng.choice([499.0, np.nan, 3e4], size=rows))
            if rng.random() < 0.5:
                stream = rpsd.Stream.restore(stream.snapshot())
            y = stream.amend(part[:, 0])[:, None]
        else:
            y = np.empty((rows, 1))
            for some in np.array_split(rng.permutation(rows), 2):
                y[some, 0] = stream.push(some, part[some, 0])
        pieces.append(y)
        at += part.shape[1]
        if rng.random() < 0.2:
            stream = rpsd.Stream.restore(stream.snapshot())
    live = np.concatenate([np.empty((rows, 0)), *pieces], axis=1)
    k = min(case.lookahead, n)
    assert np.isnan(live[:, :k]).all()
    assert same(live[:, k:], case.batch(x)[:, : n - k])


def test_every_instruction_set_gives_the_same_bits():
    """In processes of their own, as what Hypothesis draws depends on the modules that are loaded."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("causal_cases.py")),
        str(settings.default.max_examples),
    ]
    found = set()
    for isa in rpsd.build_info()["isas"]:
        done = subprocess.run(
            command,
            env={**os.environ, "RPSD_ISA": isa},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.strip())
    assert len(found) == 1
