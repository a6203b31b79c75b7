# SPDX-License-Identifier: MIT
"""The guardrail overshoot: prices that nobody quoted are told, what fills gaps is none."""

import numpy as np
import pytest

import rpsd


def series(kind, nsr=None, n=1024, seed=0):
    return 100 + rpsd.simulate(kind, n, seed, **({} if nsr is None else {"nsr": nsr})).noisy


def breaches(report):
    return {check.name for check in report.checks if check.counts and not check.passed}


@pytest.mark.parametrize(("kind", "nsr"), [("a", 0.5), ("a", 1.0), ("a", 3.0), ("b", 1.0), ("e_t3", None)])
def test_a_price_that_nobody_quoted_is_caught(kind, nsr):
    """However little it weighs in a mean over all samples."""
    x = 100 + series(kind, nsr, 2048, seed=9)
    for place in (0, 1000, -1):
        for wrong in (0.0, 400.0):
            y = rpsd.denoise(x)
            y[place] = wrong
            assert "overshoot" in breaches(rpsd.evaluate(x, y))
    assert breaches(rpsd.evaluate(x, rpsd.denoise(x))) == set()


def test_gaps_and_lattices_are_no_breach():
    holes = series("a", 3.0, 2048, 1)
    for start in range(100, 2000, 200):
        holes[start : start + 60] = np.nan
    lattice = np.round(series("a", 0.5, 2048, 3) / 2) * 2
    for x in (holes, lattice):
        for lookahead in (None, 0):
            report = rpsd.evaluate(x, rpsd.denoise(x, lookahead=lookahead), lookahead=lookahead)
            assert not breaches(report) & {"overshoot", "whiteness"}, report.failures()
